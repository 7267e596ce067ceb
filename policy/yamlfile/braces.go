package yamlfile

import (
	"bytes"
	"regexp"

	"go.yaml.in/yaml/v3"
)

// A plain text in brackets may hold no braces: in targets: [/users/{id}/messages] YAML sees a mapping begin. People
// write paths so all the same, and no file that is YAML holds one, so such a file is read once more with quotes
// around each path. A rule with its method in brackets is refused as before, with the cure: it is better read on a
// line of its own.

// bareTemplate is a path with a variable.
var bareTemplate = regexp.MustCompile(
	`^/[^\s'"\[\]{},#]*(?:\{[A-Za-z_][A-Za-z0-9_.-]*\}[^\s'"\[\]{},#]*)+`)

// quoteTemplates returns data with quotes around each template with a variable in a list or mapping in brackets. Lines
// stay as they are. It is false if there is none, or the file has texts that are not read here.
func quoteTemplates(data []byte) (quoted []byte, found bool) {
	q := quoter{rest: data, start: true}
	for len(q.rest) > 0 {
		if !q.step() {
			return nil, false
		}
	}
	return q.out, q.found
}

// quoter goes through a YAML file, as far as it takes to know where a text in brackets begins.
type quoter struct {
	out, rest []byte
	depth     int  // of brackets
	start     bool // a value or a key can begin here
	found     bool
}

// step takes the next piece. It reports false if it cannot be read.
func (q *quoter) step() bool {
	c := q.rest[0]
	switch {
	case c == ' ' || c == '\t' || c == '\r':
		q.copy(1)
	case c == '\n':
		q.copy(1)
		q.start = q.start || q.depth == 0
	case c == '#' && q.isAfterBlank():
		q.copy(lineEnd(q.rest))
	case q.start && (c == '"' || c == '\''):
		return q.text(c)
	case q.start && q.depth == 0 && (c == '|' || c == '>' || c == '&' || c == '*' || c == '!'):
		return false
	case (c == '[' || c == '{') && (q.start || q.depth > 0):
		q.copy(1)
		q.depth++
		q.start = true
	case (c == ']' || c == '}') && q.depth > 0:
		q.copy(1)
		q.depth--
		q.start = false
	case c == ',' && q.depth > 0, (c == ':' || c == '-' && q.start) && isBlankAt(q.rest, 1):
		q.copy(1)
		q.start = true
	case q.start && q.depth > 0 && q.template():
		q.start = false
	default:
		q.copy(1)
		q.start = false
	}
	return true
}

func (q *quoter) copy(n int) {
	q.out = append(q.out, q.rest[:n]...)
	q.rest = q.rest[n:]
}

func (q *quoter) isAfterBlank() bool {
	return len(q.out) == 0 || bytes.IndexByte([]byte(" \t\n"), q.out[len(q.out)-1]) >= 0
}

// text copies a text in quotes. A quote that is doubled begins another text, which makes no difference here.
func (q *quoter) text(quote byte) bool {
	for i := 1; i < len(q.rest); i++ {
		switch c := q.rest[i]; {
		case c == '\\' && quote == '"':
			i++
		case c == quote:
			q.copy(i + 1)
			q.start = len(q.rest) > 0 && q.rest[0] == quote
			return true
		}
	}
	return false
}

// template puts quotes around a template, and reports whether there is one.
func (q *quoter) template() bool {
	n := len(bareTemplate.Find(q.rest))
	if n > 0 && q.rest[n-1] == ':' && isBlankAt(q.rest, n) {
		n-- // the colon of a key
	}
	if n == 0 || n < len(q.rest) && bytes.IndexByte([]byte(",]} \t\r\n:"), q.rest[n]) < 0 {
		return false
	}
	q.out = append(q.out, '"')
	q.copy(n)
	q.out = append(q.out, '"')
	q.found = true
	return true
}

// isBlankAt reports whether the text ends before its byte i, or a blank or a bracket is there.
func isBlankAt(text []byte, i int) bool {
	return i >= len(text) || bytes.IndexByte([]byte(" \t\r\n"), text[i]) >= 0
}

func lineEnd(text []byte) int {
	if n := bytes.IndexByte(text, '\n'); n >= 0 {
		return n
	}
	return len(text)
}

// Standard returns a file as every reader of YAML takes it: with quotes around the templates in brackets that Parse
// reads without them. Lines stay as they are. A file that is no YAML for another reason is returned as it is.
func Standard(data []byte) []byte {
	var document yaml.Node
	if yaml.Unmarshal(data, &document) == nil {
		return data
	}
	if quoted, found := quoteTemplates(data); found {
		return quoted
	}
	return data
}
