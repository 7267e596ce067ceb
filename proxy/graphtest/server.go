// Package graphtest is Microsoft Graph in a process: the tenant of the sandbox, and the upstream of tests, as
// net/http/httptest is for HTTP.
//
// It answers for a small demonstration tenant, Contoso: status, headers, bodies, links, errors, throttling, paging,
// deltas, batches, and the foreign host for downloads and uploads. The shapes follow Microsoft's documentation
// (learn.microsoft.com/graph). It keeps the requests that it received, so that a test can check what reached Graph,
// byte by byte.
//
// It is deliberately as dangerous as Graph, and where Graph's behaviour is not documented it does the most
// dangerous plausible thing: an encoded slash separates segments, paths are decoded twice, dot segments are
// resolved, back slashes are slashes, names compare without case, a POST may ask for another method in
// X-HTTP-Method-Override, and DELETE /groups/{id}/members/{id} without /$ref deletes the user. A proxy before it
// must prevent these, and a test can see when it did not.
//
// It issues no tokens (Options.Verify checks them), and does not restrict who may call it.
package graphtest

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
)

// TenantID is the demonstration tenant's id, unless Options.TenantID is set.
const TenantID = "84841066-274d-4ec0-a5c1-276be684bdd3"

// Options configures NewServer. The zero value is Graph over plain http on a free port of 127.0.0.1, for any
// bearer token.
type Options struct {
	// TLS makes both hosts speak HTTPS, HTTP/2 and HTTP/1.1. Nil: plain http, HTTP/1.1 only.
	TLS *tls.Config
	// Addr is where Graph listens; "" is 127.0.0.1:0.
	Addr string
	// ForeignAddr is where the foreign host listens; "" is a free port on the host of Addr.
	ForeignAddr string
	// ForeignHost is the name of the foreign host in addresses; "" is the address that it listens on. Clients compare
	// hosts by name alone, and send their credential to one of the same name.
	ForeignHost string
	// ForeignPlain makes the foreign host speak plain http even if TLS is set, for clients that do not know the CA.
	ForeignPlain bool
	// Verify returns the app roles of a bearer token. An error makes Graph answer 401; no roles, 403. An error that is a
	// *Challenge makes the 401 a claims challenge. It must be safe for concurrent use. Nil: any bearer, every role.
	Verify func(token string) (roles []string, err error)
	// PublicURL is what links in answers start with, scheme and host; "" is the server's own URL.
	PublicURL string
	// TenantID is the id of the tenant; "" is TenantID.
	TenantID string
	// Users is the number of users in the tenant, counting the named ones; 0 is 60, and there are at least 24.
	Users int
}

// Challenge is an error for Options.Verify to return: Graph then answers 401 with a claims challenge (continuous access
// evaluation).
type Challenge struct {
	Claims string // JSON, e.g. {"access_token":{"nbf":{"essential":true,"value":"1657834417"}}}
}

func (c *Challenge) Error() string { return "claims challenge" }

// Server is a running Graph. Its methods are safe for concurrent use. There is no useful zero value: use NewServer.
type Server struct {
	options    Options
	base       string // scheme and host that links carry
	url        string
	foreignURL string
	routes     *node
	graph      *http.Server
	foreign    *http.Server
	serving    sync.WaitGroup
	log        journal // requests to Graph
	foreignLog journal // requests to the foreign host
	faults     faults

	mu      sync.Mutex // guards the tenant
	tenant  *tenant
	signing [32]byte // signs pre-authenticated URLs
}

// NewServer starts Graph and its foreign host, and returns when both accept connections. Close stops them.
func NewServer(o Options) (*Server, error) {
	if o.Addr == "" {
		o.Addr = "127.0.0.1:0"
	}
	if o.TenantID == "" {
		o.TenantID = TenantID
	}
	s := &Server{options: o, routes: buildRoutes(), signing: newKey()}
	listeners, err := s.listen()
	if err != nil {
		return nil, err
	}
	s.base = strings.TrimSuffix(o.PublicURL, "/")
	if s.base == "" {
		s.base = s.url
	}
	s.tenant = newTenant(o.TenantID, s.base, o.Users)
	s.graph = s.start(listeners[0], o.TLS, s.handler(&s.log, s.serveGraph))
	s.foreign = s.start(listeners[1], s.foreignTLS(), s.handler(&s.foreignLog, s.serveForeign))
	return s, nil
}

func (s *Server) listen() ([2]net.Listener, error) {
	var both [2]net.Listener
	graph, err := net.Listen("tcp", s.options.Addr)
	if err != nil {
		return both, fmt.Errorf("listening for Graph: %w", err)
	}
	addr := s.options.ForeignAddr
	if addr == "" {
		host, _, _ := net.SplitHostPort(graph.Addr().String())
		addr = net.JoinHostPort(host, "0")
	}
	foreign, err := net.Listen("tcp", addr)
	if err != nil {
		return both, errors.Join(fmt.Errorf("listening for the foreign host: %w", err), graph.Close())
	}
	s.url, s.foreignURL = addressOf(graph, s.options.TLS, ""), addressOf(foreign, s.foreignTLS(), s.options.ForeignHost)
	return [2]net.Listener{graph, foreign}, nil
}

// foreignTLS is what the foreign host speaks; nil for plain http.
func (s *Server) foreignTLS() *tls.Config {
	if s.options.ForeignPlain {
		return nil
	}
	return s.options.TLS
}

// addressOf is the URL of a listener, by a name if there is one. One that listens on every address has the loopback
// one.
func addressOf(l net.Listener, config *tls.Config, name string) string {
	scheme := "http"
	if config != nil {
		scheme = "https"
	}
	host, port, _ := net.SplitHostPort(l.Addr().String())
	if name != "" {
		return scheme + "://" + net.JoinHostPort(name, port)
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

func (s *Server) start(l net.Listener, config *tls.Config, h http.Handler) *http.Server {
	srv := &http.Server{
		Handler: h,
		// A client reports a failed handshake; a test that needs it sees it there.
		ErrorLog: log.New(io.Discard, "", 0),
		// OPTIONS * must be recorded as any other request.
		DisableGeneralOptionsHandler: true,
	}
	s.serving.Go(func() {
		if config == nil {
			srv.Serve(l)
			return
		}
		srv.TLSConfig = config.Clone()
		srv.ServeTLS(l, "", "")
	})
	return srv
}

// URL is Graph's root, without a slash at the end: "http://127.0.0.1:40123".
func (s *Server) URL() string { return s.url }

// ForeignURL is the root of the host that pre-authenticated URLs name: downloads, upload sessions, reports, monitors.
// It answers 401 to any request that carries Authorization.
func (s *Server) ForeignURL() string { return s.foreignURL }

// Close ends every connection and returns when the last request has been handled.
func (s *Server) Close() {
	s.graph.Close()
	s.foreign.Close()
	s.serving.Wait()
	s.log.waitIdle()
	s.foreignLog.waitIdle()
}

// WaitIdle returns when Graph is handling no request: what a test asserts then about Requests is complete.
func (s *Server) WaitIdle() { s.log.waitIdle() }

// Requests returns copies of the requests that Graph received since Reset, in the order of arrival: also those that it
// refused, and those under way, with as much of their body as was read. The items of a batch that ran follow it, each
// with its id in Item. Requests to the foreign host are not among them.
func (s *Server) Requests() []Request { return s.log.requests() }

// ForeignRequests returns copies of the requests that the foreign host received since Reset.
func (s *Server) ForeignRequests() []Request { return s.foreignLog.requests() }

// Count is the number of requests that Graph received since Reset, with any outcome. A batch is one.
func (s *Server) Count() int { return s.log.count() }

// ItemTokens is the number of batch items since Reset that brought an Authorization header of their own. Graph runs
// them with the token of the batch; no client has a reason to send one.
func (s *Server) ItemTokens() int { return s.log.tokens() }

// Reset forgets the requests received so far. The tenant, throttles and handlers stay.
func (s *Server) Reset() {
	s.log.reset()
	s.foreignLog.reset()
}

// Cancelled is the number of callers of /v1.0/test/stall and /v1.0/test/stream that left before the end.
func (s *Server) Cancelled() int { return int(s.faults.cancelled.Load()) }

// SentMail is the number of messages sent since the start: sendMail, and the sending of a draft.
func (s *Server) SentMail() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tenant.sent
}
