package proxy

import (
	"context"
	"crypto/tls"
	"net"
	"sync/atomic"

	"graphproxy/proxy/meter"
)

// dialFunc makes a connection, as http.Transport.DialContext does.
type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// counted returns dial with its connections counted.
func (dial dialFunc) counted(n *meter.Connections) dialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := dial(ctx, network, address)
		if err != nil {
			n.Failed.Add(1)
			return nil, err
		}
		n.Dialled.Add(1)
		n.Open.Add(1)
		return &connection{Conn: c, counts: n}, nil
	}
}

// connection is a connection to Graph that is counted. It is safe for concurrent use.
type connection struct {
	net.Conn
	counts *meter.Connections
	closed atomic.Bool
	idle   atomic.Bool
}

// connectionOf returns the counted connection below what a transport uses; nil if it is not counted.
func connectionOf(c net.Conn) *connection {
	if secure, ok := c.(*tls.Conn); ok {
		c = secure.NetConn()
	}
	counted, _ := c.(*connection)
	return counted
}

// Rest records that the connection waits for the next request.
func (c *connection) Rest() {
	if c != nil && c.idle.CompareAndSwap(false, true) {
		c.counts.Idle.Add(1)
	}
	if c != nil && c.closed.Load() { // it was closed in the same moment
		c.Work(false)
	}
}

// Work records that the connection carries a request again, or is closed.
func (c *connection) Work(reused bool) {
	if c == nil {
		return
	}
	if c.idle.CompareAndSwap(true, false) {
		c.counts.Idle.Add(-1)
	}
	if reused {
		c.counts.Reused.Add(1)
	}
}

// NetConn returns the connection that is counted.
func (c *connection) NetConn() net.Conn { return c.Conn }

// Close closes the connection.
func (c *connection) Close() error {
	if c.closed.CompareAndSwap(false, true) {
		c.counts.Open.Add(-1)
		c.Work(false)
	}
	return c.Conn.Close()
}
