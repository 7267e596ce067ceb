package links

import (
	"bytes"
	"io"
)

// maxBehind is how many bytes before a link are searched for its key: enough for a key of 80 escaped characters.
const maxBehind = 512

// finder finds links by searching for Graph's host, and for escapes of characters that addresses have, and by
// checking the text around them. That is enough, because in JSON a quote within a string has a backslash before it.
// So a quoted text after a quoted text and a colon is a key's value, and a string with the same content is written
// differently. The finder need not follow the text, and is ten times as fast as the scanner, which is for answers
// to $ref, where some links have no key.
//
// Host and scheme must be written in lower case, as Graph writes them, unless a character of them is escaped. In
// text that is not JSON it still finds strings that look like links.
type finder struct {
	io.ReadCloser
	r      *Rewriter
	behind []byte // the last bytes that were passed on
	look   []byte // the same, and the next bytes
	held   []byte // the last bytes, which may be the beginning of a link
	joined []byte // the same, and the next bytes
	out    []byte
	ready  []byte // the unread part of out
	err    error
}

func (f *finder) Read(p []byte) (int, error) {
	for len(f.ready) == 0 && f.err == nil {
		n, err := f.ReadCloser.Read(p)
		if n == 0 && err == nil {
			return 0, nil
		}
		f.err = err
		// most pieces have no link in them: they are in place already
		if len(f.held) == 0 && !f.r.mayHold(p[:n]) && (err != nil || f.undecided(p[:n]) == n) {
			f.keep(p[:n])
			return n, f.err
		}
		text := p[:n]
		if len(f.held) > 0 {
			f.joined = append(append(f.joined[:0], f.held...), text...)
			text = f.joined
		}
		f.out = f.rewrite(f.out[:0], text)
		f.ready = f.out
	}
	n := copy(p, f.ready)
	if f.ready = f.ready[n:]; len(f.ready) > 0 {
		return n, nil
	}
	return n, f.err
}

// whole appends the rewritten form of a whole text.
func (f *finder) whole(dst, text []byte) []byte {
	f.err = io.EOF
	return f.rewrite(dst, text)
}

// rewrite appends the rewritten form of a piece, except the part that is kept for the next piece.
func (f *finder) rewrite(dst, text []byte) []byte {
	end := len(text)
	if f.err == nil {
		end = f.undecided(text)
	}
	done := 0
	for c := (candidates{text: text[:end], r: f.r}); ; {
		at, ok := c.next(done)
		if !ok {
			break
		}
		if start, stop, ok := f.link(text, at); ok && start >= done {
			dst = append(append(dst, text[done:start]...), f.r.public.spelled...)
			done = stop
		}
	}
	dst = append(dst, text[done:end]...)
	f.keep(text[:end])
	f.held = append(f.held[:0], text[end:]...)
	return dst
}

// keep remembers the end of the text that was passed on, in its original form, if more can come.
func (f *finder) keep(text []byte) {
	if f.err != nil {
		return
	}
	if len(text) < maxBehind {
		f.behind = append(f.behind, text...)
		text = f.behind
	}
	f.behind = append(f.behind[:0], text[max(0, len(text)-maxBehind):]...)
}

// before returns the text before a place.
func (f *finder) before(text []byte, at int) []byte {
	if at >= maxBehind {
		return text[at-maxBehind : at]
	}
	f.look = append(append(f.look[:0], f.behind...), text[:at]...)
	return f.look
}

// link reports whether the string that contains text[at] is a link, and the place of its scheme, host and port.
// Text[at] is within them.
func (f *finder) link(text []byte, at int) (start, stop int, ok bool) {
	first := max(0, at-longestEscape*f.r.most)
	quote := bytes.LastIndexByte(text[first:at], '"')
	if quote < 0 {
		return 0, 0, false
	}
	quote += first
	if lower(text[quote+1]) != f.r.graph.text[0] && text[quote+1] != '\\' {
		return 0, 0, false
	}
	k := keyKind(f.before(text, quote))
	if k == other {
		return 0, 0, false
	}
	n, v := f.r.graph.matchRaw(text[quote+1:], k == follow)
	return quote + 1, quote + 1 + n, v == yes
}

// keyKind returns the kind of the key at the end of a text, before a colon; other if there is none.
func keyKind(text []byte) kind {
	text, ok := cutLast(text, ':')
	if ok {
		text, ok = cutLast(text, '"')
	}
	if !ok { // if a backslash is before the quote, no name of a link matches
		return other
	}
	if at := bytes.LastIndexByte(text, '@'); at >= 0 && annotation(text[at:]) == link { // the usual case
		return link
	}
	key := text
	for quote := len(text); quote >= 0; {
		quote = bytes.LastIndexByte(text[:quote], '"')
		if quote >= 0 && !endsInEscape(text[:quote]) {
			key = text[quote+1:]
			break
		}
	}
	return field(plain(key)) // of a long key only the end is there, which is enough
}

// cutLast removes the space at the end of a text, and c before it.
func cutLast(text []byte, c byte) (rest []byte, ok bool) {
	n := len(text)
	for n > 0 && (text[n-1] == ' ' || text[n-1] == '\t' || text[n-1] == '\r' || text[n-1] == '\n') {
		n--
	}
	if n == 0 || text[n-1] != c {
		return text, false
	}
	return text[:n-1], true
}

// undecided returns where the end of a text begins that may be the beginning of a link.
func (f *finder) undecided(text []byte) int {
	tail := max(0, len(text)-longestEscape*f.r.most)
	quote := bytes.LastIndexByte(text[tail:], '"')
	if quote < 0 {
		return len(text)
	}
	quote += tail
	front := text[quote+1:]
	_, anywhere := f.r.graph.matchRaw(front, false)
	_, atRoot := f.r.graph.matchRaw(front, true)
	if anywhere != unknown && atRoot != unknown {
		return len(text)
	}
	switch k := keyKind(f.before(text, quote)); {
	case k == other, k == follow && atRoot != unknown, k != follow && anywhere != unknown:
		return len(text)
	}
	return quote
}

// longestEscape is how many bytes a character of ASCII takes in JSON at most.
const longestEscape = len(`\u0000`)

// mayHold reports whether a text may contain a part of a link.
func (r *Rewriter) mayHold(text []byte) bool {
	_, ok := (&candidates{text: text, r: r}).next(0)
	return ok
}

// candidates are the places in a text that may be within the scheme, host and port of a link, in order.
type candidates struct {
	text         []byte
	r            *Rewriter
	host, escape int // the next of each kind; len(text) if there is none
	begun        bool
}

// next returns the next place that is not before from.
func (c *candidates) next(from int) (at int, ok bool) {
	if !c.begun {
		c.begun = true
		c.findHost(from)
		c.findEscape(from)
	}
	switch {
	case c.host >= len(c.text) && c.escape >= len(c.text):
		return 0, false
	case c.host < c.escape:
		at = c.host
		c.findHost(max(from, at+1))
		return at + 1, true
	}
	at = c.escape
	c.findEscape(max(from, at+longestEscape))
	return at, true
}

func (c *candidates) findHost(from int) {
	c.host = len(c.text)
	if from < len(c.text) {
		if n := bytes.Index(c.text[from:], c.r.needle); n >= 0 {
			c.host = from + n
		}
	}
}

// findEscape finds an escape of a character that may occur in an address before its path. Graph escapes thousands
// of others: & ' < and > in text.
func (c *candidates) findEscape(from int) {
	c.escape = len(c.text)
	for i := from; i < len(c.text); {
		n := bytes.IndexByte(c.text[i:], '\\')
		if n < 0 {
			return
		}
		i += n
		if i+longestEscape > len(c.text) {
			return
		}
		if c.text[i+1] != 'u' {
			i += 2
			continue
		}
		if char, _ := hexChar(c.text[i:]); isAddress(char) {
			c.escape = i
			return
		}
		i += longestEscape
	}
}

// isAddress reports whether a character may occur in a scheme, a host, a port or between them.
func isAddress(c byte) bool {
	c = lower(c)
	return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || bytes.IndexByte([]byte(":/.-_[]"), c) >= 0
}
