package proxy

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"

	"graphproxy/auth"
)

// RoundTrip sends the request, and once more with a new token when Graph refused the one that it had: 401 means that nothing
// was done. A large body has gone by then and cannot be sent again; its caller is told to.
func (f *forwarding) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := f.send(r)
	if err != nil || res.StatusCode != http.StatusUnauthorized {
		return res, err
	}
	f.app.Tokens.Refused(f.token, auth.ClaimsOf(res.Header))
	fresh, err := f.app.Tokens.Token(r.Context())
	if err != nil || fresh == f.token || hasBody(r) && r.GetBody == nil {
		return res, nil //nolint:nilerr // the refusal is the answer
	}
	again := r.Clone(r.Context())
	if hasBody(r) {
		if again.Body, err = r.GetBody(); err != nil {
			return res, nil //nolint:nilerr // likewise
		}
	}
	_ = res.Body.Close()
	f.token = fresh
	fresh.SetAuthorization(again.Header)
	if res, err = f.send(again); err == nil && res.StatusCode == http.StatusUnauthorized {
		f.app.Tokens.Refused(fresh, auth.ClaimsOf(res.Header))
	}
	return res, err
}

// send is one RoundTrip, and one more where no connection could be made, unless that took its time: Graph has many addresses, and one of
// them may just be going.
func (f *forwarding) send(r *http.Request) (*http.Response, error) {
	res, err := f.sendFresh(r)
	if !isDial(err) || hasBody(r) && r.GetBody == nil || r.Context().Err() != nil {
		return res, err
	}
	if hasBody(r) {
		if r.Body, err = r.GetBody(); err != nil {
			return nil, err
		}
	}
	return f.sendFresh(r)
}

// isDial reports whether an error says that a connection could not be made.
func isDial(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && (op.Op == "dial" || op.Op == "proxyconnect") && !op.Timeout()
}

// sendFresh is one RoundTrip, or more where Graph had closed the connections that the request was given before a byte of it was
// written: nothing can have been done then. net/http does this by itself for what may be made twice, and for the rest
// only after a reset.
func (f *forwarding) sendFresh(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodGet || r.Method == http.MethodHead || hasBody(r) && r.GetBody == nil {
		return f.h.wire.RoundTrip(r)
	}
	for {
		res, unsent, err := f.sendOnce(r)
		if err == nil || !unsent || r.Context().Err() != nil {
			return res, err
		}
	}
}

// sendOnce is one RoundTrip of a request that can be sent again. unsent: it was given a connection that had been used before, and
// nothing of it was written there. Each such connection is gone afterwards, so that tries come to an end.
func (f *forwarding) sendOnce(r *http.Request) (res *http.Response, unsent bool, err error) {
	var reused, begun atomic.Bool
	once := r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
		GotConn:          func(c httptrace.GotConnInfo) { reused.Store(c.Reused) },
		WroteHeaderField: func(string, []string) { begun.Store(true) },
	}))
	if hasBody(r) {
		if once.Body, err = r.GetBody(); err != nil {
			return nil, false, err
		}
	}
	res, err = f.h.wire.RoundTrip(once)
	return res, reused.Load() && !begun.Load(), err
}

func hasBody(r *http.Request) bool { return r.Body != nil && r.Body != http.NoBody }
