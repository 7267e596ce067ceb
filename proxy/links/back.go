package links

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"unicode/utf16"
	"unicode/utf8"
)

// BackBody returns what becomes of the JSON body of a request: an address at the proxy becomes Graph's where Graph
// reads one. That is under each name where Append makes Graph's address the proxy's, so that what an answer brought can
// be sent again, and under "@odata.bind" and the other names of references, for strings and strings in arrays, at any
// depth and with the name of a property before them ("members@odata.bind",
// https://learn.microsoft.com/graph/api/group-post-members). All other bytes stay, but for a byte order mark, which is
// taken off: some readers of JSON refuse it. The body is returned itself if nothing changes; it must fit into memory,
// which is the caller's to see to.
//
// It fails closed: a body that is not JSON in UTF-8 is an error, because Graph may be more lenient in reading it and
// find in it what was not seen here. For the same reason names of references count in every letter case and without
// "odata." (OData 4.01). An empty body is none.
func (r *Rewriter) BackBody(body []byte) ([]byte, error) {
	if len(body) == 0 {
		return body, nil
	}
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
	if err := checkUTF8(body); err != nil {
		return nil, err
	}
	if err := checkJSON(body); err != nil {
		return nil, err
	}
	m := mapper{r: r, text: body}
	w := walker{text: body, visit: m.visit}
	w.value(nil, false)
	switch {
	case m.unreadable:
		return nil, errors.New("the body names a resource with half a surrogate pair or U+FFFD; write it in valid Unicode")
	case m.done == 0:
		return body, nil
	}
	return append(m.out, body[m.done:]...), nil
}

// checkJSON returns what is wrong with a text that is not JSON. It copies only such a text.
func checkJSON(body []byte) error {
	if json.Valid(body) {
		return nil
	}
	var value json.RawMessage
	return fmt.Errorf("the body is not JSON: %w", json.Unmarshal(body, &value))
}

// checkUTF8 refuses other encodings. Graph does not refuse all of them: of Latin-1 it stores U+FFFD for each character
// beyond ASCII, and reports success.
func checkUTF8(body []byte) error {
	const cure = "; send JSON in UTF-8, with Content-Type: application/json; charset=utf-8 (without that charset, " +
		"Windows PowerShell sends Latin-1)"
	switch {
	case bytes.HasPrefix(body, []byte("\xff\xfe")), bytes.HasPrefix(body, []byte("\xfe\xff")),
		bytes.IndexByte(body[:min(4, len(body))], 0) >= 0:
		return errors.New("the body is written in UTF-16 or UTF-32" + cure)
	case utf8.Valid(body):
		return nil
	}
	at := 0
	for {
		c, size := utf8.DecodeRune(body[at:])
		if c == utf8.RuneError && size == 1 {
			break
		}
		at += size
	}
	return fmt.Errorf("the body is not UTF-8 at byte %d%s", at, cure)
}

// mapper makes the proxy's address Graph's in a text that is known to be JSON.
type mapper struct {
	r          *Rewriter
	text       []byte
	out        []byte // what becomes of text[:done]
	done       int
	unreadable bool // a reference holds what is no character

	key       []byte // of the last string, with what it is
	kind      kind
	reference bool
}

func (m *mapper) visit(key []byte, start, end int, _ bool) {
	if !bytes.Equal(key, m.key) { // the strings of an array have the same key
		m.key, m.kind, m.reference = key, field(key), isReference(key)
	}
	if m.reference {
		m.kind = link
		m.unreadable = m.unreadable || holdsNoCharacter(m.text[start:end])
	}
	if m.kind == other {
		return
	}
	if n, v := m.r.public.matchRaw(m.text[start:end+1], m.kind == follow); v == yes {
		m.out = append(append(m.out, m.text[m.done:start]...), m.r.graph.spelled...)
		m.done = start + n
	}
}

// walker goes through a text that is known to be JSON.
type walker struct {
	text []byte
	pos  int
	// visit is called for each string that is a value, with the key that it stands under, without escapes, directly or
	// in arrays; text[start:end] is what is between its quotes. Names is what enter returned.
	visit func(key []byte, start, end int, names bool)
	// enter reports whether all strings below a key name something. Nil: none do.
	enter func(key []byte) bool
}

// value goes past a value that stands under a key.
func (w *walker) value(key []byte, names bool) {
	switch w.peek() {
	case '{':
		w.members(names)
	case '[':
		for w.pos++; w.peek() != ']'; w.comma() {
			w.value(key, names)
		}
		w.pos++
	case '"':
		start, end := w.string()
		w.visit(key, start, end, names)
	default:
		for w.pos < len(w.text) && isLiteral(w.text[w.pos]) {
			w.pos++
		}
	}
}

func (w *walker) members(names bool) {
	for w.pos++; w.peek() != '}'; w.comma() {
		start, end := w.string()
		key := keyOf(w.text[start:end])
		w.peek()
		w.pos++ // the colon
		w.value(key, names || w.enter != nil && w.enter(key))
	}
	w.pos++
}

func (w *walker) comma() {
	if w.peek() == ',' {
		w.pos++
	}
}

// peek goes to the next byte that is no space, and returns it; 0 at the end.
func (w *walker) peek() byte {
	for ; w.pos < len(w.text); w.pos++ {
		if c := w.text[w.pos]; c != ' ' && c != '\t' && c != '\n' && c != '\r' {
			return c
		}
	}
	return 0
}

// string goes past a string and returns where the text between its quotes is.
func (w *walker) string() (start, end int) {
	start = w.pos + 1
	end, _ = closingQuote(w.text, start)
	w.pos = end + 1
	return start, end
}

// unquote returns a string of JSON without its escapes.
func unquote(raw []byte) string {
	var text string
	_ = json.Unmarshal(slices.Concat([]byte{'"'}, raw, []byte{'"'}), &text) // it is JSON, as the whole is
	return text
}

// holdsNoCharacter reports whether a string of JSON holds U+FFFD, or half of a surrogate pair, which readers make that
// of.
func holdsNoCharacter(raw []byte) bool {
	if bytes.Contains(raw, []byte("\uFFFD")) {
		return true
	}
	for i := bytes.IndexByte(raw, '\\'); i >= 0 && i+1 < len(raw); {
		size := 2
		if raw[i+1] == 'u' {
			c := escapedUnit(raw[i:])
			size = len(`\u0000`)
			if utf16.IsSurrogate(c) {
				c = utf16.DecodeRune(c, escapedUnit(raw[i+size:]))
				size *= 2
			}
			if c == utf8.RuneError {
				return true
			}
		}
		next := bytes.IndexByte(raw[min(i+size, len(raw)):], '\\')
		if next < 0 {
			break
		}
		i += size + next
	}
	return false
}

// escapedUnit returns the unit of UTF-16 that the escape at the front of a string of JSON stands for; 0 if there is
// none.
func escapedUnit(raw []byte) (unit rune) {
	if len(raw) < len(`\u0000`) || raw[0] != '\\' || raw[1] != 'u' {
		return 0
	}
	n, err := hex.AppendDecode(make([]byte, 0, 2), raw[2:6])
	if err != nil {
		return 0
	}
	return rune(n[0])<<8 | rune(n[1])
}

// keyOf returns a key without its escapes.
func keyOf(raw []byte) []byte {
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw
	}
	return []byte(unquote(raw))
}

// isReference reports whether Graph reads values under the key as addresses of resources.
func isReference(key []byte) bool {
	at := bytes.LastIndexByte(key, '@')
	if at < 0 {
		return false
	}
	name := key[at+1:]
	if front := len("odata."); len(name) > front && bytes.EqualFold(name[:front], []byte("odata.")) {
		name = name[front:]
	}
	return bytes.EqualFold(name, []byte("id")) || bytes.EqualFold(name, []byte("bind"))
}
