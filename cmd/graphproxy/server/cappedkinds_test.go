package server_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"graphproxy/auth/caller"
	"graphproxy/auth/caller/pkitest"
	"graphproxy/cmd/graphproxy/server"
)

// Connections are counted, and closed for others, on each kind of listener, and what is known of their peers stays
// known.
func TestEachKindOfListenerIsCapped(t *testing.T) {
	ca := authority(t, "servers")
	leaf, err := ca.Leaf(pkitest.Leaf{DNS: []string{"localhost"}})
	must(t, err)
	secure := func(protocols ...string) *tls.Config {
		return &tls.Config{Certificates: []tls.Certificate{leaf}, NextProtos: protocols}
	}
	trusted := prefixes("127.0.0.1/32")
	socket := filepath.Join(t.TempDir(), "s")
	header := binaryHeader(1, "10.77.0.5:4711")
	for _, tt := range []kindOfListener{
		{"TCP", "127.0.0.1:0", server.Sockets{}, "", "local by network", false},
		{"a unix socket", "unix:" + socket, server.Sockets{Mode: 0o600}, "", "me by unix", false},
		{"TLS", "127.0.0.1:0", server.Sockets{TLS: secure("http/1.1")}, "", "local by network", false},
		{"HTTP/2", "127.0.0.1:0", server.Sockets{TLS: secure("h2")}, "", "local by network", true},
		{"PROXY", "127.0.0.1:0", server.Sockets{Proxies: trusted}, header, "lab by network", false},
		{"PROXY, TLS and HTTP/2", "127.0.0.1:0", server.Sockets{Proxies: trusted, TLS: secure("h2")}, header,
			"lab by network", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			const tries = 20 // this machine may be so slow that net/http does not use a connection again
			for i := 0; !tt.isCapped(t, ca, trusted); i++ {
				if i == tries {
					t.Fatal("no connection is used again")
				}
			}
		})
	}
}

type kindOfListener struct {
	name, at     string
	sockets      server.Sockets
	before, want string
	http2        bool
}

// isCapped makes eight requests over four connections and one over a fifth. It reports false if net/http made others:
// it uses a connection again only if it knows within 50 ms that it has written the request before.
func (tt *kindOfListener) isCapped(t *testing.T, ca *pkitest.Authority, trusted []netip.Prefix) bool {
	t.Helper()
	known, err := caller.New([]caller.Caller{
		{Name: "me", Identities: []caller.Identity{{Kind: caller.Unix, UID: new(os.Getuid()), GID: new(os.Getgid())}}},
		{Name: "lab", Identities: []caller.Identity{{Kind: caller.Network, Networks: prefixes("10.77.0.0/16")}}},
		{Name: "local", Identities: []caller.Identity{{Kind: caller.Network, Networks: prefixes("127.0.0.0/8")}}},
	}, caller.Options{Proxies: trusted})
	must(t, err)
	open, err := server.Listen("GRAPHPROXY_LISTEN", tt.sockets, tt.at)
	must(t, err)
	k := server.NewConnections(2, slog.New(slog.DiscardHandler))
	s, done := k.Server(answering(known)), make(chan error)
	go func() { done <- s.Serve(k.Listen(open[0])) }()
	defer func() {
		_ = s.Close()
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	}()
	wire := &onceDialled{address: open[0].Addr(), before: tt.before}
	if tt.sockets.TLS != nil {
		wire.secure = &tls.Config{RootCAs: ca.Pool(), ServerName: "localhost", NextProtos: tt.sockets.TLS.NextProtos}
	}
	var all []*http.Transport
	for i := range 4 {
		all = append(all, wire.transport(tt.http2))
		defer all[i].CloseIdleConnections()
		for range 2 {
			wire.ask(t, all[i], tt.want)
		}
		if wire.dialled != i+1 {
			return false
		}
		eventually(t, "idle connections", func() bool { _, idle := k.Open(); return idle == int64(min(i+1, 2)) })
	}
	if n, _, _ := k.Counted(); n != 2 {
		t.Errorf("%d of %d connections were closed for others", n, wire.dialled)
	}
	all[0].CloseIdleConnections()
	wire.ask(t, all[0], tt.want)
	if n, _, _ := k.Counted(); n != 3 || wire.dialled != 5 {
		t.Errorf("%d of %d connections were closed for others", n, wire.dialled)
	}
	return true
}

// onceDialled makes transports with one connection each. It is for one goroutine.
type onceDialled struct {
	address net.Addr
	before  string // what is written first
	secure  *tls.Config
	dialled int
}

func (o *onceDialled) transport(http2 bool) *http.Transport {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		o.dialled++
		c, err := new(net.Dialer).DialContext(ctx, o.address.Network(), o.address.String())
		if err != nil {
			return nil, err
		}
		if _, err := io.WriteString(c, o.before); err != nil || o.secure == nil {
			return c, err
		}
		encrypted := tls.Client(c, o.secure)
		return encrypted, encrypted.HandshakeContext(ctx)
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(!http2)
	protocols.SetHTTP2(http2)
	return &http.Transport{DialContext: dial, DialTLSContext: dial, Protocols: protocols}
}

func (o *onceDialled) ask(t *testing.T, by *http.Transport, want string) {
	t.Helper()
	scheme := "http"
	if o.secure != nil {
		scheme = "https"
	}
	res, err := (&http.Client{Transport: by}).Get(fmt.Sprintf("%s://localhost/", scheme))
	must(t, err)
	defer res.Body.Close()
	if text, err := io.ReadAll(res.Body); err != nil || string(text) != want {
		t.Errorf("got %q, %v, want %q", text, err, want)
	}
}
