package faults_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
	"testing"
)

// lastPath is where Graph answers a request whose connection it will end.
const lastPath = "/v1.0/test/last"

// warm makes the request whose connection next will be given. A request whose body is streamed goes another way to
// Graph than one whose body is held, with connections of its own.
func (f *front) warm(t *testing.T, next request) {
	t.Helper()
	q := request{method: "GET", target: lastPath, status: 200}
	if next.large {
		q = next.at(lastPath, 200)
	}
	if a := f.do(t, q, "warm"); a.status != 200 || a.cut {
		t.Fatalf("the first request got status %d, cut off %t: %s", a.status, a.cut, a.body)
	}
}

// endsLater answers in a way that keeps the connection, and then hands it to end.
func endsLater(end func(net.Conn)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		takeOver(w, withLength("{}", 2), end)
	}
}

// uponArrival ends a connection when the first byte of the next request has arrived.
func uponArrival(end func(net.Conn)) func(net.Conn) {
	return func(c net.Conn) {
		_, _ = io.ReadFull(c, make([]byte, 1))
		end(c)
	}
}

// A connection that Graph closed is not used again, and no caller notices: requests that must not be made twice
// pass, too.
func TestAConnectionThatGraphClosedIsNotUsedAgain(t *testing.T) {
	t.Parallel()
	who := newIdentity(t)
	for _, scheme := range wires() {
		t.Run("Graph closes it while it is idle, over "+scheme, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, who, scheme)
			closed := make(chan struct{}, 1)
			w.graph.Handle(lastPath, endsLater(func(c net.Conn) {
				halfCloses(c) // returns when graphproxy has closed its side, too
				closed <- struct{}{}
			}))
			w.allPassAfter(t, func() { <-closed })
		})
		t.Run("Graph says Connection: close, over "+scheme, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, who, scheme)
			w.graph.Handle(lastPath, func(rw http.ResponseWriter, _ *http.Request) { rw.Header().Set("Connection", "close") })
			w.allPassAfter(t, func() {})
		})
	}
}

// allPassAfter makes every request after one for lastPath and what closed waits for.
func (w *world) allPassAfter(t *testing.T, closed func()) {
	t.Helper()
	for i, q := range requests() {
		f := w.front(t, w.direct(), nil)
		f.warm(t, q)
		closed()
		id := fmt.Sprintf("idle-%d", i)
		passed().check(t, w, f, q, id, f.do(t, q, id))
	}
}

// Graph ends the connection when the next request begins to arrive on it: graphproxy cannot know whether it was
// carried out. Requests that may be made twice are; for the others the caller gets an error, even if the caller
// claims that they are safe.
func TestAConnectionThatGraphEndsAsARequestArrives(t *testing.T) {
	t.Parallel()
	who := newIdentity(t)
	for name, end := range map[string]func(net.Conn){"closes": closes, "resets": resets} {
		for _, scheme := range wires() {
			t.Run("Graph "+name+" over "+scheme, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, who, scheme)
				w.graph.Handle(lastPath, endsLater(uponArrival(end)))
				for i, q := range requests() {
					want := unreached()
					if q.safe() {
						want = passed()
					}
					f := w.front(t, w.direct(), nil)
					f.warm(t, q)
					id := fmt.Sprintf("stale-%d", i)
					want.check(t, w, f, q, id, f.do(t, q, id, "Idempotency-Key: 1"))
				}
			})
		}
	}
}

// Graph reads the second request of a connection whole, and closes without an answer: it may have carried it out.
func TestARequestThatGraphReadIsNotMadeAgain(t *testing.T) {
	t.Parallel()
	who := newIdentity(t)
	for _, scheme := range wires() {
		t.Run("over "+scheme, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, who, scheme)
			w.graph.Handle(lastPath, page)
			w.graph.Handle(faultPath, answers("", closes))
			for i, q := range requests() {
				want := once()
				if q.safe() {
					want.most = 2
				}
				f := w.front(t, w.direct(), nil)
				f.warm(t, q)
				id := fmt.Sprintf("read-%d", i)
				q = q.at(faultPath, 200)
				want.check(t, w, f, q, id, f.do(t, q, id, "X-Idempotency-Key: 1"))
			}
		})
	}
}

// What was not sent is sent again, whatever its method. net/http alone does so after a reset, but not
// after a close, unless the request may be made twice anyway.
//
// The connection ends between the choice of it and the first byte: nothing has left, so the request is sent on another
// one. A streamed body may be the exception: what was read of it is gone.
func TestARequestOfWhichNothingWasSentIsSentAnew(t *testing.T) {
	t.Parallel()
	who := newIdentity(t)
	for name, end := range map[string]func(net.Conn){"closes": halfCloses, "resets": resets} {
		for _, scheme := range wires() {
			t.Run("Graph "+name+" over "+scheme, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, who, scheme)
				for i, q := range requests() {
					t.Run(q.name, func(t *testing.T) {
						want := passed()
						f := w.frontWithStaleConnection(t, q, end)
						id := fmt.Sprintf("unsent-%d", i)
						a := f.do(t, q, id)
						if q.large && a.status == 502 {
							want = unreached()
						}
						want.check(t, w, f, q, id, a)
					})
				}
			})
		}
	}
}

// frontWithStaleConnection is a graphproxy whose next request is given a connection that then ends, before it is
// written.
func (w *world) frontWithStaleConnection(t *testing.T, next request, end func(net.Conn)) *front {
	t.Helper()
	begin, ended := make(chan struct{}), make(chan struct{})
	w.graph.Handle(lastPath, endsLater(func(c net.Conn) {
		<-begin
		end(c)
		close(ended)
	}))
	var first sync.Once
	f := w.front(t, w.direct(), &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
		if info.Reused {
			first.Do(func() { close(begin); <-ended })
		}
	}})
	f.warm(t, next)
	return f
}

// Graph closes every connection after one answer and does not say so: every request races with the end of its
// connection.
func TestNothingArrivesTwiceWhenConnectionsEndWithoutNotice(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newIdentity(t), "http")
	w.graph.Handle(faultPath, answers(withLength("{}", 2), closes))
	f := w.front(t, w.direct(), nil)
	lost := 0
	for i := range 200 {
		id := fmt.Sprintf("race-%d", i)
		a := f.do(t, requests()[1].at(faultPath, 200), id)
		switch n := w.arrived(id); {
		case a.status == 200 && n == 1:
		case a.status == 502 && n == 0:
			lost++
		default:
			t.Errorf("request %d: status %d, and Graph received it %d times", i, a.status, n)
		}
	}
	t.Logf("%d of 200 requests were written to a connection that had ended, and were answered 502", lost)
}
