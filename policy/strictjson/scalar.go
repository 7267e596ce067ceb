package strictjson

import (
	"bytes"
	"encoding/json"
	"slices"
	"unicode/utf16"
	"unicode/utf8"
)

// String reads the next string and the space after it. It returns the raw text between the quotes.
func (r *Reader) String() (raw []byte, err error) {
	if r.peek() != '"' {
		return nil, r.unexpected("a string")
	}
	r.pos++
	start := r.pos
	for r.pos < len(r.text) {
		switch c := r.text[r.pos]; {
		case c == '"':
			raw = r.text[start:r.pos]
			r.pos++
			r.space()
			return raw, nil
		case c < ' ':
			return nil, r.fail("a control character stands in a string; write it as \\u%04x", c)
		case c == '\\':
			if err := r.escape(); err != nil {
				return nil, err
			}
		case c < utf8.RuneSelf:
			r.pos++
		default:
			char, size := utf8.DecodeRune(r.text[r.pos:])
			if char == utf8.RuneError && size == 1 {
				return nil, r.fail("the text is not UTF-8; send JSON in UTF-8")
			}
			r.pos += size
		}
	}
	return nil, r.unexpected("the quote that ends a string")
}

// escape reads past an escape.
func (r *Reader) escape() error {
	rest := r.text[r.pos:]
	if len(rest) > 1 && rest[1] != 'u' && bytes.IndexByte([]byte(`"\/bfnrt`), rest[1]) >= 0 {
		r.pos += 2
		return nil
	}
	unit, ok := unit(rest)
	switch {
	case !ok && len(rest) > 1 && rest[1] == 'u':
		return r.fail("\\u is not followed by four hexadecimal digits")
	case !ok:
		r.pos++
		return r.unexpected("an escape that JSON has")
	case !utf16.IsSurrogate(unit):
		r.pos += len(`\u0000`)
		return nil
	}
	low, _ := escapedUnit(rest)
	if utf16.DecodeRune(unit, low) == utf8.RuneError {
		return r.fail("half of a surrogate pair stands in a string; write the character itself")
	}
	r.pos += 2 * len(`\u0000`)
	return nil
}

// escapedUnit returns the unit of UTF-16 that the second of two escapes stands for.
func escapedUnit(rest []byte) (rune, bool) { return unit(rest[len(`\u0000`):]) }

// unit returns the unit of UTF-16 that an escape at the front stands for.
func unit(b []byte) (n rune, ok bool) {
	if len(b) < len(`\u0000`) || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	for _, c := range b[2:6] {
		switch c = lower(c); {
		case '0' <= c && c <= '9':
			n = n<<4 | rune(c-'0')
		case 'a' <= c && c <= 'f':
			n = n<<4 | rune(c-'a'+10)
		default:
			return 0, false
		}
	}
	return n, true
}

// Literal reads the next number, true, false or null and the space after it, and returns its raw text.
func (r *Reader) Literal() (raw []byte, err error) {
	start := r.pos
	switch r.Kind() {
	case Number:
		err = r.number()
	case Bool, Null:
		err = r.word()
	default:
		return nil, r.unexpected("a JSON value")
	}
	if err != nil {
		return nil, err
	}
	raw = r.text[start:r.pos]
	r.space()
	return raw, nil
}

func (r *Reader) word() error {
	for _, w := range [...]string{"true", "false", "null"} {
		if bytes.HasPrefix(r.text[r.pos:], []byte(w)) {
			r.pos += len(w)
			return nil
		}
	}
	return r.unexpected("a JSON value")
}

// number reads a number. "01" is refused by the code that reads on: 1 is neither a comma nor an end.
func (r *Reader) number() error {
	r.takeAny("-")
	if r.peek() == '0' {
		r.pos++
	} else if !r.digits() {
		return r.unexpected("a digit")
	}
	if r.takeAny(".") && !r.digits() {
		return r.unexpected("a digit")
	}
	if r.takeAny("eE") {
		if r.takeAny("+-"); !r.digits() {
			return r.unexpected("a digit")
		}
	}
	return nil
}

func (r *Reader) takeAny(chars string) bool {
	if c := r.peek(); c == 0 || bytes.IndexByte([]byte(chars), c) < 0 {
		return false
	}
	r.pos++
	return true
}

func (r *Reader) digits() bool {
	start := r.pos
	for '0' <= r.peek() && r.peek() <= '9' {
		r.pos++
	}
	return r.pos > start
}

// Unquote returns the text of a string that a Reader has read. A string without escapes is only copied.
func Unquote(raw []byte) string {
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw)
	}
	var text string
	_ = json.Unmarshal(slices.Concat([]byte{'"'}, raw, []byte{'"'}), &text) // a Reader has read it, so it is JSON
	return text
}
