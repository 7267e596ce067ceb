// Package strictjson reads JSON that is not ambiguous (RFC 8259), for bodies that are judged before Graph reads
// them.
//
// It refuses JSON that parsers read in different ways:
//
//   - other encodings than UTF-8, bytes that are not UTF-8, and a byte order mark;
//   - an object with one key twice, also in another letter case or width, or with invisible characters;
//   - half of a surrogate pair, written as an escape;
//   - arrays and objects that nest deeper than MaxDepth;
//   - everything that RFC 8259 does not have: comments, commas at the end, NaN, more after the value.
//
// A Reader goes through a text once, from front to end, and copies nothing. Its memory is a few bytes for each
// key of the open objects. It does not interpret the text.
package strictjson

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"graphproxy/policy/graph/odata"
)

// MaxDepth is how deep arrays and objects may nest. Graph's JSON nests far less, and some parsers stop at this
// depth (.NET's).
const MaxDepth = 64

// Kind is what a value is.
type Kind uint8

// The kinds of values.
const (
	Invalid Kind = iota
	Null
	Bool
	Number
	String
	Array
	Object
)

// Error is where and why a text is ambiguous or invalid.
type Error struct {
	At      int // byte of the text, from 0
	Message string
}

// Error returns the place and the message. It contains no value of the text.
func (e *Error) Error() string { return "byte " + strconv.Itoa(e.At) + ": " + e.Message }

// Reader reads one text. It is for one goroutine. After an error it must not be used further.
type Reader struct {
	text   []byte
	pos    int
	depth  int
	open   [MaxDepth]frame
	keys   []key // of the objects that are open
	prefix [64]key
}

// frame is an array or object that is open.
type frame struct {
	first int  // of its keys in Reader.keys
	begun bool // a member or element of it has been read
}

// key is the place of a key in the text, without its quotes.
type key struct {
	start, end int
	hash       uint32
	odd        bool // it contains escapes or other characters than plain ASCII
}

// Reset makes r read a text from its front. The text must not change while it is read.
func (r *Reader) Reset(text []byte) error {
	r.text, r.pos, r.depth = text, 0, 0
	r.keys = r.prefix[:0]
	switch {
	case bytes.HasPrefix(text, []byte("\xef\xbb\xbf")):
		return r.fail("a byte order mark stands in front; send the text without it")
	case bytes.HasPrefix(text, []byte("\xff\xfe")), bytes.HasPrefix(text, []byte("\xfe\xff")),
		bytes.IndexByte(text[:min(4, len(text))], 0) >= 0:
		return r.fail("the text is written in UTF-16 or UTF-32; send JSON in UTF-8")
	}
	r.space()
	return nil
}

func (r *Reader) fail(format string, args ...any) error {
	return &Error{At: r.pos, Message: fmt.Sprintf(format, args...)}
}

func (r *Reader) unexpected(wanted string) error {
	if r.pos >= len(r.text) {
		return r.fail("the text ends where %s should be", wanted)
	}
	c, _ := utf8.DecodeRune(r.text[r.pos:])
	return r.fail("%s stands where %s should be", strconv.QuoteRuneToASCII(c), wanted)
}

func (r *Reader) peek() byte {
	if r.pos < len(r.text) {
		return r.text[r.pos]
	}
	return 0
}

func (r *Reader) space() {
	for r.pos < len(r.text) {
		switch r.text[r.pos] {
		case ' ', '\t', '\n', '\r':
			r.pos++
		default:
			return
		}
	}
}

// take reads c and the space after it if c is next.
func (r *Reader) take(c byte) bool {
	if r.peek() != c {
		return false
	}
	r.pos++
	r.space()
	return true
}

// Kind returns the kind of the next value, by its first byte; Invalid if no value begins here.
func (r *Reader) Kind() Kind {
	switch c := r.peek(); {
	case c == '{':
		return Object
	case c == '[':
		return Array
	case c == '"':
		return String
	case c == '-' || '0' <= c && c <= '9':
		return Number
	case c == 't' || c == 'f':
		return Bool
	case c == 'n':
		return Null
	}
	return Invalid
}

// Enter enters the next object or array. Key or Element then leads from member to member.
func (r *Reader) Enter() error {
	if r.depth == MaxDepth {
		return r.fail("arrays and objects nest deeper than %d", MaxDepth)
	}
	if c := r.peek(); c != '{' && c != '[' {
		return r.unexpected("an object or array")
	}
	r.pos++
	r.space()
	r.open[r.depth] = frame{first: len(r.keys)}
	r.depth++
	return nil
}

// Element moves to the next element of the array that was entered last. It is false at the end of the array.
func (r *Reader) Element() (more bool, err error) { return r.next(']') }

// next moves to the next member or element, or past the end.
func (r *Reader) next(shut byte) (more bool, err error) {
	f := &r.open[r.depth-1]
	switch {
	case r.take(shut):
		r.depth--
		return false, r.leave(f)
	case f.begun && !r.take(','):
		return false, r.unexpected("a comma or " + strconv.QuoteRune(rune(shut)))
	}
	f.begun = true
	return true, nil
}

// Key moves to the value of the next member of the object that was entered last, and returns its raw key,
// without quotes. Odd reports whether the key contains escapes or characters with a special meaning, see
// isPlain. It is false at the end of the object, where doubled keys are found.
func (r *Reader) Key() (raw []byte, odd, more bool, err error) {
	if more, err = r.next('}'); !more {
		return nil, false, false, err
	}
	if r.peek() != '"' {
		return nil, false, false, r.unexpected("a key in quotes")
	}
	start := r.pos + 1
	if raw, err = r.String(); err != nil {
		return nil, false, false, err
	}
	if !r.take(':') {
		return nil, false, false, r.unexpected("a colon")
	}
	k := newKey(raw, start)
	r.keys = append(r.keys, k)
	return raw, k.odd, true, nil
}

// newKey returns the place of a key that was just read. All keys that a reader may take for the same key have
// the same hash (FNV-1a).
func newKey(raw []byte, start int) key {
	const offset, prime = 2166136261, 16777619
	k := key{start: start, end: start + len(raw), hash: offset}
	for _, c := range raw {
		if !isPlain(c) {
			k.odd = true
			break
		}
		k.hash = (k.hash ^ uint32(lower(c))) * prime
	}
	if !k.odd {
		return k
	}
	k.hash = offset
	folded := Fold(raw)
	for i := range len(folded) {
		k.hash = (k.hash ^ uint32(folded[i])) * prime
	}
	return k
}

// isPlain reports whether every reader reads a byte of a key as itself.
func isPlain(c byte) bool { return ' ' < c && c < utf8.RuneSelf-1 && c != '\\' }

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + ('a' - 'A')
	}
	return c
}

// Fold returns a form of a key's raw text that is equal for all keys that a reader may take for the same key:
// without escapes, in lower case, without accents and invisible characters.
func Fold(raw []byte) string {
	return strings.TrimFunc(odata.Wide(Unquote(raw)), func(c rune) bool { return c <= ' ' })
}

// leave refuses an object that has a key twice.
func (r *Reader) leave(f *frame) error {
	keys := r.keys[f.first:]
	r.keys = r.keys[:f.first]
	const few = 12
	if len(keys) <= few {
		for i := range keys {
			for j := range i {
				if keys[i].hash == keys[j].hash && r.same(keys[i], keys[j]) {
					return r.doubled(keys[i])
				}
			}
		}
		return nil
	}
	slices.SortFunc(keys, func(a, b key) int {
		if a.hash != b.hash {
			return int(int64(a.hash) - int64(b.hash))
		}
		return r.compare(a, b)
	})
	for i := 1; i < len(keys); i++ {
		if keys[i-1].hash == keys[i].hash && r.same(keys[i-1], keys[i]) {
			return r.doubled(keys[i])
		}
	}
	return nil
}

func (r *Reader) same(a, b key) bool { return r.compare(a, b) == 0 }

func (r *Reader) compare(a, b key) int {
	x, y := r.text[a.start:a.end], r.text[b.start:b.end]
	if a.odd || b.odd {
		x, y = []byte(Fold(x)), []byte(Fold(y))
	}
	for i := range min(len(x), len(y)) {
		if d := int(lower(x[i])) - int(lower(y[i])); d != 0 {
			return d
		}
	}
	return len(x) - len(y)
}

func (r *Reader) doubled(k key) error {
	r.pos = k.start
	const most = 60
	name := r.text[k.start:min(k.end, k.start+most)]
	return r.fail("the property %s is there twice, letter case does not count; keep one",
		strconv.QuoteToASCII(string(name)))
}

// End refuses any text after the value that was read.
func (r *Reader) End() error {
	if r.pos < len(r.text) {
		return r.fail("there is more behind the end of the JSON value; send one value")
	}
	return nil
}

// Skip moves past the next value. It checks the value's content too.
func (r *Reader) Skip() error {
	switch r.Kind() {
	case Object:
		if err := r.Enter(); err != nil {
			return err
		}
		for {
			if _, _, more, err := r.Key(); !more {
				return err
			}
			if err := r.Skip(); err != nil {
				return err
			}
		}
	case Array:
		if err := r.Enter(); err != nil {
			return err
		}
		for {
			if more, err := r.Element(); !more {
				return err
			}
			if err := r.Skip(); err != nil {
				return err
			}
		}
	case String:
		_, err := r.String()
		return err
	}
	_, err := r.Literal()
	return err
}

// Check returns why a text is ambiguous or invalid; nil if it is not.
func Check(text []byte) error {
	var r Reader
	if err := r.Reset(text); err != nil {
		return err
	}
	if err := r.Skip(); err != nil {
		return err
	}
	return r.End()
}
