package proxy_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"testing"

	"graphproxy/proxy"
	"graphproxy/proxy/direct"
)

// mostAllocations is how many more allocations a GET may have than httputil.ReverseProxy alone over the same kind
// of transport: for the decision, the limits, the record, the headers and the links.
const mostAllocations = 30

// mostForCandidate is how many more allocations a request has with a candidate policy: for what is to be judged, and
// for the charges and the name of a bucket of the candidate's limits.
const mostForCandidate = 3

func TestAGETAllocatesLittleMoreThanAReverseProxy(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates, too")
	}
	root := benchGraph(t)
	h, err := proxy.New(proxy.Config{
		Graph:         root,
		Apps:          oneApp(fixed{}),
		Authorization: rules(t, benchPolicy),
		Hosts:         []string{"example.com"},
		Audit:         io.Discard,
	})
	must(t, err)
	way := direct.New(direct.Options{Other: http.DefaultTransport})
	defer way.CloseIdleConnections()
	bare := &httputil.ReverseProxy{Transport: way, Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(root) }}
	allocations := func(h http.Handler) float64 {
		return testing.AllocsPerRun(300, func() {
			r := httptest.NewRequest("GET", "/v1.0/users/adele@contoso.com?$select=id,displayName", nil)
			w := httptest.NewRecorder()
			if h.ServeHTTP(w, r); w.Code != 200 {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
		})
	}
	ours, floor := allocations(h), allocations(bare)
	h.UseCandidate(candidateRules(t, benchPolicy))
	if besides := allocations(h); besides-ours > mostForCandidate {
		t.Errorf("%.0f allocations with a candidate, %.0f without, want at most %d more", besides, ours, mostForCandidate)
	}
	t.Logf("%.0f allocations, %.0f in a bare reverse proxy", ours, floor)
	if ours-floor > mostAllocations {
		t.Errorf("%.0f allocations more than a bare reverse proxy's %.0f, want at most %d", ours-floor, floor,
			mostAllocations)
	}
}
