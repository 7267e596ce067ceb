package batch

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth is how deep arrays and objects may nest, the envelope's own included. Graph's JSON is far from it, and some
// readers give up or differ beyond theirs (.NET's stop at 64).
const maxDepth = 64

// scanner reads JSON (RFC 8259) without a letter of leniency. encoding/json is no help here: it takes doubled keys,
// keys of another letter case, invalid UTF-8 and unpaired surrogates, and changes the last two on the way.
type scanner struct {
	data     []byte
	pos      int
	depth    int
	maxDepth int
	code     string // of the errors
	what     string // the text, for messages
}

func refuse(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// quote makes the caller's text fit for a message: short, and ASCII.
func quote(s string) string {
	const most = 60
	if len(s) > most {
		return strconv.QuoteToASCII(s[:most]) + "..."
	}
	return strconv.QuoteToASCII(s)
}

// checkEncoding refuses what is not UTF-8, with the cure for what it looks like.
func checkEncoding(text []byte) error {
	switch {
	case bytes.HasPrefix(text, []byte("\xff\xfe")), bytes.HasPrefix(text, []byte("\xfe\xff")),
		bytes.IndexByte(text[:min(4, len(text))], 0) >= 0:
		return refuse(codeJSON, "the batch is written in UTF-16 or UTF-32; send JSON in UTF-8")
	case !utf8.Valid(text):
		return refuse(codeJSON,
			"the batch is not UTF-8; send JSON in UTF-8 (in Windows PowerShell: -ContentType 'application/json; charset=utf-8')")
	}
	return nil
}

func (s *scanner) fail(format string, args ...any) error {
	return refuse(s.code, "%s, byte %d: %s", s.what, s.pos, fmt.Sprintf(format, args...))
}

func (s *scanner) unexpected(wanted string) error {
	if s.pos >= len(s.data) {
		return s.fail("the text ends where %s should be", wanted)
	}
	r, _ := utf8.DecodeRune(s.data[s.pos:])
	return s.fail("%s stands where %s should be", strconv.QuoteRuneToASCII(r), wanted)
}

// peek returns the byte at hand, and 0 at the end; 0 never stands in JSON.
func (s *scanner) peek() byte {
	if s.pos < len(s.data) {
		return s.data[s.pos]
	}
	return 0
}

func (s *scanner) space() {
	for s.pos < len(s.data) {
		switch s.data[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

// take reads c and the space after it if c is at hand.
func (s *scanner) take(c byte) bool {
	if s.peek() != c {
		return false
	}
	s.pos++
	s.space()
	return true
}

// end refuses anything after the value that was read.
func (s *scanner) end() error {
	if s.pos < len(s.data) {
		return s.fail("there is more after the end of the JSON value; send one value")
	}
	return nil
}

// object reads an object and calls member after each key and colon; member reads the value. The key is raw, within its
// quotes.
func (s *scanner) object(member func(key []byte) error) error {
	return s.list('{', '}', func() error {
		if s.peek() != '"' {
			return s.unexpected("a key in quotes")
		}
		key, err := s.value()
		if err != nil {
			return err
		}
		if !s.take(':') {
			return s.unexpected("a colon")
		}
		return member(key)
	})
}

// array reads an array and calls item where each item begins; item reads it.
func (s *scanner) array(item func() error) error { return s.list('[', ']', item) }

func (s *scanner) list(open, shut byte, item func() error) error {
	if !s.take(open) {
		return s.unexpected(strconv.QuoteRune(rune(open)))
	}
	if s.depth++; s.depth > s.maxDepth {
		return s.fail("arrays and objects nest deeper than %d", s.maxDepth)
	}
	defer func() { s.depth-- }()
	if s.take(shut) {
		return nil
	}
	for {
		if err := item(); err != nil {
			return err
		}
		if s.take(shut) {
			return nil
		}
		if !s.take(',') {
			return s.unexpected("a comma or " + strconv.QuoteRune(rune(shut)))
		}
	}
}

// value reads any value and the space after it, and returns its bytes.
func (s *scanner) value() (raw []byte, err error) {
	start := s.pos
	skip := func() error { _, err := s.value(); return err }
	switch c := s.peek(); {
	case c == '{':
		err = s.object(func([]byte) error { return skip() })
	case c == '[':
		err = s.array(skip)
	case c == '"':
		err = s.text()
	case c == '-' || '0' <= c && c <= '9':
		err = s.number()
	default:
		err = s.word()
	}
	if err != nil {
		return nil, err
	}
	raw = bytes.TrimRight(s.data[start:s.pos], " \t\n\r") // a closing bracket took the space after it along
	s.space()
	return raw, nil
}

func (s *scanner) text() error {
	for s.pos++; s.pos < len(s.data); s.pos++ {
		s.pos += plainLength(s.data[s.pos:])
		switch c := s.peek(); {
		case s.pos == len(s.data):
			return s.unexpected("the quote that ends a string")
		case c == '"':
			s.pos++
			return nil
		case c < ' ':
			return s.fail("a control character stands in a string; write it as \\u%04x", c)
		case c == '\\':
			if err := s.escape(); err != nil {
				return err
			}
		}
	}
	return s.unexpected("the quote that ends a string")
}

// plainLength returns how much of a string stands before its first quote, backslash or control character.
func plainLength(text []byte) int {
	for i, c := range text {
		if c == '"' || c == '\\' || c < ' ' {
			return i
		}
	}
	return len(text)
}

// escape moves to the last byte of an escape.
func (s *scanner) escape() error {
	s.pos++
	if s.peek() == 'u' {
		if _, ok := unhex(s.data[s.pos+1:]); !ok {
			return s.fail("\\u is not followed by four hexadecimal digits")
		}
		s.pos += 4
		return nil
	}
	if c := s.peek(); c == 0 || strings.IndexByte(`"\/bfnrt`, c) < 0 {
		return s.unexpected("an escape that JSON has")
	}
	return nil
}

func unhex(b []byte) (rune, bool) {
	if len(b) < 4 {
		return 0, false
	}
	for _, c := range b[:4] {
		if !('0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F') {
			return 0, false
		}
	}
	n, err := strconv.ParseUint(string(b[:4]), 16, 16)
	return rune(n), err == nil
}

func (s *scanner) number() error {
	s.takeAny("-")
	if s.peek() == '0' {
		s.pos++
	} else if !s.digits() {
		return s.unexpected("a digit")
	}
	if s.takeAny(".") && !s.digits() {
		return s.unexpected("a digit")
	}
	if s.takeAny("eE") {
		if s.takeAny("+-"); !s.digits() {
			return s.unexpected("a digit")
		}
	}
	return nil // "01" is refused by what reads on: 1 is neither a comma nor an end
}

func (s *scanner) takeAny(chars string) bool {
	if c := s.peek(); c == 0 || strings.IndexByte(chars, c) < 0 {
		return false
	}
	s.pos++
	return true
}

func (s *scanner) digits() bool {
	start := s.pos
	for '0' <= s.peek() && s.peek() <= '9' {
		s.pos++
	}
	return s.pos > start
}

func (s *scanner) word() error {
	for _, w := range [...]string{"true", "false", "null"} {
		if bytes.HasPrefix(s.data[s.pos:], []byte(w)) {
			s.pos += len(w)
			return nil
		}
	}
	return s.unexpected("a JSON value")
}

// decode takes the escapes off a string that the scanner has read. It refuses what is no string, and an escaped half of
// a surrogate pair: readers drop it, replace it or keep it.
func decode(raw []byte) (text, problem string) {
	if len(raw) < 2 || raw[0] != '"' {
		return "", "is not a string"
	}
	raw = raw[1 : len(raw)-1]
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			out = append(out, raw[i])
			continue
		}
		i++
		if raw[i] != 'u' {
			out = append(out, unescape(raw[i]))
			continue
		}
		r, _ := unhex(raw[i+1:])
		i += 4
		if utf16.IsSurrogate(r) {
			low := rune(0)
			if bytes.HasPrefix(raw[i+1:], []byte(`\u`)) {
				low, _ = unhex(raw[i+3:])
			}
			if r = utf16.DecodeRune(r, low); r == unicode.ReplacementChar {
				return "", "holds half of a surrogate pair; write the character itself"
			}
			i += 6
		}
		out = utf8.AppendRune(out, r)
	}
	return string(out), ""
}

// maxInteger is the largest integer that every reader of JSON keeps exactly (RFC 8259 section 6).
const maxInteger = 1<<53 - 1

// textOrInteger is decode, which also takes an integer and returns its digits. Numbers that readers write in several
// ways or round are refused: 1.0, 1e0, -0 and what is beyond maxInteger.
func textOrInteger(raw []byte) (text, problem string) {
	if len(raw) == 0 || raw[0] != '-' && (raw[0] < '0' || raw[0] > '9') {
		return decode(raw)
	}
	n, err := strconv.ParseInt(string(raw), 10, 64)
	if text = strconv.FormatInt(n, 10); err != nil || text != string(raw) || n > maxInteger || n < -maxInteger {
		return "", "is a number that is no integer or too long; write it as a string"
	}
	return text, ""
}

func unescape(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return c
}

// foldID spells an id for comparing without regard to case: of the letters that are one but for their case, the
// smallest.
func foldID(id string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
			least = min(least, other)
		}
		return least
	}, id)
}
