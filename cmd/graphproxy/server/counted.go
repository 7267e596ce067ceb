package server

import (
	"context"
	"net/http"
	"sync/atomic"
)

// counted counts the requests in next, so that none is cut off before its record is written.
type counted struct {
	next    http.Handler
	under   atomic.Int64
	none    chan struct{} // capacity 1: the last request has ended
	leaving atomic.Bool   // answers announce that the connection ends with them
}

func newCounted(next http.Handler) *counted {
	return &counted{next: next, none: make(chan struct{}, 1)}
}

// ServeHTTP implements http.Handler.
func (c *counted) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if isEvicted(r) {
		panic(http.ErrAbortHandler)
	}
	c.under.Add(1)
	defer c.end()
	if c.leaving.Load() {
		w.Header().Set("Connection", "close") // net/http sends GOAWAY for it over HTTP/2
	}
	c.next.ServeHTTP(w, r)
}

func (c *counted) end() {
	if c.under.Add(-1) > 0 {
		return
	}
	select {
	case c.none <- struct{}{}:
	default:
	}
}

// wait returns when no request is in the handler, or when ctx ends.
func (c *counted) wait(ctx context.Context) {
	for c.under.Load() > 0 {
		select {
		case <-c.none:
		case <-ctx.Done():
			return
		}
	}
}
