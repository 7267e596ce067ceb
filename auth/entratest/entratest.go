// Package entratest is Microsoft Entra ID's token endpoint in a process. The sandbox and tests of app-only
// clients sign in to it, as tests of HTTP use net/http/httptest.
//
// It answers an app that asks for a token with the OAuth 2.0 client-credentials grant as Entra would. It serves
// discovery documents and keys; checks the tenant, the client, the credential (secrets are compared, assertions
// are verified) and the scope; signs tokens; refuses with AADSTS codes and Entra's texts; answers
// administrators' consent; and stands in for the managed identity endpoint of App Service. It fails on demand:
// see Fault. The shapes are those of learn.microsoft.com/entra/identity-platform; where the pages leave a
// question open, it refuses.
//
// It does not decide what a token may do: it writes App.Roles into tokens, and graphproxy/proxy/graphtest
// checks them. It has no users, no sign-in pages and no grants other than client_credentials.
//
// It is a fake: it has its keys in memory, limits nothing, and answers under any host name. It must listen on
// loopback only.
package entratest

import (
	"crypto"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// App is an app registration and its service principal in one tenant.
type App struct {
	TenantID string // GUID, or a domain; of a domain the tenant's GUID is derived
	Domain   string // another name of the tenant, such as contoso.onmicrosoft.com; "" if it has none
	ClientID string // application ID
	Name     string // display name; "" is the ClientID

	// The credentials of the app; any one of them suffices. An app without any can only be a managed identity.
	Secret        string
	SecretExpired bool                // the secret has expired: AADSTS7000222
	Certificates  []*x509.Certificate // their RSA keys may sign assertions (RS256 or PS256)
	Federated     []Federated         // their tokens may be used as assertions (workload identity federation)

	RedirectURIs []string // where an answer about consent may be sent; none: any http address on loopback
	Roles        []string // app roles that were consented to; none: tokens have no roles claim, as in Entra
	Disabled     bool     // AADSTS7000112
}

// Federated is a federated identity credential: tokens of another issuer that are accepted as client assertions. All
// three names are compared exactly, letter case and a slash at the end included.
type Federated struct {
	Issuer   string
	Subject  string
	Audience string           // "" is api://AzureADTokenExchange, as in Entra
	Key      crypto.PublicKey // the issuer's key: *rsa.PublicKey (RS256, PS256) or *ecdsa.PublicKey on P-256 (ES256)
}

// Options are the settings of NewServer. The zero value is an Entra ID over plain http on a free port of
// 127.0.0.1.
type Options struct {
	CA        *CA              // signs the certificate of the listener; nil: plain http, which MSAL does not take
	Addr      string           // host:port to listen on; "" is 127.0.0.1:0
	Lifetime  time.Duration    // of tokens; 0 is 3599 s
	RefreshIn time.Duration    // tokens come with refresh_in; 0: without, as ordinary app-only tokens of Entra
	Now       func() time.Time // the clock for tokens and assertions, safe for concurrent use; nil is time.Now
	Resources []string         // application ID URIs that tokens may be asked for, besides Microsoft Graph
	Key       *rsa.PrivateKey  // signs tokens; nil: a new one, which takes some 100 ms to make
}

// defaultLifetime is the expires_in that Entra writes for a token of an hour.
const defaultLifetime = 3599 * time.Second

// Server is a running Entra ID. Its methods are safe for concurrent use. Make it with NewServer; the zero value is of
// no use. Close it when it is no longer needed.
type Server struct {
	url       string
	now       func() time.Time
	resources []string
	signer    *signer
	msiHeader string

	http    http.Server
	serving sync.WaitGroup // the accept loop and the requests under way
	closing chan struct{}

	mu                sync.Mutex
	closed            bool
	apps              []App // in the order added
	life, refreshIn   time.Duration
	live              map[string]living // unrevoked tokens: uti to expiry
	tokenFaults       []Fault
	discoveryFaults   []Fault
	healed            chan struct{} // closed by Heal, and then replaced
	refuseConsent     bool
	tokenRequests     int
	discoveryRequests int
	lastForm          url.Values
	demand            string // claims that Verify requires
}

// NewServer starts an Entra ID without tenants; Add adds them. It returns an error when it cannot listen on
// o.Addr.
func NewServer(o Options) (*Server, error) {
	s := &Server{
		now:       o.Now,
		resources: slices.Clone(o.Resources),
		closing:   make(chan struct{}),
		healed:    make(chan struct{}),
		live:      make(map[string]living),
	}
	if s.now == nil {
		s.now = time.Now
	}
	s.SetLifetime(o.Lifetime, o.RefreshIn)
	var err error
	if s.signer, err = newSigner(s.now(), o.Key); err != nil {
		return nil, fmt.Errorf("making Entra's signing key: %w", err)
	}
	if s.msiHeader, err = randomHex(); err != nil {
		return nil, fmt.Errorf("making the managed identity's header: %w", err)
	}
	l, err := s.listen(o)
	if err != nil {
		return nil, fmt.Errorf("starting Entra: %w", err)
	}
	s.start(l)
	return s, nil
}

// listen opens the listener and sets the URL.
func (s *Server) listen(o Options) (net.Listener, error) {
	addr := o.Addr
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	s.url = "http://" + reachable(l.Addr())
	if o.CA == nil {
		return l, nil
	}
	var names []string
	if host, _, err := net.SplitHostPort(addr); err == nil && host != "" {
		names = append(names, host)
	}
	config, err := o.CA.TLS(names...)
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	s.url = "https://" + reachable(l.Addr())
	return tls.NewListener(l, config), nil
}

// reachable returns the host and port to connect to. For a listener on every address it returns the loopback
// address.
func reachable(a net.Addr) string {
	tcp, ok := a.(*net.TCPAddr)
	if ok && tcp.IP.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", fmt.Sprint(tcp.Port))
	}
	return a.String()
}

func (s *Server) start(l net.Listener) {
	s.http = http.Server{
		Handler:           s.tracked(s.routes()),
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          log.New(io.Discard, "", 0), // clients report failed handshakes
		Protocols:         new(http.Protocols),
	}
	s.http.Protocols.SetHTTP1(true) // HTTP/1.1 only: a fault that resets the connection must affect one request only
	s.serving.Go(func() { _ = s.http.Serve(l) })
}

// tracked counts the requests under way, so that Close can wait for them.
func (s *Server) tracked(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		if s.closed {
			s.mu.Unlock()
			reset(w)
			return
		}
		s.serving.Add(1)
		s.mu.Unlock()
		defer s.serving.Done()
		h.ServeHTTP(w, r)
	})
}

// routes are the endpoints. The host's name and port are ignored.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /common/discovery/instance", s.serveInstance)
	mux.HandleFunc("GET /{tenant}/.well-known/openid-configuration", s.serveConfiguration)
	mux.HandleFunc("GET /{tenant}/v2.0/.well-known/openid-configuration", s.serveConfiguration)
	mux.HandleFunc("GET /{tenant}/discovery/v2.0/keys", s.serveKeys)
	mux.HandleFunc("/{tenant}/oauth2/v2.0/token", s.serveToken)
	mux.HandleFunc("GET /{tenant}/adminconsent", s.serveConsent)
	mux.HandleFunc("GET /{tenant}/v2.0/adminconsent", s.serveConsent)
	mux.HandleFunc("GET /msi/token", s.serveManagedIdentity)
	return mux
}

// URL is the authority host, scheme, host and port without a slash at the end: https://127.0.0.1:41235.
func (s *Server) URL() string { return s.url }

// Close stops listening, cuts all connections, ends requests that a Fault delays, and returns when none is
// under way.
func (s *Server) Close() {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.closing)
	}
	s.mu.Unlock()
	_ = s.http.Close()
	s.serving.Wait()
}

// Add adds an app, and its tenant. An app of the same tenant and client ID is replaced: this is how a secret or
// a certificate is rotated. Tokens that were issued stay valid.
func (s *Server) Add(a App) {
	a.Certificates = slices.Clone(a.Certificates)
	a.Federated = slices.Clone(a.Federated)
	a.RedirectURIs = slices.Clone(a.RedirectURIs)
	a.Roles = slices.Clone(a.Roles)
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, b := range s.apps {
		if strings.EqualFold(a.TenantID, b.TenantID) && strings.EqualFold(a.ClientID, b.ClientID) {
			s.apps[i] = a
			return
		}
	}
	s.apps = append(s.apps, a)
}

// SetRoles changes the app roles of a client in every tenant. Tokens that were issued keep the roles they have.
func (s *Server) SetRoles(clientID string, roles ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.apps {
		if strings.EqualFold(s.apps[i].ClientID, clientID) {
			s.apps[i].Roles = slices.Clone(roles)
		}
	}
}

// SetLifetime sets the lifetime of tokens that are issued from now on, in whole seconds (0: 3599 s), and their
// refresh_in (0: none).
func (s *Server) SetLifetime(life, refreshIn time.Duration) {
	if life <= 0 {
		life = defaultLifetime
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.life, s.refreshIn = life, refreshIn
}

// RefuseConsent makes the administrators refuse consent, or agree again with false.
func (s *Server) RefuseConsent(refuse bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuseConsent = refuse
}

// TokenRequests is the number of requests for a token so far, including requests of managed identities and
// failed ones. A request is counted when it has been read.
func (s *Server) TokenRequests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tokenRequests
}

// DiscoveryRequests is the number of requests for an openid-configuration so far, failed ones included.
func (s *Server) DiscoveryRequests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.discoveryRequests
}

// LastForm is a copy of the last request for a token: the form, credential included, or a managed identity's
// query. It is nil before the first.
func (s *Server) LastForm() url.Values {
	s.mu.Lock()
	defer s.mu.Unlock()
	return cloneValues(s.lastForm)
}

func cloneValues(v url.Values) url.Values {
	c := maps.Clone(v)
	for name := range c {
		c[name] = slices.Clone(c[name])
	}
	return c
}
