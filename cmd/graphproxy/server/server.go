// Package server runs the proxy as a process does: its listeners, its health, its files that change, its signals and its end.
//
// It decides when the process is ready, what it shows operators, when a changed file counts, and how long requests may go
// on when it is time to stop. What a request may do and what it meets on its way, it leaves to graphproxy/proxy.
package server

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"graphproxy/auth"
	"graphproxy/policy/limit/shared"
	"graphproxy/proxy"
)

// Parts are what a Server is made of. All but Roots, Public, Unix, PublicURL, Headers, Audit, Keys and ClientCA must be set.
type Parts struct {
	Version     string // of graphproxy
	Apps        []auth.App
	Graph       string // Graph's root
	Roots       *x509.CertPool
	Policy      *PolicyFile
	Public      bool   // a listener for callers is open to other machines
	Unix        bool   // a listener for callers is a unix socket
	PublicURL   string // that links carry; "": that of the request
	Headers     []string
	MaxInFlight int
	Patience    time.Duration // with requests in flight, when it is time to stop
	Audit       *AuditLog
	Keys        *KeyPair
	ClientCA    *ClientCA
	Redis       shared.Address // where limits are shared with other replicas
	RedisDeny   bool           // refuse requests that a limit covers while Redis is gone
	Log         *slog.Logger
}

// Server is a proxy that can serve callers and health. Make it with New.
type Server struct {
	parts   Parts
	apps    *apps
	handler *counted
	admin   *admin
	limits  limits
}

// New makes a Server. It reads the credential and opens no connection.
func New(p Parts) (*Server, error) {
	apps, err := newApps(p.Apps, auth.Options{Roots: p.Roots, Log: p.Log, Poll: pollEvery})
	if err != nil {
		return nil, err
	}
	if err := apps.use(p.Policy.rules.Policy()); err != nil {
		return nil, err
	}
	graph, err := url.Parse(p.Graph)
	if err != nil {
		return nil, errors.New("the address of Graph is not a URL")
	}
	a := newAdmin(p.Version, apps, p.Policy)
	limits, err := openLimits(p, a.registry)
	if err != nil {
		return nil, err
	}
	a.redis = limits.redis
	h, err := proxy.New(proxy.Config{
		Graph: graph, Apps: apps, Rules: p.Policy.rules, Buckets: limits.buckets(), Throttle: limits.throttle, PublicURL: p.PublicURL, ForwardHeaders: p.Headers,
		MaxInFlight: p.MaxInFlight, Roots: p.Roots, Audit: p.Audit.writer(), Log: p.Log, Metrics: a.registry,
	})
	if err != nil {
		return nil, err
	}
	p.Policy.start(p.Log, reach{public: p.Public, unix: p.Unix, certificates: p.ClientCA != nil}, func(r *proxy.Rules) error {
		if err := apps.use(r.Policy()); err != nil {
			return err
		}
		h.Use(r)
		return nil
	})
	if p.Keys != nil {
		p.Keys.log = p.Log
	}
	if p.ClientCA != nil {
		p.ClientCA.log = p.Log
	}
	return &Server{parts: p, apps: apps, handler: &counted{next: h}, admin: a, limits: limits}, nil
}

// counted counts the requests that are in next, so that none is cut off before its record is written.
type counted struct {
	next  http.Handler
	under atomic.Int64
}

func (c *counted) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.under.Add(1)
	defer c.under.Add(-1)
	c.next.ServeHTTP(w, r)
}

// wait returns when no request is in the handler, at most after d.
func (c *counted) wait(d time.Duration) {
	end := time.After(d)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for c.under.Load() > 0 {
		select {
		case <-tick.C:
		case <-end:
			return
		}
	}
}

// Run serves callers and health on listeners that are open, until ctx ends; then it stops as docs/operations.md says. If
// ready is not nil it is called once, when connections are accepted and there is a token. Run closes the listeners.
func (s *Server) Run(ctx context.Context, callers []net.Listener, health net.Listener, ready func()) error {
	// What serves requests in flight goes on while they end.
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()
	s.apps.run(background, &running)
	running.Go(func() { s.limits.run(background) })
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	running.Go(func() { s.watch(background, hup) })

	server, healthServer := proxy.NewServer(s.handler, s.parts.Log), s.admin.server(s.parts.Log)
	server.ConnContext = withPeer
	failed := make(chan error, len(callers)+1)
	serve := func(on *http.Server, l net.Listener) {
		running.Go(func() { failed <- on.Serve(l) })
	}
	serve(healthServer, health)
	for _, l := range callers {
		serve(server, l)
	}
	s.tellListening(callers, health)
	running.Go(func() {
		if s.apps.anyToken(ctx) && ready != nil {
			ready()
		}
	})

	var err error
	select {
	case <-ctx.Done():
	case err = <-failed: // a listener broke; the others would hide that
		err = fmt.Errorf("serving: %w", err)
	}
	s.stop(server)
	_ = healthServer.Close()
	return err
}

// tellListening tells the addresses that are really open, which port 0 leaves to the system.
func (s *Server) tellListening(callers []net.Listener, health net.Listener) {
	for _, l := range callers {
		_, encrypted := l.(tlsListener)
		address := l.Addr().String()
		if l.Addr().Network() == "unix" {
			address = "unix:" + address
		}
		s.parts.Log.Info("listening", "address", address, "for", "callers", "tls", encrypted)
	}
	s.parts.Log.Info("listening", "address", health.Addr().String(), "for", "health", "tls", false)
}

// stop ends the serving of callers. Health is served until the end, so that whoever balances the load sees that this
// replica is not ready.
func (s *Server) stop(server *http.Server) {
	s.admin.stopping.Store(true)
	s.parts.Log.Info("stopping: no new requests, waiting for those in flight", "in_flight", s.handler.under.Load(), "at_most", s.parts.Patience)
	ctx, cancel := context.WithTimeout(context.Background(), s.parts.Patience)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		s.parts.Log.Warn("GRAPHPROXY_SHUTDOWN_TIMEOUT is over: the connections of requests still in flight are closed", "in_flight", s.handler.under.Load(), "after", s.parts.Patience)
		_ = server.Close()
	}
	s.handler.wait(2 * time.Second) // their records
	s.parts.Log.Info("stopped")
}

// watch looks at the files that may change, every now and then and on SIGHUP. The credential's own files are looked at by
// the source, which is told of SIGHUP here.
func (s *Server) watch(ctx context.Context, hup <-chan os.Signal) {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-hup:
			s.parts.Log.Info("SIGHUP: looking at all files now")
			s.apps.reload()
			s.parts.Audit.reopen(s.parts.Log)
		case <-tick.C:
		}
		s.parts.Policy.look(ctx)
		if s.parts.Keys != nil {
			s.parts.Keys.look(ctx)
		}
		if s.parts.ClientCA != nil {
			s.parts.ClientCA.look(ctx)
		}
	}
}
