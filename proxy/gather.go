package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
)

// net/http writes an answer of more than 4 KiB in several pieces, of which the first has 4 KiB: its own buffer. A
// gatherer makes one write of them, because a write to a socket takes longer than all else that is done for a piece.
//
// Bytes wait only while the handler is at work, as they do in net/http's own buffer: what is flushed goes out at once,
// and so does the rest when the handler has ended.

// gatherer is a caller's connection that can gather what is written. All methods are safe for concurrent use.
type gatherer struct {
	net.Conn

	mu   sync.Mutex // held while something is written
	on   bool       // what is written is gathered
	held holding    // counts the memory of text
	text []byte     // written to the gatherer, and not to the connection; nil: no memory is used

	passing bool // what is written now goes out
}

// mostAtOnce is how much is written together. The slowest callers that are served must be able to read it in a minute.
const mostAtOnce = pieceSize + 4<<10

// GatherWrites returns a listener of connections for which a Handler behind NewServer can gather small writes. It must
// be below TLS.
func GatherWrites(l net.Listener) net.Listener { return gatheringListener{l} }

type gatheringListener struct{ net.Listener }

// Accept implements net.Listener.
func (l gatheringListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &gatherer{Conn: c}, nil
}

type gathererKey struct{}

// withConnection adds a connection to the context of its requests (http.Server.ConnContext). It returns the context as
// it is for a connection that is not from GatherWrites, also below TLS.
func withConnection(ctx context.Context, c net.Conn) context.Context {
	if encrypted, ok := c.(*tls.Conn); ok {
		c = encrypted.NetConn()
	}
	if g, ok := c.(*gatherer); ok {
		return context.WithValue(ctx, gathererKey{}, g)
	}
	return ctx
}

// NetConn returns the connection below, as that of tls.Conn does.
func (g *gatherer) NetConn() net.Conn { return g.Conn }

// CloseWrite ends the writing of a connection that net/http will close, where the connection below has that.
func (g *gatherer) CloseWrite() error {
	if c, ok := g.Conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return nil
}

// gather begins to gather what is written, in memory that is counted as that of held is. end must be called.
func (g *gatherer) gather(held *holding) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.on, g.held = true, holding{of: held.of, own: held.own, most: held.most}
}

// Write implements net.Conn.
func (g *gatherer) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.text)+len(p) > mostAtOnce {
		if err := g.flush(); err != nil {
			return 0, err
		}
	}
	if g.keep(p) {
		return len(p), nil
	}
	return g.write(p)
}

// keep adds p to what is gathered, and reports false if it does not fit there.
func (g *gatherer) keep(p []byte) bool {
	if !g.on || g.passing || len(p) > pieceSize {
		return false
	}
	if g.text == nil {
		if !g.held.add(pieceSize) {
			return false
		}
		g.text = g.held.of.pieces.Get()[:0]
	}
	if len(g.text)+len(p) > cap(g.text) {
		return false
	}
	g.text = append(g.text, p...)
	return true
}

// write writes p after what was gathered. The two are copied together where they fit: not every connection can write
// two pieces at once.
func (g *gatherer) write(p []byte) (int, error) {
	before := len(g.text)
	if before == 0 {
		return g.Conn.Write(p)
	}
	both := net.Buffers{g.text, p}
	if before+len(p) <= cap(g.text) {
		both = net.Buffers{append(g.text, p...)}
	}
	n, err := both.WriteTo(g.Conn)
	g.text = g.text[:0]
	return max(0, int(n)-before), err
}

// flush writes what was gathered.
func (g *gatherer) flush() error {
	if len(g.text) == 0 {
		return nil
	}
	_, err := g.Conn.Write(g.text)
	g.text = g.text[:0]
	return err
}

// pass writes what was gathered together with what flush writes, and goes on to gather.
func (g *gatherer) pass(flush func() error) error {
	g.setPassing(true)
	defer g.setPassing(false)
	err := flush()
	g.mu.Lock()
	defer g.mu.Unlock()
	return errors.Join(err, g.flush())
}

func (g *gatherer) setPassing(passing bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.passing = passing
}

// waits reports whether bytes were gathered and not written yet.
func (g *gatherer) waits() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.text) > 0
}

// end writes what was gathered, and gathers no more.
func (g *gatherer) end() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	err := g.flush()
	if g.text != nil {
		g.held.of.pieces.Put(g.text[:cap(g.text)])
		g.held.release()
	}
	g.on, g.text = false, nil
	return err
}
