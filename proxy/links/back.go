package links

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"graphproxy/policy/strictjson"
)

// BackBody returns the JSON body of a request with the proxy's address replaced by Graph's where Graph reads an
// address. These are all names under which Append makes Graph's address the proxy's, so that the values of an
// answer can be sent again, and "@odata.bind" and the other names of references, for strings and strings in arrays,
// at any depth and with the name of a property before them ("members@odata.bind",
// https://learn.microsoft.com/graph/api/group-post-members). All other bytes stay, except a byte order mark, which
// is removed because some readers of JSON refuse it. If nothing changes, the body itself is returned. The caller
// bounds its size.
//
// It fails closed: a body that is not JSON in UTF-8 is an error, because Graph may read it more leniently and find
// values that were not seen here. For the same reason names of references are recognised in every letter case and
// without "odata." (OData 4.01). An empty body stays empty.
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

// checkUTF8 refuses other encodings. Graph does not refuse all of them: for Latin-1 it stores U+FFFD in place of
// each character beyond ASCII, and reports success.
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
	out        []byte // the new form of text[:done]
	done       int
	unreadable bool // a reference contains U+FFFD or half of a surrogate pair

	key       []byte // of the last string, for which names was computed
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
	// visit is called for each string that is a value, with its key, without escapes, also for strings in arrays;
	// text[start:end] is the text between its quotes. Names is the result of enter.
	visit func(key []byte, start, end int, names bool)
	// enter reports whether all strings below a key name resources. nil: none do.
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

// value reads past the value of a key.
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

// holdsNoCharacter reports whether a string of JSON contains U+FFFD, or half of a surrogate pair, which readers
// replace by it.
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
