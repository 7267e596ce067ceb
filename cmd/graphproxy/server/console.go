package server

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"graphproxy/cmd/graphproxy/console"
	"graphproxy/policy/analysis/lint"
	"graphproxy/policy/analysis/permissions"
	"graphproxy/proxy"
)

// consoleConnections is how many connections the console's listener may have: each browser has a few, one of them for
// events.
const consoleConnections = 128

// Console are the settings of the console.
type Console struct {
	Open        bool              // it listens on loopback only, and needs no sign-in
	Permissions *permissions.Data // Microsoft's list; nil: that of frequent operations
}

// pages is the console as the server runs it.
type pages struct {
	*console.Console
	connections *connections
	listener    net.Listener // nil: none was added
	server      *http.Server
}

// newPages returns nil if there is no console.
func newPages(p *Parts, hosts proxy.Hosts, source console.Source) (*pages, error) {
	if p.Console == nil {
		return nil, nil
	}
	c, err := console.New(console.Options{
		Source:      source,
		Hosts:       hosts,
		Open:        p.Console.Open,
		Permissions: p.Console.Permissions,
		Log:         p.Log,
	})
	if err != nil {
		return nil, err
	}
	return &pages{Console: c, connections: newConnections("console", consoleConnections, p.Log)}, nil
}

// ServeConsole makes Run serve the console on l, which Run closes. It must be called before Run, and only if
// Parts.Console is set.
func (s *Server) ServeConsole(l net.Listener) { s.pages.listener = l }

// serve serves the console until it is closed. Without a listener it does nothing.
func (c *pages) serve(ctx context.Context, running *sync.WaitGroup, log *slog.Logger) {
	if c == nil || c.listener == nil {
		return
	}
	c.server = &http.Server{
		Handler:           c.Console,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second, // event streams set a time for each event
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ConnState:         c.connections.state,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
	_, encrypted := c.listener.(tlsListener)
	log.Info("listening", "address", c.listener.Addr().String(), "for", "console", "tls", encrypted)
	running.Go(func() { c.Run(ctx) })
	running.Go(func() {
		if err := c.server.Serve(c.connections.listen(c.listener)); err != http.ErrServerClosed {
			log.Error("the console is not served any more", "error", err, "cure", "restart graphproxy")
		}
	})
}

// close ends the console and its streams. It may be nil.
func (c *pages) close() {
	if c != nil && c.server != nil {
		_ = c.server.Close()
	}
}

// auditWriter returns the writer of audit lines: that of the log, and the console's.
func (s *Server) auditWriter() io.Writer {
	log := s.parts.Audit.writer()
	switch {
	case s.pages == nil:
		return log
	case log == nil:
		return s.pages.Records()
	}
	return shownToo{log, s.pages.Records()}
}

// shownToo writes lines to the log, and to the console, which takes them in any case.
type shownToo struct {
	log   io.Writer
	shown io.Writer
}

// Write implements io.Writer.
func (w shownToo) Write(lines []byte) (int, error) {
	_, _ = w.shown.Write(lines)
	return w.log.Write(lines)
}

// consoleSource is what the console sees of a server. The server is complete when the first page is served.
type consoleSource struct{ s *Server }

// Authorization implements console.Source.
func (c consoleSource) Authorization() *proxy.Authorization { return c.s.parts.Policy.inForce() }

// State implements console.Source.
func (c consoleSource) State() console.State {
	s := c.s
	state := console.State{
		Version:     s.parts.Version,
		Policy:      s.parts.Policy.shown(),
		Candidate:   s.parts.Candidate.shown(),
		Work:        s.proxy.Work(),
		MaxInFlight: s.inFlight,
	}
	for _, source := range s.apps.all() {
		state.Tokens = append(state.Tokens, tokenShown(appStateOf(source.Status())))
	}
	for _, one := range s.certificates() {
		state.Certificates = append(state.Certificates, certificateShown(one))
	}
	if r := redisStateOf(s.limits.redis); r != nil {
		state.Replicas = &console.Replicas{Shared: r.Shared, Count: r.Replicas, Since: r.Since, Problem: r.Error}
	}
	return state
}

// shown returns the policy in force and its files for the console.
func (p *PolicyFile) shown() console.PolicyState {
	now := p.state()
	s := console.PolicyState{
		File:   p.path,
		Policy: now.policy(),
		Files:  now.files,
		Since:  now.since,
		Check: lint.Options{
			Public:  p.reach.public,
			Plain:   p.reach.public && !p.reach.encrypted,
			Keyless: p.keyless(),
		},
	}
	if now.bad != nil {
		s.Problem = now.bad.Error()
	}
	return s
}

// shown returns the candidate and its files for the console; nil if there is none.
func (c *CandidateFile) shown() *console.CandidateState {
	now := c.state()
	if now == nil {
		return nil
	}
	s := &console.CandidateState{File: c.path, Files: now.files, Since: now.since}
	if now.authorization != nil {
		s.Policy = now.authorization.Policy()
	}
	if now.bad != nil {
		s.Problem = now.bad.Error()
	}
	return s
}

// keyless returns the names of the app registrations whose links cannot be marked.
func (p *PolicyFile) keyless() []string {
	var names []string
	for _, a := range p.apps {
		if !p.keyed && a.LacksLinkKey() {
			names = append(names, a.Name)
		}
	}
	return names
}

func tokenShown(s appState) console.Token {
	t := console.Token{App: s.App, Tenant: s.Tenant, Ready: s.Ready, Roles: s.Roles}
	if s.Expires != nil {
		t.Expires = *s.Expires
	}
	for _, text := range [...]string{s.Cause, s.Cure, s.CredentialFile} {
		if t.Problem != "" && text != "" {
			t.Problem += ": "
		}
		t.Problem += text
	}
	return t
}

func certificateShown(c certificate) console.Certificate {
	uses := map[string]string{
		"credential": "credential of an app registration",
		"tls":        "of the proxy itself, for its callers",
		"client_ca":  "CA of client certificates",
	}
	shown := console.Certificate{Use: uses[c.use], App: c.app, Tenant: c.tenant, Ends: c.ends}
	if !c.inForce {
		shown.Problem = "the present content of its file is not in use; the log of the proxy has the reason"
	}
	return shown
}
