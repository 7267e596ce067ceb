package direct

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"time"
)

// conn is a connection to a server. One goroutine uses it at a time; comments name the fields that the pool guards.
type conn struct {
	t    *Transport
	host host
	wire *wire    // the bytes
	rw   net.Conn // wire, or TLS over it
	keep bool     // it may carry another request
	used bool     // it has carried one

	observer Observer // may be nil

	until deadline // for the answer's header

	ctx   context.Context // of the request that it carries; guarded by the pool
	cut   error           // why the sweep ended that request; guarded by the pool
	place int             // in pool.active; guarded by the pool
	turn  uint64          // the number of the request that it carries; guarded by the pool

	since  time.Time // it is idle; guarded by the pool
	looked time.Time // last check while it was idle; guarded by the pool
	odd    bool      // it is being checked; guarded by the pool

	one [1]byte // for alive

	// The method values of alive and writeAgain, made once.
	isAlive  func() bool
	writeOut func()

	out     []byte // for writeAgain
	failure error  // of writeAgain
}

// connection returns a connection for a request: the idle one that was used last, or a new one. Whether an idle one
// is alive, send finds out. Of the hooks of net/http/httptrace it calls only GotConn, before it takes a connection or
// after it has made one.
func (t *Transport) connection(r *http.Request, pooled bool) (*conn, error) {
	ctx := r.Context()
	h := host{r.URL.Scheme, r.URL.Host}
	trace := httptrace.ContextClientTrace(ctx)
	if pooled {
		if trace != nil && trace.GotConn != nil {
			if next := t.pool.next(h); next != nil {
				trace.GotConn(httptrace.GotConnInfo{Conn: next.rw, Reused: true, WasIdle: true})
			}
		}
		if c := t.pool.take(h, ctx); c != nil {
			return c, nil
		}
	}
	c, err := t.dial(ctx, h)
	if err != nil {
		return nil, err
	}
	c.keep = pooled && c.wire.isSocket()
	t.dialled.Add(1)
	t.pool.add(c, ctx)
	if trace != nil && trace.GotConn != nil {
		trace.GotConn(httptrace.GotConnInfo{Conn: c.rw})
	}
	return c, nil
}

// alive reports whether an idle connection may be used. One that has ended may not, and neither may one with unread
// bytes, because they belong to no request. Messages of TLS itself, such as a new session ticket, are read and
// ignored.
func (c *conn) alive() bool {
	c.wire.waits = false
	n, err := c.rw.Read(c.one[:])
	c.wire.waits = true
	return n == 0 && errors.Is(err, errWouldWait)
}

// end ends the use of the connection.
func (c *conn) end(keep bool) {
	c.until.clear()
	c.wire.pause = nil
	if !c.t.pool.put(c, keep && c.keep) {
		_ = c.rw.Close()
	}
}

// sweep ends the request if its context has ended or its header is late. The pool is locked.
func (c *conn) sweep(now time.Time) {
	if c.cut != nil {
		return
	}
	if err := c.ctx.Err(); err != nil {
		c.stop(err)
	} else if c.until.over(now) {
		c.stop(errHeaderTimeout)
	}
}

// stop makes the pending reads and writes of the connection fail. The pool is locked.
func (c *conn) stop(why error) {
	c.cut = why
	_ = c.wire.SetDeadline(time.Unix(1, 0))
}

// why returns the error of a request whose connection failed with err: the cause, if it is known.
func (c *conn) why(err error) error {
	if cut := c.t.pool.cutOf(c); cut != nil {
		return cut
	}
	return err
}

// earlyWait is how long Transport waits for an answer that a server may have sent before it broke the connection
// under a request.
const earlyWait = time.Second

// errEnded is the error of send for an idle connection that may not be used. Nothing was written to it.
var errEnded = errors.New("the idle connection has ended")

// write writes the request that s holds. A connection that has carried one before is checked first.
func (c *conn) write(s *scratch) (failure, ended error) {
	c.wire.written = 0
	c.until.set(time.Now().Add(c.t.o.HeaderTimeout))
	if !c.used {
		c.used = true
		_, failure = c.rw.Write(s.out)
		return failure, nil
	}
	c.out = s.out
	sent := c.wire.ask(c.isAlive, c.writeOut)
	c.out = nil
	if !sent {
		return nil, errEnded
	}
	return c.failure, nil
}

// writeAgain writes c.out to a connection that was found alive.
func (c *conn) writeAgain() {
	c.t.reused.Add(1)
	if c.observer != nil {
		c.observer.Work(true)
	}
	_, c.failure = c.rw.Write(c.out)
}

// send writes the request that s holds, and reads the header of the answer. It does not release s if the error is
// errEnded.
func (c *conn) send(r *http.Request, s *scratch) (*http.Response, error) {
	reused := c.used
	failure, ended := c.write(s)
	if ended != nil {
		c.t.dropped.Add(1)
		c.end(false)
		return nil, ended
	}
	begun := c.wire.written > 0
	if failure != nil && (!begun || c.t.pool.cutOf(c) != nil) {
		failure = c.why(failure)
		c.end(false)
		s.release()
		return nil, &Error{Err: failure, Reused: reused, Begun: begun}
	}
	sent := failure == nil
	if !sent {
		c.until.set(time.Now().Add(earlyWait))
	}
	s.in.Reset(c.rw)
	res, answered, err := s.readHeader(c.rw, r, c.t.o.MaxHeaderBytes)
	if err != nil {
		if failure == nil {
			failure = c.why(err)
		}
		c.end(false)
		s.release()
		return nil, &Error{Err: failure, Reused: reused, Begun: true, Sent: sent, Answered: answered}
	}
	c.until.clear()
	keep := failure == nil && !res.Close && !r.Close
	res.Body = newBody(c, s, res, keep)
	return res, nil
}
