package proxy_test

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"graphproxy/proxy"
)

// families returns what a registry has, by name without its prefix.
func families(t *testing.T, from *prometheus.Registry) map[string]*dto.MetricFamily {
	t.Helper()
	all, err := from.Gather()
	must(t, err)
	found := map[string]*dto.MetricFamily{}
	for _, f := range all {
		found[strings.TrimPrefix(f.GetName(), "graphproxy_")] = f
	}
	return found
}

// sum returns the sum and the count of a histogram.
func sum(all map[string]*dto.MetricFamily, name string) (seconds float64, n uint64) {
	h := all[name].GetMetric()[0].GetHistogram()
	return h.GetSampleSum(), h.GetSampleCount()
}

// timedPolicy has a rule for each of two apps, and a limit that lets a request wait.
const timedPolicy = `
version: 1
callers:
  app:
    identity: [{network: [127.0.0.0/8, "::1/128"]}]
    allow:
      - GET /users/{id}
      - GET /groups/{id}: {app: other}
      - PATCH /users/{id}
      - GET /sites/{id}: {limit: {concurrency: 1, wait: 2m}}
`

// waitingNow returns how many requests wait for a limit.
func waitingNow(t *testing.T, from *prometheus.Registry) float64 {
	t.Helper()
	return families(t, from)["requests_waiting"].GetMetric()[0].GetGauge().GetValue()
}

// held is a request that Graph holds back: arrived is closed when it is there, and the test closes release.
type held struct {
	arrived, release chan struct{}
	metrics          *prometheus.Registry
}

// The time of a request is Graph's, the caller's, waiting, or graphproxy's own. The test sets only lower bounds: a
// slow machine makes every time longer. They are below the sum of the pauses, because graphproxy may work in one: the
// header's way to the caller is in the pause before the body.
func TestOwnTimeIsWhatIsLeftOfTheWholeTime(t *testing.T) {
	const pause = 400 * time.Millisecond
	for _, tt := range []struct {
		name    string
		send    func(t *testing.T, r *rig, held held)
		lines   int           // of the audit log
		graph   uint64        // answers of Graph
		others  time.Duration // other than own time, at least
		waiting uint64        // requests that waited
	}{
		{"Graph takes its time, to the header and in the body", func(t *testing.T, r *rig, _ held) {
			r.do(t, "GET", "/v1.0/users/slow", "")
		}, 1, 1, 3 * pause / 2, 0},
		{"each part of a batch for two apps", func(t *testing.T, r *rig, _ held) {
			r.do(t, "POST", "/v1.0/$batch",
				`{"requests":[{"id":"1","method":"GET","url":"/users/1"},{"id":"2","method":"GET","url":"/groups/2"}]}`)
		}, 3, 2, 13 * pause / 4, 0},
		{"the caller takes its time with a body", func(t *testing.T, r *rig, _ held) {
			body, to := io.Pipe()
			go func() {
				_, _ = io.WriteString(to, `{"jobTitle":`)
				time.Sleep(2 * pause)
				_, _ = io.WriteString(to, `"x"}`)
				_ = to.Close()
			}()
			req, err := http.NewRequest("PATCH", r.server.URL+"/v1.0/users/1", body)
			must(t, err)
			req.Header.Set("Content-Type", "application/json")
			res, err := r.server.Client().Do(req)
			must(t, err)
			read(t, res)
		}, 1, 1, pause, 0},
		{"a limit has no room at once", func(t *testing.T, r *rig, held held) {
			var both sync.WaitGroup
			both.Go(func() { r.do(t, "GET", "/v1.0/sites/held", "") })
			<-held.arrived
			both.Go(func() { r.do(t, "GET", "/v1.0/sites/1", "") })
			until(t, "a request that waits", func() bool { return waitingNow(t, held.metrics) == 1 })
			time.Sleep(pause)
			close(held.release)
			both.Wait()
		}, 2, 2, 3 * pause / 2, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			registry := prometheus.NewRegistry()
			held := held{make(chan struct{}), make(chan struct{}), registry}
			graph := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				w.Header().Set("Content-Type", "application/json")
				if strings.HasSuffix(r.URL.Path, "/held") {
					close(held.arrived)
					<-held.release
				}
				if isBatch := strings.HasSuffix(r.URL.Path, "/$batch"); isBatch || strings.HasSuffix(r.URL.Path, "/slow") {
					time.Sleep(pause)
					_, _ = io.WriteString(w, `{"responses":[`)
					_ = http.NewResponseController(w).Flush()
					time.Sleep(pause)
					_, _ = io.WriteString(w, `]}`)
				}
			}))
			t.Cleanup(graph.Close)
			root, err := url.Parse(graph.URL)
			must(t, err)
			r := newRig(t, timedPolicy, func(c *proxy.Config, r *rig) {
				c.Graph, c.Metrics = root, registry
				app := &proxy.App{Tenant: tenant, Tokens: fixed{}}
				c.Apps = namedApps{"": app, "default": app, "other": {Tenant: tenant, Tokens: fixed{}}}
			})
			tt.send(t, r, held)
			r.audit.wait(t, tt.lines) // metrics come first
			all := families(t, registry)
			total, requests := sum(all, "request_duration_seconds")
			own, counted := sum(all, "own_duration_seconds")
			waited, waiting := sum(all, "waiting_duration_seconds")
			_, answers := sum(all, "graph_duration_seconds")
			if others := total - own; others < tt.others.Seconds() {
				t.Errorf("of %v s, %v s are others', want %v at least", total, others, tt.others)
			}
			if counted != requests || answers != tt.graph || waiting != tt.waiting || waiting > 0 && waited < .1 {
				t.Errorf("%d requests, %d own times, %d answers of Graph's, %d waited for %v s", requests, counted, answers,
					waiting, waited)
			}
		})
	}
}

// flood sends requests and batches with a new value in every place that a caller may choose.
func flood(h http.Handler, seed, n int) {
	for i := range n {
		odd := fmt.Sprintf("x%dy%d", seed, i)
		method := []string{"GET", "PATCH", "BREW" + odd, strings.ToUpper(odd), "get", "OPTIONS", "DELETE", "HEAD"}[i%8]
		target := []string{
			"/v1.0/users/" + odd, "/v1.0/" + odd, "/beta/users/" + odd + "/messages?$filter=" + odd, "/" + odd + "/users",
			"//" + odd,
			"/v1.0/users?$" + odd + "=1", "/v1.0/users/%2e%2e/" + odd, "/v1.0/users/" + odd + "('" + odd + "')",
		}[i/8%8]
		body := fmt.Sprintf(`{"requests":[{"id":%q,"method":%q,"url":"/users/%s"},{"id":"b","method":"GET","url":"/%s"},`+
			`{"id":"c","method":"GET","url":"/users/%s","headers":{%q:%q}}]}`, odd, strings.ToUpper(odd), odd, odd, odd, odd,
			odd)
		for _, r := range []*http.Request{
			httptest.NewRequest(http.MethodGet, target, nil),
			httptest.NewRequest(http.MethodPost, "/v1.0/$batch", strings.NewReader(body)),
		} {
			if r.Method == http.MethodGet {
				r.Method = method
			}
			if i%3 == 0 {
				r.Host = odd + ".example"
			}
			if i%5 == 0 {
				r.RemoteAddr = "192.0.2.1:1"
			} else {
				r.RemoteAddr = "127.0.0.1:1"
			}
			r.Header.Set("Content-Type", "application/json")
			for _, name := range []string{"client-request-id", "User-Agent", "Prefer", odd, "X-Api-Key", "traceparent",
				"x-ms-throttle-scope"} {
				r.Header.Set(name, odd)
			}
			h.ServeHTTP(httptest.NewRecorder(), r)
		}
	}
}

func seriesOf(t *testing.T, registry *prometheus.Registry) int {
	t.Helper()
	n := 0
	for _, f := range families(t, registry) {
		n += len(f.GetMetric())
	}
	return n
}

// Callers and reloads do not change the number of series: the policy alone decides it.
func TestAFloodOfOddRequestsMakesNoSeries(t *testing.T) {
	registry := prometheus.NewRegistry()
	r := newRig(t, everyone, func(c *proxy.Config, _ *rig) { c.Metrics, c.Audit = registry, nil })
	flood(r.handler, 0, 128)
	before := seriesOf(t, registry)
	if before < 30 || before > 400 {
		t.Errorf("%d series", before)
	}
	for seed := range 5 {
		flood(r.handler, 1+seed, 128)
	}
	if after := seriesOf(t, registry); after != before {
		t.Errorf("%d series, %d after six floods", before, after)
	}
	last := underRace(1000, 100) - 1
	for i := range last + 1 {
		name := fmt.Sprintf("app%d", i)
		r.handler.Use(
			rules(t,
				strings.NewReplacer("  app:", "  "+name+":", "- GET /users\n", "- GET /users: {limit: 1000/s}\n").Replace(
					everyone,
				)),
		)
		for _, target := range []string{"/v1.0/users", "/v1.0/users/1", "/v1.0/nothing"} {
			q := httptest.NewRequest("GET", target, nil)
			q.RemoteAddr, q.Host = "127.0.0.1:1", "graphproxy"
			r.handler.ServeHTTP(httptest.NewRecorder(), q)
		}
	}
	if after := seriesOf(t, registry); after > before+10 {
		t.Errorf("%d series, %d after a thousand policies", before, after)
	}
	for _, m := range families(t, registry)["requests_total"].GetMetric() {
		for _, l := range m.GetLabel() {
			if l.GetName() == "caller" && l.GetValue() != "" && l.GetValue() != fmt.Sprintf("app%d", last) {
				t.Errorf("a series of %s is left", l.GetValue())
			}
		}
	}
}

// The connections to Graph are counted when they are made, used again, kept and closed.
//
// net/http uses a connection again only if it knows within 50 ms that it has written the request before: on a machine
// that is too slow for that, the test tries again.
func TestConnectionsToGraphAreCounted(t *testing.T) {
	for i := 0; !countsConnections(t); i++ {
		if i == 20 {
			t.Fatal("no connection is used again")
		}
	}
}

func countsConnections(t *testing.T) bool {
	t.Helper()
	registry := prometheus.NewRegistry()
	r := newRig(t, everyone, func(c *proxy.Config, _ *rig) { c.Metrics = registry })
	check := func(when string, want map[string]float64) {
		t.Helper()
		got := map[string]float64{}
		until(t, when, func() bool {
			for name := range want {
				m := families(t, registry)["graph_connections_"+name].GetMetric()[0]
				got[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
			return maps.Equal(got, want)
		})
	}
	check("nothing", map[string]float64{"dialled_total": 0, "reused_total": 0, "open": 0, "idle": 0})
	for range 3 {
		r.do(t, "GET", "/v1.0/users/adele@contoso.com", "")
	}
	r.audit.wait(t, 3)
	if families(t, registry)["graph_connections_dialled_total"].GetMetric()[0].GetCounter().GetValue() > 1 {
		return false
	}
	check("one connection", map[string]float64{"dialled_total": 1, "reused_total": 2, "open": 1, "idle": 1})
	r.graph.Close()
	check("a closed one", map[string]float64{"dialled_total": 1, "reused_total": 2, "open": 0, "idle": 0})
	r.do(t, "GET", "/v1.0/users/adele@contoso.com", "")
	if n := families(t, registry)["graph_connections_failed_total"].GetMetric()[0].GetCounter().GetValue(); n < 1 {
		t.Errorf("%v attempts failed", n)
	}
	return true
}
