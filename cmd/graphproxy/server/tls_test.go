package server_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"graphproxy/auth/caller"
	"graphproxy/auth/caller/pkitest"
	"graphproxy/cmd/graphproxy/server"
)

const workload = "spiffe://contoso.example/ns/hr/sync"

// secured is a server with a certificate and client CAs in files. Its callers have SPIFFE ids. It answers with the
// caller or the refusal's code.
type secured struct {
	t        *testing.T
	dir      string
	keys     *server.KeyPair
	ca       *server.ClientCA
	log      bytes.Buffer
	address  string
	serverCA *pkitest.Authority
}

func newSecured(t *testing.T, clients ...*pkitest.Authority) *secured {
	t.Helper()
	s := &secured{t: t, dir: t.TempDir(), serverCA: authority(t, "servers")}
	s.showCertificate()
	s.trust(clients...)
	var err error
	s.keys, err = server.LoadKeyPair(s.path("tls.crt"), s.path("tls.key"), time.Now())
	must(t, err)
	s.ca, err = server.LoadClientCA(s.path("clients.pem"), time.Now())
	must(t, err)
	logger := slog.New(slog.NewTextHandler(&s.log, nil))
	s.keys.Start(logger)
	s.ca.Start(logger)
	known, err := caller.New([]caller.Caller{
		{Name: "hr", Identities: []caller.Identity{{Kind: caller.Certificate, URI: "spiffe://contoso.example/ns/hr/*"}}},
		{Name: "all", Identities: []caller.Identity{{Kind: caller.Anyone}}},
	}, caller.Options{Authorities: s.ca.Authorities()})
	must(t, err)
	open, err := server.Listen("GRAPHPROXY_LISTEN", server.Sockets{TLS: server.TLS(s.keys, s.ca)}, "127.0.0.1:0")
	must(t, err)
	s.address = open[0].Addr().String()
	h := &http.Server{Handler: answering(known), ErrorLog: log.New(io.Discard, "", 0)}
	go func() { _ = h.Serve(open[0]) }()
	t.Cleanup(func() { _ = h.Close() })
	return s
}

// answering is a handler that answers with the name of the caller.
func answering(known *caller.Authenticator) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		origin := known.Origin(r)
		w.Header().Set("X-Origin", strings.TrimSpace(origin.Client+" "+origin.Peer))
		found, err := known.Authenticate(r)
		var refused *caller.Error
		if errors.As(err, &refused) {
			if refused.Reconnect {
				w.Header().Set("Connection", "close")
			}
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, refused.Code)
			return
		}
		_, _ = io.WriteString(w, found.Name+" by "+found.Evidence)
	}
}

func authority(t *testing.T, name string) *pkitest.Authority {
	t.Helper()
	a, err := pkitest.New(name)
	must(t, err)
	return a
}

func (s *secured) path(name string) string { return filepath.Join(s.dir, name) }

// showCertificate replaces the server's certificate by a new one.
func (s *secured) showCertificate() *x509.Certificate {
	s.t.Helper()
	made, err := s.serverCA.Leaf(pkitest.Leaf{DNS: []string{"localhost"}})
	must(s.t, err)
	chain, key, err := pkitest.Files(made)
	must(s.t, err)
	write(s.t, s.path("tls.crt"), string(chain))
	write(s.t, s.path("tls.key"), string(key))
	return made.Leaf
}

func (s *secured) trust(clients ...*pkitest.Authority) {
	s.t.Helper()
	var bundle strings.Builder
	for _, a := range clients {
		bundle.Write(a.PEM())
	}
	write(s.t, s.path("clients.pem"), bundle.String())
}

// client is a client with a certificate of a CA, or without.
func (s *secured) client(a *pkitest.Authority, l pkitest.Leaf) *http.Client {
	s.t.Helper()
	config := &tls.Config{
		RootCAs:            s.serverCA.Pool(),
		ServerName:         "localhost",
		ClientSessionCache: tls.NewLRUClientSessionCache(8),
	}
	if a != nil {
		made, err := a.Leaf(l)
		must(s.t, err)
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &made, nil }
	}
	wire := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}
	s.t.Cleanup(wire.CloseIdleConnections)
	return &http.Client{Transport: wire, Timeout: patience}
}

// ask returns the answer's text, or "handshake" if there is none.
func (s *secured) ask(c *http.Client) (string, *tls.ConnectionState) {
	s.t.Helper()
	res, err := c.Get("https://" + s.address + "/")
	if err != nil { // over HTTP/2 the client does not report that the handshake failed
		return "handshake", nil
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	must(s.t, err)
	return string(text), res.TLS
}

func TestClientCertificates(t *testing.T) {
	root, stranger := authority(t, "root"), authority(t, "stranger")
	signer, err := root.Intermediate("signer")
	must(t, err)
	s := newSecured(t, root)
	ids := []string{workload}
	for _, tt := range []struct {
		name string
		ca   *pkitest.Authority
		leaf pkitest.Leaf
		want string
	}{
		{"one of the CA's", root, pkitest.Leaf{URIs: ids}, "hr by certificate"},
		{"one of an intermediate CA's", signer, pkitest.Leaf{URIs: ids}, "hr by certificate"},
		{"none", nil, pkitest.Leaf{}, "all by anyone"},
		{"one that is no caller's", signer, pkitest.Leaf{URIs: []string{"spiffe://contoso.example/ns/it"}},
			"certificateUnknown"},
		{"one for nothing in particular", signer, pkitest.Leaf{URIs: ids, Usage: []x509.ExtKeyUsage{}}, "certificateUnknown"},
		{"one of another CA", stranger, pkitest.Leaf{URIs: ids}, "handshake"},
		{"one that has expired", signer, pkitest.Leaf{URIs: ids, NotAfter: time.Now().Add(-time.Minute)}, "handshake"},
		{"one that is not valid yet", signer, pkitest.Leaf{URIs: ids, NotBefore: time.Now().Add(time.Hour)}, "handshake"},
		{"one for servers", signer, pkitest.Leaf{URIs: ids, Usage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}},
			"handshake"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, state := s.ask(s.client(tt.ca, tt.leaf))
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if state != nil && (state.Version < tls.VersionTLS12 || state.NegotiatedProtocol != "h2") {
				t.Errorf("TLS %x, %s", state.Version, state.NegotiatedProtocol)
			}
		})
	}
}

func TestClientCAsAreReadAgain(t *testing.T) {
	first, second := authority(t, "first"), authority(t, "second")
	s := newSecured(t, first)
	old, fresh := s.client(first, pkitest.Leaf{URIs: []string{workload}}), s.client(second,
		pkitest.Leaf{URIs: []string{workload}})
	expect := func(when string, c *http.Client, want string) {
		t.Helper()
		if got, state := s.ask(c); got != want {
			t.Errorf("%s: got %q, want %q", when, got, want)
		} else if state != nil && state.DidResume {
			t.Errorf("%s: the session was resumed", when)
		}
	}
	expect("at first", old, "hr by certificate")
	expect("at first", fresh, "handshake")

	for _, bad := range []string{"", "no certificate",
		string(second.PEM()) + "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"} {
		write(t, s.path("clients.pem"), bad)
		s.ca.Reload(t.Context())
		expect("after a bad file", old, "hr by certificate")
		expect("after a bad file", fresh, "handshake")
	}
	if !strings.Contains(s.log.String(), "the CAs of client certificates from before stay in use") {
		t.Errorf("log: %s", &s.log)
	}
	s.trust(first, second)
	s.ca.Reload(t.Context())
	expect("with both", old, "hr by certificate")
	expect("with both", fresh, "hr by certificate")

	s.trust(second)
	s.ca.Reload(t.Context())
	expect("on the connection that was there", old, "certificateUnknown")
	expect("on another connection", fresh, "hr by certificate")
	expect("after that", old, "handshake")
}

func TestLoadClientCARefuses(t *testing.T) {
	leaf, err := authority(t, "root").Leaf(pkitest.Leaf{})
	must(t, err)
	chain, key, err := pkitest.Files(leaf)
	must(t, err)
	ca := authority(t, "ca").PEM()
	for name, tt := range map[string]struct{ text, want string }{
		"an empty file": {"", "there is no certificate in the file: "},
		"a leaf":        {string(ca) + string(chain), "certificate 2 is not a CA's: "},
		"a private key": {string(ca) + string(key), "block 2 is no certificate: "},
		"a broken certificate": {"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
			"certificate 1 cannot be read: "},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "ca.pem")
			write(t, path, tt.text)
			_, err := server.LoadClientCA(path, time.Now())
			if err == nil || !strings.HasPrefix(err.Error(), "GRAPHPROXY_TLS_CLIENT_CA_FILE: "+tt.want) ||
				strings.Contains(err.Error(), "AAAA") {
				t.Errorf("got %v", err)
			}
		})
	}
	path := filepath.Join(t.TempDir(), "ca.pem")
	write(t, path, string(ca))
	if _, err := server.LoadClientCA(path, time.Now().Add(48*time.Hour)); err == nil ||
		!strings.Contains(err.Error(), "expired on") {
		t.Errorf("expired: %v", err)
	}
}

// Certificate, key and client CA are replaced again and again under load, with old and new connections: no request
// fails, and each new certificate is used.
func TestRotationUnderLoadFailsNoRequest(t *testing.T) {
	clients := authority(t, "clients")
	s := newSecured(t, clients)
	var asked, failed atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	var load sync.WaitGroup
	for worker := range 6 {
		c := s.client(clients, pkitest.Leaf{URIs: []string{workload}})
		c.Transport.(*http.Transport).DisableKeepAlives = worker%2 == 0
		load.Go(func() {
			for ctx.Err() == nil {
				asked.Add(1)
				if got, _ := s.ask(c); got != "hr by certificate" {
					failed.Add(1)
				}
			}
		})
	}
	for range 20 {
		shown := s.showCertificate()
		s.trust(clients, authority(t, "next"))
		s.keys.Reload(t.Context())
		s.ca.Reload(t.Context())
		if got := s.shown(); !got.Equal(shown) {
			t.Error("another certificate than the new one is shown")
		}
	}
	eventually(t, "20 requests", func() bool { return asked.Load() >= 20 })
	stop()
	load.Wait()
	if failed.Load() > 0 {
		t.Errorf("%d of %d requests failed", failed.Load(), asked.Load())
	}
}

// shown returns the certificate of a new connection.
func (s *secured) shown() *x509.Certificate {
	s.t.Helper()
	c, err := tls.DialWithDialer(&net.Dialer{Timeout: patience}, "tcp", s.address,
		&tls.Config{RootCAs: s.serverCA.Pool(), ServerName: "localhost"})
	must(s.t, err)
	defer c.Close()
	return c.ConnectionState().PeerCertificates[0]
}
