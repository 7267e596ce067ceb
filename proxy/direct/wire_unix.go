//go:build unix

package direct

import (
	"io"
	"net"
	"os"
	"syscall"
)

// Supported reports whether this system has the read without waiting that a Transport needs.
const Supported = true

// wire is a TCP connection whose reads can return without waiting. One goroutine reads and writes at a time.
type wire struct {
	net.Conn
	raw     syscall.RawConn       // nil: it is no socket
	try     func(fd uintptr) bool // the method value of tryRead, made once
	waits   bool                  // a read waits until there is something to read
	pause   func()                // called before a read waits; may be nil
	paused  bool                  // in this read
	written int64

	p   []byte // the buffer of tryRead
	n   int
	err error

	tryAsk func(fd uintptr) bool // the method value of askOnce, made once
	alive  func() bool           // of ask
	send   func()                // of ask
	asked  bool                  // askOnce was called
	sent   bool                  // it called send
	within bool                  // alive is being called; Read uses fd
	fd     uintptr
}

// newWire makes a wire of a connection from Dial. A wrapper of a socket must have a method NetConn, as tls.Conn
// has.
func newWire(c net.Conn) *wire {
	w := &wire{Conn: c, waits: true}
	for {
		within, ok := c.(interface{ NetConn() net.Conn })
		if !ok {
			break
		}
		c = within.NetConn()
	}
	if socket, ok := c.(syscall.Conn); ok {
		if raw, err := socket.SyscallConn(); err == nil {
			w.raw, w.try, w.tryAsk = raw, w.tryRead, w.askOnce
		}
	}
	return w
}

// isSocket reports whether the end of the connection can be noticed. Otherwise it carries one request.
func (w *wire) isSocket() bool { return w.raw != nil }

// Read implements net.Conn. If waits is false and there is nothing to read, the error is errWouldWait.
func (w *wire) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if w.raw == nil {
		return w.readWaiting(p)
	}
	w.p, w.n, w.err, w.paused = p, 0, nil, false
	var err error
	if w.within {
		w.tryRead(w.fd)
	} else {
		err = w.raw.Read(w.try)
	}
	w.p = nil
	if err == nil {
		err = w.err
	}
	return w.n, err
}

// readWaiting is Read for a connection that is no socket: whether there is something to read is unknown.
func (w *wire) readWaiting(p []byte) (int, error) {
	if !w.waits {
		return 0, errWouldWait
	}
	if w.pause != nil {
		w.pause()
	}
	return w.Conn.Read(p)
}

// tryRead reads once. It reports false if the reader must wait.
func (w *wire) tryRead(fd uintptr) bool {
	for {
		n, err := syscall.Read(int(fd), w.p)
		switch {
		case err == syscall.EINTR: //nolint:errorlint // a bare errno
			continue
		case err == syscall.EAGAIN && w.waits: //nolint:errorlint // likewise
			if w.pause != nil && !w.paused {
				w.paused = true
				w.pause()
			}
			return false
		case err == syscall.EAGAIN: //nolint:errorlint // likewise
			w.err = errWouldWait
		case err != nil:
			w.err = &net.OpError{Op: "read", Net: "tcp", Addr: w.RemoteAddr(), Err: os.NewSyscallError("read", err)}
		case n == 0:
			w.err = io.EOF
		default:
			w.n = n
		}
		return true
	}
}

// ask calls send if alive reports true, and then waits until there is something to read. Alive must call Read while
// waits is false, and report true if there was nothing to read. Ask reports whether it called send; an error of the
// wait shows in the next Read.
//
// The check, the write and the wait are within one read of the socket: what comes after the check ends the wait, and so
// nothing needs to be read in vain before it.
func (w *wire) ask(alive func() bool, send func()) bool {
	w.alive, w.send, w.asked, w.sent = alive, send, false, false
	_ = w.raw.Read(w.tryAsk)
	w.alive, w.send = nil, nil
	return w.sent
}

// askOnce reports true when ask need not wait any longer.
func (w *wire) askOnce(fd uintptr) bool {
	if w.asked {
		return true
	}
	w.asked = true
	w.fd, w.within = fd, true
	alive := w.alive()
	w.within = false
	if !alive {
		return true
	}
	w.sent = true
	w.send()
	return false
}

// isQuiet reports whether no bytes have come and the other side has not ended the connection. It reads nothing, and
// may be called while another goroutine reads.
func (w *wire) isQuiet() bool {
	quiet := false
	err := w.raw.Control(func(fd uintptr) {
		var one [1]byte
		_, _, err := syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		quiet = err == syscall.EAGAIN || err == syscall.EINTR //nolint:errorlint // a bare errno
	})
	return err == nil && quiet
}

func (w *wire) Write(p []byte) (int, error) {
	n, err := w.Conn.Write(p)
	w.written += int64(n)
	return n, err
}
