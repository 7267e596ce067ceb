package batch

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"graphproxy/policy/strictjson"
)

// maxAnswerDepth bounds the nesting of Graph's text, which is not ours to be strict about.
const maxAnswerDepth = 512

// scanner reads the envelope of a batch, or of Graph's answer to one. What is in the bodies within, only Graph and the
// caller read: there doubled keys and halves of surrogate pairs pass.
type scanner struct {
	json  strictjson.Reader
	depth int    // how deep arrays and objects may nest, the envelope's own included
	code  string // of the errors
	what  string // the text, for messages
}

// requestScanner returns a scanner for the caller's text.
func requestScanner() *scanner {
	return &scanner{depth: strictjson.MaxDepth, code: codeJSON, what: "the batch"}
}

// answerScanner returns a scanner for Graph's text.
func answerScanner() scanner {
	return scanner{depth: maxAnswerDepth, code: codeAnswer, what: "Graph's answer"}
}

// reset makes s read a text from its front.
func (s *scanner) reset(text []byte) error {
	return s.refusal(s.json.Reset(text, strictjson.Options{Depth: s.depth, Lenient: true}))
}

// refusal makes an error of the reader one of the text's.
func (s *scanner) refusal(err error) error {
	if err == nil {
		return nil // before e, which is allocated
	}
	var e *strictjson.Error
	if errors.As(err, &e) {
		return refuse(s.code, "%s, byte %d: %s", s.what, e.At, e.Message)
	}
	return err
}

func (s *scanner) kind() strictjson.Kind { return s.json.Kind() }

// end refuses anything after the value that was read.
func (s *scanner) end() error { return s.refusal(s.json.End()) }

// value reads any value, and returns its bytes.
func (s *scanner) value() (raw []byte, err error) {
	raw, err = s.json.Value()
	return raw, s.refusal(err)
}

// whole reads a text that is one value, and returns its bytes.
func (s *scanner) whole(text []byte) (raw []byte, err error) {
	if err := s.reset(text); err != nil {
		return nil, err
	}
	if raw, err = s.value(); err != nil {
		return nil, err
	}
	return raw, s.end()
}

// object reads an object and calls member after each key; member reads the value. The key is as written, without its
// quotes.
func (s *scanner) object(member func(key []byte) error) error {
	if err := s.json.Enter(); err != nil {
		return s.refusal(err)
	}
	for {
		key, _, more, err := s.json.Key()
		if !more {
			return s.refusal(err)
		}
		if err := member(key); err != nil {
			return err
		}
	}
}

// array reads an array and calls item where each item begins; item reads it.
func (s *scanner) array(item func() error) error {
	if err := s.json.Enter(); err != nil {
		return s.refusal(err)
	}
	for {
		if more, err := s.json.Element(); !more {
			return s.refusal(err)
		}
		if err := item(); err != nil {
			return err
		}
	}
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

// decode takes the quotes and escapes off a string that the scanner has read. It refuses what is no string, and an
// escaped half of a surrogate pair: readers drop it, replace it or keep it.
func decode(raw []byte) (text, problem string) {
	if len(raw) < 2 || raw[0] != '"' {
		return "", "is not a string"
	}
	if bytes.IndexByte(raw, '\\') < 0 {
		return plainText(raw[1 : len(raw)-1]), ""
	}
	out, err := jsontext.AppendUnquote(nil, raw)
	if err != nil && utf8.Valid(raw) { // Graph's text may hold other bytes
		return "", "holds half of a surrogate pair; write the character itself"
	}
	return string(out), ""
}

// usualType is the Content-Type of most of Graph's answers to an item.
const usualType = "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8"

// plainText returns a text; the usual ones without a copy.
func plainText(raw []byte) string {
	switch string(raw) {
	case http.MethodGet:
		return http.MethodGet
	case http.MethodPost:
		return http.MethodPost
	case http.MethodPatch:
		return http.MethodPatch
	case "application/json":
		return "application/json"
	case "no-cache":
		return "no-cache"
	case "4.0":
		return "4.0"
	case usualType:
		return usualType
	}
	return string(raw)
}

// decodeKey is decode for a key, which comes without its quotes.
func decodeKey(raw []byte) string {
	if name := usualKey(raw); name != "" {
		return name
	}
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw)
	}
	text, _ := decode([]byte(`"` + string(raw) + `"`))
	return text
}

// usualKey returns a key that nearly every answer of Graph has, without a copy; "" for any other.
func usualKey(raw []byte) string {
	for _, name := range [...]string{
		keyID, keyStatus, keyHeaders, keyBody, "Content-Type", "Cache-Control", "OData-Version", "Retry-After",
		"x-ms-resource-unit", "Location", "ETag", "Preference-Applied",
	} {
		if string(raw) == name {
			return name
		}
	}
	return ""
}

// keyStatus is a key of Graph's answer to an item.
const keyStatus = "status"

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

// foldID spells an id for comparing without regard to case: of the letters that are one but for their case, the
// smallest.
func foldID(id string) string {
	mayChange := func(r rune) bool { return 'a' <= r && r <= 'z' || r >= utf8.RuneSelf }
	if !strings.ContainsFunc(id, mayChange) {
		return id // digits, mostly
	}
	return strings.Map(func(r rune) rune {
		least := r
		for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
			least = min(least, other)
		}
		return least
	}, id)
}
