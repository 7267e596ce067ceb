package limit

import (
	"runtime"
	"sync/atomic"
)

// A Grant holds the concurrency slots of one request. The zero Grant holds none. A Grant must not be copied once it was
// given to Take (go vet reports it): each copy would give the same slots back.
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

// The states of a Grant. The state is also its lock, which is held for a few instructions. A sync.Mutex or an
// atomic.Pointer would do the same, but its slow path lets the address of the Grant escape: with a Mutex each Take
// allocates 128 bytes (BenchmarkTake), and without it none.
const (
	held      = iota
	releasing // by one Release, which will call the hooks
	released
	busy // a goroutine changes the hooks; it knows the state from before
)

// Release gives the slots back; the tokens stay taken. Call it when the response body has ended, on every path. The
// second call and later ones do nothing. It is safe for concurrent use and waits for nothing.
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

// OnRelease has f called once: by Release when it has given the slots back, or at once if that was before. Of several
// functions the last one added is called first. It works for a zero Grant, too, whose slots are elsewhere. It is safe
// for concurrent use; f may be called from any goroutine, and must not block.
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

// enter makes the state busy, which the caller ends, and returns what it was.
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
