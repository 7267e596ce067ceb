package odata

import "strings"

const (
	maxQuery   = 64 << 10 // bytes; batching is documented as the way to send filters that are too long for a URL
	maxOptions = 64
)

// readQuery reads a raw query. Only "&" separates options: net/url drops options that contain ";", such as
// Microsoft's own $expand=manager($levels=max;$select=id).
func readQuery(dst []Option, raw string) ([]Option, error) {
	if len(raw) > maxQuery {
		return nil, refuse(codeTooLong, "the query has %d bytes; at most %d are read", len(raw), maxQuery)
	}
	for raw != "" {
		var piece string
		if piece, raw, _ = strings.Cut(raw, "&"); piece == "" {
			continue
		}
		o, err := readOption(piece, len(dst)+1)
		if err != nil {
			return nil, err
		}
		if err := checkOption(dst, o); err != nil {
			return nil, err
		}
		dst = append(dst, o)
	}
	return dst, nil
}

func checkOption(options []Option, o Option) error {
	for i := range options {
		if strings.TrimPrefix(options[i].Fold, "$") == strings.TrimPrefix(o.Fold, "$") {
			return refuse(codeAmbiguous, "the query option %s is there twice, as %s and %s; write it once", o.Fold,
				options[i].Name, o.Name)
		}
	}
	if len(options) == maxOptions {
		return refuse(codeTooLong, "the query has more than %d options", maxOptions)
	}
	return nil
}

func readOption(piece string, number int) (o Option, err error) {
	rawName, rawValue, found := strings.Cut(piece, "=")
	name, err := optionName(rawName, number)
	if err != nil {
		return o, err
	}
	o.Name, o.Fold = name, foldOption(name)
	o.bare = !found
	if o.Value, o.encoded, err = optionValue(rawValue, o.Name); err == nil && !isASCII(o.Value) {
		o.wide = Wide(o.Value)
	}
	return o, err
}

// WideValue returns the value in the form of Wide. If that is expensive, Parse did it once for all rules.
func (o *Option) WideValue() string {
	if o.wide != "" {
		return o.wide
	}
	return Wide(o.Value)
}

// optionName decodes a name: SDKs write %24select, and Graph does not decode it. Messages give the option's
// number and not its name, because the name may be the rest of a value with a raw "&".
func optionName(raw string, number int) (string, error) {
	name := raw
	if strings.IndexByte(raw, '%') >= 0 {
		var buffer [32]byte
		decoded := buffer[:0]
		for i := 0; i < len(raw); i++ {
			c := raw[i]
			if c == '%' {
				var ok bool
				if c, ok = unhex(raw, i); !ok {
					return "", refuse(codeEscape,
						"the name of query option %d has a \"%%\" without two hexadecimal digits; write names as $select", number)
				}
				i += 2
			}
			decoded = append(decoded, c)
		}
		name = string(decoded)
	}
	// Only an annotation's name begins with "@": ?@microsoft.graph.conflictBehavior=rename decides what an
	// upload does if the file exists. An alias has no dot in its name.
	plain := strings.TrimPrefix(name, "$")
	if strings.HasPrefix(name, "@") {
		if plain = name[1:]; !strings.HasPrefix(fold(plain), namespace) {
			return "", refuse(codeUnsupported,
				"query option %d is a parameter alias, @name, which this proxy does not read; write the value in its place", number)
		}
	}
	if plain == "" || !all(plain, inOption) {
		return "", refuse(codeAmbiguous,
			"the name of query option %d is not made of letters, digits and -_.~: alone; write \"&\" within a value as %%26",
			number)
	}
	return name, nil
}

// foldOption returns the name for comparing. Graph takes system options without "$" on beta and for some
// resources of v1.0. For SharePoint and OneDrive they have another meaning: ?select=content.downloadUrl returns
// the address of a file and ?$select= does not. So they are judged like the options with "$", and sent in the
// caller's spelling.
func foldOption(name string) string {
	folded := fold(name)
	if system := systemOption(strings.TrimPrefix(folded, "$")); system != "" {
		return system
	}
	return folded
}

// nameReference treats id without the "$" as $id after $ref. Elsewhere id is an ordinary option.
func nameReference(t *Target) {
	for i := range t.Query {
		if t.Query[i].Fold == "id" && t.isReference() {
			t.Query[i].Fold = "$id"
		}
	}
}

// isReference reports whether the target ends in $ref.
func (t *Target) isReference() bool {
	last := len(t.Segments) - 1
	return last >= 0 && t.Segments[last].Kind == System && t.Segments[last].Fold == "$ref"
}

// systemOption returns Graph's system option for the lower-case word, with or without "$", or "".
func systemOption(word string) string {
	switch word {
	case "select":
		return "$select"
	case "expand":
		return "$expand"
	case "filter":
		return "$filter"
	case "orderby":
		return "$orderby"
	case "search":
		return "$search"
	case "skip":
		return "$skip"
	case "top":
		return "$top"
	case "count":
		return "$count"
	case "format":
		return "$format"
	case "skiptoken":
		return "$skiptoken"
	case "deltatoken":
		return "$deltatoken"
	case "apply":
		return "$apply"
	case "compute":
		return "$compute"
	}
	return ""
}

// optionValue decodes a value once, to be judged, and returns the value to be sent on. That is the caller's,
// except that escapes of letters, digits and "-._~" are decoded, and raw bytes that a request line cannot
// contain are escaped. An escape of any other character keeps the caller's spelling, also its letter case.
// Servers split at a raw ";" or "&" in a value, also in skiptokens, so decoding such an escape would change the
// value. Name is for messages, which never quote the value: it may contain a person's data. Raw spaces are
// accepted, because the URLs of Microsoft's own batch examples have them.
func optionValue(raw, name string) (value, encoded string, err error) {
	if all(raw, inRawValue) {
		return raw, raw, nil
	}
	var buffers [2][128]byte
	decoded, written := buffers[0][:0], buffers[1][:0]
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		switch {
		case c == '#':
			return "", "", refuse(codeAmbiguous,
				"the value of the query option %s has a raw \"#\", which ends a URL; write %%23", name)
		case c == '%':
			var ok bool
			if c, ok = unhex(raw, i); !ok {
				return "", "", refuse(codeEscape,
					"the value of the query option %s has a \"%%\" without two hexadecimal digits; write %%25 for a percent sign",
					name)
			}
			if classes[c]&unreserved != 0 {
				written = append(written, c)
			} else {
				written = append(written, raw[i:i+3]...)
			}
			i += 2
		case classes[c]&inRawValue != 0:
			written = append(written, c)
		default:
			written = appendEscape(written, c)
		}
		decoded = append(decoded, c)
	}
	value = string(decoded)
	if err := checkText(value, "the value of the query option", name); err != nil {
		return "", "", err
	}
	if encoded = raw; string(written) != raw {
		encoded = string(written)
	}
	return value, encoded, nil
}
