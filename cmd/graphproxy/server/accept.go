package server

import (
	"errors"
	"net"
	"slices"
	"sync/atomic"
	"syscall"
	"time"
)

// cappedListener accepts no more connections than connections allows. It goes on after errors that pass.
type cappedListener struct {
	net.Listener
	of     *connections
	closed atomic.Bool
	ended  chan struct{}

	// For the goroutine that accepts.
	failures int       // in succession
	since    time.Time // the first of them
}

// listen returns l with its connections counted in k. Each listener must be taken by a server that has k.state as its
// ConnState.
func (k *connections) listen(l net.Listener) net.Listener {
	return &cappedListener{Listener: l, of: k, ended: make(chan struct{})}
}

// Accept implements net.Listener.
func (l *cappedListener) Accept() (net.Conn, error) {
	for l.of.await(&l.closed) {
		c, err := l.Listener.Accept()
		if err == nil {
			l.recovered()
			if l.of.admit(c, &l.closed) {
				return c, nil
			}
			_ = c.Close()
			break
		}
		if !passes(err) {
			return nil, err
		}
		l.failed(err)
	}
	return nil, net.ErrClosed
}

// Close implements net.Listener.
func (l *cappedListener) Close() error {
	if l.closed.CompareAndSwap(false, true) {
		close(l.ended)
	}
	l.of.wake()
	return l.Listener.Close()
}

// failed counts an error of accept, logs the first in succession, frees a descriptor if that is what is missing, and
// waits before the next attempt.
func (l *cappedListener) failed(err error) {
	l.of.failed.Add(1)
	if l.failures++; l.failures == 1 {
		l.since = time.Now()
		l.of.log.Error("no connection can be accepted", "listener", l.of.listener, "error", err, "cure", acceptCure(err))
	}
	if exhausted(err) {
		l.of.evict()
	}
	pause := time.NewTimer(min(5*time.Millisecond<<min(l.failures-1, 10), time.Second))
	defer pause.Stop()
	select {
	case <-pause.C:
	case <-l.ended:
	}
}

// recovered logs the end of errors.
func (l *cappedListener) recovered() {
	if l.failures > 0 {
		l.of.log.Info("connections are accepted again", "listener", l.of.listener, "failures", l.failures,
			"after", time.Since(l.since).Round(time.Millisecond))
		l.failures = 0
	}
}

// exhausted reports whether descriptors are used up, those of the process or those of the machine.
func exhausted(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}

func acceptCure(err error) string {
	switch {
	case errors.Is(err, syscall.EMFILE):
		return "raise RLIMIT_NOFILE (LimitNOFILE= in a systemd unit, ulimit -n in a shell)"
	case errors.Is(err, syscall.ENFILE):
		return "raise the machine's limit of open files (fs.file-max on Linux), or find the process that has so many open"
	}
	return "see to the network and the memory of the machine; graphproxy tries again by itself"
}

// passes reports whether the listener is good after an error: accept(2) reports errors of the connection that it was to
// accept, too, and a lack of descriptors or memory.
func passes(err error) bool {
	var number syscall.Errno
	if !errors.As(err, &number) {
		return false
	}
	return number.Temporary() || slices.Contains([]syscall.Errno{
		syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED, syscall.EPROTO,
		syscall.ENETDOWN, syscall.ENETUNREACH, syscall.EHOSTDOWN, syscall.EHOSTUNREACH, syscall.ENOPROTOOPT,
		syscall.EOPNOTSUPP, syscall.EPERM,
	}, number)
}
