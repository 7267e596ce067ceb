package links

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"graphproxy/policy/strictjson"
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
	m := mapper{r: r, text: body}
	switch err := r.walk(body, walker{visit: m.visit}); {
	case err != nil:
		return nil, err
	case m.unreadable:
		return nil, errors.New("the body names a resource with half a surrogate pair or U+FFFD; write it in valid Unicode")
	case m.done == 0:
		return body, nil
	}
	return append(m.out, body[m.done:]...), nil
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

// mapper makes the proxy's address Graph's in a text.
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

// walker goes through a text.
type walker struct {
	json *strictjson.Reader
	// visit is called for each string that is a value, with the key that it stands under, without escapes, directly or
	// in arrays; text[start:end] is what is between its quotes. Names is what enter returned.
	visit func(key []byte, start, end int, names bool)
	// enter reports whether all strings below a key name something. Nil: none do.
	enter func(key []byte) bool
}

// bodyDepth is how deep the JSON of a body may nest.
const bodyDepth = 10_000

// reading is how bodies are read, which Graph gets as they are: only their strings matter here.
var reading = strictjson.Options{Depth: bodyDepth, Lenient: true}

// walk goes through a body. The error is for one that is not JSON.
func (r *Rewriter) walk(body []byte, w walker) error {
	w.json = r.readers.Take()
	defer r.readers.Put(w.json)
	err := w.json.Reset(body, reading)
	if err == nil {
		err = w.value(nil, false)
	}
	if err == nil {
		err = w.json.End()
	}
	if err != nil {
		return fmt.Errorf("the body is not JSON: %w", err)
	}
	return nil
}

// value goes past a value that stands under a key.
func (w *walker) value(key []byte, names bool) error {
	switch w.json.Kind() {
	case strictjson.Object:
		return w.members(names)
	case strictjson.Array:
		return w.elements(key, names)
	case strictjson.String:
		raw, err := w.json.String()
		if err == nil {
			end := w.json.Offset() - len(`"`)
			w.visit(key, end-len(raw), end, names)
		}
		return err
	}
	return w.json.Skip()
}

func (w *walker) elements(key []byte, names bool) error {
	if err := w.json.Enter(); err != nil {
		return err
	}
	for {
		if more, err := w.json.Element(); !more {
			return err
		}
		if err := w.value(key, names); err != nil {
			return err
		}
	}
}

func (w *walker) members(names bool) error {
	if err := w.json.Enter(); err != nil {
		return err
	}
	for {
		raw, _, more, err := w.json.Key()
		if !more {
			return err
		}
		key := keyOf(raw)
		if err := w.value(key, names || w.enter != nil && w.enter(key)); err != nil {
			return err
		}
	}
}

// holdsNoCharacter reports whether a string of JSON holds U+FFFD, or half of a surrogate pair, which readers make that
// of.
func holdsNoCharacter(raw []byte) bool {
	return bytes.Contains(raw, []byte("\uFFFD")) ||
		bytes.IndexByte(raw, '\\') >= 0 && strings.ContainsRune(strictjson.Unquote(raw), utf8.RuneError)
}

// keyOf returns a key without its escapes.
func keyOf(raw []byte) []byte {
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw
	}
	return []byte(strictjson.Unquote(raw))
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
