package odata

import "strings"

const (
	maxQuery   = 64 << 10 // bytes; batching is documented as the way to send filters that are too long for a URL
	maxOptions = 64
)

// readQuery reads a raw query. Only "&" separates options: net/url drops those that hold ";", and Microsoft's own
// $expand=manager($levels=max;$select=id) is one.
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
		if options[i].Fold == o.Fold {
			return refuse(codeAmbiguous, "the query option %s is there twice, as %s and %s; write it once", o.Fold, options[i].Name, o.Name)
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
	o.Name, o.Fold = canonicalOption(name)
	o.bare = !found
	o.Value, o.encoded, err = optionValue(rawValue, o.Name)
	return o, err
}

// optionName decodes a name: SDKs write %24select and expect it to be put right on the way, since Graph does not.
// Messages give the option's number, for what stands in the place of a name may be the rest of a value with a raw "&".
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
					return "", refuse(codeEscape, "the name of query option %d has a \"%%\" without two hexadecimal digits; write names as $select", number)
				}
				i += 2
			}
			decoded = append(decoded, c)
		}
		name = string(decoded)
	}
	// An annotation is the one name that begins with "@": ?@microsoft.graph.conflictBehavior=rename says what an upload
	// does with a file that is there. An alias has no dot in its name.
	plain := strings.TrimPrefix(name, "$")
	if strings.HasPrefix(name, "@") {
		if plain = name[1:]; !strings.HasPrefix(fold(plain), namespace) {
			return "", refuse(codeUnsupported, "query option %d is a parameter alias, @name, which this proxy does not read; write the value in its place", number)
		}
	}
	if plain == "" || !all(plain, inOption) {
		return "", refuse(codeAmbiguous, "the name of query option %d is not made of letters, digits and -_.~: alone; write \"&\" within a value as %%26", number)
	}
	return name, nil
}

// canonicalOption returns the name as it is sent on and as it is compared. Graph takes system options without "$" on
// beta and for some resources of v1.0: they are judged and sent with it.
func canonicalOption(name string) (sent, folded string) {
	folded = fold(name)
	word, dollar := strings.CutPrefix(folded, "$")
	system := systemOption(word)
	switch {
	case system == "":
		return name, folded
	case dollar, system == "$search", system == "$format":
		return name, system
	case word == name:
		return system, system
	}
	return "$" + name, system
}

// nameReference gives $id its name where it is written without the "$", which Graph allows for system options in places. Elsewhere
// than behind $ref an id is an option like any other.
func nameReference(t *Target) error {
	last := len(t.Segments) - 1
	if last < 0 || t.Segments[last].Kind != System || t.Segments[last].Fold != "$ref" {
		return nil
	}
	for i := range t.Query {
		o := &t.Query[i]
		if o.Fold != "id" {
			continue
		}
		named := Option{Name: "$" + o.Name, Fold: "$id", Value: o.Value, encoded: o.encoded, bare: o.bare}
		if err := checkOption(t.Query[:i:i], named); err != nil {
			return err
		}
		if err := checkOption(t.Query[i+1:], named); err != nil {
			return err
		}
		*o = named
	}
	return nil
}

// systemOption returns the system option that Graph knows by the lower-case word, with or without "$", or "".
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
	}
	return ""
}

// optionValue decodes a value once and writes it afresh. Name is for messages, which never quote the value: it may
// hold a person's data. Raw spaces are taken, because the URLs of Microsoft's own batch examples have them.
func optionValue(raw, name string) (value, encoded string, err error) {
	if all(raw, inValue) {
		return raw, raw, nil
	}
	var buffers [2][128]byte
	decoded, written := buffers[0][:0], buffers[1][:0]
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		plain := classes[c]&inValue != 0 || c == '+'
		switch c {
		case '#':
			return "", "", refuse(codeAmbiguous, "the value of the query option %s has a raw \"#\", which ends a URL; write %%23", name)
		case '%':
			var ok bool
			if c, ok = unhex(raw, i); !ok {
				return "", "", refuse(codeEscape, "the value of the query option %s has a \"%%\" without two hexadecimal digits; write %%25 for a percent sign", name)
			}
			i += 2
			plain = classes[c]&inValue != 0
		}
		decoded = append(decoded, c)
		if plain {
			written = append(written, c)
		} else {
			written = appendEscape(written, c)
		}
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
