package server

import (
	"context"
	"log/slog"
	"net"

	"graphproxy/proxy"
)

// Start is start, without the time that a file must stay as it is.
func (p *PolicyFile) Start(log *slog.Logger, use func(*proxy.Rules) error) {
	p.files.Impatient()
	p.start(log, reach{}, use)
}

// Look is look.
func (p *PolicyFile) Look(ctx context.Context) { p.look(ctx) }

// State is state.
func (p *PolicyFile) State() (hash string, bad error) { return p.state() }

// Rules are those in force.
func (p *PolicyFile) Rules() *proxy.Rules { return p.current.Load().rules }

// Start sets the log, and takes away the time that a file must stay as it is.
func (k *KeyPair) Start(log *slog.Logger) {
	k.log = log
	k.files.Impatient()
}

// Look is look.
func (k *KeyPair) Look(ctx context.Context) { k.look(ctx) }

// Start sets the log, and takes away the time that a file must stay as it is.
func (c *ClientCA) Start(log *slog.Logger) {
	c.log = log
	c.files.Impatient()
}

// Look is look.
func (c *ClientCA) Look(ctx context.Context) { c.look(ctx) }

// WithPeer is withPeer.
func WithPeer(ctx context.Context, c net.Conn) context.Context { return withPeer(ctx, c) }
