package faults_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// Graph receives the request and never answers; the caller gives up. Graph's connection is closed, so that it can stop,
// too.
func TestACallerThatGivesUpOnAStalledGraph(t *testing.T) {
	t.Parallel()
	who := newIdentity(t)
	for _, scheme := range wires() {
		t.Run("over "+scheme, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, who, scheme)
			left := make(chan struct{}, 1)
			w.graph.Handle(faultPath, func(_ http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				<-r.Context().Done()
				left <- struct{}{}
				panic(http.ErrAbortHandler) // or an answer would go out while graphproxy takes its leave of TLS
			})
			for i, q := range requests() {
				id := fmt.Sprintf("given-up-%d", i)
				f := w.front(t, w.broken(), nil)
				f.giveUp(t, q.at(faultPath, 200), id, func() { until(t, "arrival", func() bool { return w.arrived(id) == 1 }) })
				<-left
				if rec := f.record(t, id); rec.Status != 499 || rec.Reason != "callerGone" || rec.Decision != "allow" {
					t.Errorf("%s: audit line %+v, want status 499, reason callerGone", q.name, rec)
				}
				if n := w.arrived(id); n != 1 {
					t.Errorf("%s: Graph received it %d times", q.name, n)
				}
			}
		})
	}
}

// giveUp makes a request and leaves after time has returned.
func (f *front) giveUp(t *testing.T, q request, id string, time func()) {
	t.Helper()
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	ended := make(chan error, 1)
	go func() {
		_, err := f.send(ctx, t, q, id)
		ended <- err
	}()
	time()
	leave()
	if err := <-ended; err == nil {
		t.Errorf("%s: the caller got an answer", q.name)
	}
}

// Graph stalls in the middle of a body; the caller reads what there is and gives up.
func TestACallerThatGivesUpInABody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newIdentity(t), "https")
	f := w.front(t, w.broken(), nil)
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	r, err := http.NewRequestWithContext(ctx, "GET", f.server.URL+"/v1.0/test/stall", nil)
	must(t, err)
	r.Header.Set("Client-Request-Id", "stalled")
	res, err := f.client.Do(r)
	must(t, err)
	defer res.Body.Close()
	_, err = io.ReadFull(res.Body, make([]byte, len("stalling")))
	must(t, err)
	leave()
	if rec := f.record(t, "stalled"); rec.Status != 200 || rec.Reason != "callerGone" {
		t.Errorf("audit line %+v, want status 200, reason callerGone", rec)
	}
	until(t, "cancelled stall", func() bool { return w.graph.Cancelled() == 1 })
}

// Graph answers before it has read the body, and closes. The caller gets its answer, and not a failure to send the
// rest.
func TestGraphAnswersBeforeItHasReadTheBody(t *testing.T) {
	t.Parallel()
	who := newIdentity(t)
	refused := outcome{status: 413, least: 1, most: 1}
	for _, scheme := range wires() {
		t.Run("and closes in good order over "+scheme, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, who, scheme)
			w.graph.Handle(faultPath, func(rw http.ResponseWriter, _ *http.Request) {
				takeOver(rw, "HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}", halfCloses)
			})
			w.earlyAnswers(t, func(answer) outcome { return refused })
		})
		t.Run("and resets over "+scheme, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, who, scheme)
			w.graph.Handle(faultPath, func(rw http.ResponseWriter, _ *http.Request) {
				takeOver(rw, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\n{}", resets)
			})
			w.earlyAnswers(t, func(a answer) outcome {
				switch { // the reset may overtake the answer, or a part of it, in the buffers of the system
				case a.status == 502:
					return once()
				case a.cut:
					return outcome{status: 413, cut: true, least: 1, most: 1}
				}
				return refused
			})
		})
	}
}

// earlyAnswers makes every request, the large one of 2 MiB and of known length.
func (w *world) earlyAnswers(t *testing.T, want func(answer) outcome) {
	t.Helper()
	for i, q := range requests() {
		if q = q.at(faultPath, 413); q.large {
			q.length = 2 << 20
			q.body = func() io.Reader { return io.LimitReader(pattern{}, q.length) }
		}
		f := w.front(t, w.direct(), nil)
		id := fmt.Sprintf("early-%d", i)
		a := f.do(t, q, id)
		want(a).check(t, w, f, q, id, a)
	}
}

// A batch is one POST: it breaks as a whole, and every item leaves its audit line.
func TestABatchBehindABreak(t *testing.T) {
	t.Parallel()
	who := newIdentity(t)
	const body = `{"requests":[{"id":"1","method":"GET","url":"/users"},{"id":"2","method":"POST",` +
		`"url":"/users/adele@contoso.com/sendMail","headers":{"Content-Type":"application/json"},` +
		`"body":{"message":{"subject":"x"}}}]}`
	q := request{
		name:   "a batch",
		method: "POST",
		target: "/v1.0/$batch",
		body:   func() io.Reader { return strings.NewReader(body) },
		status: 200,
	}
	half := `{"responses":[{"id":"1","status":200,"body":{}},{"id":"2","st`
	unread := outcome{status: 502, code: "badAnswer", least: 1, most: 1}
	tests := []struct {
		name  string
		graph http.HandlerFunc
		want  outcome
	}{
		{"Graph closes without an answer", answers("", closes), once()},
		{"Graph resets without an answer", answers("", resets), once()},
		{"Graph cuts its answer", answers(withLength(half, 500), closes), unread},
		{"Graph cuts its chunked answer", answers(ok+"Transfer-Encoding: chunked\r\n\r\n"+chunk(half), closes), unread},
		{"Graph closes a connection that was used before", nil, unreached()},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, who, "https")
			w.graph.Handle(q.target, tt.graph)
			w.graph.Handle(lastPath, endsLater(uponArrival(closes)))
			f := w.front(t, w.direct(), nil)
			if tt.graph == nil { // the connection ends when the batch begins to arrive
				f.warm(t, q)
			}
			tt.want.check(t, w, f, q, "batch", f.do(t, q, "batch"))
			until(t, "audit lines of the items",
				func() bool { return strings.Count(strings.Join(f.audit.all(), ""), `"item":`) == 2 })
			if n := w.graph.SentMail(); n != 0 {
				t.Errorf("%d messages were sent", n)
			}
		})
	}
}

// A token that Graph refuses is the only reason to send a body again. If the connection breaks then, the caller
// gets that error.
func TestTheWayBreaksAfterARefusedToken(t *testing.T) {
	t.Parallel()
	for i, q := range requests() {
		t.Run(q.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, newIdentity(t), "https") // an identity of its own, because a token is thrown away
			n := 0
			w.graph.Handle(faultPath, func(rw http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				if n++; n == 1 {
					rw.WriteHeader(http.StatusUnauthorized)
					return
				}
				takeOver(rw, "", closes)
			})
			want := outcome{status: 502, code: "graphUnreachable", least: 2, most: 2}
			if q.large {
				want = outcome{status: 502, code: "tokenRejected", least: 1, most: 1}
			}
			if q.safe() {
				want.most = 3
			}
			f := w.front(t, w.direct(), nil)
			id := fmt.Sprintf("refused-%d", i)
			q = q.at(faultPath, 200)
			want.check(t, w, f, q, id, f.do(t, q, id))
		})
	}
}
