package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/pires/go-proxyproto"

	"graphproxy/auth/caller"
)

// maxSocketPath is what fits into sun_path with a zero at its end: see unix(7).
const maxSocketPath = 107

// openUnix listens on a unix socket. Its mode is set from the beginning. A socket on which no process listens any
// more is replaced. It is removed when the listener is closed.
func openUnix(path string, mode fs.FileMode) (net.Listener, error) {
	if len(path) > maxSocketPath {
		return nil, fmt.Errorf("the path is longer than the %d bytes that a socket's may have: choose a shorter one",
			maxSocketPath)
	}
	if err := clearSocket(path); err != nil {
		return nil, err
	}
	l, err := listenUnix(path, mode)
	switch {
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EROFS):
		return nil, errors.New(
			"the directory cannot be written to: let the user that graphproxy runs as write there, or choose another path",
		)
	case errors.Is(err, syscall.ENOENT):
		return nil, errors.New("the directory is not there: create it, or choose another path")
	}
	return l, err
}

// clearSocket removes a socket that a process left behind, and no other file.
func clearSocket(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return pathError(err)
	case info.Mode()&fs.ModeSocket == 0:
		return errors.New("there is a file that is no socket: remove it, or choose another path")
	}
	c, err := net.DialTimeout("unix", path, 2*time.Second)
	switch {
	case err == nil:
		_ = c.Close()
		return errors.New("another process listens there: stop it, or choose another path")
	case !errors.Is(err, syscall.ECONNREFUSED):
		return errors.New(
			"whether a process listens on the socket that is there cannot be found out: remove it, or choose another path",
		)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("the socket that another process left there %w", pathError(err))
	}
	return nil
}

// pathError returns what the operating system reports, without the path, which the message has already.
func pathError(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	return fmt.Errorf("cannot be reached: %w", err)
}

// withPeer adds facts about a connection to the context of its requests (http.Server.ConnContext): the user at the
// other end of a unix socket, and the trusted proxy that began it with a PROXY header. If the kernel does not
// report the user, unix identities fail.
func withPeer(ctx context.Context, c net.Conn) context.Context {
	c = rawConn(c)
	if proxied, ok := c.(*proxyproto.Conn); ok {
		return withProxy(ctx, proxied)
	}
	u, ok := c.(*net.UnixConn)
	if !ok {
		return ctx
	}
	p, err := peerOf(u)
	if err != nil {
		return ctx
	}
	return caller.WithPeer(ctx, p)
}

// withProxy adds the address of the TCP peer of a connection that may begin with a PROXY header. It does not read: the
// header is read with the first request.
func withProxy(ctx context.Context, c *proxyproto.Conn) context.Context {
	address, ok := c.Raw().RemoteAddr().(*net.TCPAddr)
	if !ok {
		return ctx
	}
	return caller.WithProxy(ctx, address.AddrPort().Addr())
}
