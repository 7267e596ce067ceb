package proxy

import (
	"errors"
	"net/http"
	"net/http/httputil"
	"net/url"

	"graphproxy/auth"
	"graphproxy/policy"
	"graphproxy/policy/graph/odata"
)

// outbound is a request to Graph and its answer: the target that was judged, the decision and a token. forward
// takes an outbound as its argument, so that no request reaches Graph without a decision; the zero outbound is
// refused.
type outbound struct {
	h        *Handler
	x        *exchange
	target   *odata.Target
	decision policy.Decision
	batch    *batchRun // of a $batch, which has no decision of its own; else nil
	app      *App      // nil: a batch that is not sent in one request
	token    auth.Token
	body     sentBody

	resourceFault bool // Graph refused a fresh token as well

	proxy  httputil.ReverseProxy
	url    url.URL // of the target at Graph
	values headerValues
}

// headerValues are values of headers, which share memory.
type headerValues struct {
	text [5]string
	used int
}

// one returns a list with one value.
func (v *headerValues) one(value string) []string {
	if v.used == len(v.text) {
		return []string{value}
	}
	v.text[v.used] = value
	v.used++
	return v.text[v.used-1 : v.used : v.used]
}

// outbound returns the request as it was admitted.
func (x *exchange) outbound(token auth.Token) *outbound {
	a := &x.admission
	*x.single = outbound{x: x, target: a.request.Target, decision: a.decision, app: a.app, token: token}
	return x.single
}

// allowed reports whether everything that would be sent was decided on and may be sent.
func (o *outbound) allowed() bool {
	if o.batch != nil {
		return o.target != nil && o.batch.allowed()
	}
	return o.target != nil && o.decision.Allow
}

// forward sends the request that was judged, and streams Graph's answer back. The error is for the caller; nil
// means that an answer was passed on.
func (h *Handler) forward(x *exchange, o *outbound) error {
	if !o.allowed() {
		return errors.New("forward was called without a decision that allows")
	}
	if o.batch == nil {
		if err := x.readBody(o.target, false); err != nil {
			return err
		}
		o.body = x.body
	}
	o.h = h
	x.in.passOn()
	o.proxy = httputil.ReverseProxy{
		Rewrite:        o.rewrite,
		Transport:      o,
		BufferPool:     h.buffers,
		ModifyResponse: o.answered,
		ErrorHandler:   o.failed,
		ErrorLog:       h.quiet,
	}
	o.proxy.ServeHTTP(x.out, o.bare())
	dropTrailers(x.out.Header())
	return x.err
}

// bare returns the caller's request with an empty header and Graph's address: the reverse proxy copies both, and
// rewrite replaces the header.
func (o *outbound) bare() *http.Request {
	r := *o.x.request
	o.setURL()
	r.URL, r.Header, r.Trailer, r.TransferEncoding = &o.url, nil, nil, nil
	return &r
}

// rewrite only assigns: every step that can fail has been done. It writes the target anew from what was judged, and
// builds the header from nothing, because a list of dangerous headers would never be complete.
func (o *outbound) rewrite(pr *httputil.ProxyRequest) {
	out := pr.Out
	*out.URL = o.url // the reverse proxy removes options that it cannot read
	out.Host = ""
	out.Header = o.h.headers.pick(o.x.request.Header)
	out.Header["Client-Request-Id"] = o.values.one(o.x.rec.ClientRequestID)
	if o.app != nil {
		o.token.SetAuthorization(out.Header)
	}
	if p := priority(o.decision, o.target); p != "" {
		out.Header["X-Ms-Throttle-Priority"] = o.values.one(p)
	}
	if encodings := out.Header["Accept-Encoding"]; acceptsGzip(encodings) {
		out.Header["Accept-Encoding"] = o.values.one("gzip") // the only encoding in which links can be rewritten
	} else {
		delete(out.Header, "Accept-Encoding")
	}
	if o.batch != nil {
		setBatchHeaders(out.Header)
	}
	if o.body.plain {
		delete(out.Header, "Content-Encoding")
	}
	switch {
	case o.body.replayable():
		o.body.putInto(out)
	case out.Body != nil && out.Body != http.NoBody:
		out.Body = o.x.in
	}
}

// putInto makes b, which must be replayable, the body of a request.
func (b sentBody) putInto(out *http.Request) {
	out.GetBody = b.open
	out.Body, _ = b.open()
	out.ContentLength = int64(len(b.text))
}

// setBatchHeaders makes a header describe the batch that is sent, which differs from the caller's.
func setBatchHeaders(h http.Header) {
	h["Content-Type"] = []string{"application/json"}
	delete(h, "Content-Encoding")
	h["Accept-Encoding"] = []string{"gzip"} // the answer is read here, so the caller's Accept-Encoding does not matter
}

// setURL sets the address at Graph.
func (o *outbound) setURL() {
	escaped := o.target.EscapedPath()
	path, err := url.PathUnescape(escaped)
	// EscapedPath never writes a bad escape; if it did, the escapes would be escaped again, and Graph would answer 404
	if err != nil {
		path = escaped
	}
	o.url = url.URL{
		Scheme:   o.h.graph.Scheme,
		Host:     o.h.graph.Host,
		Path:     path,
		RawPath:  escaped,
		RawQuery: o.target.RawQuery(),
	}
}

// service returns the name of Graph's service for a refusal of the token. A batch as a whole has no service.
func (o *outbound) service() string {
	if o.batch != nil {
		return "batch"
	}
	return o.x.admission.scope.Service()
}

// RoundTrip implements http.RoundTripper for the reverse proxy. A batch that is not sent in one request is answered
// 200 before any of it is sent: its groups are sent while the answer is read.
func (o *outbound) RoundTrip(r *http.Request) (*http.Response, error) {
	if o.app != nil {
		return o.send(r)
	}
	return &http.Response{
		StatusCode: http.StatusOK,
		Header:     http.Header{"Content-Type": {"application/json"}, "Cache-Control": {"no-store"}},
		Body:       http.NoBody,
		Request:    r,
	}, nil
}
