package links

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"
)

// maxLinkToMark is how long a link may be, in bytes as it is written, to be marked.
const maxLinkToMark = 128 << 10

// Mark returns what is put behind a link to the next page or to later changes; "" for none. It gets what follows
// scheme, host and port, without escapes of JSON: "/v1.0/users/delta?$skiptoken=x". What it returns must be of
// characters that JSON does not escape.
type Mark func(link string) string

// NewMarker returns a reader of an answer to one request in which the links to the next page and to later changes
// are marked: the members "@odata.nextLink" and "@odata.deltaLink" of the object at the top, if they are addresses
// at Graph, in any letter case and also without "odata." or "@". Members further below are never marked: what
// stands there may be data that a user has stored. All other bytes stay. It is to be read before the links are
// exchanged.
func (r *Rewriter) NewMarker(answer io.ReadCloser, mark Mark) io.ReadCloser {
	return &markReader{ReadCloser: answer, m: marker{r: r, mark: mark}}
}

// AppendMarked appends a whole answer with marks to dst.
func (r *Rewriter) AppendMarked(dst, answer []byte, mark Mark) []byte {
	m := marker{r: r, mark: mark}
	return m.append(dst, answer)
}

type markReader struct {
	io.ReadCloser
	m      marker
	buffer []byte
	ready  []byte // what of buffer has not been read
	err    error
}

func (b *markReader) Read(p []byte) (int, error) {
	for len(b.ready) == 0 && b.err == nil {
		n, err := b.ReadCloser.Read(p)
		if b.err = err; n == 0 {
			return 0, err
		}
		out := b.m.append(b.buffer[:0], p[:n])
		if len(out) == n { // most pieces have no link in them: they are where they belong
			return n, err
		}
		b.buffer, b.ready = out, out
	}
	n := copy(p, b.ready)
	if b.ready = b.ready[n:]; len(b.ready) > 0 {
		return n, nil
	}
	return n, b.err
}

// marker follows a JSON text that comes in pieces, as far as it takes to know the members of the object at the top.
type marker struct {
	r    *Rewriter
	mark Mark

	depth   int
	ended   bool // the value at the top has
	key     bool // the next string at the top is a key
	link    bool // the next string at the top is a link
	within  bool // a string
	escaped bool // the next byte is the second of an escape
	kept    bool // the string is kept in text
	text    []byte
}

// append appends what becomes of the next piece to dst.
func (m *marker) append(dst, src []byte) []byte {
	for len(src) > 0 && !m.ended {
		n := 1
		if m.within {
			n = m.stringPart(src)
		} else {
			m.token(src[0])
		}
		if m.within || src[n-1] != '"' || !m.kept {
			dst = append(dst, src[:n]...)
		} else {
			dst = append(m.close(append(dst, src[:n-1]...)), '"')
		}
		src = src[n:]
	}
	return append(dst, src...)
}

// token takes a byte that is outside strings.
func (m *marker) token(c byte) {
	switch c {
	case '"':
		m.within, m.kept = true, m.depth == 1 && (m.key || m.link)
		m.text = m.text[:0]
	case '{', '[':
		m.depth++
		m.key, m.link = m.depth == 1 && c == '{', false
	case '}', ']':
		m.depth--
		m.ended = m.depth <= 0
	case ',':
		m.link = false
		m.key = m.depth == 1
	}
}

// stringPart takes what is there of the string that src is within, with its closing quote.
func (m *marker) stringPart(src []byte) (n int) {
	for n < len(src) && m.within {
		c := src[n]
		switch {
		case m.escaped:
			m.escaped = false
		case c == '\\':
			m.escaped = true
		case c == '"':
			m.within = false
		}
		n++
	}
	text := src[:n]
	if !m.within {
		text = src[:n-1]
	}
	if m.kept = m.kept && len(m.text)+len(text) <= maxLinkToMark; m.kept {
		m.text = append(m.text, text...)
	}
	return n
}

// close takes the end of a string that was kept: a key, or a link, whose mark it appends.
func (m *marker) close(dst []byte) []byte {
	m.kept = false
	if m.key {
		m.key, m.link = false, isPageLink(m.text)
		return dst
	}
	m.link = false
	var link string
	if err := json.Unmarshal(slices.Concat([]byte{'"'}, m.text, []byte{'"'}), &link); err != nil {
		return dst
	}
	n, ok := m.r.graph.match(link)
	if !ok {
		return dst
	}
	return append(dst, m.mark(link[n:])...)
}

// isPageLink reports whether a key is that of a link to the next page or to later changes.
func isPageLink(key []byte) bool {
	name := plain(key)
	name = bytes.TrimPrefix(name, []byte("@"))
	if front := len("odata."); len(name) > front && equalFold(name[:front], "odata.") {
		name = name[front:]
	}
	return equalFold(name, "nextlink") || equalFold(name, "deltalink")
}
