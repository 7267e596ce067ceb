package server

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/pires/go-proxyproto"
)

// tlsListener marks a listener with TLS.
type tlsListener struct{ net.Listener }

// OverTLS adds TLS to a listener. config must offer the wanted protocols (NextProtos).
func OverTLS(l net.Listener, config *tls.Config) net.Listener {
	return tlsListener{tls.NewListener(l, config)}
}

// Sockets are the settings of listeners. The zero value is plain HTTP, and unix sockets without an owner.
type Sockets struct {
	TLS     *tls.Config    // on TCP; nil: none
	Proxies []netip.Prefix // these may begin a TCP connection with a PROXY header
	Mode    fs.FileMode    // of unix sockets
}

// Listen opens addresses, host:port or unix:/path, all of them or none. Errors begin with the name of the setting and
// end with the cure.
func Listen(setting string, o Sockets, at ...string) ([]net.Listener, error) {
	var open []net.Listener
	var problems []error
	for _, a := range at {
		l, err := o.open(setting, a)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		open = append(open, l)
	}
	if len(problems) > 0 {
		CloseAll(open)
		return nil, errors.Join(problems...)
	}
	return open, nil
}

func (o Sockets) open(setting, at string) (net.Listener, error) {
	if path, ok := strings.CutPrefix(at, "unix:"); ok {
		l, err := openUnix(path, o.Mode)
		if err != nil {
			return nil, fmt.Errorf("%s: unix:%s: %w", setting, path, err)
		}
		return o.speak(l), nil
	}
	l, err := net.Listen("tcp", at)
	if err != nil {
		return nil, ListenError(setting, err)
	}
	return o.speak(l), nil
}

// behind reads the PROXY protocol, version 1 or 2, at the beginning of connections from these addresses, if it is
// there (https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt). The connection's address is then the one in
// the header. From other addresses the header is neither HTTP nor TLS, and ends the connection.
func behind(l net.Listener, proxies []netip.Prefix) net.Listener {
	return &proxyproto.Listener{
		Listener:          l,
		ReadHeaderTimeout: 10 * time.Second,
		ConnPolicy: func(c proxyproto.ConnPolicyOptions) (proxyproto.Policy, error) {
			from, ok := c.Upstream.(*net.TCPAddr)
			if ok &&
				slices.ContainsFunc(proxies,
					func(p netip.Prefix) bool { return p.Contains(from.AddrPort().Addr().Unmap().WithZone("")) }) {
				return proxyproto.USE, nil
			}
			return proxyproto.SKIP, nil
		},
	}
}

// CloseAll closes listeners.
func CloseAll(open []net.Listener) {
	for _, l := range open {
		_ = l.Close()
	}
}

// ListenError returns the system's error for an address that cannot be listened on, and a cure.
func ListenError(setting string, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%s: %w: stop what listens there, or choose another port", setting, err)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("%s: %w: choose a port from 1024", setting, err)
	}
	return fmt.Errorf("%s: %w: choose an address of this machine", setting, err)
}
