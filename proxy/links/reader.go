package links

import "io"

// Options describe an answer. The zero value is for any answer except one to $ref.
type Options struct {
	// References: the answer is to a request for .../$ref, where a string, or the strings of an array, under
	// "value" at the top are addresses without a key of their own. In other answers such strings are data.
	References bool
}

// Append appends the rewritten form of a whole answer to dst, which must not overlap with it.
func (r *Rewriter) Append(dst, answer []byte, o Options) []byte {
	if o == (Options{}) {
		f := finder{r: r}
		return f.whole(dst, answer)
	}
	s := scanner{r: r}
	dst, done := s.scan(dst, answer)
	return s.end(append(dst, answer[done:]...))
}

// NewReader returns a reader of the rewritten answer. It never fails by itself, never loses a byte and never waits
// longer than necessary: a Read returns what one Read of the answer has brought, except the beginning of a link,
// which is kept until it is long enough to decide. With Options.References, after text that is not JSON, or 1024
// levels of nesting, all bytes pass unchanged. Its memory depends on the size of the caller's buffer, not on that
// of the answer.
//
// Errors are the answer's own, after all bytes that came before them. Close closes the answer. It is for one
// goroutine.
func (r *Rewriter) NewReader(answer io.ReadCloser, o Options) io.ReadCloser {
	if o == (Options{}) {
		return &finder{ReadCloser: answer, r: r}
	}
	return &reader{ReadCloser: answer, scanner: scanner{r: r}}
}

type reader struct {
	io.ReadCloser
	scanner scanner
	buffer  []byte
	ready   []byte // the unread part of buffer
	err     error
}

func (b *reader) Read(p []byte) (int, error) {
	for len(b.ready) == 0 && b.err == nil {
		n, err := b.ReadCloser.Read(p)
		if n == 0 && err == nil {
			return 0, nil
		}
		b.err = err
		out, done := b.scanner.scan(b.buffer[:0], p[:n])
		if done == 0 && len(out) == 0 && err == nil { // most pieces have no link in them: they are in place already
			return n, nil
		}
		if out = append(out, p[done:n]...); err != nil {
			out = b.scanner.end(out)
		}
		b.buffer, b.ready = out, out
	}
	n := copy(p, b.ready)
	if b.ready = b.ready[n:]; len(b.ready) > 0 {
		return n, nil
	}
	return n, b.err
}
