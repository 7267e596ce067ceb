package proxy_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"graphproxy/proxy"
)

// rough is a Graph that keeps connections until it resets them. It counts what arrives by the request's path.
type rough struct {
	t        *testing.T
	listener net.Listener

	mu      sync.Mutex
	arrived map[string]int
	conns   []net.Conn
	release chan struct{} // closed to answer the requests for /v1.0/test/hold
}

func (g *rough) closeAll() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range g.conns {
		_ = c.Close()
	}
}

func newRough(t *testing.T) *rough {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	g := &rough{t: t, listener: l, arrived: map[string]int{}, release: make(chan struct{})}
	var served sync.WaitGroup
	t.Cleanup(func() { _ = l.Close(); g.closeAll(); served.Wait() })
	served.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			g.mu.Lock()
			g.conns = append(g.conns, c)
			g.mu.Unlock()
			served.Go(func() { g.serve(c) })
		}
	})
	return g
}

func (g *rough) serve(c net.Conn) {
	defer c.Close()
	in := bufio.NewReader(c)
	for {
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		g.mu.Lock()
		g.arrived[r.URL.Path]++
		n := g.arrived[r.URL.Path]
		g.mu.Unlock()
		switch {
		case strings.HasSuffix(r.URL.Path, "/hold"):
			<-g.release
		case strings.HasSuffix(r.URL.Path, "/reset"), strings.HasSuffix(r.URL.Path, "/once") && n == 1,
			strings.HasSuffix(r.URL.Path, "/reset-and-refused") && n == 1:
			_ = c.(*net.TCPConn).SetLinger(0)
			return
		case strings.HasSuffix(r.URL.Path, "/close"):
			return
		case strings.HasSuffix(r.URL.Path, "/half"):
			_, _ = io.WriteString(c, "HTTP/1.1 200 O")
			return
		case strings.HasSuffix(r.URL.Path, "/refused-once") && n == 1, strings.HasSuffix(r.URL.Path, "/refused-and-reset") &&
			n == 1, strings.HasSuffix(r.URL.Path, "/reset-and-refused"):
			_, _ = io.WriteString(c, "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")
			continue
		case strings.HasSuffix(r.URL.Path, "/refused-and-reset"):
			_ = c.(*net.TCPConn).SetLinger(0)
			return
		}
		answer := "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n"
		if r.Method != http.MethodHead {
			answer += "ok"
		}
		_, _ = io.WriteString(c, answer)
	}
}

func (g *rough) count(name string) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.arrived["/v1.0/test/"+name]
}

// before is a rig whose Graph is rough, with n idle connections to it.
func (g *rough) before(n int, options ...option) (*rig, *prometheus.Registry) {
	g.t.Helper()
	root, err := url.Parse("http://" + g.listener.Addr().String())
	must(g.t, err)
	metrics := prometheus.NewRegistry()
	r := newRig(g.t, everyone, append(options, func(c *proxy.Config, _ *rig) { c.Graph, c.Metrics = root, metrics })...)
	var all sync.WaitGroup
	for range n {
		all.Go(func() { r.do(g.t, "GET", "/v1.0/test/hold", "") })
	}
	until(g.t, "requests that wait", func() bool { return g.count("hold") == n })
	close(g.release)
	all.Wait()
	return r, metrics
}

// resends is the metric by reason, without those that are 0.
func resends(t *testing.T, metrics *prometheus.Registry) string {
	t.Helper()
	families, err := metrics.Gather()
	must(t, err)
	var b bytes.Buffer
	for _, f := range families {
		if f.GetName() != "graphproxy_graph_resends_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			if v := m.GetCounter().GetValue(); v > 0 {
				fmt.Fprintf(&b, "%s=%v ", m.GetLabel()[0].GetValue(), v)
			}
		}
	}
	return strings.TrimSpace(b.String())
}

// net/http by itself sends a GET that is reset again on each idle connection: 2, 11, 101 arrivals.
func TestAGETThatGraphResetsArrivesAtMostTwice(t *testing.T) {
	for _, idle := range []int{0, 1, 10, 100} {
		rows := 7
		if idle%100 == 0 {
			rows = 1 // the GET alone
		}
		for _, tt := range []struct {
			method, name string
			want         int // arrivals, where there is an idle connection
		}{
			{"GET", "reset", 2},
			{"HEAD", "reset", 2},
			{"GET", "close", 2},
			{"GET", "half", 1}, // an answer had begun
			{"POST", "reset", 1},
			{"DELETE", "reset", 1},
			{"PATCH", "close", 1},
		}[:rows] {
			t.Run(fmt.Sprintf("%s %s with %d idle connections", tt.method, tt.name, idle), func(t *testing.T) {
				g := newRough(t)
				r, metrics := g.before(idle)
				a := r.do(t, tt.method, "/v1.0/test/"+tt.name, "")
				if a.status != 502 {
					t.Errorf("status %d: %s", a.status, a.body)
				}
				want, counted := tt.want, ""
				if idle == 0 {
					want = 1
				}
				if want == 2 {
					counted = "reset=1"
				}
				if n, m := g.count(tt.name), resends(t, metrics); n != want || m != counted {
					t.Errorf("it arrived %d times, want %d; the metric says %q, want %q", n, want, m, counted)
				}
			})
		}
	}
}

func TestResendsAreCountedAndBounded(t *testing.T) {
	forward := func(c *proxy.Config, _ *rig) { c.ForwardHeaders = []string{"Idempotency-Key", "X-Idempotency-Key"} }
	for _, tt := range []struct {
		name, method, target, body string
		status, arrived            int
		counted                    string
	}{
		{"a GET that is reset once is answered", "GET", "once", "", 200, 2, "reset=1"},
		{"a POST that is reset once is not sent again", "POST", "once", "", 502, 1, ""},
		{"a POST with a small body is not sent again", "POST", "once", `{"a":1}`, 502, 1, ""},
		{"a DELETE is not sent again", "DELETE", "once", "", 502, 1, ""},
		{"a GET whose token is refused is sent again", "GET", "refused-once", "", 200, 2, "token=1"},
		{"a POST whose token is refused is sent again", "POST", "refused-once", `{"a":1}`, 200, 2, "token=1"},
		{
			"a GET whose token is refused and that is then reset has been sent twice",
			"GET",
			"refused-and-reset",
			"",
			502,
			2,
			"token=1",
		},
		{
			"a GET that is reset and whose token is then refused has been sent twice",
			"GET",
			"reset-and-refused",
			"",
			502,
			2,
			"reset=1",
		},
		{
			"a POST whose token is refused and that is then reset has been sent twice",
			"POST",
			"refused-and-reset",
			`{"a":1}`,
			502,
			2,
			"token=1",
		},
	} {
		for _, header := range []string{"Idempotency-Key: 1", "X-Idempotency-Key: 1"} {
			t.Run(tt.name+" with "+header, func(t *testing.T) {
				g := newRough(t)
				r, metrics := g.before(10, forward)
				a := r.do(t, tt.method, "/v1.0/test/"+tt.target, tt.body, header, "Content-Type: application/json")
				if n, m := g.count(tt.target), resends(t, metrics); a.status != tt.status || n != tt.arrived || m != tt.counted {
					t.Errorf("status %d, arrived %d times, the metric says %q; want %d, %d, %q", a.status, n, m, tt.status,
						tt.arrived, tt.counted)
				}
			})
		}
	}
}

// Graph does not see the changes to a GET that net/http needs.
func TestAGETIsSentWithoutABodyAndWithoutALength(t *testing.T) {
	for _, method := range []string{"GET", "HEAD"} {
		r := newRig(t, everyone)
		var lines []string
		r.graph.Handle("/v1.0/test/plain", func(_ http.ResponseWriter, q *http.Request) {
			body, err := io.ReadAll(q.Body)
			lines = append(lines,
				fmt.Sprint(len(body), err, q.ContentLength, q.TransferEncoding, q.Header["Content-Length"], q.Close))
		})
		for range 3 {
			r.do(t, method, "/v1.0/test/plain", "")
		}
		for _, line := range lines {
			if line != fmt.Sprint(0, nil, 0, []string(nil), []string(nil), false) {
				t.Errorf("%s arrived as %s", method, line)
			}
		}
		if len(lines) != 3 {
			t.Errorf("%d requests arrived", len(lines))
		}
	}
}
