package proxy_test

import (
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/url"
	"strings"
	"testing"

	"graphproxy/auth/caller"
	"graphproxy/auth/caller/pkitest"
	"graphproxy/policy"
	"graphproxy/proxy"
)

const byCertificate = `
version: 1
callers:
  app:
    identity: [{certificate: {uri: spiffe://contoso.example/app}}]
    allow: [GET /users]
`

// A connection whose CA was removed, or whose certificate has expired, is closed with the answer, so that the
// caller connects anew. After any other refusal the connection stays open: the next request may have the missing
// evidence.
func TestAConnectionThatProvesNothingAnyMoreIsClosed(t *testing.T) {
	ca, err := pkitest.New("contoso")
	must(t, err)
	trusted := new(caller.Authorities)
	trusted.Use([]*x509.Certificate{ca.Certificate()})
	p, err := policy.Parse("policy.yaml", []byte(byCertificate))
	must(t, err)
	known, err := proxy.NewAuthorization(p, caller.Options{Authorities: trusted})
	must(t, err)
	for _, h2 := range []bool{false, true} {
		for i := 0; !closesConnection(t, ca, trusted, known, h2); i++ {
			if i == 20 {
				t.Fatal("no connection is used again")
			}
		}
	}
}

// closesConnection reports false if a connection was not used again where it should be: net/http uses one again only if
// it knows within 50 ms that it has written the request before, for which a machine may be too slow.
func closesConnection(t *testing.T, ca *pkitest.Authority, trusted *caller.Authorities, known *proxy.Authorization,
	h2 bool) bool {
	t.Helper()
	missed := false
	audit := new(lines)
	h, err := proxy.New(proxy.Config{
		Graph:         &url.URL{Scheme: "http", Host: "127.0.0.1:1"},
		Apps:          oneApp(tokenless{}),
		Authorization: known,
		Audit:         audit,
		Log:           slog.New(slog.DiscardHandler),
	})
	must(t, err)
	server := httptest.NewUnstartedServer(nil)
	server.Config = proxy.NewServer(h, slog.New(slog.DiscardHandler))
	server.TLS = &tls.Config{ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: trusted.Pool()}
	server.EnableHTTP2 = h2
	server.StartTLS()
	defer server.Close()
	client := server.Client().Transport.(*http.Transport)
	leaf, err := ca.Leaf(pkitest.Leaf{URIs: []string{"spiffe://contoso.example/app"}})
	must(t, err)
	client.TLSClientConfig.Certificates = []tls.Certificate{leaf}
	ask := func(want int, code string, reused bool) {
		t.Helper()
		var was bool
		trace := &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { was = i.Reused }}
		req, err := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), http.MethodGet,
			server.URL+"/v1.0/users", nil)
		must(t, err)
		res, err := client.RoundTrip(req)
		must(t, err)
		missed = missed || reused && !was
		if a := read(t, res); a.status != want || !strings.Contains(a.body, code) || was != reused && !missed ||
			(res.ProtoMajor == 2) != h2 {
			t.Errorf("HTTP/%d: %d %s, connection used before: %v; want %d %s, %v", res.ProtoMajor, a.status, a.body, was, want,
				code, reused)
		}
	}
	ask(503, "tokenUnavailable", false)
	ask(503, "tokenUnavailable", true)
	trusted.Use(nil)
	ask(401, "certificateUnknown", true)
	trusted.Use([]*x509.Certificate{ca.Certificate()})
	ask(503, "tokenUnavailable", false)
	return !missed
}
