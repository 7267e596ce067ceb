package proxy_test

import (
	"io"
	"net/http"
	"net/http/httptest"
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
const mostForAnItem = 20

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
