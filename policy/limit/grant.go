package limit

import (
	"runtime"
	"sync/atomic"
)

// A Grant has the concurrency slots of one request. The zero Grant has none. A Grant must not be copied after
// it was passed to Take (go vet reports it): each copy would give the same slots back.
type Grant struct {
	few   [inline]*bucket
	n     int
	more  []*bucket
	state atomic.Uint32
	then  *hook // guarded by state
}

// hook is a function to call at the release, and those that were added before it.
type hook struct {
	call   func()
	before *hook
}

// The states of a Grant. The state is also its lock, which is taken for a few instructions. A sync.Mutex or an
// atomic.Pointer would do the same, but its slow path lets the address of the Grant escape: with a Mutex each
// Take allocates 128 bytes (BenchmarkTake), and without it none.
const (
	held      = iota
	releasing // by one Release, which will call the hooks
	released
	busy // a goroutine changes the hooks; it remembers the previous state
)

// Release gives the slots back; the tokens stay taken. Call it when the response body has ended, on every path.
// The second call and later ones do nothing. It is safe for concurrent use and never blocks.
func (g *Grant) Release() {
	before := g.enter()
	if before != held {
		g.state.Store(before)
		return
	}
	g.state.Store(releasing)
	for _, b := range g.few[:g.n] {
		b.held.Add(-1)
	}
	for _, b := range g.more {
		b.held.Add(-1)
	}
	g.enter()
	h := g.then
	g.then = nil
	g.state.Store(released)
	for ; h != nil; h = h.before {
		h.call()
	}
}

// OnRelease arranges that f is called once: by Release when it has given the slots back, or at once if that was
// before. The function that was added last is called first. It works for a zero Grant, too, whose slots are
// elsewhere. It is safe for concurrent use; f may be called from any goroutine, and must not block.
func (g *Grant) OnRelease(f func()) {
	h := &hook{call: f}
	before := g.enter()
	if before != released {
		h.before, g.then = g.then, h
	}
	g.state.Store(before)
	if before == released {
		f()
	}
}

// enter sets the state to busy, which the caller ends, and returns the previous state.
func (g *Grant) enter() uint32 {
	for {
		before := g.state.Load()
		if before != busy && g.state.CompareAndSwap(before, busy) {
			return before
		}
		runtime.Gosched()
	}
}

func (g *Grant) hold(b *bucket) {
	if g.n < len(g.few) {
		g.few[g.n] = b
		g.n++
		return
	}
	g.more = append(g.more, b)
}
