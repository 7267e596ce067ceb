package main

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
)

// holding is a request that Graph does not answer until release is closed.
type holding struct {
	*process
	release chan struct{} // close it: Graph answers
	answers chan held
}

type held struct {
	answer answer
	err    error
}

// slow makes GET /users/slow wait until release is closed; arrived is closed when the request is there.
func (w *world) slow() (arrived, release chan struct{}) {
	arrived, release = make(chan struct{}), make(chan struct{})
	w.graph.Handle("GET /v1.0/users/slow", func(rw http.ResponseWriter, r *http.Request) {
		close(arrived)
		select {
		case <-release:
			_, _ = io.WriteString(rw, `{"id":"slow"}`)
		case <-r.Context().Done():
		}
	})
	return arrived, release
}

// hold starts a proxy and a request that stays in flight.
func hold(t *testing.T, more ...string) holding {
	t.Helper()
	w := newWorld(t)
	w.registerSecret("secret")
	arrived, release := w.slow()
	h := holding{w.serve(t, append(more, "AZURE_CLIENT_SECRET=secret")...), release, make(chan held, 1)}
	go func() {
		a, err := h.try(http.MethodGet, h.callers+"/v1.0/users/slow", "")
		h.answers <- held{a, err}
	}()
	select {
	case <-arrived:
	case got := <-h.answers:
		t.Fatalf("the request was answered before it arrived: %+v", got)
	}
	return h
}

// audited returns the audit lines of stdout.
func (p *process) audited(t *testing.T) []map[string]any {
	t.Helper()
	var recs []map[string]any
	for _, line := range p.stdout.all() {
		var rec map[string]any
		must(t, json.Unmarshal([]byte(line), &rec))
		recs = append(recs, rec)
	}
	return recs
}

func TestSIGTERMLetsRequestsInFlightFinish(t *testing.T) {
	t.Parallel()
	h := hold(t, "GRAPHPROXY_SHUTDOWN_TIMEOUT=10m", "GRAPHPROXY_LISTEN="+freeAddress(t))
	if status, _ := h.ready(t); status != 200 {
		t.Fatalf("not ready: %d", status)
	}
	h.signal(t, syscall.SIGTERM)
	until(t, "stopping", func() bool {
		status, r := h.ready(t)
		return status == 503 && r.Stopping && !r.Ready
	})
	if a := h.get(t, h.admin+"/healthz"); a.status != 200 {
		t.Errorf("healthz %d while stopping", a.status)
	}
	until(t, "closed listener", func() bool {
		c, err := net.Dial("tcp", strings.TrimPrefix(h.callers, "http://"))
		if err == nil {
			c.Close()
		}
		return err != nil
	})
	if h.hasEnded() {
		t.Fatal("the process ended with a request in flight")
	}
	close(h.release)
	if got := <-h.answers; got.err != nil || got.answer.status != 200 || got.answer.body != `{"id":"slow"}` {
		t.Errorf("the request in flight got %+v", got)
	}
	if status := h.wait(t); status != 0 {
		t.Errorf("exit status %d", status)
	}
	if recs := h.audited(t); len(recs) != 1 || recs[0]["status"] != 200.0 {
		t.Errorf("audit: %v", recs)
	}
}

func TestRequestsThatTakeTooLongAreCutOffAndLogged(t *testing.T) {
	t.Parallel()
	h := hold(t, "GRAPHPROXY_SHUTDOWN_TIMEOUT=150ms")
	h.signal(t, syscall.SIGINT)
	if got := <-h.answers; got.err != nil || got.answer.status != 503 ||
		!strings.Contains(got.answer.body, `"code":"shutdown"`) {
		t.Errorf("the request in flight got %+v", got)
	}
	if status := h.wait(t); status != 0 {
		t.Errorf("exit status %d", status)
	}
	h.logged(t, "GRAPHPROXY_SHUTDOWN_TIMEOUT is over")
	if recs := h.audited(t); len(recs) != 1 || recs[0]["reason"] != "shutdown" || recs[0]["status"] != 503.0 {
		t.Errorf("audit: %v", recs)
	}
}

func TestASecondSignalEndsTheProcessAtOnce(t *testing.T) {
	t.Parallel()
	h := hold(t, "GRAPHPROXY_SHUTDOWN_TIMEOUT=10m")
	h.signal(t, syscall.SIGTERM)
	until(t, "stopping", func() bool { _, r := h.ready(t); return r.Stopping })
	until(t, "end", func() bool { // a second signal that comes too early counts as the first
		_ = h.cmd.Process.Signal(syscall.SIGTERM)
		return h.hasEnded()
	})
	if status := h.cmd.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != syscall.SIGTERM {
		t.Errorf("the process ended by itself: %v", h.cmd.ProcessState)
	}
	if recs := h.audited(t); len(recs) != 1 || recs[0]["reason"] != "shutdown" {
		t.Errorf("audit: %v", recs)
	}
}

func TestADrainServesOnWhileNotReady(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.registerSecret("secret")
	p := w.serve(t, "AZURE_CLIENT_SECRET=secret", "GRAPHPROXY_DRAIN=10m")
	p.expect(t, 200)
	p.signal(t, syscall.SIGTERM)
	until(t, "not ready", func() bool { status, r := p.ready(t); return status == 503 && r.Stopping })
	a := p.get(t, p.callers+"/v1.0/users")
	if a.status != 200 || !a.last {
		t.Errorf("while draining: %d, and its connection ends: %t", a.status, a.last)
	}
	p.signal(t, syscall.SIGTERM) // ends the drain
	until(t, "end", p.hasEnded)
	if recs := p.audited(t); len(recs) != 2 {
		t.Errorf("audit: %v", recs)
	}
}
