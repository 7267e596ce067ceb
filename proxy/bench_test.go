package proxy_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"graphproxy/proxy"
)

// BenchmarkHandler measures one request through the handler, without the caller's connection: authenticate, parse, decide,
// three limits, token, forward, record. Floor is httputil.ReverseProxy alone, in front of the same server.
func BenchmarkHandler(b *testing.B) {
	user := strings.Repeat("x", 1024)
	graph := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, user) }))
	b.Cleanup(graph.Close)
	root, err := url.Parse(graph.URL)
	if err != nil {
		b.Fatal(err)
	}
	const file = `
version: 1
limits:
  whole: {rate: 1000000/s, burst: 1000000}
  directory: {rate: 1000000/s, burst: 1000000, per: [caller], covers: ["GET /users/{id}"]}
callers:
  app:
    identity: [{network: [192.0.2.0/24]}]
    limit: {rate: 1000000/s, burst: 1000000}
    allow: ["GET /users/{id}"]
`
	h, err := proxy.New(proxy.Config{Graph: root, Apps: oneApp(fixed{}), Authorization: rules(b, file), Audit: io.Discard})
	if err != nil {
		b.Fatal(err)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 512, DisableCompression: true}
	floor := &httputil.ReverseProxy{Transport: transport, Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(root) }}
	for _, bb := range []struct {
		name    string
		handler http.Handler
	}{{"graphproxy", h}, {"floor", floor}} {
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
