package links

import (
	"bytes"
	"io"
)

// maxBehind is how many bytes before a link are looked at, for its key.
const maxBehind = 256

// finder finds links by looking for Graph's host, and at what stands right before it. That is enough, because in JSON a quote
// within a string has a backslash before it: whatever reads ...@odata.nextLink":"https://graph.microsoft.com/ is a key and
// its value, and text that holds the same is written otherwise. So it need not follow the text, and is ten times as fast as
// the scanner, which is for answers in which a link is one by its place.
//
// Keys and host must be written plainly and in lower case, as Graph writes them; slashes may be escaped. In what is not JSON
// it goes on finding what looks like a link.
type finder struct {
	io.ReadCloser
	r      *Rewriter
	behind []byte // the last bytes that went out
	look   []byte // it with what came next
	held   []byte // what came last, and may be the front of a link
	joined []byte // it with what came next
	out    []byte
	ready  []byte // what of out has not been read
	err    error
}

func (f *finder) Read(p []byte) (int, error) {
	for len(f.ready) == 0 && f.err == nil {
		n, err := f.ReadCloser.Read(p)
		if n == 0 && err == nil {
			return 0, nil
		}
		f.err = err
		if len(f.held) == 0 && !bytes.Contains(p[:n], f.r.graph.host) && (err != nil || f.undecided(p[:n]) == n) { // most pieces have no link in them: they are where they belong
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

// whole appends what becomes of a whole text.
func (f *finder) whole(dst, text []byte) []byte {
	f.err = io.EOF
	return f.rewrite(dst, text)
}

// rewrite appends what becomes of a text that has come, but for what is held back.
func (f *finder) rewrite(dst, text []byte) []byte {
	end := len(text)
	if f.err == nil {
		end = f.undecided(text)
	}
	done := 0
	for from := 0; ; {
		at := bytes.Index(text[from:end], f.r.graph.host)
		if at < 0 {
			break
		}
		at += from
		from = at + len(f.r.graph.host)
		if start, stop, ok := f.link(text, at); ok {
			dst = append(append(dst, text[done:start]...), f.r.public.spelled...)
			done, from = stop, stop
		}
	}
	dst = append(dst, text[done:end]...)
	f.keep(text[:end])
	f.held = append(f.held[:0], text[end:]...)
	return dst
}

// keep remembers the end of what went out, before anything in it was exchanged.
func (f *finder) keep(text []byte) {
	if len(text) < maxBehind {
		f.behind = append(f.behind, text...)
		text = f.behind
	}
	f.behind = append(f.behind[:0], text[max(0, len(text)-maxBehind):]...)
}

// before returns what stands before a place in the text.
func (f *finder) before(text []byte, at int) []byte {
	if at >= maxBehind {
		return text[at-maxBehind : at]
	}
	f.look = append(append(f.look[:0], f.behind...), text[:at]...)
	return f.look
}

// link reports whether Graph's host, which is at text[at:], is that of a link, and where its scheme, host and port are.
func (f *finder) link(text []byte, at int) (start, stop int, ok bool) {
	front := f.before(text, at)
	scheme := schemeAtEnd(front, f.r.graph.scheme)
	if scheme == 0 || !isKeyed(front[:len(front)-scheme]) {
		return 0, 0, false
	}
	stop = at + len(f.r.graph.host)
	if port := f.r.graph.port; port != "" && bytes.HasPrefix(text[stop:], []byte(port)) {
		stop += len(port)
	}
	return at - (scheme - 1), stop, endsHost(text[stop:])
}

// endsHost reports whether what follows a host begins a path, a query or a fragment, or ends the string.
func endsHost(rest []byte) bool {
	switch {
	case len(rest) == 0:
		return false
	case rest[0] == '\\':
		return len(rest) > 1 && rest[1] == '/'
	}
	return rest[0] == '/' || rest[0] == '?' || rest[0] == '#' || rest[0] == '"'
}

// schemeAtEnd returns the length of "https:// at the end of a text, with its quote; 0 if there is none.
func schemeAtEnd(text []byte, scheme string) int {
	for _, slashes := range [...]string{`://`, `:\/\/`} {
		if rest, ok := bytes.CutSuffix(text, []byte(slashes)); ok && bytes.HasSuffix(rest, []byte(`"`+scheme)) {
			return 1 + len(scheme) + len(slashes)
		}
	}
	return 0
}

// isKeyed reports whether a text ends in the key of a link and a colon.
func isKeyed(text []byte) bool {
	text, ok := bytes.CutSuffix(bytes.TrimRight(text, " \t\r\n"), []byte(":"))
	if !ok {
		return false
	}
	text, ok = bytes.CutSuffix(bytes.TrimRight(text, " \t\r\n"), []byte(`"`))
	if !ok || endsInEscape(text) {
		return false
	}
	if at := bytes.LastIndexByte(text, '@'); at >= 0 && annotation(text[at:]) == link {
		return true
	}
	quote := bytes.LastIndexByte(text, '"')
	return quote >= 0 && !endsInEscape(text[:quote]) && field(text[quote+1:]) == link
}

// undecided returns where the end of a text begins that may be the front of a link.
func (f *finder) undecided(text []byte) int {
	most := len(`"https:\/\/`) + len(f.r.graph.host) + len(f.r.graph.port) + 1
	tail := max(0, len(text)-most)
	quote := bytes.LastIndexByte(text[tail:], '"')
	if quote < 0 {
		return len(text)
	}
	quote += tail
	if f.r.graph.mayBegin(text[quote+1:]) && isKeyed(f.before(text, quote)) {
		return quote
	}
	return len(text)
}

// mayBegin reports whether more of the text would tell whether it begins with the address.
func (o *origin) mayBegin(text []byte) bool {
	i := 0
	for _, c := range text {
		switch {
		case c == '\\':
			continue // of an escaped slash
		case i < len(o.text) && c == o.text[i], i >= len(o.text) && i-len(o.text) < len(o.port) && c == o.port[i-len(o.text)]:
			i++
		default:
			return false
		}
	}
	return true
}
