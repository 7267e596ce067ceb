//go:build !unix

package direct

import "net"

// Supported reports whether this system has the read without waiting that a Transport needs.
const Supported = false

type wire struct {
	net.Conn
	waits   bool
	pause   func()
	written int64
}

func (*wire) isQuiet() bool { return false }

func newWire(c net.Conn) *wire { return &wire{Conn: c, waits: true} }

func (*wire) isSocket() bool { return false }

func (*wire) ask(func() bool, func()) bool { return false }
