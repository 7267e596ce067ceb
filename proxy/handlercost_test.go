package proxy_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"graphproxy/proxy"
)

// quietWriter is an answer that is not kept.
type quietWriter struct {
	header http.Header
	status int
	bytes  int
}

func (w *quietWriter) Header() http.Header { return w.header }

func (w *quietWriter) WriteHeader(status int) { w.status = status }

func (w *quietWriter) Write(p []byte) (int, error) {
	w.bytes += len(p)
	return len(p), nil
}

// getServer returns a function that serves a GET with everything on, under a policy.
func getServer(t testing.TB, policy string) func() {
	body := `{"id":"1","displayName":"` + strings.Repeat("x", 990) + `"}`
	h, err := proxy.New(proxy.Config{
		Graph:         rawGraph(t, body),
		Apps:          oneApp(fixed{}),
		Authorization: rules(t, policy),
		Hosts:         []string{"example.com"},
		Audit:         io.Discard,
	})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("GET", "/v1.0/users/adele@contoso.com?$select=id,displayName", nil)
	w := &quietWriter{header: http.Header{}}
	return func() {
		one := *r
		clear(w.header)
		w.status, w.bytes = 0, 0
		if h.ServeHTTP(w, &one); w.status != 200 || w.bytes != len(body) {
			t.Fatalf("%d, %d bytes", w.status, w.bytes)
		}
	}
}

// BenchmarkGET measures a GET through the handler, under policies with more rules of its caller, and more callers.
func BenchmarkGET(b *testing.B) {
	run := func(name, policy string) {
		b.Run(name, func(b *testing.B) {
			serve := getServer(b, policy)
			serve()
			b.ReportAllocs()
			before := userTime(b)
			for b.Loop() {
				serve()
			}
			b.ReportMetric(float64((userTime(b)-before).Nanoseconds())/float64(b.N), "cpu-ns/op") // Graph's included
		})
	}
	for _, n := range []int{10, 100, 1000, 10_000} {
		var more strings.Builder
		for i := range n - 2 {
			fmt.Fprintf(&more, "      - GET /resource%d/{id}/part%d/{part}\n", i%500, i/500)
		}
		run(fmt.Sprintf("rules=%d", n), benchPolicy+more.String())
	}
	for _, n := range []int{1, 10, 100, 1000} {
		var more strings.Builder
		for i := range n - 1 {
			fmt.Fprintf(&more, "  other%d:\n    identity: [{network: [10.%d.%d.0/24]}]\n", i, i/250, i%250)
			more.WriteString("    allow: [\"GET /groups/{id}\"]\n")
		}
		run(fmt.Sprintf("callers=%d", n), benchPolicy+more.String())
	}
}

// batchServer returns a function that serves a $batch of n reads with everything on.
func batchServer(t testing.TB, n int) func() {
	request, answer := readsOf(n)
	h, err := proxy.New(proxy.Config{
		Graph:         rawGraph(t, answer),
		Apps:          oneApp(fixed{}),
		Authorization: rules(t, benchPolicy),
		Hosts:         []string{"example.com"},
		Audit:         io.Discard,
	})
	if err != nil {
		t.Fatal(err)
	}
	body := strings.NewReader(request)
	r := httptest.NewRequest("POST", "/v1.0/$batch", body)
	r.Header.Set("Content-Type", "application/json")
	w := &quietWriter{header: http.Header{}}
	return func() {
		body.Reset(request)
		one := *r
		clear(w.header)
		w.status, w.bytes = 0, 0
		if h.ServeHTTP(w, &one); w.status != 200 || w.bytes < len(answer)/2 {
			t.Fatalf("%d, %d bytes", w.status, w.bytes)
		}
	}
}

// BenchmarkBatchOf20 measures a $batch of 20 items through the handler: each is judged, limited and recorded.
func BenchmarkBatchOf20(b *testing.B) {
	serve := batchServer(b, 20)
	b.ReportAllocs()
	for b.Loop() {
		serve()
	}
}

// mostForAnItem is how many more allocations a $batch may have for each of its items: parse, decide, limits, the
// record, Graph's answer.
const mostForAnItem = 10

// mostBytesOfABatch is how many bytes a $batch of 20 items may allocate, Graph's server in the same process included.
const mostBytesOfABatch = 75_000

func TestAnItemOfABatchAllocatesLittle(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates, too")
	}
	one, twenty := testing.AllocsPerRun(200, batchServer(t, 1)), testing.AllocsPerRun(200, batchServer(t, 20))
	each := (twenty - one) / 19
	t.Logf("%.0f allocations for one item, %.0f for 20, %.1f for each further one", one, twenty, each)
	if each > mostForAnItem {
		t.Errorf("%.1f allocations for each item, want at most %d", each, mostForAnItem)
	}
}

func TestABatchAllocatesFewBytes(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates, too")
	}
	serve := batchServer(t, 20)
	serve()
	const batches = 200
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range batches {
		serve()
	}
	runtime.ReadMemStats(&after)
	each := (after.TotalAlloc - before.TotalAlloc) / batches
	t.Logf("%d bytes for each batch", each)
	if each > mostBytesOfABatch {
		t.Errorf("%d bytes for each batch, want at most %d", each, mostBytesOfABatch)
	}
}
