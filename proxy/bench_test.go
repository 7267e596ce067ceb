package proxy_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"graphproxy/policy"
	"graphproxy/proxy"
)

// benchGraph answers every request with the same user, and every batch with answers to its items 1 to 4.
func benchGraph(b testing.TB) *url.URL {
	user := strings.Repeat("x", 1024)
	answer := func(id string) string { return `{"id":"` + id + `","status":200,"body":{"id":"` + user + `"}}` }
	graph := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/$batch") {
			_, _ = io.WriteString(w, user)
			return
		}
		sent, _ := io.ReadAll(r.Body)
		var answers []string
		for _, id := range []string{"1", "2", "3", "4"} {
			if strings.Contains(string(sent), `"id":"`+id+`"`) {
				answers = append(answers, answer(id))
			}
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"responses":[`+strings.Join(answers, ",")+`]}`)
	}))
	b.Cleanup(graph.Close)
	root, err := url.Parse(graph.URL)
	if err != nil {
		b.Fatal(err)
	}
	return root
}

// benchPolicy has three limits that cover a request, and a caller whose rules use two apps.
const benchPolicy = `
version: 1
limits:
  whole: {rate: 1000000/s, burst: 1000000}
  directory: {rate: 1000000/s, burst: 1000000, per: [caller], covers: ["GET /users/{id}"]}
callers:
  app:
    identity: [{network: [192.0.2.0/24]}]
    limit: {rate: 1000000/s, burst: 1000000}
    allow:
      - GET /users/{id}
      - GET /groups/{id}: {app: other}
`

// BenchmarkHandler measures one request through the handler, without the caller's connection: authenticate, read,
// decide, three limits, token, forward, record. Candidate has a candidate policy beside. Floor is httputil.ReverseProxy
// alone, in front of the same server.
func BenchmarkHandler(b *testing.B) {
	root := benchGraph(b)
	handler := func() *proxy.Handler {
		h, err := proxy.New(proxy.Config{
			Graph:         root,
			Apps:          oneApp(fixed{}),
			Authorization: rules(b, benchPolicy),
			Hosts:         []string{"example.com"},
			Audit:         io.Discard,
		})
		must(b, err)
		return h
	}
	h, besides := handler(), handler()
	besides.UseCandidate(candidateRules(b, benchPolicy))
	transport := &http.Transport{MaxIdleConnsPerHost: 512, DisableCompression: true}
	floor := &httputil.ReverseProxy{Transport: transport, Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(root) }}
	for _, bb := range []struct {
		name    string
		handler http.Handler
	}{{"graphproxy", h}, {"candidate", besides}, {"floor", floor}} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r := httptest.NewRequest("GET", "/v1.0/users/adele@contoso.com?$select=id,displayName", nil)
				w := httptest.NewRecorder()
				if bb.handler.ServeHTTP(w, r); w.Code != 200 {
					b.Fatalf("%d %s", w.Code, w.Body)
				}
			}
		})
	}
}

// BenchmarkBatch measures a $batch of four items through the handler.
func BenchmarkBatch(b *testing.B) {
	h, err := proxy.New(proxy.Config{
		Graph: benchGraph(b),
		Apps: namedApps{
			policy.DefaultApp: {Tenant: tenant, Tokens: fixed{}},
			"other":           {Tenant: tenant, Tokens: fixed{}},
		},
		Authorization: rules(b, benchPolicy),
		Hosts:         []string{"example.com"},
		Audit:         io.Discard,
	})
	if err != nil {
		b.Fatal(err)
	}
	for _, bb := range []struct{ name, second string }{
		{"one app", "/users/b"},
		{"two apps", "/groups/b"},
		{"one item refused", "/sites/b"},
	} {
		body := `{"requests":[{"id":"1","method":"GET","url":"/users/a"},{"id":"2","method":"GET","url":"` + bb.second +
			`"},` +
			`{"id":"3","method":"GET","url":"/users/c"},{"id":"4","method":"GET","url":"/users/d"}]}`
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r := httptest.NewRequest("POST", "/v1.0/$batch", strings.NewReader(body))
				r.Header.Set("Content-Type", "application/json")
				w := httptest.NewRecorder()
				if h.ServeHTTP(w, r); w.Code != 200 || !strings.Contains(w.Body.String(), `"id":"4"`) {
					b.Fatalf("%d %s", w.Code, w.Body)
				}
			}
		})
	}
}

// namedApps are app registrations by name.
type namedApps map[string]*proxy.App

func (a namedApps) App(name, _ string) *proxy.App { return a[name] }
