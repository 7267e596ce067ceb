package server

import (
	"cmp"
	"context"
	"log/slog"
	"math"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// connections are the open connections of a server's listeners, most at most. When there are as many, the one that has
// been idle for longest is closed for each new one. While none is idle, no connection is accepted: new ones wait in the
// kernel's backlog. It is safe for concurrent use.
//
// A connection is idle between two requests. One that has sent nothing since it was accepted counts as idle after
// silence, as in http.Server.Shutdown.
type connections struct {
	listener string // in logs and metrics: callers or admin
	most     int64
	log      *slog.Logger

	all   sync.Map // *connection by the net.Conn that http.Server has
	open  atomic.Int64
	idle  atomic.Int64 // that have carried a request
	order atomic.Int64 // of the connection that began to be idle last

	mu      sync.Mutex
	freed   sync.Cond    // with mu: fewer may be open
	waiting atomic.Int64 // for freed
	ranked  []candidate  // the longest idle connections a moment ago; the first is the next to close

	evicted, paused, failed atomic.Int64
	full, busy              episode
}

// silence is how long a new connection may send nothing before it counts as idle.
const silence = 5 * time.Second

func newConnections(listener string, most int, log *slog.Logger) *connections {
	k := &connections{listener: listener, most: int64(most), log: log}
	k.freed.L = &k.mu
	return k
}

// connection is one that is open.
type connection struct {
	net.Conn // as http.Server has it
	accepted time.Time
	// 0: it carries a request. Else it is idle, and the absolute value says since when, by connections.order; it is
	// negative while the connection has not carried any request.
	idle atomic.Int64
}

// evicted is connection.idle of one that is closed for another.
const evicted = math.MinInt64

type candidate struct {
	*connection
	since int64 // connection.idle
}

// admit records a connection that was accepted, when fewer than the maximum are open. If necessary it closes another
// one first. It reports false if closed is true before that.
func (k *connections) admit(c net.Conn, closed *atomic.Bool) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.waiting.Add(1) // before it looks: what changes afterwards wakes it
	defer k.waiting.Add(-1)
	for k.open.Load() >= k.most {
		if closed.Load() {
			return false
		}
		if one, since := k.longestIdle(); one != nil {
			k.mu.Unlock()
			k.close(one, since)
			k.full.begin(func() {
				k.log.Warn("as many connections are open as may be: for each new one, the one that has been idle for "+
					"longest is closed", "listener", k.listener, "at_most", k.most, "cure", moreConnections)
			})
			k.mu.Lock()
			continue
		}
		k.wait()
	}
	one := &connection{Conn: c, accepted: time.Now()}
	one.idle.Store(-k.order.Add(1))
	k.all.Store(c, one)
	k.open.Add(1)
	return true
}

// state follows a connection (http.Server.ConnState).
func (k *connections) state(c net.Conn, state http.ConnState) {
	found, ok := k.all.Load(c)
	if !ok {
		return
	}
	one := found.(*connection)
	switch state {
	case http.StateActive:
		if since := one.idle.Load(); since != evicted && one.idle.CompareAndSwap(since, 0) && since > 0 {
			k.idle.Add(-1)
		}
	case http.StateIdle:
		if one.idle.CompareAndSwap(0, k.order.Add(1)) {
			k.idle.Add(1)
			k.wake()
		}
	case http.StateClosed, http.StateHijacked:
		k.all.Delete(c)
		k.drop(one.idle.Swap(evicted))
	}
}

// drop counts a connection down that is gone, or about to be. It was in the state since.
func (k *connections) drop(since int64) {
	if since == evicted {
		return
	}
	if since > 0 {
		k.idle.Add(-1)
	}
	k.open.Add(-1)
	k.wake()
}

// evict closes the connection that has been idle for longest, if there is one.
func (k *connections) evict() {
	k.mu.Lock()
	one, since := k.longestIdle()
	k.mu.Unlock()
	if one != nil {
		k.close(one, since)
	}
}

// close closes a connection that longestIdle returned. TLS's goodbye is left out: it could wait for the peer.
func (k *connections) close(one *connection, since int64) {
	k.evicted.Add(1)
	_ = rawConn(one.Conn).Close()
	k.drop(since)
}

const moreConnections = "raise RLIMIT_NOFILE (LimitNOFILE= in a systemd unit, ulimit -n in a shell), or " +
	"GRAPHPROXY_MAX_CONNECTIONS if it is set, or add a replica"

// longestIdle marks a connection as evicted and returns it with the state that it had; nil if none is idle. It looks
// at all connections only when those that it found the last time are used up: every other one has been idle for less.
// It is for holders of mu.
func (k *connections) longestIdle() (*connection, int64) {
	for range 2 {
		for len(k.ranked) > 0 {
			next := k.ranked[0]
			k.ranked = k.ranked[1:]
			if next.connection.idle.CompareAndSwap(next.since, evicted) {
				return next.connection, next.since
			}
		}
		k.rank()
	}
	return nil, 0
}

// rank finds the eighth of the idle connections that has been idle for longest, and 16 at least.
func (k *connections) rank() {
	now := time.Now()
	var idle []candidate
	k.all.Range(func(_, v any) bool {
		one := v.(*connection)
		if since := one.idle.Load(); one.isIdle(since, now) {
			idle = append(idle, candidate{one, since})
		}
		return true
	})
	slices.SortFunc(idle, func(a, b candidate) int { return cmp.Compare(abs(a.since), abs(b.since)) })
	k.ranked = slices.Clone(idle[:min(len(idle), max(16, len(idle)/8))])
}

// isIdle reports whether a connection in the state since may be closed for another.
func (c *connection) isIdle(since int64, now time.Time) bool {
	return since > 0 || since < 0 && since != evicted && now.Sub(c.accepted) >= silence
}

func abs(n int64) int64 { return max(n, -n) }

// hasRoom reports whether a connection can be accepted. It is for holders of mu.
func (k *connections) hasRoom() bool {
	if k.open.Load() < k.most || k.idle.Load() > 0 {
		return true
	}
	k.rank()
	return len(k.ranked) > 0
}

// wake wakes the connections that wait to be admitted.
func (k *connections) wake() {
	if k.waiting.Load() > 0 {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.freed.Broadcast()
	}
}

// await waits until a connection can be accepted, or closed is true, and reports whether one can.
func (k *connections) await(closed *atomic.Bool) bool {
	if open := k.open.Load(); open < k.most {
		k.relax(open)
		return true
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.waiting.Add(1)
	defer k.waiting.Add(-1)
	for !closed.Load() && !k.hasRoom() {
		k.wait()
	}
	return !closed.Load()
}

// wait waits until there may be room. It is for holders of mu.
func (k *connections) wait() {
	k.busy.begin(func() {
		k.paused.Add(1)
		k.log.Warn("each of as many connections as may be open carries a request: new ones wait to be accepted",
			"listener", k.listener, "at_most", k.most, "cure", moreConnections)
	})
	again := time.AfterFunc(time.Second, k.wake) // for one that has sent nothing for long
	defer again.Stop()
	k.freed.Wait()
}

// relax logs that there is room again: a tenth.
func (k *connections) relax(open int64) {
	if open > k.most*9/10 {
		return
	}
	k.busy.end(func() {})
	k.full.end(func() {
		k.log.Info("fewer connections are open than may be", "listener", k.listener, "open", open, "at_most", k.most,
			"closed_for_others", k.evicted.Load())
	})
}

// An episode is logged once at its beginning and once at its end. The zero value has not begun.
type episode struct{ on atomic.Bool }

func (e *episode) begin(log func()) {
	if !e.on.Load() && e.on.CompareAndSwap(false, true) {
		log()
	}
}

func (e *episode) end(log func()) {
	if e.on.Load() && e.on.CompareAndSwap(true, false) {
		log()
	}
}

type connectionKey struct{}

// context adds a connection to the context of its requests (http.Server.ConnContext).
func (k *connections) context(ctx context.Context, c net.Conn) context.Context {
	one, ok := k.all.Load(c)
	if !ok {
		return ctx
	}
	return context.WithValue(ctx, connectionKey{}, one)
}

// isEvicted reports whether the connection of a request was closed in the moment in which the request came. The caller
// gets no answer to it, so it must not be carried out.
func isEvicted(r *http.Request) bool {
	one, ok := r.Context().Value(connectionKey{}).(*connection)
	return ok && one.idle.Load() == evicted
}

// rawConn returns the connection below TLS and what gathers its writes.
func rawConn(c net.Conn) net.Conn {
	for {
		below, ok := c.(interface{ NetConn() net.Conn })
		if !ok {
			return c
		}
		c = below.NetConn()
	}
}
