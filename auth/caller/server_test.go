package caller_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"graphproxy/auth/caller"
)

// serve answers each request with its outcome, on a listener of net/http's own.
func serve(t *testing.T, a *caller.Authenticator, network, address string) *http.Client {
	t.Helper()
	ln, err := net.Listen(network, address)
	if err != nil && network != "tcp6" {
		t.Fatal(err)
	}
	if err != nil {
		t.Skipf("NOT CHECKED: this machine has no %s: %v", network, err)
	}
	srv := &httptest.Server{
		Listener: ln,
		Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, outcome(t, a, r))
		})},
	}
	srv.Start()
	t.Cleanup(srv.Close)
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, ln.Addr().String())
	}
	return &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}
}

func TestRealConnections(t *testing.T) {
	callers := []caller.Caller{is("four", network("127.0.0.0/8")), is("six", network("::1/128")),
		is("mail", key(mailKey)), is("all", anyone)}
	a, known := mustNew(t, callers...), mustNew(t, append(callers, is("app", unix))...)
	socket := func() string { return filepath.Join(t.TempDir(), "s") }
	for _, tt := range []struct {
		name          string
		network, at   string
		a             *caller.Authenticator
		header, value string
		want          string
	}{
		{"over IPv4", "tcp4", "127.0.0.1:0", a, "", "", "four by network"},
		{"over IPv6", "tcp6", "[::1]:0", a, "", "", "six by network"},
		{"over IPv4 with a key", "tcp4", "127.0.0.1:0", a, "authorization", "bearer " + mailKey, "mail by key"},
		{"over IPv4 with a wrong key", "tcp4", "127.0.0.1:0", a, "x-api-key", wrongKey, "keyUnknown"},
		{"over IPv4 with an empty key", "tcp4", "127.0.0.1:0", a, "x-api-key", "", "keyUnknown"},
		{"over a unix socket", "unix", socket(), a, "", "", "all by anyone"},
		{"over a unix socket that has callers of its own", "unix", socket(), known, "", "", "unixUnknown"},
		{"over a unix socket with a key", "unix", socket(), known, "X-Api-Key", mailKey, "mail by key"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), "GET", "http://proxy/", nil)
			if err != nil {
				t.Fatal(err)
			}
			if tt.header != "" {
				req.Header.Set(tt.header, tt.value)
			}
			resp, err := serve(t, tt.a, tt.network, tt.at).Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if got, err := io.ReadAll(resp.Body); err != nil || string(got) != tt.want {
				t.Errorf("got %q, %v, want %q", got, err, tt.want)
			}
		})
	}
}
