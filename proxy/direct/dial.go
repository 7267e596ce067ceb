package direct

import (
	"context"
	"crypto/tls"
	"net"
)

// sessions is how many TLS sessions are kept for resumption.
const sessions = 64

// clientTLS returns the settings of TLS for HTTP/1.1 alone.
func clientTLS(c *tls.Config) *tls.Config {
	c = c.Clone()
	if c == nil {
		c = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	c.NextProtos = []string{"http/1.1"}
	c.DynamicRecordSizingDisabled = true // a request is sent in one record, and so in one write
	if c.ClientSessionCache == nil {
		c.ClientSessionCache = tls.NewLRUClientSessionCache(sessions)
	}
	return c
}

// dial makes a connection. It is not in the pool yet.
func (t *Transport) dial(ctx context.Context, h host) (*conn, error) {
	name, address := addressOf(h)
	socket, err := t.o.Dial(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	w := newWire(socket)
	c := &conn{t: t, host: h, wire: w, rw: w}
	c.isAlive, c.writeOut = c.alive, c.writeAgain
	c.observer, _ = socket.(Observer)
	if h.scheme == "http" {
		return c, nil
	}
	if c.rw, err = t.handshake(ctx, w, name); err != nil {
		_ = socket.Close()
		return nil, err
	}
	return c, nil
}

func (t *Transport) handshake(ctx context.Context, w *wire, name string) (net.Conn, error) {
	config := t.o.TLS
	if config.ServerName == "" {
		config = config.Clone()
		config.ServerName = name
	}
	secure := tls.Client(w, config)
	limited, cancel := context.WithTimeout(ctx, t.o.HandshakeTimeout)
	defer cancel()
	if err := secure.HandshakeContext(limited); err != nil {
		if ctx.Err() == nil && limited.Err() != nil {
			err = errHandshakeTimeout
		}
		if t.o.Failed != nil {
			t.o.Failed()
		}
		return nil, err
	}
	return secure, nil
}

var errHandshakeTimeout error = timeoutError("the TLS handshake took too long")

// addressOf returns the name of a host without its port, and the address with one.
func addressOf(h host) (name, address string) {
	if name, _, err := net.SplitHostPort(h.name); err == nil {
		return name, h.name
	}
	name = h.name
	if len(name) > 1 && name[0] == '[' && name[len(name)-1] == ']' {
		name = name[1 : len(name)-1]
	}
	port := "443"
	if h.scheme == "http" {
		port = "80"
	}
	return name, net.JoinHostPort(name, port)
}
