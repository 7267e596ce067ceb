package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// The soak's fixed rate, and how often something happens besides.
const (
	soakRate    = 100 // requests a second
	soakReload  = 3 * time.Second
	soakRenew   = 5 * time.Second // of the credential, and with it of the token
	soakMeasure = time.Second
)

// soak is a proxy under a fixed load, and what was sent.
type soak struct {
	*world
	*process
	until      time.Time
	plain      *http.Client // each request over a connection of its own
	sent       atomic.Int64 // requests, and items of batches: as many as audit lines
	asked      atomic.Int64 // requests
	reloads    int
	renewals   int // that were begun
	tokens     int // acquired
	mu         sync.Mutex
	unexpected map[string]int // outcomes that no request should have, by what was asked
}

// soakTime is how long the soak takes: 10 s, or GRAPHPROXY_TEST_SOAK, such as 10m.
func soakTime(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv("GRAPHPROXY_TEST_SOAK")
	if text == "" {
		return 10 * time.Second
	}
	d, err := time.ParseDuration(text)
	must(t, err)
	return d
}

// A proxy under a fixed load, with reloads of the policy, renewals of the token, faults of Graph's and callers that
// leave, keeps its heap, goroutines and descriptors, and writes an audit line for each request.
//
// .ci/soak runs it for ten minutes.
func TestASoakLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	takes := soakTime(t)
	w := newWorld(t)
	w.entra.SetLifetime(2*time.Minute, 0)
	w.rotate(t, 0)
	w.breakGraph()
	audit := w.path("audit.log")
	s := &soak{world: w, unexpected: map[string]int{}, plain: httpClient()}
	s.process = w.serve(t, "AZURE_CLIENT_SECRET_FILE="+w.path("secret"), "GRAPHPROXY_AUDIT_LOG="+audit)
	until(t, "a token", func() bool { status, _ := s.ready(t); return status == 200 })
	for i := range 40 { // everything that there is once
		s.send(i)
	}
	s.rest(t)
	before := s.measure(t)
	s.tokens = before.tokens
	s.until = time.Now().Add(takes)
	rows := s.run(t)
	s.rest(t)
	s.isFlat(t, before, rows)
	until(t, "a new token", func() bool { return s.measure(t).tokens > before.tokens })
	const reloads = `graphproxy_policy_reloads_total{result="success"}`
	until(t, "a new policy", func() bool { return s.metric(t, reloads) != "0" })
	s.stop(t)
	if lines := count(t, audit); lines != int(s.sent.Load()) {
		t.Errorf("%d audit lines for %d requests and items", lines, s.sent.Load())
	}
	for what, n := range s.unexpected {
		t.Errorf("%d times: %s", n, what)
	}
}

// reload changes the policy file.
func (s *soak) reload(t *testing.T) {
	t.Helper()
	s.reloads++
	s.write(t, "policy.yaml", fmt.Sprintf("%s# %d\n", onlyUsers, s.reloads))
}

// renew makes the proxy acquire a token by a new secret, once the token before is there.
func (s *soak) renew(t *testing.T) {
	t.Helper()
	if s.tokens <= s.renewals {
		return
	}
	s.renewals++
	s.rotate(t, s.renewals)
}

// rotate gives the app a new secret.
func (w *world) rotate(t *testing.T, n int) {
	t.Helper()
	secret := fmt.Sprint("secret-", n)
	w.registerSecret(secret)
	w.write(t, "secret", secret)
}

// breakGraph makes Graph fail for some users.
func (w *world) breakGraph() {
	w.graph.Handle("GET /v1.0/users/breaks", func(rw http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) })
	w.graph.Handle("GET /v1.0/users/half", func(rw http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(rw, `{"id":"half"`)
		_ = http.NewResponseController(rw).Flush()
		panic(http.ErrAbortHandler)
	})
	w.graph.Handle("GET /v1.0/users/fails", func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		rw.WriteHeader(http.StatusInternalServerError)
		_, _ = io.WriteString(rw, `{"error":{"code":"generalException","message":"it fails"}}`)
	})
	w.graph.Handle("GET /v1.0/users/slow", func(rw http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(300 * time.Millisecond):
			_, _ = io.WriteString(rw, `{"id":"slow"}`)
		case <-r.Context().Done():
		}
	})
}

// send sends the request number i and counts an outcome that it should not have.
func (s *soak) send(i int) {
	s.asked.Add(1)
	s.sent.Add(1)
	switch i % 20 {
	case 0:
		s.expectStatus(s.client, "GET", "/users/breaks", "", 502)
	case 1:
		s.expectStatus(s.client, "GET", "/users/half", "", 200)
	case 2:
		s.expectStatus(s.client, "GET", "/users/fails", "", 500)
	case 3, 4:
		s.leave()
	case 5:
		s.expectStatus(s.client, "GET", "/users/slow", "", 200)
	case 6:
		s.sent.Add(3)
		s.expectStatus(s.client, "POST", "/$batch", soakBatch, 200)
	case 7:
		s.expectStatus(s.client, "GET", "/groups", "", 403)
	case 8:
		s.expectStatus(s.plain, "GET", "/users?$top=2", "", 200)
	default:
		s.expectStatus(s.client, "GET", "/users?$top=5", "", 200)
	}
}

const soakBatch = `{"requests":[{"id":"1","method":"GET","url":"/users?$top=1"},` +
	`{"id":"2","method":"GET","url":"/groups"},{"id":"3","method":"GET","url":"/users?$top=2"}]}`

func (s *soak) expectStatus(by *http.Client, method, target, body string, want int) {
	req, err := http.NewRequest(method, s.callers+"/v1.0"+target, strings.NewReader(body))
	if err != nil {
		s.note(target, err.Error())
		return
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := by.Do(req)
	if err != nil {
		s.note(target, err.Error())
		return
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(res.Body) // half of an answer is one of the faults
	if res.StatusCode != want {
		s.note(target, fmt.Sprint(res.StatusCode, " ", string(text)))
	}
}

// leave sends a request and leaves before it is answered.
func (s *soak) leave() {
	c, err := net.Dial("tcp", strings.TrimPrefix(s.callers, "http://"))
	if err != nil {
		s.note("leave", err.Error())
		return
	}
	defer c.Close()
	_, err = io.WriteString(c, "GET /v1.0/users/slow HTTP/1.1\r\nHost: localhost\r\n\r\n")
	if err != nil {
		s.note("leave", err.Error())
	}
}

func (s *soak) note(what, outcome string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.unexpected) < 20 {
		s.unexpected[what+": "+outcome]++
	}
}

// rest closes the connections of callers and waits until no request is in flight.
func (s *soak) rest(t *testing.T) {
	t.Helper()
	s.client.CloseIdleConnections()
	s.awaitMetric(t, "graphproxy_requests_in_flight", "0")
	s.awaitMetric(t, `graphproxy_connections_open{listener="callers"}`, "0")
}

// run keeps the load up until it is time, and returns the least heap and the most of the rest in each tenth.
func (s *soak) run(t *testing.T) (rows []usage) {
	t.Helper()
	ctx, cancel := context.WithDeadline(t.Context(), s.until)
	defer cancel()
	var running sync.WaitGroup
	defer running.Wait()
	running.Go(func() { s.load(ctx) })
	part := time.Until(s.until) / 10
	fmt.Print("  time  requests  heap MB  resident MB  goroutines  descriptors  reloads  tokens\n")
	reload, renew, tick := time.NewTicker(soakReload), time.NewTicker(soakRenew), time.NewTicker(soakMeasure)
	began := time.Now()
	s.reload(t)
	s.renew(t)
	var row usage
	for ctx.Err() == nil {
		select {
		case <-reload.C:
			s.reload(t)
		case <-renew.C:
			s.renew(t)
		case <-tick.C:
			now := s.measure(t)
			row, s.tokens = row.with(now), now.tokens
		case <-ctx.Done():
		}
		if row.heap > 0 && (time.Since(began) >= time.Duration(len(rows)+1)*part || ctx.Err() != nil) {
			s.print(time.Since(began), row)
			rows, row = append(rows, row), usage{}
		}
	}
	if len(rows) == 0 { // the machine had no time for it
		rows = append(rows, s.measure(t))
	}
	return rows
}

// print prints a row of the table at once: a soak takes long.
func (s *soak) print(at time.Duration, row usage) {
	fmt.Printf("%6s %9d %8.1f %12.1f %11d %12d %8d %7d\n", at.Round(time.Second), s.asked.Load(),
		float64(row.heap)/1e6, float64(row.resident)/1e6, row.goroutines, row.descriptors, s.reloads, s.tokens)
}

// with returns the least heap of both, which is that after a collection, and the most of the rest.
func (u usage) with(next usage) usage {
	if u.heap == 0 || next.heap < u.heap {
		u.heap = next.heap
	}
	u.resident = max(u.resident, next.resident)
	u.goroutines = max(u.goroutines, next.goroutines)
	u.descriptors = max(u.descriptors, next.descriptors)
	return u
}

// load sends requests at the fixed rate.
func (s *soak) load(ctx context.Context) {
	var inFlight sync.WaitGroup
	defer inFlight.Wait()
	tick := time.NewTicker(time.Second / soakRate)
	defer tick.Stop()
	slots := make(chan struct{}, 200) // a machine that cannot keep the rate gets what it can do
	for i := 0; ; i++ {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		slots <- struct{}{}
		inFlight.Go(func() {
			defer func() { <-slots }()
			s.send(i)
		})
	}
}

// isFlat compares the process at rest with what it used at rest before the load, and the heap under load at the end
// with that at the beginning.
func (s *soak) isFlat(t *testing.T, before usage, rows []usage) {
	t.Helper()
	var now usage
	defer func() {
		if t.Failed() {
			t.Logf("before: %+v, afterwards: %+v", before, now)
		}
	}()
	until(t, "as few goroutines and descriptors as before", func() bool {
		now = s.measure(t) // http.Transport has two goroutines for each connection to Graph that it keeps
		return now.goroutines-2*now.toGraph <= before.goroutines+5 &&
			now.descriptors-now.toGraph <= before.descriptors-before.toGraph+5
	})
	if first, last := rows[0].heap, rows[len(rows)-1].heap; last > 3*first/2+16<<20 {
		t.Errorf("the heap after a collection has grown from %d to %d bytes", first, last)
	}
}
