package faults_test

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"testing"

	"graphproxy/auth/entratest"
)

// For every fault of TLS nothing is sent, and the caller gets 502.
func TestNothingIsSentToWhoIsNotGraph(t *testing.T) {
	t.Parallel()
	who := newIdentity(t)
	ca, err := entratest.NewCA()
	must(t, err)
	other, err := entratest.NewCA()
	must(t, err)
	tests := []struct {
		name   string
		signer *entratest.CA
		change func(*tls.Config)
	}{
		{"a certificate that nobody known signed", other, nil},
		{"TLS 1.1", ca, func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }},
		{"a client certificate is asked for", ca, func(c *tls.Config) { c.ClientAuth = tls.RequireAnyClientCert }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			config, err := tt.signer.TLS()
			must(t, err)
			if tt.change != nil {
				tt.change(config)
			}
			w := newWorldWith(t, who, config, ca.Pool())
			w.refuses(t, w.direct())
		})
	}
	t.Run("a certificate for another host", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, who, "https")
		w.refuses(t, w.elsewhere(t))
	})
	t.Run("no TLS at all", func(t *testing.T) {
		t.Parallel()
		w := newWorldWith(t, who, nil, ca.Pool())
		w.refuses(t, "https://"+host(t, w.direct()))
	})
}

// elsewhere is an address of Graph that its certificate does not name.
func (w *world) elsewhere(t *testing.T) string {
	t.Helper()
	p := newToxiproxy(t, "127.0.0.2", w.graph.URL())
	return "https://" + p.Listen
}

// refuses checks that no request reaches Graph at an address.
func (w *world) refuses(t *testing.T, address string) {
	t.Helper()
	f := w.front(t, address, nil)
	for i, q := range requests() {
		id := fmt.Sprintf("tls-%d", i)
		unreached().check(t, w, f, q, id, f.do(t, q, id))
	}
	if n := w.graph.Count(); n != 0 {
		t.Errorf("Graph received %d requests", n)
	}
}

// A handshake that is never answered ends after 10 s.
func TestAHandshakeThatStallsIsATimeout(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 10 s")
	}
	t.Parallel()
	w := newWorld(t, newIdentity(t), "https")
	w.toxic(t, `{"type":"timeout"}`)
	for i, q := range requests() {
		t.Run(q.name, func(t *testing.T) {
			t.Parallel()
			f := w.front(t, w.broken(), nil)
			id := fmt.Sprintf("stall-%d", i)
			outcome{status: 504, code: "graphTimeout"}.check(t, w, f, q, id, f.do(t, q, id))
		})
	}
}

// graphproxy gets no GOAWAY: it uses HTTP/1.1 even if Graph offers HTTP/2.
func TestGraphIsSpokenToInHTTP11(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newIdentity(t), "https")
	direct := &http.Client{
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: w.roots}, ForceAttemptHTTP2: true},
	}
	defer direct.CloseIdleConnections()
	res, err := direct.Get(w.direct() + "/v1.0/users")
	must(t, err)
	must(t, res.Body.Close())
	if res.ProtoMajor != 2 {
		t.Fatalf("Graph answered another client in %s: it does not offer HTTP/2", res.Proto)
	}
	w.graph.Reset()
	f := w.front(t, w.direct(), nil)
	for i, q := range requests() {
		id := fmt.Sprintf("h1-%d", i)
		passed().check(t, w, f, q, id, f.do(t, q, id))
	}
	for _, r := range w.graph.Requests() {
		if r.Proto != "HTTP/1.1" {
			t.Errorf("Graph received %s %s in %s", r.Method, r.Target, r.Proto)
		}
	}
}
