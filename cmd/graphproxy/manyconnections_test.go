package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// What docs/operations.md states that connections take of memory, besides the process itself. Under the race
// detector it is more.
const (
	residentAlone  = 64 << 20
	residentIdle   = 48 << 10 // a connection
	residentActive = 256 << 10
)

// many are connections that are idle, and others that carry a request at the same time.
type many struct {
	*world
	*process
	arrived chan struct{}
	release chan struct{}
	idle    []*line
}

// Many idle connections and many active ones at once are served within the memory that docs/operations.md states, and
// their memory and descriptors are given back. GRAPHPROXY_TEST_CONNECTIONS, such as 10000+2000, says how many.
func TestManyConnections(t *testing.T) {
	idle, active := 400, 80
	if text := os.Getenv("GRAPHPROXY_TEST_CONNECTIONS"); text != "" {
		must2(t)(fmt.Sscanf(text, "%d+%d", &idle, &active))
	}
	for _, encrypted := range []bool{false, true} {
		t.Run(map[bool]string{false: "HTTP", true: "TLS"}[encrypted], func(t *testing.T) {
			m := newMany(t, encrypted, active+100)
			before := m.show(t, "at rest", 0)
			m.connect(t, idle, encrypted)
			m.show(t, fmt.Sprint(idle, " idle"), idle*residentIdle)
			finish := m.hold(t, active, encrypted)
			m.show(t, fmt.Sprint(idle, " idle, ", active, " active"), idle*residentIdle+active*residentActive)
			m.time(t)
			close(m.release)
			finish()
			for _, l := range m.idle {
				_ = l.Close()
			}
			m.awaitMetric(t, `graphproxy_connections_open{listener="callers"}`, "0")
			until(t, "as many descriptors as before", func() bool {
				now := m.measure(t)
				return now.descriptors-now.toGraph <= before.descriptors-before.toGraph+5
			})
			m.show(t, "at rest again", idle*residentIdle+active*residentActive)
		})
	}
}

func newMany(t *testing.T, encrypted bool, inFlight int) *many {
	t.Helper()
	m := &many{world: newWorld(t), arrived: make(chan struct{}, 1<<16), release: make(chan struct{})}
	m.registerSecret("secret")
	m.graph.Handle("GET /v1.0/users/slow", func(rw http.ResponseWriter, r *http.Request) {
		m.arrived <- struct{}{}
		select {
		case <-m.release:
			_, _ = io.WriteString(rw, `{"id":"slow"}`)
		case <-r.Context().Done():
		}
	})
	settings := []string{
		"AZURE_CLIENT_SECRET=secret", "GRAPHPROXY_AUDIT_LOG=" + m.path("audit.log"),
		fmt.Sprint("GRAPHPROXY_MAX_IN_FLIGHT=", inFlight),
	}
	if encrypted {
		m.writeKeyPair(t)
		settings = append(settings, "GRAPHPROXY_TLS_CERT_FILE="+m.path("tls.crt"),
			"GRAPHPROXY_TLS_KEY_FILE="+m.path("tls.key"))
	}
	m.process = m.serve(t, settings...)
	until(t, "a token", func() bool { status, _ := m.ready(t); return status == 200 })
	return m
}

// line dials one connection.
func (m *many) line(t *testing.T, encrypted bool) *line {
	t.Helper()
	l := m.dial(t, "http://"+m.callers[strings.LastIndex(m.callers, "/")+1:])
	if encrypted {
		c := tls.Client(l.Conn, &tls.Config{RootCAs: m.ca.Pool(), ServerName: "localhost", NextProtos: []string{"http/1.1"}})
		l.Conn = c
		l.answers.Reset(c)
	}
	return l
}

// connect opens connections that have carried a request each.
func (m *many) connect(t *testing.T, n int, encrypted bool) {
	t.Helper()
	for range n {
		l := m.line(t, encrypted)
		l.expect(t, "/v1.0/users?$top=1")
		m.idle = append(m.idle, l)
	}
	m.awaitMetric(t, `graphproxy_connections_idle{listener="callers"}`, fmt.Sprint(n))
}

// hold sends so many requests that Graph holds. finish waits for their answers.
func (m *many) hold(t *testing.T, n int, encrypted bool) (finish func()) {
	t.Helper()
	var active []*line
	for range n {
		l := m.line(t, encrypted)
		l.send(t, "/v1.0/users/slow")
		active = append(active, l)
	}
	for i := range n {
		select {
		case <-m.arrived:
		case <-time.After(patience):
			t.Fatalf("%d of %d requests arrived", i, n)
		}
	}
	return func() {
		t.Helper()
		var waiting sync.WaitGroup
		for _, l := range active {
			waiting.Go(func() {
				if status, body := l.receive(t); status != 200 {
					t.Errorf("status %d: %s", status, body)
				}
				_ = l.Close()
			})
		}
		waiting.Wait()
	}
}

// show logs what the process uses, and expects no more resident memory than that of connections and residentAlone.
func (m *many) show(t *testing.T, what string, connections int) usage {
	t.Helper()
	now := m.measure(t)
	t.Logf("%-24s resident %6.1f MB  heap %6.1f MB  goroutines %6d  descriptors %6d", what, float64(now.resident)/1e6,
		float64(now.heap)/1e6, now.goroutines, now.descriptors)
	if !raceDetector && now.resident > residentAlone+connections {
		t.Errorf("%s: %d bytes are resident, more than %d", what, now.resident, residentAlone+connections)
	}
	return now
}

// time logs how long 200 requests take, one after the other, over connections that were idle.
func (m *many) time(t *testing.T) {
	t.Helper()
	var took []time.Duration
	for i := range 200 {
		began := time.Now()
		m.idle[i*len(m.idle)/200].expect(t, "/v1.0/users?$top=1")
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	t.Logf("a request meanwhile: median %v, 99 %% within %v", took[100].Round(10*time.Microsecond),
		took[198].Round(10*time.Microsecond))
}
