// Package oidctest is an OpenID Connect issuer in a process. Tests of graphproxy's tokens fetch keys and get
// tokens from it, as tests of HTTP use net/http/httptest.
//
// It publishes a discovery document and a JWK Set, and signs any claims, well-formed or not. It rotates its
// keys, counts requests and fails on demand: see Fault. It does not decide whether a token is good:
// graphproxy/auth/caller/oidc does.
//
// It is a fake: it has its private keys in memory and returns them to tests. It listens on loopback only.
package oidctest

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Options are the settings of New. The zero value is an issuer over plain http on a free port of 127.0.0.1.
type Options struct {
	TLS          bool             // https, with a certificate that Server.Roots trusts
	Path         string           // of the issuer's address, such as /realms/contoso or /v2.0/; "" is none
	CacheControl string           // of the JWK Set's answer; "" is none
	Now          func() time.Time // the clock for the times in tokens, safe for concurrent use; nil is time.Now
}

// Fault is a way in which the issuer fails until Server.Heal.
type Fault string

// The faults.
const (
	Down         Fault = "down"          // every request is answered with 503
	Slow         Fault = "slow"          // no request is answered before Heal
	WrongIssuer  Fault = "wrong issuer"  // the discovery document is another issuer's
	HugeBody     Fault = "huge body"     // answers have more than 2 MiB
	NoJSON       Fault = "no json"       // answers are HTML
	OtherHost    Fault = "other host"    // requests for keys are redirected to another name of this host
	KeysInClear  Fault = "keys in clear" // jwks_uri is an http address beyond loopback
	NoKeys       Fault = "no keys"       // the JWK Set is empty
	KeysNotFound Fault = "keys 404"      // discovery answers, the keys do not
)

// Server is a running issuer. Its methods are safe for concurrent use. Make it with New; close it when it is no longer
// needed.
type Server struct {
	url   string
	o     Options
	http  http.Server
	roots *x509.CertPool
	done  chan struct{} // closed when the accept loop has ended

	mu         sync.Mutex
	fault      Fault
	healed     chan struct{} // closed by Heal and Close, and then replaced
	generation int
	keys       []signer // the keys that sign come first
	published  []byte   // by Publish; nil: the keys
	discovery  int      // requests
	fetches    int
}

// New starts an issuer with a key for each family of algorithms. It is an error when it cannot listen or make keys.
func New(o Options) (*Server, error) {
	s := &Server{o: o, done: make(chan struct{}), healed: make(chan struct{})}
	if s.o.Now == nil {
		s.o.Now = time.Now
	}
	if err := s.Rotate(); err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("starting the issuer: %w", err)
	}
	s.url = "http://" + l.Addr().String()
	if o.TLS {
		config, roots, err := certificate()
		if err != nil {
			return nil, fmt.Errorf("making the issuer's certificate: %w", err)
		}
		s.roots, s.url = roots, "https://"+l.Addr().String()
		l = tls.NewListener(l, config)
	}
	s.http.Handler = http.HandlerFunc(s.serve)
	s.http.ReadHeaderTimeout = 5 * time.Second
	s.http.ErrorLog = log.New(io.Discard, "", 0) // a client that does not trust the certificate is expected
	go func() {
		defer close(s.done)
		_ = s.http.Serve(l)
	}()
	return s, nil
}

// Close stops the issuer, ends the requests under way and waits until it has stopped.
func (s *Server) Close() {
	s.Heal()
	_ = s.http.Close()
	<-s.done
}

// Issuer returns the issuer's address, which is the iss of its tokens.
func (s *Server) Issuer() string { return s.url + s.o.Path }

// Roots returns the certificates that the issuer's TLS is trusted with; nil without TLS.
func (s *Server) Roots() *x509.CertPool { return s.roots }

// Client returns a client that trusts the issuer's TLS.
func (s *Server) Client() *http.Client {
	return &http.Client{
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.roots}, DisableKeepAlives: true},
	}
}

// Break makes the issuer fail until Heal.
func (s *Server) Break(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = f
}

// Heal ends a fault, and answers the requests that a slow issuer has delayed.
func (s *Server) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = ""
	close(s.healed)
	s.healed = make(chan struct{})
}

// Fetches returns how many requests for the discovery document and for the keys came.
func (s *Server) Fetches() (discovery, keys int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.discovery, s.fetches
}

// Publish makes the issuer answer with this text instead of its keys; nil ends that.
func (s *Server) Publish(jwks []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.published = jwks
}

const keysPath = "/keys"

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	discovery := r.URL.Path == strings.TrimSuffix(s.o.Path, "/")+"/.well-known/openid-configuration"
	if !discovery && r.URL.Path != keysPath {
		http.NotFound(w, r)
		return
	}
	fault, healed := s.count(discovery)
	switch {
	case fault == Slow:
		select {
		case <-healed:
		case <-r.Context().Done():
		}
	case fault == Down:
		http.Error(w, "the issuer is down", http.StatusServiceUnavailable)
		return
	case fault == HugeBody:
		_, _ = io.WriteString(w, `{"issuer":"`+strings.Repeat("a", 2<<20)+`"}`)
		return
	case fault == NoJSON:
		_, _ = io.WriteString(w, "<html></html>")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if discovery {
		_, _ = w.Write(s.document(fault))
		return
	}
	s.serveKeys(w, r, fault)
}

func (s *Server) count(discovery bool) (Fault, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if discovery {
		s.discovery++
	} else {
		s.fetches++
	}
	return s.fault, s.healed
}

func (s *Server) document(f Fault) []byte {
	issuer, keys := s.Issuer(), s.url+keysPath
	switch f {
	case WrongIssuer:
		issuer = "https://oidc.fabrikam.example"
	case KeysInClear:
		keys = "http://oidc.fabrikam.example/keys"
	}
	return encode(map[string]any{
		"issuer":                                issuer,
		"jwks_uri":                              keys,
		"response_types_supported":              []string{"id_token"},
		"subject_types_supported":               []string{"public"},
		"id_token_signing_alg_values_supported": algorithms[:],
	})
}

func (s *Server) serveKeys(w http.ResponseWriter, r *http.Request, f Fault) {
	switch f {
	case OtherHost:
		http.Redirect(w, r, strings.Replace(s.url, "127.0.0.1", "localhost", 1)+keysPath, http.StatusFound)
		return
	case KeysNotFound:
		http.NotFound(w, r)
		return
	case NoKeys:
		_, _ = io.WriteString(w, `{"keys":[]}`)
		return
	}
	if s.o.CacheControl != "" {
		w.Header().Set("Cache-Control", s.o.CacheControl)
	}
	_, _ = w.Write(s.JWKS())
}
