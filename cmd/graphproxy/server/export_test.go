package server

import (
	"context"
	"crypto/x509"
	"log/slog"
	"net"
	"time"

	"graphproxy/proxy"
)

// Start is start, without the time that a file must stay as it is.
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

// Start sets the log, and takes away the time that a file must stay as it is.
func (k *KeyPair) Start(log *slog.Logger) {
	k.log = log
	k.files.Impatient()
}

// Reload is reload.
func (k *KeyPair) Reload(ctx context.Context) { k.reload(ctx) }

// Start sets the log, and takes away the time that a file must stay as it is.
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

// Check is what watch calls at each look, with one certificate of the given use.
func (l *CertificateLog) Check(use string, begins, ends, now time.Time) {
	c := certificate{use: use, begins: begins, ends: ends, inForce: true}
	if use == "credential" {
		c.app, c.tenant = "default", "contoso.com"
	}
	l.l.check([]certificate{c}, now)
}

// TimeOfCAs is timeOfCAs.
func TimeOfCAs(cas []*x509.Certificate) (begins, ends time.Time) { return timeOfCAs(cas) }
