package direct

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// host is the destination of a connection.
type host struct{ scheme, name string }

// pool is the connections of a Transport: stacks of idle ones, and those that carry a request. The zero value has none.
type pool struct {
	most        int           // idle ones per host
	idleTimeout time.Duration // since the last request

	mu     sync.Mutex
	idle   map[host][]*conn // the last one was used last, and is taken first
	idles  int
	active []*conn
	timer  *time.Timer // of the sweep
	swept  bool        // the timer runs
}

// interval is the longest time until the sweep notices a context that ended, a header that is late, or an idle
// connection.
const interval = 100 * time.Millisecond

// take takes an idle connection for a request, or returns nil.
func (p *pool) take(h host, ctx context.Context) *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	stack := p.idle[h]
	if len(stack) == 0 {
		return nil
	}
	c := stack[len(stack)-1]
	stack[len(stack)-1] = nil
	p.idle[h] = stack[:len(stack)-1]
	p.idles--
	p.activate(c, ctx)
	return c
}

// add adds a new connection. It carries a request already.
func (p *pool) add(c *conn, ctx context.Context) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.activate(c, ctx)
	if p.swept {
		return
	}
	p.swept = true
	if p.timer == nil {
		p.timer = time.AfterFunc(interval, p.sweep)
	} else {
		p.timer.Reset(interval)
	}
}

func (p *pool) activate(c *conn, ctx context.Context) {
	c.ctx, c.place = ctx, len(p.active)
	c.turn++
	if c.observer != nil {
		c.observer.Work(false)
	}
	p.active = append(p.active, c)
}

// put ends the use of a connection. It reports whether the connection waits for another request now; otherwise the
// caller must close it.
func (p *pool) put(c *conn, keep bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := len(p.active) - 1
	p.active[c.place], p.active[last].place = p.active[last], c.place
	p.active[last] = nil
	p.active = p.active[:last]
	c.ctx = nil
	if !keep || c.cut != nil || len(p.idle[c.host]) >= p.most {
		return false
	}
	if p.idle == nil {
		p.idle = make(map[host][]*conn)
	}
	p.idles++
	if c.observer != nil {
		c.observer.Rest()
	}
	stack := p.idle[c.host]
	if c.odd { // it was checked, and stays idle
		c.odd = false
		at, _ := slices.BinarySearchFunc(stack, c.since, func(c *conn, t time.Time) int { return c.since.Compare(t) })
		p.idle[c.host] = slices.Insert(stack, at, c)
		return true
	}
	c.since = time.Now()
	p.idle[c.host] = append(stack, c)
	return true
}

// cut ends the request with the number turn, if the connection still carries it: its body was closed.
func (p *pool) cut(c *conn, turn uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.turn == turn && c.ctx != nil && c.cut == nil {
		c.stop(http.ErrBodyReadAfterClose)
	}
}

// cutOf returns why the sweep ended the request of a connection; nil if it did not.
func (p *pool) cutOf(c *conn) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return c.cut
}

func (p *pool) count() (active, idle int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return int64(len(p.active)), int64(p.idles)
}

// sweep ends what has lasted too long. It runs until there is no connection.
func (p *pool) sweep() {
	now := time.Now()
	p.mu.Lock()
	for _, c := range p.active {
		c.sweep(now)
	}
	old := p.dropBefore(now.Add(-p.idleTimeout))
	odd := p.takeOdd(now)
	p.swept = len(p.active)+p.idles > 0
	if p.swept {
		p.timer.Reset(interval)
	}
	p.mu.Unlock()
	closeAll(old)
	for _, c := range odd {
		c.end(c.alive())
	}
}

// How often an idle connection is checked, and how many at once, because the pool is locked then.
const (
	lookEvery = time.Second
	lookMost  = 64
)

// takeOdd removes and returns the idle connections that may have ended or may have unread bytes, so that a server
// that closes connections does not wait for the other side for long. At its first check each connection is
// included: TLS may have read its end together with the last bytes of the answer.
func (p *pool) takeOdd(now time.Time) []*conn {
	var odd []*conn
	left := lookMost
	for h, stack := range p.idle {
		kept := stack[:0]
		for _, c := range stack {
			if left > 0 && now.Sub(c.since) >= lookEvery && now.Sub(c.looked) >= lookEvery {
				left--
				isFirst := c.looked.Before(c.since)
				c.looked = now
				if isFirst || !c.wire.isQuiet() {
					p.idles--
					c.odd = true
					p.activate(c, context.Background())
					odd = append(odd, c)
					continue
				}
			}
			kept = append(kept, c)
		}
		clear(stack[len(kept):])
		p.idle[h] = kept
	}
	return odd
}

// next returns the idle connection that take would return, without taking it.
func (p *pool) next(h host) *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	if stack := p.idle[h]; len(stack) > 0 {
		return stack[len(stack)-1]
	}
	return nil
}

// dropBefore removes and returns the connections that have been idle since then or longer. They are at the bottom
// of their stacks.
func (p *pool) dropBefore(then time.Time) []*conn {
	var old []*conn
	for h, stack := range p.idle {
		n := 0
		for n < len(stack) && !stack[n].since.After(then) {
			n++
		}
		if n == 0 {
			continue
		}
		old = append(old, stack[:n]...)
		p.idles -= n
		p.idle[h] = append(stack[:0:0], stack[n:]...)
	}
	return old
}

func (p *pool) closeIdle() {
	p.mu.Lock()
	old := p.dropBefore(time.Now())
	p.mu.Unlock()
	closeAll(old)
}

func closeAll(old []*conn) {
	for _, c := range old {
		_ = c.rw.Close()
	}
}

// deadline is a time that one goroutine sets and another reads. The zero value is none.
type deadline struct{ at atomic.Int64 }

func (d *deadline) set(t time.Time) { d.at.Store(t.UnixNano()) }
func (d *deadline) clear()          { d.at.Store(0) }

func (d *deadline) over(now time.Time) bool {
	at := d.at.Load()
	return at != 0 && now.UnixNano() >= at
}
