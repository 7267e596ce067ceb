// Package server runs the proxy as a process: its listeners, its health, its changing files, its signals and its
// end.
//
// It decides when the process is ready, what it shows operators, when a changed file counts, and how long requests
// may go on when the process stops. Package graphproxy/proxy handles the requests.
package server

import (
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"graphproxy/auth"
	"graphproxy/auth/filewatch"
	"graphproxy/proxy"
	"graphproxy/proxy/redislimit"
)

// Parts are the parts of a Server. All but Candidate, Roots, Public, Unix, PublicURL, Hosts, Headers, MaxConnections,
// Transport, Drain, Audit, Keys, ClientCA, LinkKeys, Tracing and Console must be set.
type Parts struct {
	Version     string // of graphproxy
	Apps        []auth.App
	Graph       string // Graph's root
	Roots       *x509.CertPool
	Policy      *PolicyFile
	Candidate   *CandidateFile // nil: there is none
	Public      bool           // a listener for callers is open to other machines
	Unix        bool           // a listener for callers is a unix socket
	PublicURL   string         // in links; "": that of the request
	Hosts       []string       // further names of the proxy
	Headers     []string
	MaxInFlight int
	// connections of callers that may be open at once; 0: as many as RLIMIT_NOFILE leaves
	MaxConnections int
	Transport      string        // the way to Graph, see proxy.Config
	Drain          time.Duration // how long callers are still served after the signal to stop
	Patience       time.Duration // how long requests in flight may go on after that
	Audit          *AuditLog
	Keys           *KeyPair
	ClientCA       *ClientCA
	LinkKeys       *LinkKeyFile       // nil: the credentials give the keys that links are marked with
	Redis          redislimit.Address // for limits that are shared with other replicas
	RedisDeny      bool               // refuse requests that a limit covers while Redis is gone
	RedisWait      time.Duration      // for an answer of Redis; 0: 100 ms
	Replicas       int                // the least number; 0: 1
	Log            *slog.Logger
	Tracing        *proxy.Tracing // nil: requests are not traced
	Console        *Console       // nil: there is no console
}

// Server is a proxy that can serve callers and health. Make it with New.
type Server struct {
	parts    Parts
	apps     *apps
	proxy    *proxy.Handler
	handler  *counted // of proxy
	admin    *admin
	limits   limits
	callers  *connections
	health   *connections
	pages    *pages // nil: there is no console
	inFlight int    // requests in flight, at most
}

// New makes a Server. It reads the credential and opens no connection.
func New(p Parts) (*Server, error) {
	apps, err := newApps(p.Apps, auth.Options{Roots: p.Roots, Log: p.Log, Poll: filewatch.Every}, p.LinkKeys)
	if err != nil {
		return nil, err
	}
	if err := apps.use(p.Policy.inForce().Policy()); err != nil {
		return nil, err
	}
	graph, err := url.Parse(p.Graph)
	if err != nil {
		return nil, errors.New("the address of Graph is not a URL")
	}
	hosts, err := proxy.NewHosts(p.PublicURL, p.Hosts)
	if err != nil {
		return nil, fmt.Errorf("GRAPHPROXY_HOSTS: %w", err)
	}
	limit := descriptorLimit()
	share, err := shareDescriptors(limit, &p)
	if err != nil {
		return nil, err
	}
	share.warn(limit, &p)
	a := newAdmin(&p, apps, hosts)
	limits, err := openLimits(p, a.registry)
	if err != nil {
		return nil, err
	}
	a.redis = limits.redis
	s := &Server{
		parts:    p,
		apps:     apps,
		admin:    a,
		limits:   limits,
		callers:  newConnections("callers", share.callers, p.Log),
		health:   newConnections("admin", share.admin, p.Log),
		inFlight: share.inFlight,
	}
	if s.pages, err = newPages(&p, hosts, consoleSource{s}); err != nil {
		return nil, err
	}
	config := p.config(graph, apps, limits, share, a)
	config.Audit = s.auditWriter()
	if s.proxy, err = proxy.New(config); err != nil {
		return nil, err
	}
	p.start(apps, s.proxy)
	s.handler = newCounted(s.proxy)
	a.registry.MustRegister(newCertificateCollector(s.certificates), newConnectionCollector(s.callers, s.health))
	return s, nil
}

// config returns the settings of the handler.
func (p *Parts) config(graph *url.URL, apps *apps, l limits, share descriptors, a *admin) proxy.Config {
	return proxy.Config{
		Graph:          graph,
		Apps:           apps,
		Authorization:  p.Policy.inForce(),
		Buckets:        l.buckets(),
		Throttle:       l.throttle,
		PublicURL:      p.PublicURL,
		Hosts:          p.Hosts,
		ForwardHeaders: p.Headers,
		MaxInFlight:    share.inFlight,
		KeptToGraph:    share.kept,
		Transport:      p.Transport,
		Roots:          p.Roots,
		AuditFailure:   p.Audit.refusal,
		Log:            p.Log,
		Metrics:        a.registry,
		Tracing:        p.Tracing,
	}
}

// start makes the files that change log, and puts each policy that is loaded from now on in force.
func (p *Parts) start(apps *apps, h *proxy.Handler) {
	ways := reach{public: p.Public, unix: p.Unix, certificates: p.ClientCA != nil, encrypted: p.Keys != nil}
	p.Policy.start(p.Log, ways, func(a *proxy.Authorization) error {
		if err := apps.use(a.Policy()); err != nil {
			return err
		}
		h.Use(a)
		return nil
	})
	p.Candidate.start(p.Log, h.UseCandidate)
	if p.Keys != nil {
		p.Keys.log = p.Log
	}
	if p.ClientCA != nil {
		p.ClientCA.log = p.Log
	}
	if p.LinkKeys != nil {
		p.LinkKeys.log = p.Log
	}
}
