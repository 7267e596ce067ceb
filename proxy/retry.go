package proxy

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"time"

	"graphproxy/auth"
	"graphproxy/proxy/direct"
	"graphproxy/proxy/meter"
)

// The reasons for sending a request again. The values are those of a metric's label.
const (
	// no connection could be made: Graph has many addresses, and one of them may be out of service
	resendConnect = "connect"
	resendUnsent  = "unsent" // the connection had ended before anything was sent on it
	resendReset   = "reset"  // a GET or HEAD whose connection ended before an answer
	resendToken   = "token"  // Graph refused the token: 401 means that nothing was done
)

// sending is a request that is being sent to Graph. again decides on every resend, and send counts it.
type sending struct {
	o *outbound
	r *http.Request

	tries            int  // so far
	connects, unsent bool // it has been sent again for this reason
	arrived          bool // it has been sent again although Graph may have received it, which is done once
	fresh            bool // send on a connection that no request has used
	refused          auth.Renewal
}

// attempt is one RoundTrip of the transport, and how far it came.
type attempt struct {
	res *http.Response
	err error

	connections atomic.Int32 // that the request was given; net/http itself takes another one when the first took no byte
	reused      atomic.Bool  // the last of them had carried a request before
	begun       atomic.Bool  // something was written there, perhaps
	answered    atomic.Bool  // the first byte of an answer came

	upload     *upload                    // nil: none is watched
	connection atomic.Pointer[connection] // the last of them, if it is counted
}

// send sends the request, and again as long as again returns a reason. A request arrives at Graph at most twice.
func (o *outbound) send(r *http.Request) (*http.Response, error) {
	sent := time.Now()
	defer since(&o.x.spent.graph, sent)
	hideIdempotency(r.Header)
	s := sending{o: o, r: r}
	span := o.x.traced.outgoing(r, o.x.rec)
	for {
		a := s.try()
		reason := s.again(a)
		if reason == "" {
			if a.err == nil {
				o.noteHeader(a.res, sent)
				o.x.watchAnswer(a.res, o.h.alarms, a.upload)
			}
			span.answered(a.res, a.err, s.tries-1)
			return a.res, a.err
		}
		if a.res != nil {
			_ = a.res.Body.Close()
			a.upload.release()
		}
		o.h.meter.Resend(reason, 1)
	}
}

// again returns why the request is sent again, or "".
func (s *sending) again(a *attempt) string {
	if n := a.connections.Load(); n > 1 {
		s.o.h.meter.Resend(resendUnsent, int(n-1))
	}
	switch {
	case a.err == nil && a.res.StatusCode == http.StatusUnauthorized:
		if s.renewed(a.res) {
			return resendToken
		}
	case a.err == nil:
		s.refused.Taken()
	case s.r.Context().Err() != nil || a.stalled() || !replayable(s.r):
	case isDial(a.err) && !s.connects:
		s.connects = true
		return resendConnect
	case a.reused.Load() && !a.begun.Load() && !s.unsent:
		s.unsent, s.fresh = true, true
		return resendUnsent
	case isSafe(s.r) && a.reused.Load() && !a.answered.Load() && !isTimeout(a.err) && !s.arrived:
		s.arrived, s.fresh = true, true
		return resendReset
	}
	return ""
}

// renewed reports to the token source that Graph refused the token, and reports whether the request must be sent
// again with a new one.
func (s *sending) renewed(res *http.Response) bool {
	o := s.o
	n := o.app.Tokens.Refused(o.token, auth.RefusalOf(o.service(), res.Header))
	o.resourceFault = n.ResourceFault()
	if s.arrived || !replayable(s.r) {
		return false
	}
	fresh, ok := n.Wait(s.r.Context())
	if !ok {
		return false
	}
	s.arrived, s.refused = true, n
	o.token = fresh
	return true
}

// try sends the request once.
func (s *sending) try() *attempt {
	if s.o.h.wire.takes(s.r) {
		return s.tryDirect()
	}
	a := new(attempt)
	out := s.r.WithContext(httptrace.WithClientTrace(s.r.Context(), a.trace(&s.o.h.meter.Connections)))
	if s.tries++; s.tries > 1 { // the transport may still read the header of the previous try
		out.Header = s.r.Header.Clone()
		s.o.token.SetAuthorization(out.Header)
	}
	switch {
	case isSafe(out):
		forbidReplay(out)
	case hasBody(out) && out.GetBody != nil:
		out.Body, a.err = s.r.GetBody()
	}
	if a.err != nil {
		return a
	}
	out, a.upload = watchUpload(out, s.o.h.alarms)
	wire := s.o.h.wire.kept
	if s.fresh {
		wire = s.o.h.wire.fresh
	}
	a.res, a.err = wire.RoundTrip(out)
	if a.upload != nil {
		a.upload.end()
	}
	if a.err != nil && a.stalled() {
		a.err = graphStalled()
	}
	if a.err != nil {
		a.upload.release()
	}
	return a
}

// wrote ends the wait for Graph to take the request: the transport has a deadline for the answer's header.
func (a *attempt) wrote(httptrace.WroteRequestInfo) {
	if a.upload != nil {
		a.upload.waitEnds()
	}
}

// stalled reports whether Graph stopped reading the request.
func (a *attempt) stalled() bool { return a.upload != nil && a.upload.stalled.Load() }

// tryDirect sends the request once with package direct, which no longer uses the header when it returns.
func (s *sending) tryDirect() *attempt {
	a := new(attempt)
	if s.tries++; s.tries > 1 {
		s.o.token.SetAuthorization(s.r.Header)
		if s.r.GetBody != nil {
			s.r.Body, a.err = s.r.GetBody()
		}
	}
	if a.err != nil {
		return a
	}
	var way http.RoundTripper = s.o.h.wire.own
	if s.fresh {
		way = s.o.h.wire.own.Fresh()
	}
	a.res, a.err = way.RoundTrip(s.r)
	if a.err == nil {
		return a
	}
	var failed *direct.Error
	if errors.As(a.err, &failed) {
		a.reused.Store(failed.Reused)
		a.begun.Store(failed.Begun)
		a.answered.Store(failed.Answered)
		if hasBody(s.r) && !failed.Sent && failed.Begun && isTimeout(failed.Err) {
			a.err = graphStalled()
		}
	}
	return a
}

func (a *attempt) trace(n *meter.Connections) *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GotConn: func(c httptrace.GotConnInfo) {
			a.connections.Add(1)
			a.reused.Store(c.Reused)
			counted := connectionOf(c.Conn)
			a.connection.Store(counted)
			counted.Work(c.Reused)
		},
		TLSHandshakeDone: func(_ tls.ConnectionState, err error) {
			if err != nil {
				n.Failed.Add(1)
			}
		},
		PutIdleConn: func(err error) {
			if err == nil {
				a.connection.Load().Rest()
			}
		},
		WroteHeaderField:     func(string, []string) { a.begun.Store(true) },
		GotFirstResponseByte: func() { a.answered.Store(true) },
		WroteRequest:         a.wrote,
	}
}

// forbidReplay prevents net/http from sending a GET or HEAD again by itself, which it does on each idle connection
// that ends: a GET that Graph resets arrived N+1 times, with N idle connections. net/http does not resend a request
// whose body it cannot get again, so this request gets a body, which is empty. The transfer encoding "identity"
// prevents net/http from waiting for a first byte of it, and is not sent.
func forbidReplay(r *http.Request) {
	r.Body, r.GetBody = emptyBody{}, nil
	r.ContentLength, r.TransferEncoding = -1, []string{"identity"}
}

// emptyBody is a body that net/http does not know to be empty.
type emptyBody struct{}

func (emptyBody) Read([]byte) (int, error) { return 0, io.EOF }
func (emptyBody) Close() error             { return nil }

// hideIdempotency prevents net/http from sending a request again by itself because of its Idempotency-Key. net/http
// finds it under its canonical name only; for HTTP both names are the same.
func hideIdempotency(h http.Header) {
	for _, name := range [...]string{"Idempotency-Key", "X-Idempotency-Key"} {
		if values, found := h[name]; found {
			delete(h, name)
			h[strings.ToLower(name)] = values
		}
	}
}

// replayable reports whether the body, if there is one, can be sent again.
func replayable(r *http.Request) bool { return !hasBody(r) || r.GetBody != nil }

func isSafe(r *http.Request) bool { return r.Method == http.MethodGet || r.Method == http.MethodHead }

// isDial reports whether an error means that a connection could not be made.
func isDial(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && (op.Op == "dial" || op.Op == "proxyconnect") && !op.Timeout()
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

func hasBody(r *http.Request) bool { return r.Body != nil && r.Body != http.NoBody }
