package direct

import (
	"errors"
	"io"
	"net/http"
	"sync"
)

// Pauser is implemented by the bodies of a Transport's answers that are not empty.
type Pauser interface {
	// OnPause sets a function that a Read calls before it waits for the server. Earlier Reads have then returned
	// everything that had come. It must be called before the first Read.
	OnPause(func())
}

// body is the body of an answer. It gives the connection back when it has ended, even without a call of Close.
type body struct {
	used *conn  // never changes
	turn uint64 // of the connection; never changes

	mu   sync.Mutex // held by Read
	c    *conn      // nil: the connection is given back, and reads return end
	s    *scratch
	from io.Reader
	keep bool // the connection may carry another request
	end  error
}

// newBody returns the body of an answer. An empty one needs the connection no more.
func newBody(c *conn, s *scratch, res *http.Response, keep bool) io.ReadCloser {
	if res.StatusCode == http.StatusSwitchingProtocols {
		keep = false // it was not requested, and what follows is not HTTP
		res.Body = http.NoBody
	}
	if res.Body == http.NoBody {
		c.end(keep && s.in.Buffered() == 0)
		s.release()
		return http.NoBody
	}
	b := &body{used: c, turn: c.turn, c: c, s: s, keep: keep}
	if len(res.TransferEncoding) > 0 {
		b.from = &chunks{in: s.in, wire: c.wire}
	} else {
		b.from = &plain{from: res.Body, wire: c.wire}
	}
	return b
}

// OnPause implements Pauser.
func (b *body) OnPause(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.c != nil {
		b.c.wire.pause = f
	}
}

// Read implements io.Reader. It fills p as far as that is possible without waiting.
func (b *body) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.c == nil {
		return 0, b.end
	}
	if len(p) == 0 {
		return 0, nil
	}
	n, err := b.from.Read(p)
	if err != nil {
		err = b.finish(err)
	}
	return n, err
}

// finish gives the connection back after the last Read.
func (b *body) finish(err error) error {
	ended := err == io.EOF //nolint:errorlint // io.Reader's contract is the bare io.EOF
	if !ended {
		err = b.c.why(err)
	}
	b.c.end(ended && b.keep && b.s.in.Buffered() == 0)
	b.s.release()
	b.c, b.s, b.from, b.end = nil, nil, nil, err
	return err
}

// maxDrain is how much of an unwanted body is read so that its connection can be used again.
const maxDrain = 64 << 10

// Close implements io.Closer. If the rest of the body is short and has come already, it is read. Otherwise the
// connection is closed. A Read that waits in another goroutine ends.
func (b *body) Close() error {
	if !b.mu.TryLock() {
		b.used.t.pool.cut(b.used, b.turn)
		return nil
	}
	defer b.mu.Unlock()
	if b.c != nil {
		_ = b.finish(b.drain())
	}
	b.end = http.ErrBodyReadAfterClose
	return nil
}

func (b *body) drain() error {
	b.c.wire.pause = nil
	b.c.wire.waits = false
	defer func() { b.c.wire.waits = true }()
	room := b.s.out[:cap(b.s.out)]
	for n := 0; b.keep && n < maxDrain; {
		m, err := b.from.Read(room)
		if err != nil {
			return err
		}
		n += m
	}
	return errNotWanted
}

var errNotWanted = errors.New("the rest of the body is not wanted")

// minRoom is the least free space for which another read is worth its system call.
const minRoom = 4 << 10

// plain is a body that ends after a number of bytes, or with the connection.
type plain struct {
	from io.Reader // as net/http reads it
	wire *wire
}

func (b *plain) Read(p []byte) (n int, err error) {
	n, err = b.from.Read(p)
	if err != nil || len(p)-n < minRoom {
		return n, err
	}
	waits := b.wire.waits
	b.wire.waits = false
	for err == nil && len(p)-n >= minRoom {
		var m int
		m, err = b.from.Read(p[n:])
		n += m
	}
	b.wire.waits = waits
	if errors.Is(err, errWouldWait) {
		err = nil
	}
	return n, err
}
