package strictjson

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Error is where and why a text is ambiguous or invalid.
type Error struct {
	At      int // byte of the text, from 0
	Message string
}

// Error returns the place and the message. It contains no value of the text.
func (e *Error) Error() string { return "byte " + strconv.Itoa(e.At) + ": " + e.Message }

func fail(at int, format string, args ...any) error {
	return &Error{At: at, Message: fmt.Sprintf(format, args...)}
}

// checkEncoding refuses a byte order mark and other encodings than UTF-8.
func (r *Reader) checkEncoding() error {
	switch {
	case bytes.HasPrefix(r.text, []byte("\xef\xbb\xbf")):
		return fail(0, "a byte order mark stands in front; send the text without it")
	case bytes.HasPrefix(r.text, []byte("\xff\xfe")), bytes.HasPrefix(r.text, []byte("\xfe\xff")),
		bytes.IndexByte(r.text[:min(4, len(r.text))], 0) >= 0:
		return fail(0, "the text is written in UTF-16 or UTF-32; send JSON in UTF-8")
	}
	return nil
}

// fault returns what is wrong with the text, where jsontext returned err; nil for nil.
func (r *Reader) fault(err error) error {
	if err == nil {
		return nil
	}
	at := len(r.text)
	if syntax := (*jsontext.SyntacticError)(nil); errors.As(err, &syntax) && !errors.Is(err, io.ErrUnexpectedEOF) {
		at = min(int(syntax.ByteOffset), at)
	}
	start, wanted := r.place()
	switch c := byteAt(r.text, start); {
	case c == '"' && (wanted == value || wanted == inQuotes):
		return r.faultInString(at)
	case (c == '-' || '0' <= c && c <= '9') && wanted == value:
		return r.unexpectedAt(at, "a digit")
	}
	return r.unexpectedAt(start, wanted)
}

// byteAt returns a byte of the text, and 0 at its end; 0 never stands in JSON.
func byteAt(text []byte, at int) byte {
	if at < len(text) {
		return text[at]
	}
	return 0
}

// faultInString is fault for a string that jsontext has not read further than to at.
func (r *Reader) faultInString(at int) error {
	rest := r.text[at:]
	switch {
	case len(rest) == 0:
		return r.unexpectedAt(at, "the quote that ends a string")
	case rest[0] >= utf8.RuneSelf:
		return fail(at, "the text is not UTF-8; send JSON in UTF-8")
	case rest[0] != '\\':
		return fail(at, "a control character stands in a string; write it as \\u%04x", rest[0])
	case len(rest) < len(`\u`) || rest[1] != 'u':
		return r.unexpectedAt(at+1, "an escape that JSON has")
	case isUnit(rest):
		return fail(at, "half of a surrogate pair stands in a string; write the character itself")
	}
	return fail(at, "\\u is not followed by four hexadecimal digits")
}

// isUnit reports whether a text begins with \u and four hexadecimal digits.
func isUnit(b []byte) bool {
	const size = len(`\u0000`)
	if len(b) < size {
		return false
	}
	_, err := strconv.ParseUint(string(b[2:size]), 16, 16)
	return err == nil
}

// What may belong into a place of a text.
const (
	value    = "a JSON value"
	inQuotes = "a key in quotes"
	colon    = "a colon"
)

// place returns where the next token begins, and what belongs there.
func (r *Reader) place() (start int, wanted string) {
	start = r.skipSpace(r.Offset())
	kind, length := r.tokens.StackIndex(r.tokens.StackDepth())
	inObject := kind == jsontext.KindBeginObject
	delimiter, name := byte(','), "a comma or ']'"
	switch {
	case r.tokens.StackDepth() == 0:
		return start, value
	case inObject && length%2 == 1:
		delimiter, name = ':', colon
	case length == 0 && inObject:
		return start, inQuotes
	case length == 0:
		return start, value
	case inObject:
		name = "a comma or '}'"
	}
	if start == len(r.text) || r.text[start] != delimiter {
		return start, name
	}
	start = r.skipSpace(start + 1)
	if inObject && delimiter == ',' {
		return start, inQuotes
	}
	return start, value
}

// skipSpace returns where the next byte is that is no space.
func (r *Reader) skipSpace(at int) int {
	for at < len(r.text) {
		switch r.text[at] {
		case ' ', '\t', '\n', '\r':
			at++
		default:
			return at
		}
	}
	return at
}

// unexpected refuses what stands where the next token begins.
func (r *Reader) unexpected(wanted string) error {
	start, belongs := r.place()
	if belongs != value {
		wanted = belongs
	}
	return r.unexpectedAt(start, wanted)
}

func (r *Reader) unexpectedAt(at int, wanted string) error {
	if at >= len(r.text) {
		return fail(len(r.text), "the text ends where %s should be", wanted)
	}
	c, _ := utf8.DecodeRune(r.text[at:])
	return fail(at, "%s stands where %s should be", strconv.QuoteRuneToASCII(c), wanted)
}
