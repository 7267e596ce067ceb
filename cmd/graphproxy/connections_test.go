package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// serveWithin starts graphproxy serve where so many descriptors may be open.
func (w *world) serveWithin(t *testing.T, descriptors int, more ...string) *process {
	t.Helper()
	p := prepare(t, nil, w.environ(more...), "serve")
	p.cmd.Args = []string{"sh", "-c", fmt.Sprintf(`ulimit -n %d && exec "$0" "$@"`, descriptors), p.cmd.Path, "serve"}
	p.cmd.Path = "/bin/sh"
	w.start(t, p)
	return p
}

// descriptors returns how many a process has open.
func (p *process) descriptors(t *testing.T) int {
	t.Helper()
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid))
	if err != nil {
		t.Skipf("NOT CHECKED: this machine does not show the descriptors of a process: %v", err)
	}
	return len(open)
}

// line is a keep-alive connection.
type line struct {
	net.Conn
	answers *bufio.Reader
}

func (p *process) dial(t *testing.T, url string) *line {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	must(t, err)
	t.Cleanup(func() { c.Close() })
	must(t, c.SetDeadline(time.Now().Add(10*time.Minute)))
	return &line{c, bufio.NewReader(c)}
}

func (l *line) send(t *testing.T, path string) {
	t.Helper()
	_, err := fmt.Fprintf(l, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path)
	must(t, err)
}

func (l *line) receive(t *testing.T) (int, string) {
	t.Helper()
	res, err := http.ReadResponse(l.answers, nil)
	must(t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	must(t, err)
	return res.StatusCode, string(text)
}

func (l *line) expect(t *testing.T, path string) {
	t.Helper()
	l.send(t, path)
	if status, body := l.receive(t); status != 200 {
		t.Fatalf("status %d: %s", status, body)
	}
}

// connections returns a metric of the callers' connections.
func (p *process) connections(t *testing.T, name string) int {
	t.Helper()
	n, err := strconv.ParseFloat(p.metric(t, "graphproxy_"+name+`{listener="callers"}`), 64)
	must(t, err)
	return int(n)
}

// healthy expects that health and metrics are served, and that the process keeps to its descriptors.
func (p *process) healthy(t *testing.T, descriptors int) {
	t.Helper()
	if a := p.get(t, p.admin+"/healthz"); a.status != 200 {
		t.Errorf("/healthz is %d", a.status)
	}
	if status, _ := p.ready(t); status != 200 {
		t.Errorf("/readyz is %d", status)
	}
	if most := p.connections(t, "connections_max"); p.connections(t, "connections_open") > most {
		t.Errorf("more than %d connections are open", most)
	}
	if n := p.descriptors(t); n > descriptors {
		t.Errorf("%d descriptors are open", n)
	}
}

// With 256 descriptors, 400 connections that are kept, and then 150 requests at once, are all served.
func TestItServesOnWithFewDescriptors(t *testing.T) {
	t.Parallel()
	const descriptors = 256
	w := newWorld(t)
	w.registerSecret("secret")
	arrived, release := make(chan struct{}, 1000), make(chan struct{})
	w.graph.Handle("GET /v1.0/users/slow", func(rw http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		select {
		case <-release:
		case <-r.Context().Done():
		}
		_, _ = io.WriteString(rw, `{"id":"slow"}`)
	})
	p := w.serveWithin(t, descriptors, "AZURE_CLIENT_SECRET=secret")
	most := p.connections(t, "connections_max")
	if n := p.logged(t, "RLIMIT_NOFILE allows fewer requests in flight"); n != 1 || most != 63 {
		t.Errorf("%d connections, warned of %d times", most, n)
	}
	for i := range 400 {
		p.dial(t, p.callers).expect(t, "/v1.0/users?$top=1")
		if i%50 == 0 {
			p.healthy(t, descriptors)
		}
	}
	if n := p.connections(t, "connections_evicted_total"); n < 400-most-1 || n > 400-most+1 {
		t.Errorf("%d connections were closed for others", n)
	}

	var slow []*line
	for range 150 {
		l := p.dial(t, p.callers)
		l.send(t, "/v1.0/users/slow")
		slow = append(slow, l)
	}
	for i := range most {
		select {
		case <-arrived:
		case <-time.After(patience):
			t.Fatalf("%d of %d requests arrived", i, most)
		}
	}
	p.awaitMetric(t, `graphproxy_accept_pauses_total{listener="callers"}`, "1")
	p.healthy(t, descriptors)
	close(release)
	for _, l := range slow {
		if status, body := l.receive(t); status != 200 {
			t.Errorf("status %d: %s", status, body)
		}
	}
	p.healthy(t, descriptors)
	if n := p.connections(t, "accept_errors_total"); n != 0 {
		t.Errorf("%d errors of accept", n)
	}
	p.stop(t)
	if n := len(p.audited(t)); n != 550 {
		t.Errorf("%d audit lines", n)
	}
	for text, want := range map[string]int{
		"one that has been idle for longest is closed": 1, "new ones wait to be accepted": 1, `"level":"ERROR"`: 0,
	} {
		if n := strings.Count(p.stderr.String(), text); n != want {
			t.Errorf("%q is logged %d times", text, n)
		}
	}
}

// When descriptors are used up in spite of that, it is logged once and counted, what is open is served, and new
// connections are accepted as soon as there are descriptors.
func TestItRecoversFromUsedUpDescriptors(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("prlimit"); err != nil {
		t.Skipf("NOT CHECKED: this machine has no prlimit (Debian's package util-linux): %v", err)
	}
	w := newWorld(t)
	w.registerSecret("secret")
	arrived, release := w.slow()
	p := w.serve(t, "AZURE_CLIENT_SECRET=secret")
	allow := func(descriptors string) {
		t.Helper()
		text, err := exec.Command("prlimit", "--pid", strconv.Itoa(p.cmd.Process.Pid),
			"--nofile="+descriptors).CombinedOutput()
		if err != nil {
			t.Fatalf("prlimit: %v: %s", err, text)
		}
	}
	slow, health := p.dial(t, p.callers), p.dial(t, p.admin)
	slow.send(t, "/v1.0/users/slow")
	<-arrived
	health.expect(t, "/metrics")

	allow("3:") // fewer than are open
	next := p.dial(t, p.callers)
	next.send(t, "/v1.0/users?$top=1")
	until(t, "5 errors of accept", func() bool {
		health.send(t, "/metrics")
		_, page := health.receive(t)
		_, after, _ := strings.Cut(page, "\n"+`graphproxy_accept_errors_total{listener="callers"} `)
		count, _, _ := strings.Cut(after, "\n")
		n, err := strconv.ParseFloat(count, 64)
		return err == nil && n >= 5
	})
	health.expect(t, "/healthz")
	close(release)
	if status, body := slow.receive(t); status != 200 {
		t.Errorf("the request in flight: %d %s", status, body)
	}
	const failing, again = "no connection can be accepted", "connections are accepted again"
	until(t, "a line of the failure", func() bool { return strings.Contains(p.stderr.String(), failing) })
	if all := p.stderr.String(); strings.Count(all, failing) != 1 || strings.Contains(all, again) {
		t.Errorf("the log has %s", all)
	}

	allow("20000:")
	if status, body := next.receive(t); status != 200 {
		t.Errorf("the request that waited: %d %s", status, body)
	}
	// The command writes its log from another goroutine than the answer, and this process copies it from a pipe.
	until(t, "a line of connections that are accepted again", func() bool {
		return strings.Contains(p.stderr.String(), again)
	})
	if all := p.stderr.String(); strings.Count(all, failing) != 1 || strings.Count(all, again) != 1 {
		t.Errorf("the log has %s", all)
	}
	p.expect(t, 200)
	p.stop(t)
}
