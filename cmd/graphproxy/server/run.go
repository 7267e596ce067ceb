package server

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"graphproxy/auth/filewatch"
	"graphproxy/proxy"
)

// cutTimeout is how long requests that are cut off may take to answer and to write their records.
const cutTimeout = 2 * time.Second

// Run serves callers and health on open listeners, until ctx ends; then it stops as docs/operations.md describes.
// If ready is not nil it is called once, when connections are accepted and there is a token. The end of hurry
// shortens the stop; it may be nil. Run closes the listeners.
func (s *Server) Run(ctx context.Context, callers []net.Listener, health net.Listener, hurry <-chan struct{},
	ready func()) error {
	// The goroutines that requests in flight need go on until these end.
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

	requests, cut := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cut(nil)
	server, healthServer := proxy.NewServer(s.handler, s.parts.Log), s.admin.server(s.parts.Log)
	withConnection := server.ConnContext
	server.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		return withPeer(withConnection(s.callers.context(ctx, c), c), c)
	}
	server.ConnState, healthServer.ConnState = s.callers.state, s.health.state
	server.BaseContext = func(net.Listener) context.Context { return requests }
	failed := make(chan error, len(callers)+1)
	serve := func(on *http.Server, l net.Listener) {
		running.Go(func() { failed <- on.Serve(l) })
	}
	serve(healthServer, s.health.listen(health))
	for _, l := range callers {
		serve(server, s.callers.listen(l))
	}
	s.pages.serve(background, &running, s.parts.Log)
	s.logStart(callers, health)
	notify(s.parts.Log, daemon.SdNotifyReady)
	running.Go(func() { keepAlive(background, s.parts.Log) })
	running.Go(func() {
		if s.apps.anyToken(ctx) && ready != nil {
			ready()
		}
	})

	var err error
	select {
	case <-ctx.Done():
		s.drain(hurry)
	case err = <-failed: // a listener failed; the others would hide that
		err = fmt.Errorf("serving: %w", err)
	}
	s.stop(server, hurry, cut)
	s.pages.close()
	_ = healthServer.Close()
	return err
}

// logStart logs the version, and the real addresses, because the system chooses the port for port 0.
func (s *Server) logStart(callers []net.Listener, health net.Listener) {
	inForce := s.parts.Policy.inForce().Policy()
	addresses := make([]string, 0, len(callers))
	for _, l := range callers {
		_, encrypted := l.(tlsListener)
		address := l.Addr().String()
		if l.Addr().Network() == "unix" {
			address = "unix:" + address
		}
		addresses = append(addresses, address)
		s.parts.Log.Info("listening", "address", address, "for", "callers", "tls", encrypted)
	}
	s.parts.Log.Info("listening", "address", health.Addr().String(), "for", "health", "tls", false)
	s.parts.Log.Info("started",
		"version", s.parts.Version,
		"policy", inForce.Hash(),
		"mode", modeOf(inForce),
		"listeners", addresses,
		"admin", health.Addr().String(),
		"max_connections", s.callers.most,
	)
}

// drain makes the replica not ready, and serves on for a while, so that load balancers can notice. Answers end
// their connections in that time.
func (s *Server) drain(hurry <-chan struct{}) {
	notify(s.parts.Log, daemon.SdNotifyStopping)
	s.admin.stopping.Store(true)
	s.handler.leaving.Store(true)
	if s.parts.Drain <= 0 {
		return
	}
	s.parts.Log.Info("draining: not ready, and serving on for GRAPHPROXY_DRAIN", "for", s.parts.Drain)
	timer := time.NewTimer(s.parts.Drain)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-hurry:
	}
}

// stop stops serving callers. Health is served until the end, so that load balancers see that this replica is not
// ready. Requests that are still in flight at the end of Patience, or when hurry ends, are cut off by cut.
func (s *Server) stop(server *http.Server, hurry <-chan struct{}, cut context.CancelCauseFunc) {
	s.admin.stopping.Store(true)
	s.handler.leaving.Store(true)
	s.parts.Log.Info("stopping: no new requests, waiting for those in flight",
		"in_flight", s.handler.under.Load(), "at_most", s.parts.Patience)
	ctx, cancel := context.WithTimeout(context.Background(), s.parts.Patience)
	defer cancel()
	hurried := make(chan struct{})
	defer close(hurried)
	go func() {
		select {
		case <-hurry:
			cancel()
		case <-hurried:
		}
	}()
	if err := server.Shutdown(ctx); err != nil {
		s.parts.Log.Warn(cutReason(ctx), "in_flight", s.handler.under.Load())
		s.cutOff(server, cut)
	}
	s.parts.Log.Info("stopped")
}

// cutReason returns why requests in flight are cut off. ctx is the context of the wait for them.
func cutReason(ctx context.Context) string {
	if ctx.Err() == context.DeadlineExceeded { //nolint:errorlint // a context's own error
		return "GRAPHPROXY_SHUTDOWN_TIMEOUT is over: requests still in flight are cut off"
	}
	return "a second signal: requests still in flight are cut off"
}

// cutOff ends the requests in flight. Those whose answer has not begun are answered 503; each leaves its record.
func (s *Server) cutOff(server *http.Server, cut context.CancelCauseFunc) {
	cut(proxy.ErrShutdown)
	ctx, cancel := context.WithTimeout(context.Background(), cutTimeout/4)
	defer cancel()
	_ = server.Shutdown(ctx) // it waits for the answers, too
	_ = server.Close()
	ctx, cancel = context.WithTimeout(context.Background(), cutTimeout)
	defer cancel()
	s.handler.wait(ctx)
}

// watch reloads the files that may change, at an interval and on SIGHUP. The token source reloads the credential's own
// files; watch passes SIGHUP on to it.
func (s *Server) watch(ctx context.Context, hup <-chan os.Signal) {
	tick := time.NewTicker(filewatch.Every)
	defer tick.Stop()
	expiry := certificateLog{log: s.parts.Log}
	for {
		expiry.check(s.certificates(), time.Now())
		select {
		case <-ctx.Done():
			return
		case <-hup:
			s.parts.Log.Info("SIGHUP: looking at all files now")
			s.parts.Audit.reopen()
			s.apps.reload()
		case <-tick.C:
		}
		s.parts.Policy.reload(ctx)
		s.parts.Candidate.reload(ctx)
		if s.parts.Keys != nil {
			s.parts.Keys.reload(ctx)
		}
		if s.parts.ClientCA != nil {
			s.parts.ClientCA.reload(ctx)
		}
		if s.parts.LinkKeys != nil {
			s.parts.LinkKeys.reload(ctx)
		}
	}
}
