package proxy

import (
	"net/http"
	"sync/atomic"
	"time"

	"graphproxy/proxy/batch"
)

// Bodies that are kept in memory to be judged or rewritten may use this much together for each request that may be
// in flight, and never less than leastMemory, so that a large batch fits into a small proxy.
const (
	memoryPerRequest = 256 << 10
	leastMemory      = 128 << 20
)

// memory is how many bytes of bodies are kept now. The system ends a process that uses more memory than it has,
// with every request in it.
type memory struct {
	pool
	pieces *bufferPool // of pieceSize, that bodies are read into
}

// pieceSize is the length of what a bufferPool keeps.
const pieceSize = 32 << 10

func newMemory(requests int) *memory {
	return &memory{pool: pool{most: max(leastMemory, int64(requests)*memoryPerRequest)}, pieces: newBufferPool()}
}

// holding counts the bytes that one request keeps. It is for one goroutine. Release must be called at its end.
type holding struct {
	of   *memory
	own  *atomic.Int64 // bytes of its caller
	most share         // bound for its caller
	n    int64
}

// add counts n more bytes. It reports false, and counts nothing, if that is more than the caller's share. Before
// the caller is known there is nothing to count.
func (h *holding) add(n int64) bool {
	if !h.of.take(h.own, n, h.most) {
		return false
	}
	h.n += n
	return true
}

// adjust is add, or gives -n bytes back where n is negative.
func (h *holding) adjust(n int) bool {
	if n > 0 {
		return h.add(int64(n))
	}
	if n < 0 {
		h.of.give(h.own, int64(-n))
		h.n += int64(n)
	}
	return true
}

// memory is where the answers to a batch are kept.
func (h *holding) memory() batch.Memory { return batch.Memory{Hold: h.adjust, Pieces: h.of.pieces} }

// release gives back all bytes.
func (h *holding) release() {
	if h.n != 0 {
		h.of.give(h.own, h.n)
		h.n = 0
	}
}

// overloaded is the answer when there are too many at once. Nothing has been done for the request.
func overloaded(what string) *Error {
	return &Error{
		Status:     http.StatusServiceUnavailable,
		Code:       codeUnavailable,
		Inner:      "overloaded",
		Message:    what + "; try again",
		RetryAfter: time.Second,
	}
}
