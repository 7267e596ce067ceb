package links

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// BackBody returns what becomes of the JSON body of a request, and what it names: the strings, and the strings in arrays,
// under "@odata.id" and "@odata.bind", at any depth and with the name of a property before them ("members@odata.bind",
// https://learn.microsoft.com/graph/api/group-post-members). An address at the proxy becomes Graph's there; all other bytes
// stay. The body is returned itself if nothing changes; it must fit into memory, which is the caller's to see to.
//
// Named holds each value in the order of the text, without escapes, so that the caller can judge them all. Addresses at the
// proxy and at Graph come without scheme, host and port: "/v1.0/users/1". All others come as they are: those at other hosts,
// and those relative to the version, "/communications/calls/1" or "users/1".
//
// It fails closed: a body that is not JSON in UTF-8 is an error, because Graph may be more lenient in reading it and find in
// it what was not seen here. For the same reason keys count in every letter case and without "odata." (OData 4.01). An empty
// body names nothing.
func (r *Rewriter) BackBody(body []byte) (out []byte, named []string, err error) {
	if len(body) == 0 {
		return body, nil, nil
	}
	if !utf8.Valid(body) {
		return nil, nil, errors.New("the body is not UTF-8; send JSON in UTF-8")
	}
	var valid json.RawMessage
	if err := json.Unmarshal(body, &valid); err != nil {
		return nil, nil, fmt.Errorf("the body is not JSON: %w", err)
	}
	w := walker{r: r, text: body}
	w.value(false)
	switch {
	case slices.ContainsFunc(w.named, func(s string) bool { return strings.ContainsRune(s, utf8.RuneError) }):
		return nil, nil, errors.New("the body names a resource with half a surrogate pair or U+FFFD; write it in valid Unicode")
	case w.done == 0:
		return body, w.named, nil
	}
	return append(w.out, body[w.done:]...), w.named, nil
}

// walker goes through a text that is known to be JSON.
type walker struct {
	r     *Rewriter
	text  []byte
	pos   int
	out   []byte // what becomes of text[:done]
	done  int
	named []string
}

// value goes past a value. Names tells that its strings name something.
func (w *walker) value(names bool) {
	switch w.peek() {
	case '{':
		w.members()
	case '[':
		for w.pos++; w.peek() != ']'; w.comma() {
			w.value(names)
		}
		w.pos++
	case '"':
		if raw := w.string(); names {
			w.name(raw)
		}
	default:
		for w.pos < len(w.text) && isLiteral(w.text[w.pos]) {
			w.pos++
		}
	}
}

func (w *walker) members() {
	for w.pos++; w.peek() != '}'; w.comma() {
		key := w.string()
		w.peek()
		w.pos++ // the colon
		w.value(isReference(plain(key)))
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

// string goes past a string and returns what is between its quotes.
func (w *walker) string() []byte {
	start := w.pos + 1
	end, _ := closingQuote(w.text, start)
	w.pos = end + 1
	return w.text[start:end]
}

// name takes a string that names something and was just passed.
func (w *walker) name(raw []byte) {
	text := unquote(raw)
	if n, match := w.r.public.match(text, true); match == yes {
		start := w.pos - 1 - len(raw)
		w.out = append(append(w.out, w.text[w.done:start]...), w.r.graph.spelled...)
		w.done = start + width(raw, n)
		text = text[n:]
	} else if n, match := w.r.graph.match(text, true); match == yes {
		text = text[n:]
	}
	w.named = append(w.named, string(text))
}

// unquote returns a string of JSON without its escapes.
func unquote(raw []byte) []byte {
	var text string
	_ = json.Unmarshal(slices.Concat([]byte{'"'}, raw, []byte{'"'}), &text) // it is JSON, as the whole is
	return []byte(text)
}

// width returns how many bytes the first n characters of a string of JSON are written with, which are ASCII.
func width(raw []byte, n int) (total int) {
	for range n {
		_, size := char(raw[total:])
		total += size
	}
	return total
}

// isReference reports whether Graph reads values under the key as addresses of resources.
func isReference(key []byte) bool {
	at := bytes.LastIndexByte(key, '@')
	if at < 0 {
		return false
	}
	name := strings.TrimPrefix(strings.ToLower(string(key[at+1:])), "odata.")
	return name == "id" || name == "bind"
}
