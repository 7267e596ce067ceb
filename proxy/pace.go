package proxy

import (
	"net/http"
	"time"
)

// A caller that sends or takes next to nothing holds a place and a connection to Graph that others wait for. Within each
// span it must move slowest bytes, or come to an end: that is 270 bytes a second, which any streaming is far above.
const (
	span     = time.Minute
	slowest  = 16 << 10
	leftover = 5 * time.Second // for the rest of a body that is not wanted any more
	often    = time.Second     // deadlines are set at most this often: setting one costs more than a small read
)

// pace keeps the deadlines of one connection, or of one stream of HTTP/2. It is for one goroutine at a time. Connections that have
// no deadlines, as in tests of handlers, go without.
type pace struct {
	control *http.ResponseController
	set     time.Time // when the deadline was set last
	moved   int64     // bytes until then
	open    bool      // a deadline is set
	ended   bool      // there is nothing more to read
}

// reading is called before a read, with the number of bytes so far.
func (p *pace) reading(total int64) {
	if p.open && total-p.moved < slowest {
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

// read is called when the body has ended. What follows on the connection is not the body's to bound: net/http reads on, to
// learn that the caller has left.
func (p *pace) read() {
	p.ended = true
	if p.open {
		p.open = false
		_ = p.control.SetReadDeadline(time.Time{})
	}
}

// drop is called when what is left of a body will not be used.
func (p *pace) drop() {
	if !p.ended {
		_ = p.control.SetReadDeadline(time.Now().Add(leftover))
	}
}

// writing is called before a write, with the number of bytes so far. The first ones fit into the connection's buffers; for them the
// server's own deadline is enough.
func (p *pace) writing(total int64) {
	if total < slowest {
		return
	}
	now := time.Now()
	if now.Sub(p.set) < often {
		return
	}
	p.set = now
	_ = p.control.SetWriteDeadline(now.Add(span))
}
