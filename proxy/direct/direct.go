// Package direct sends HTTP/1.1 requests for little CPU: it has an http.RoundTripper in which the caller's own
// goroutine does the work.
//
// http.Transport keeps two goroutines for each connection and passes requests and answers between them and the caller.
// Transport takes a connection from a stack, writes the request in one write, reads the answer with http.ReadResponse
// and puts the connection back when the body has ended. No request or connection has a goroutine or timer of its own.
// A sweep, ten times a second while there are connections, notices requests whose context has ended, headers that do
// not come and connections that are idle for long.
//
// It takes requests without a body, or with a small body in memory. It passes every other request to Options.Other:
// a streamed body must be written while the answer is read, which takes two goroutines.
//
// The package decides how an answer is framed, and refuses an ambiguous one. Redirects, cookies, compression and
// resending are left to its callers: a request is written at most once.
package direct

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// Options are the settings of a Transport. Other must be set; every other field has a default.
type Options struct {
	Other http.RoundTripper // carries the requests that a Transport does not take

	// Dial makes a connection; nil: that of a net.Dialer.
	Dial             func(ctx context.Context, network, address string) (net.Conn, error)
	Failed           func()        // called when a handshake of TLS fails; may be nil
	TLS              *tls.Config   // for https; it is cloned
	HandshakeTimeout time.Duration // of TLS; 0: 10 s
	HeaderTimeout    time.Duration // until an answer's header has come; 0: 100 s
	IdleTimeout      time.Duration // 0: 90 s
	MaxIdlePerHost   int           // 0: 512
	MaxHeaderBytes   int           // of an answer, with the 1xx answers before it; 0: 256 KiB
}

// Observer may be implemented by the connections that Options.Dial returns. Its methods must not block.
type Observer interface {
	Work(reused bool) // it carries a request; reused: not its first
	Rest()            // it waits for the next request now
}

// Transport is an http.RoundTripper. It is safe for concurrent use. Make one with New.
type Transport struct {
	o       Options
	pool    pool
	dialled atomic.Int64
	reused  atomic.Int64
	dropped atomic.Int64
}

// Stats are counts of a Transport's connections. They do not include those of Options.Other.
type Stats struct {
	Dialled int64 // connections made
	Reused  int64 // requests that were written to a connection that had carried one before
	Dropped int64 // idle connections that were found to have ended, or to hold bytes that belong to no request
	Active  int64 // connections that carry a request now
	Idle    int64 // connections that wait for one now
}

// New makes a Transport.
func New(o Options) *Transport {
	if o.Dial == nil {
		o.Dial = (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext
	}
	o.TLS = clientTLS(o.TLS)
	setDefault(&o.HandshakeTimeout, 10*time.Second)
	setDefault(&o.HeaderTimeout, 100*time.Second)
	setDefault(&o.IdleTimeout, 90*time.Second)
	setDefault(&o.MaxIdlePerHost, 512)
	setDefault(&o.MaxHeaderBytes, 256<<10)
	t := &Transport{o: o}
	t.pool.most, t.pool.idleTimeout = o.MaxIdlePerHost, o.IdleTimeout
	return t
}

func setDefault[T comparable](field *T, value T) {
	var unset T
	if *field == unset {
		*field = value
	}
}

// Stats returns the counts up to now.
func (t *Transport) Stats() Stats {
	s := Stats{Dialled: t.dialled.Load(), Reused: t.reused.Load(), Dropped: t.dropped.Load()}
	s.Active, s.Idle = t.pool.count()
	return s
}

// CloseIdleConnections closes the connections that carry no request now.
func (t *Transport) CloseIdleConnections() { t.pool.closeIdle() }

// Error is the reason why a request has no answer.
type Error struct {
	Err      error
	Reused   bool // the connection had carried a request before
	Begun    bool // a part of the request may have reached the server; otherwise nothing was sent
	Sent     bool // all of it was passed to the system
	Answered bool // a part of an answer came
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// RoundTrip implements http.RoundTripper. Every failure of a request that it takes is an *Error. It wraps the error
// of a context that has ended, and an error with Timeout() true if the server did not answer in time.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) { return t.roundTrip(r, true) }

// Fresh returns a RoundTripper that makes a new connection for each request, and closes it after the answer. It shares
// everything else with t.
func (t *Transport) Fresh() http.RoundTripper { return fresh{t} }

type fresh struct{ t *Transport }

func (f fresh) RoundTrip(r *http.Request) (*http.Response, error) { return f.t.roundTrip(r, false) }

func (t *Transport) roundTrip(r *http.Request, pooled bool) (*http.Response, error) {
	if !Takes(r) {
		return t.o.Other.RoundTrip(r)
	}
	s := newScratch()
	err := r.Context().Err()
	if err == nil {
		err = s.setRequest(r)
	}
	closeBody(r)
	for err == nil {
		var c *conn
		if c, err = t.connection(r, pooled); err != nil {
			break
		}
		res, err := c.send(r, s)
		if err != errEnded { //nolint:errorlint // send returns it bare
			return res, err
		}
	}
	s.release()
	return nil, &Error{Err: err}
}

// maxBody is the longest body that is written before the answer is read. It fits into the buffers of the system, so
// a server that answers before it has read the body does not block the write.
const maxBody = 64 << 10

// Takes reports whether a Transport sends a request itself, and does not pass it to Options.Other.
func Takes(r *http.Request) bool {
	switch {
	case r.URL == nil || r.URL.Scheme != "http" && r.URL.Scheme != "https" || r.Method == http.MethodConnect:
		return false
	case len(r.TransferEncoding) > 0 || len(r.Trailer) > 0:
		return false
	case len(r.Header["Expect"]) > 0 || len(r.Header["Upgrade"]) > 0:
		return false
	}
	isHeld := r.GetBody != nil && 0 < r.ContentLength && r.ContentLength <= maxBody
	return isPlainHost(r.URL.Host) && (!hasBody(r) || isHeld)
}

// isPlainHost reports whether a host can stand in a URL unescaped: letters, digits and the characters of addresses
// and ports. Options.Other writes any other host.
func isPlainHost(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !isAlphanumeric(c) && c != '.' && c != '-' && c != ':' && c != '[' && c != ']' {
			return false
		}
	}
	return s != ""
}

func hasBody(r *http.Request) bool { return r.Body != nil && r.Body != http.NoBody }

func closeBody(r *http.Request) {
	if r.Body != nil {
		_ = r.Body.Close()
	}
}

var errHeaderTimeout error = timeoutError("the server did not answer in time")

// timeoutError is a net.Error with Timeout() true.
type timeoutError string

func (e timeoutError) Error() string { return string(e) }
func (timeoutError) Timeout() bool   { return true }
func (timeoutError) Temporary() bool { return true }

// errWouldWait is the error of a read that may not wait and finds nothing to read. TLS continues after an error
// that is temporary.
var errWouldWait error = waitError{}

type waitError struct{}

func (waitError) Error() string   { return "there is nothing to read yet" }
func (waitError) Timeout() bool   { return false }
func (waitError) Temporary() bool { return true }
