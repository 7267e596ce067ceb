package proxy

import (
	"net/http"
	"sync"
	"time"
)

// A caller that sends or reads next to nothing uses a place and a connection to Graph for which others wait. Within
// each span it must move slowest bytes, or come to an end: that is 270 bytes a second, far below any useful
// streaming.
const (
	span     = time.Minute
	slowest  = 16 << 10
	leftover = 5 * time.Second  // for the rest of a body that is not used any more
	unwanted = 10 * time.Second // for reading on a body that was refused
	often    = time.Second      // deadlines are set at most this often: setting one costs more than a small read
)

// pace sets the deadlines of one direction of a connection, or of a stream of HTTP/2. It is safe for concurrent
// use: the transport may still read a body when the answer to it begins. Connections without deadlines, as in tests
// of handlers, are not bounded.
type pace struct {
	control http.ResponseController

	mu      sync.Mutex
	set     time.Time // when the deadline was set last
	moved   int64     // bytes until then
	open    bool      // a deadline for reading has been set
	ended   bool      // there is nothing more to read
	dropped bool      // the rest will not be used
}

// reading is called before a read, with the number of bytes so far.
func (p *pace) reading(total int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dropped || p.open && total-p.moved < slowest {
		return
	}
	now := time.Now()
	if p.open && now.Sub(p.set) < often {
		return
	}
	p.set, p.moved, p.open = now, total, true
	_ = p.control.SetReadDeadline(now.Add(span))
	_ = p.control.SetWriteDeadline(now.Add(unanswered)) // HTTP/2 counts that while the body is still coming
}

// end is called when the body has been read. net/http then removes the deadline, and reads on to notice when the
// caller leaves.
func (p *pace) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
}

// drop is called when the rest of a body will not be used. net/http reads some of it before it writes the answer's
// header.
func (p *pace) drop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.ended && !p.dropped {
		p.dropped = true
		_ = p.control.SetReadDeadline(time.Now().Add(leftover))
	}
}

// discard is drop for a body whose rest is read before the answer. It reports whether there is any.
func (p *pace) discard() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended || p.dropped {
		return false
	}
	p.dropped = true
	_ = p.control.SetReadDeadline(time.Now().Add(unwanted))
	return true
}

// writing is called before a write, with the number of bytes so far. The first bytes fit into the connection's
// buffers; for them the server's own deadline is enough.
func (p *pace) writing(total int64) {
	if total < slowest {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if now.Sub(p.set) < often {
		return
	}
	p.set = now
	_ = p.control.SetWriteDeadline(now.Add(span))
}
