//go:build unix

package direct_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"graphproxy/proxy/direct"
)

// server answers the first request of its first connection with text, and every other request with 204.
type server struct {
	pieces []string // of the answer; each is written when the one before has been read
	closes bool     // it closes the connection after the answer

	between func(net.Conn) // called when they are written; may be nil

	dialled atomic.Int32
	written chan struct{} // closed when the answer is written
	ended   sync.WaitGroup
}

func newServer(closes bool, pieces ...string) *server {
	return &server{pieces: pieces, closes: closes, written: make(chan struct{})}
}

// transport is one that reaches s.
func (s *server) transport(t testing.TB, o direct.Options) *direct.Transport {
	t.Helper()
	o.Dial, o.Other = s.dial, noTransport{}
	d := direct.New(o)
	t.Cleanup(func() { d.CloseIdleConnections(); s.ended.Wait() })
	return d
}

func (s *server) dial(context.Context, string, string) (net.Conn, error) {
	client, far, err := socketPair()
	if err != nil {
		return nil, err
	}
	first := s.dialled.Add(1) == 1
	s.ended.Go(func() { s.serve(client, far, first) })
	return client, nil
}

func (s *server) serve(client, c net.Conn, first bool) {
	defer c.Close()
	in := bufio.NewReader(c)
	for {
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		if !first {
			_, _ = io.WriteString(c, "HTTP/1.1 204 No Content\r\n\r\n")
			continue
		}
		first = false
		for _, piece := range s.pieces {
			_, _ = io.WriteString(c, piece)
			waitUntilRead(client)
		}
		if s.between != nil {
			s.between(c)
		}
		if s.closes {
			_ = c.Close()
		}
		close(s.written)
	}
}

// socketPair returns the ends of a connection.
func socketPair() (client, server net.Conn, err error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		return nil, nil, err
	}
	var ends [2]net.Conn
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "socket")
		c, err := net.FileConn(f)
		_ = f.Close()
		if err != nil {
			return nil, nil, err
		}
		ends[i] = c
	}
	return ends[0], ends[1], nil
}

// waitUntilRead waits until the client has read all that was written to it, or is closed.
func waitUntilRead(client net.Conn) {
	raw, err := client.(syscall.Conn).SyscallConn()
	for err == nil {
		empty := false
		err = raw.Control(func(fd uintptr) {
			var one [1]byte
			_, _, err := syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
			empty = errors.Is(err, syscall.EAGAIN)
		})
		if empty {
			return
		}
		time.Sleep(time.Microsecond)
	}
}

// noTransport replaces http.Transport where it must not be used.
type noTransport struct{}

func (noTransport) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("the request was given to Options.Other")
}

func request(t testing.TB, method, body string) *http.Request {
	t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, "http://graph.test/v1.0/users?$top=1", reader)
	must(t, err)
	return r
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
