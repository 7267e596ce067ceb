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
// Options.Lenient takes the doubled keys, the halves and other bytes, for texts whose values are passed on as they are.
//
// The grammar is that of package jsontext, which becomes part of Go's standard library (encoding/json/jsontext). This
// package adds the depth, the keys that other readers may take for the same, and messages with a cure.
//
// A Reader goes through a text once, from front to end, and copies nothing. Its memory is a few bytes for each
// key of the open objects. It does not interpret the text.
package strictjson

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"
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

// Options are which texts a Reader takes. The zero value takes no ambiguous text.
type Options struct {
	// Depth is how deep arrays and objects may nest; 0: MaxDepth.
	Depth int
	// Lenient takes doubled keys, halves of surrogate pairs, and bytes that are not UTF-8.
	Lenient bool
}

// Reader reads one text. It is for one goroutine. The zero value needs Reset first. After an error only Reset may be
// called.
type Reader struct {
	text   []byte
	source bytes.Buffer // of text; jsontext reads it in place
	tokens jsontext.Decoder
	o      Options
	first  []int // for each array or object that is open, the index of its first key in keys
	keys   []key // of the objects that are open; none if o.Lenient
}

// Reset makes r read a text from its front. The text must not change while it is read.
func (r *Reader) Reset(text []byte, o Options) error {
	if o.Depth == 0 {
		o.Depth = MaxDepth
	}
	r.text, r.o = text, o
	r.first, r.keys = r.first[:0], r.keys[:0]
	r.source = *bytes.NewBuffer(text)
	// keys are compared here, by more than jsontext compares
	r.tokens.Reset(&r.source, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(o.Lenient))
	return r.checkEncoding()
}

// Kind returns the kind of the next value, by its first byte; Invalid if no value begins here.
func (r *Reader) Kind() Kind {
	switch r.tokens.PeekKind() {
	case jsontext.KindBeginObject:
		return Object
	case jsontext.KindBeginArray:
		return Array
	case jsontext.KindString:
		return String
	case jsontext.KindNumber:
		return Number
	case jsontext.KindTrue, jsontext.KindFalse:
		return Bool
	case jsontext.KindNull:
		return Null
	}
	return Invalid
}

// Enter enters the next object or array. Key or Element then leads from member to member.
func (r *Reader) Enter() error {
	if kind := r.Kind(); kind != Object && kind != Array {
		return r.unexpected("an object or array")
	}
	if err := r.checkDepth(); err != nil {
		return err
	}
	if _, err := r.tokens.ReadToken(); err != nil {
		return r.fault(err)
	}
	r.first = append(r.first, len(r.keys))
	return nil
}

// Element moves to the next element of the array that was entered last. It is false at the end of the array.
func (r *Reader) Element() (more bool, err error) {
	switch r.tokens.PeekKind() {
	case jsontext.KindEndArray:
		return false, r.leave()
	case jsontext.KindInvalid, jsontext.KindEndObject:
		if _, wanted := r.place(); wanted != value { // what is no value, its reader refuses
			return false, r.unexpected(wanted)
		}
	}
	return true, nil
}

// Key moves to the value of the next member of the object that was entered last, and returns its raw key,
// without quotes. It is false at the end of the object, where doubled keys are found. Odd reports whether the key
// contains escapes or characters with a special meaning, see isPlain; for a lenient Reader it is always false.
func (r *Reader) Key() (raw []byte, odd, more bool, err error) {
	switch r.tokens.PeekKind() {
	case jsontext.KindEndObject:
		return nil, false, false, r.leave()
	case jsontext.KindString:
	default:
		return nil, false, false, r.unexpected("a key in quotes")
	}
	if raw, err = r.String(); err != nil {
		return nil, false, false, err
	}
	if byteAt(r.text, r.skipSpace(r.Offset())) != ':' {
		return nil, false, false, r.unexpected(colon)
	}
	if r.o.Lenient {
		return raw, false, true, nil
	}
	k := newKey(raw, r.Offset()-len(raw)-1)
	r.keys = append(r.keys, k)
	return raw, k.odd, true, nil
}

// leave reads the end of an object or array.
func (r *Reader) leave() error {
	if _, err := r.tokens.ReadToken(); err != nil {
		return r.fault(err)
	}
	last := len(r.first) - 1
	first := r.first[last]
	r.first = r.first[:last]
	keys := r.keys[first:]
	r.keys = r.keys[:first]
	return r.checkKeys(keys)
}

// String reads the next string, and returns the raw text between the quotes.
func (r *Reader) String() (raw []byte, err error) {
	if r.Kind() != String {
		return nil, r.unexpected("a string")
	}
	value, err := r.tokens.ReadValue()
	if err != nil {
		return nil, r.fault(err)
	}
	return value[1 : len(value)-1], nil
}

// Literal reads the next number, true, false or null, and returns its raw text.
func (r *Reader) Literal() (raw []byte, err error) {
	switch r.Kind() {
	case String, Array, Object:
		return nil, r.unexpected("a number, true, false or null")
	}
	value, err := r.tokens.ReadValue()
	return value, r.fault(err)
}

// Value reads the next value, and returns its raw text. It checks the value's content too.
func (r *Reader) Value() (raw []byte, err error) {
	r.Kind()
	start, _ := r.place()
	if err := r.Skip(); err != nil {
		return nil, err
	}
	return r.text[start:r.Offset()], nil
}

// Offset returns where the last token or value ends, in bytes from the front of the text.
func (r *Reader) Offset() int { return int(r.tokens.InputOffset()) }

// End refuses any text after the value that was read.
func (r *Reader) End() error {
	if at := r.skipSpace(r.Offset()); at < len(r.text) {
		return fail(at, "there is more behind the end of the JSON value; send one value")
	}
	return nil
}

// Skip moves past the next value. It checks the value's content too.
func (r *Reader) Skip() error {
	switch r.Kind() {
	case Object, Array:
		if r.o.Lenient {
			return r.skipLenient()
		}
	default:
		_, err := r.tokens.ReadValue()
		return r.fault(err)
	}
	if r.Kind() == Array {
		return r.skipArray()
	}
	return r.skipObject()
}

func (r *Reader) skipObject() error {
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
}

func (r *Reader) skipArray() error {
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
}

// skipLenient moves past an object or array whose keys are not compared. jsontext reads it in one step, without the
// bound of its depth, so the depth is counted afterwards. What jsontext refuses is read again token by token, which
// finds the place of the fault.
func (r *Reader) skipLenient() error {
	value, err := r.tokens.ReadValue()
	if err != nil {
		return r.skipTokens()
	}
	if at := tooDeep(value, r.o.Depth-r.tokens.StackDepth()); at >= 0 {
		return r.nestsTooDeep(r.Offset() - len(value) + at)
	}
	return nil
}

// tooDeep returns where an array or object begins that nests deeper than most in a valid value; -1 if none does.
func tooDeep(value []byte, most int) int {
	if bytes.Count(value, []byte{'{'})+bytes.Count(value, []byte{'['}) <= most { // nearly always
		return -1
	}
	depth := 0
	for i := 0; i < len(value); i++ {
		switch value[i] {
		case '{', '[':
			if depth++; depth > most {
				return i
			}
		case '}', ']':
			depth--
		case '"':
			for i++; value[i] != '"'; i++ {
				if value[i] == '\\' {
					i++
				}
			}
		}
	}
	return -1
}

// skipTokens moves past an object or array token by token.
func (r *Reader) skipTokens() error {
	for outside := r.tokens.StackDepth(); ; {
		if err := r.checkDepth(); err != nil {
			return err
		}
		if _, err := r.tokens.ReadToken(); err != nil {
			return r.fault(err)
		}
		if r.tokens.StackDepth() == outside {
			return nil
		}
	}
}

// checkDepth refuses the next array or object if it would nest too deep.
func (r *Reader) checkDepth() error {
	kind := r.tokens.PeekKind()
	if kind != jsontext.KindBeginArray && kind != jsontext.KindBeginObject || r.tokens.StackDepth() < r.o.Depth {
		return nil
	}
	start, _ := r.place()
	return r.nestsTooDeep(start)
}

func (r *Reader) nestsTooDeep(at int) error {
	return fail(at, "arrays and objects nest deeper than %d", r.o.Depth)
}

// Check returns why a text is ambiguous or invalid; nil if it is not.
func Check(text []byte) error {
	var r Reader
	if err := r.Reset(text, Options{}); err != nil {
		return err
	}
	if err := r.Skip(); err != nil {
		return err
	}
	return r.End()
}
