package server

import (
	"context"
	"crypto/x509"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"graphproxy/auth"
	"graphproxy/proxy"
)

// Start is start, without the time that a file must stay unchanged.
func (p *PolicyFile) Start(log *slog.Logger, use func(*proxy.Authorization) error) {
	p.files.Impatient()
	p.start(log, reach{}, use)
}

// Reload is reload.
func (p *PolicyFile) Reload(ctx context.Context) { p.reload(ctx) }

// State is state.
func (p *PolicyFile) State() (hash string, bad error) {
	now := p.state()
	return now.policy().Hash(), now.bad
}

// Authorization returns the one in force.
func (p *PolicyFile) Authorization() *proxy.Authorization { return p.current.Load().authorization }

// Start sets the log, and removes the time that a file must stay unchanged.
func (k *KeyPair) Start(log *slog.Logger) {
	k.log = log
	k.files.Impatient()
}

// Reload is reload.
func (k *KeyPair) Reload(ctx context.Context) { k.reload(ctx) }

// Start sets the log, and removes the time that a file must stay unchanged.
func (c *ClientCA) Start(log *slog.Logger) {
	c.log = log
	c.files.Impatient()
}

// Reload is reload.
func (c *ClientCA) Reload(ctx context.Context) { c.reload(ctx) }

// WithPeer is withPeer.
func WithPeer(ctx context.Context, c net.Conn) context.Context { return withPeer(ctx, c) }

// LostLines is lostLines.
func LostLines(n int) []byte { return lostLines(n) }

// CertificateLog is certificateLog, for one certificate of an app.
type CertificateLog struct{ l certificateLog }

// NewCertificateLog logs to log.
func NewCertificateLog(log *slog.Logger) *CertificateLog {
	return &CertificateLog{certificateLog{log: log}}
}

// Check is the call of watch at each check, with one certificate of the given use.
func (l *CertificateLog) Check(use string, begins, ends, now time.Time) {
	c := certificate{use: use, begins: begins, ends: ends, inForce: true}
	if use == "credential" {
		c.app, c.tenant = "default", "contoso.com"
	}
	l.l.check([]certificate{c}, now)
}

// TimeOfCAs is timeOfCAs.
func TimeOfCAs(cas []*x509.Certificate) (begins, ends time.Time) { return timeOfCAs(cas) }

// Connections is connections.
type Connections struct{ k *connections }

// NewConnections makes one for callers.
func NewConnections(most int, log *slog.Logger) Connections {
	return Connections{newConnections("callers", most, log)}
}

// Server returns a server whose connections are counted.
func (c Connections) Server(h http.Handler) *http.Server {
	return &http.Server{
		Handler:   newCounted(h),
		ConnState: c.k.state,
		ConnContext: func(ctx context.Context, conn net.Conn) context.Context {
			return withPeer(c.k.context(ctx, conn), conn)
		},
		ErrorLog:          log.New(io.Discard, "", 0),
		ReadHeaderTimeout: time.Minute,
	}
}

// Listen is listen.
func (c Connections) Listen(l net.Listener) net.Listener { return c.k.listen(l) }

// Admit is admit.
func (c Connections) Admit(conn net.Conn) bool { return c.k.admit(conn, new(atomic.Bool)) }

// State is state.
func (c Connections) State(conn net.Conn, state http.ConnState) { c.k.state(conn, state) }

// Context is context.
func (c Connections) Context(ctx context.Context, conn net.Conn) context.Context {
	return c.k.context(ctx, conn)
}

// Evict is evict.
func (c Connections) Evict() { c.k.evict() }

// Open returns the number of open connections, and how many of them are idle.
func (c Connections) Open() (open, idle int64) { return c.k.open.Load(), c.k.idle.Load() }

// Counted returns what metrics count: connections closed for others, pauses, and errors of accept.
func (c Connections) Counted() (evicted, paused, failed int64) {
	return c.k.evicted.Load(), c.k.paused.Load(), c.k.failed.Load()
}

// NewCounted is newCounted.
func NewCounted(next http.Handler) http.Handler { return newCounted(next) }

// ShareDescriptors is shareDescriptors: connections of callers, of the admin listener, requests in flight, and
// connections to Graph that are kept. Enough is the limit that its warning names.
func ShareDescriptors(limit int, p Parts) (callers, admin, inFlight, kept, enoughFor int, err error) {
	d, err := shareDescriptors(limit, &p)
	return d.callers, d.admin, d.inFlight, d.kept, enough(&p), err
}

// Keys is keys.
func (f *LinkKeyFile) Keys() []auth.LinkKey { return f.keys() }

// Start sets the log, and takes away the time that a file must stay as it is.
func (f *LinkKeyFile) Start(log *slog.Logger) {
	f.log = log
	f.files.Impatient()
}

// Reload is reload.
func (f *LinkKeyFile) Reload(ctx context.Context) { f.reload(ctx) }

// Start is start, without the time that a file must stay unchanged.
func (c *CandidateFile) Start(log *slog.Logger, use func(*proxy.Authorization)) {
	c.files.Impatient()
	c.start(log, use)
}

// Reload is reload.
func (c *CandidateFile) Reload(ctx context.Context) { c.reload(ctx) }

// State is state.
func (c *CandidateFile) State() (hash string, bad error) {
	now := c.state()
	return now.hash(), now.bad
}
