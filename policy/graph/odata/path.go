package odata

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxPath     = 8 << 10 // bytes; Graph itself takes less
	maxSegments = 64      // the longest template of Graph's metadata has 18
	maxPaths    = 2       // /sites/{host}:/{path}:/drive/root:/{path}
)

// trimPath checks the path as a whole, and removes the leading slash and one trailing slash.
func trimPath(path string) (string, error) {
	switch {
	case len(path) > maxPath:
		return "", refuse(codeTooLong, "the path has %d bytes; at most %d are read", len(path), maxPath)
	case !strings.HasPrefix(path, "/"):
		return "", refuse(codeAmbiguous, "the path %s does not begin with a slash; write /v1.0/... or /beta/...", quote(path))
	case strings.Contains(path, "//"):
		return "", refuse(codeAmbiguous, "the path has an empty segment, \"//\"; write one slash")
	case strings.Count(path, "/") > maxSegments:
		return "", refuse(codeTooLong, "the path has more than %d segments", maxSegments)
	}
	return strings.TrimSuffix(path[1:], "/"), nil
}

// A pathReader reads segments. Targets and templates share it, so that rules and requests are read in the same
// way.
type pathReader struct {
	segments []Segment
	rest     string // unread: segments without a slash in front
	paths    int    // drive and site paths so far
	odd      bool   // a segment was not plain, so its canonical form may differ from the input
	template bool   // {name} is a variable
}

func (r *pathReader) read() error {
	for r.rest != "" {
		raw, more := r.cut()
		if err := r.next(raw, more); err != nil {
			return err
		}
	}
	return nil
}

// next reads one segment, and the path in colons that it may open.
func (r *pathReader) next(raw string, more bool) error {
	if p, ok := r.packed(raw); ok {
		return r.readPacked(p, raw, more)
	}
	name, opens := strings.CutSuffix(raw, ":")
	escapes := false
	if escaped, _ := cutColon(raw); len(escaped) < len(raw) {
		// An escaped colon opens a path only where Graph addresses by path: elsewhere it may belong to a key.
		if escapes = r.isByPath(escaped); escapes {
			name, opens = escaped, true
		}
	}
	if err := r.segment(name, raw); err != nil || !opens {
		return err
	}
	return r.path(raw, more, escapes)
}

// segment reads one segment; raw is for messages.
func (r *pathReader) segment(name, raw string) error {
	if !r.template && isPlain(name) {
		r.plainName(name)
		return nil
	}
	r.odd = true
	text, err := decode(name, raw, inText)
	if err != nil {
		return err
	}
	if err := r.checkSegment(text, raw); err != nil {
		return err
	}
	if text[0] == '$' {
		return r.system(text, raw)
	}
	if r.template {
		if done, err := r.variable(text, raw); done || err != nil {
			return err
		}
	}
	if open := strings.IndexByte(text, '('); open >= 0 && (isDotted(text[:open]) || !r.isChosen(text)) {
		return r.parentheses(text[:open], text[open+1:], raw)
	}
	return r.plain(text, raw)
}

// isPlain reports whether s is a name or key that passes all checks below. Most are, so this one check is the
// cost of a segment.
func isPlain(s string) bool {
	if !all(s, inSegment) || s == "" || s[0] == '$' {
		return false
	}
	last := s[len(s)-1]
	return last != '.' && last != ':'
}

func (r *pathReader) plain(text, raw string) error {
	chosen := r.isChosen(text)
	if i := index(text, stray); i >= 0 && !(chosen && text[i] == ')') {
		if text[i] == '?' {
			return refuse(codeAmbiguous,
				"the segment %s holds an escaped question mark; write a key that holds one in quotes: users('...')", quote(raw))
		}
		return refuse(codeAmbiguous, "the segment %s has a closing parenthesis and no opening one", quote(raw))
	}
	r.plainName(text)
	return checkName(text, raw, chosen)
}

// plainName appends a name without parentheses. Where Graph has no casts it is a key, even if it looks like a
// name.
func (r *pathReader) plainName(text string) {
	if isUncastKey(r.segments, text) {
		r.key(text)
		return
	}
	r.name(text, false)
}

// key appends a key that stands as a segment.
func (r *pathReader) key(text string) {
	folded := fold(text)
	r.segments = append(r.segments, Segment{Kind: Name, Text: text, Fold: folded, Base: folded})
}

func (r *pathReader) name(text string, call bool) {
	folded, base, qualified := foldName(text)
	r.segments = append(r.segments,
		Segment{
			Kind:      Name,
			Text:      text,
			Fold:      folded,
			Base:      base,
			Qualified: qualified,
			Call:      call,
		})
}

// system reads a segment that begins with "$". They are keywords, so the canonical spelling is used.
func (r *pathReader) system(text, raw string) error {
	word := fold(text)
	switch word {
	case "$ref", "$value", "$count", "$metadata", "$batch":
		r.segments = append(r.segments, Segment{Kind: System, Text: word, Fold: word, Base: word})
		return nil
	}
	if r.isDollar(text, raw) {
		return nil
	}
	return refuse(codeUnsupported,
		"the segment %s begins with \"$\" and is none of $ref, $value, $count, $metadata, $batch; write a key that begins "+
			"with \"$\" in quotes: users('$x@y')", quote(raw))
}

// checkPart refuses characters in a name of a drive path that OneDrive and SharePoint do not allow
// (https://support.microsoft.com/office/64883a5d-228e-48f5-b3d2-eb39e07630fa) or that are ambiguous.
func checkPart(part, raw string) error {
	if part == "" {
		return refuse(codeAmbiguous, "the drive path %s has an empty part; write names with one slash between them",
			quote(raw))
	}
	if isDots(part) {
		return refuse(codeAmbiguous, "the drive path %s has a dot segment; write the path that is meant", quote(raw))
	}
	if hasLooseEnds(part) {
		return refuse(codeAmbiguous,
			"the drive path %s has a name that begins with a space, or ends with a space or dot, which OneDrive does not "+
				"allow; take it off", quote(raw))
	}
	if i := index(part, notInFile); i >= 0 {
		return refuse(codeAmbiguous, "the drive path %s has %q in a name, which OneDrive does not allow; take it out",
			quote(raw), part[i])
	}
	return checkSecondLayer(part, raw)
}

// checkSegment refuses ambiguous text in a segment outside drive paths.
func (r *pathReader) checkSegment(text, raw string) error {
	if text == "" {
		return refuse(codeAmbiguous, "the segment %s has no name before its colon; write root:/... or items/{id}:/...",
			quote(raw))
	}
	if !isSearch(raw) {
		// Graph has been observed to decode ids twice, so that %252F became a slash.
		if i := indexEscape(text); i >= 0 {
			return refuse(codeAmbiguous, "the segment %s is still escaped after decoding it once, at %s; escape it once only",
				quote(raw), quote(text[i:i+3]))
		}
		if strings.IndexByte(text, ';') >= 0 && !r.isChosen(text) {
			return refuse(codeAmbiguous,
				"the segment %s holds a semicolon, raw or escaped, behind which some servers see a parameter; address the "+
					"resource by its id", quote(raw))
		}
	}
	if isDots(text) {
		return refuse(codeAmbiguous, "the segment %s is a dot segment; write the path that is meant", quote(raw))
	}
	if text[len(text)-1] == ':' {
		return refuse(codeAmbiguous,
			"the segment %s ends in a doubled or escaped colon, which could open a drive path or not; write one raw colon to "+
				"open one", quote(raw))
	}
	return nil
}

// hasLooseEnds reports whether s begins or ends with characters that Windows and SharePoint drop from names.
func hasLooseEnds(s string) bool {
	if s == "" {
		return false
	}
	first, _ := utf8.DecodeRuneInString(s)
	last, _ := utf8.DecodeLastRuneInString(s)
	return unicode.IsSpace(first) || unicode.IsSpace(last) || last == '.'
}

// decode decodes the escapes, once. It refuses text that must not be in any path: broken escapes, escaped
// slashes and backslashes (Graph reads %2F as a separator), control characters, and the raw characters that end
// a path or a request line. Text whose bytes are all plain is returned unchanged. Raw is for messages.
func decode(s, raw string, plain charClass) (string, error) {
	if all(s, plain) {
		return s, nil
	}
	var buffer [128]byte
	text := buffer[:0]
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch c {
		case '%':
			var ok bool
			if c, ok = unhex(s, i); !ok {
				return "", refuse(codeEscape,
					"the segment %s has a \"%%\" without two hexadecimal digits; write %%25 for a percent sign", quote(raw))
			}
			if c == '/' && !isSearch(s) {
				return "", refuse(codeAmbiguous,
					"the segment %s has an escaped slash, %%2F, which Graph reads as a separator; write a slash, or address the "+
						"resource by its id", quote(raw))
			}
			i += 2
		case ' ', '#', '?':
			return "", refuse(codeAmbiguous, "the segment %s has a raw %q; write %%%02X", quote(raw), c, c)
		}
		if c == '\\' {
			return "", refuse(codeAmbiguous,
				"the segment %s has a backslash, raw or escaped, which some servers read as a slash; write a slash", quote(raw))
		}
		text = append(text, c)
	}
	decoded := string(text)
	if err := checkText(decoded, "the segment", raw); err != nil {
		return "", err
	}
	return decoded, nil
}
