package server

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"syscall"
)

// tlsListener tells that a listener speaks TLS.
type tlsListener struct{ net.Listener }

// OverTLS speaks TLS on a listener. config must offer the protocols that are wanted (NextProtos).
func OverTLS(l net.Listener, config *tls.Config) net.Listener {
	return tlsListener{tls.NewListener(l, config)}
}

// Listen opens TCP addresses (host:port), all of them or none. With a config they speak TLS. Errors begin with the name of
// the setting and end with the cure.
func Listen(setting string, config *tls.Config, at ...string) ([]net.Listener, error) {
	var open []net.Listener
	var problems []error
	for _, a := range at {
		l, err := net.Listen("tcp", a)
		if err != nil {
			problems = append(problems, ListenError(setting, err))
			continue
		}
		if config != nil {
			l = OverTLS(l, config)
		}
		open = append(open, l)
	}
	if len(problems) > 0 {
		CloseAll(open)
		return nil, errors.Join(problems...)
	}
	return open, nil
}

// CloseAll closes listeners.
func CloseAll(open []net.Listener) {
	for _, l := range open {
		_ = l.Close()
	}
}

// ListenError is the system's word on an address that cannot be listened on, and a cure.
func ListenError(setting string, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%s: %w: stop what listens there, or choose another port", setting, err)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("%s: %w: choose a port from 1024", setting, err)
	}
	return fmt.Errorf("%s: %w: choose an address of this machine", setting, err)
}
