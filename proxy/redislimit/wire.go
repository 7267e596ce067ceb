package redislimit

import (
	"bytes"
	"context"
	"crypto/tls"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
)

// wire notices when a command is written to Redis. The time for its answer counts from then, and not from when the
// command began to wait for a connection, which over a distance needs several round trips.
type wire struct {
	replica []byte   // leases begin with it
	waiting sync.Map // chan struct{} by lease, closed when its command is written
}

// expect returns a channel that is closed when the command with this lease is written.
func (w *wire) expect(lease string) <-chan struct{} {
	written := make(chan struct{})
	w.waiting.Store(lease, written)
	return written
}

// forget ends the wait for a command that may never be written.
func (w *wire) forget(lease string) { w.waiting.Delete(lease) }

// wrote searches for leases in what was written.
func (w *wire) wrote(p []byte) {
	for {
		i := bytes.Index(p, w.replica)
		if i < 0 {
			return
		}
		lease, rest, _ := bytes.Cut(p[i:], []byte("\r"))
		if written, found := w.waiting.LoadAndDelete(string(lease)); found {
			close(written.(chan struct{})) //nolint:forcetypeassert // expect stores nothing else
		}
		p = rest
	}
}

// dialer makes connections that report to w what is written.
func (w *wire) dialer(o *redis.UniversalOptions) func(context.Context, string, string) (net.Conn, error) {
	plain := &net.Dialer{Timeout: o.DialTimeout, KeepAlive: time.Minute}
	dial := plain.DialContext
	if o.TLSConfig != nil {
		dial = (&tls.Dialer{NetDialer: plain, Config: o.TLSConfig}).DialContext
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		if raw, ok := c.(syscall.Conn); ok {
			return noticedSocket{noticed{c, w}, raw}, nil
		}
		return noticed{c, w}, nil
	}
}

type noticed struct {
	net.Conn
	wire *wire
}

func (c noticed) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.wire.wrote(p[:n])
	return n, err
}

// noticedSocket lets go-redis see whether the other side has closed the connection.
type noticedSocket struct {
	noticed
	raw syscall.Conn
}

func (c noticedSocket) SyscallConn() (syscall.RawConn, error) { return c.raw.SyscallConn() }
