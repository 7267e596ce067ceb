//go:build !unix

package direct

import "net"

// Supported reports whether this system has what a Transport needs: a read that does not wait.
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
