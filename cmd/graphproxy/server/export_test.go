package server

import (
	"context"
	"log/slog"
	"net"

	"graphproxy/proxy"
)

// Settle is how long a changed file must stay as it is.
const Settle = settleTime

// FileSet is a fileSet.
type FileSet struct{ fileSet }

// Watch returns a FileSet of files as they are now.
func Watch(names ...string) (*FileSet, error) {
	f := &FileSet{newFileSet(names...)}
	_, err := f.read()
	return f, err
}

// Changed is changed.
func (f *FileSet) Changed(ctx context.Context) ([][]byte, error) { return f.changed(ctx) }

// Start is start, without the time that a file must stay as it is.
func (p *PolicyFile) Start(log *slog.Logger, use func(*proxy.Rules) error) {
	p.files.settle = 0
	p.start(log, reach{}, use)
}

// Look is look.
func (p *PolicyFile) Look(ctx context.Context) { p.look(ctx) }

// State is state.
func (p *PolicyFile) State() (hash string, bad error) { return p.state() }

// Rules are those in force.
func (p *PolicyFile) Rules() *proxy.Rules { return p.rules }

// Start sets the log, and takes away the time that a file must stay as it is.
func (k *KeyPair) Start(log *slog.Logger) { k.log, k.files.settle = log, 0 }

// Look is look.
func (k *KeyPair) Look(ctx context.Context) { k.look(ctx) }

// Start sets the log, and takes away the time that a file must stay as it is.
func (c *ClientCA) Start(log *slog.Logger) { c.log, c.files.settle = log, 0 }

// Look is look.
func (c *ClientCA) Look(ctx context.Context) { c.look(ctx) }

// WithPeer is withPeer.
func WithPeer(ctx context.Context, c net.Conn) context.Context { return withPeer(ctx, c) }
