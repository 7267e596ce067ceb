package proxy

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"time"

	"graphproxy/auth"
	"graphproxy/policy"
	"graphproxy/policy/graph/odata"
)

// pass is what a request needs to go to Graph: the target that was judged, the judgement and a token. forward takes one as
// its argument, so that there is no way to Graph that leads round the policy; the zero pass is refused.
type pass struct {
	target   *odata.Target
	decision policy.Decision
	items    *itemRun // of a $batch, which has no decision of its own: the items that were judged
	app      *App
	token    auth.Token
	body     []byte // what is sent in the place of the caller's body; it can be sent again. nil: the caller's, as it comes
}

// allowed reports whether everything that would be sent was judged and may be.
func (p *pass) allowed() bool {
	if p.items != nil {
		return p.target != nil && p.items.allowed(p.app, p.body)
	}
	return p.target != nil && p.decision.Allow
}

// forward sends what was judged, and streams Graph's answer back. The error is for the caller; nil means that an answer
// of Graph's was passed on.
func (h *Handler) forward(x *exchange, r *http.Request, p pass) error {
	if !p.allowed() {
		return errors.New("forward was called without a decision that allows")
	}
	if p.body == nil {
		var err error
		if p.body, err = x.bodyOf(r, p.target, false); err != nil {
			return err
		}
	}
	f := &forwarding{h: h, x: x, pass: p}
	rp := httputil.ReverseProxy{
		Rewrite:        f.rewrite,
		Transport:      f,
		BufferPool:     h.buffers,
		ModifyResponse: f.answered,
		ErrorHandler:   f.failed,
		ErrorLog:       h.quiet,
	}
	x.sent = time.Now()
	rp.ServeHTTP(x.out, r)
	dropTrailers(x.out.Header())
	return x.err
}

// dropTrailers takes off what stood behind Graph's body. The reverse proxy adds it when the body has ended, so nobody has
// looked at it, and there may be in it what is taken out of headers.
func dropTrailers(h http.Header) {
	for name := range h {
		if strings.HasPrefix(name, http.TrailerPrefix) {
			delete(h, name)
		}
	}
}

// forwarding is one request between rewrite and answer.
type forwarding struct {
	h *Handler
	x *exchange
	pass
	resourceFault bool // Graph refused a fresh token as well
}

// rewrite only assigns: everything that can fail has been done. It writes the target afresh from what was judged, and
// builds the header from nothing, because the list of what a header can do to a server behind a proxy has no end.
func (f *forwarding) rewrite(pr *httputil.ProxyRequest) {
	out := pr.Out
	out.URL = f.url()
	out.Host = ""
	out.Header = f.h.headers.pick(pr.In.Header)
	out.Header["Client-Request-Id"] = []string{f.x.rec.ClientRequestID}
	f.token.SetAuthorization(out.Header)
	if p := priority(f.decision, f.target); p != "" {
		out.Header["X-Ms-Throttle-Priority"] = []string{p}
	}
	if encodings := out.Header["Accept-Encoding"]; acceptsGzip(encodings) {
		out.Header["Accept-Encoding"] = []string{"gzip"} // the one that links can be rewritten in
	} else {
		delete(out.Header, "Accept-Encoding")
	}
	out.Trailer = nil
	out.TransferEncoding = nil
	if f.items != nil {
		setBatchHeaders(out.Header)
	}
	switch {
	case f.body != nil:
		out.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(f.body)), nil }
		out.Body, _ = out.GetBody()
		out.ContentLength = int64(len(f.body))
		if f.x.body != nil || f.x.hasJSON(pr.In, f.target) {
			delete(out.Header, "Content-Encoding") // it has been inflated
		}
	case out.Body != nil && out.Body != http.NoBody:
		out.Body = f.x.in
	}
}

func (f *forwarding) url() *url.URL {
	escaped := f.target.EscapedPath()
	path, err := url.PathUnescape(escaped)
	if err != nil { // EscapedPath never writes a bad escape; if it did, the escapes would be escaped again, and Graph would say 404
		path = escaped
	}
	return &url.URL{Scheme: f.h.graph.Scheme, Host: f.h.graph.Host, Path: path, RawPath: escaped, RawQuery: f.target.RawQuery()}
}

// answered looks at Graph's response header before it goes to the caller.
func (f *forwarding) answered(res *http.Response) error {
	rec := f.x.rec
	f.noteHeader(res)
	if err := checkStatus(res); err != nil {
		return err
	}
	if f.items == nil {
		f.h.seen(&f.x.leave, res.StatusCode, res.Header)
	}
	if res.StatusCode == http.StatusUnauthorized {
		return tokenRejected(f.resourceFault)
	}
	cleanResponse(res.Header)
	if id := res.Header.Get("Request-Id"); isRequestID(id) {
		rec.RequestID = id
	} else {
		res.Header["Request-Id"] = []string{rec.RequestID}
	}
	res.Header["Client-Request-Id"] = []string{rec.ClientRequestID}
	res.Trailer = nil // announces none; what comes all the same, dropTrailers takes off
	if f.items != nil {
		return f.items.answered(f, res)
	}
	return f.rewriteAnswer(res)
}

// noteHeader notes when Graph's response header came, and its status.
func (f *forwarding) noteHeader(res *http.Response) {
	elapsed := time.Since(f.x.sent)
	f.x.rec.GraphStatus, f.x.rec.GraphMillis = res.StatusCode, millis(elapsed)
	f.h.metrics.graph.Observe(elapsed.Seconds())
}

// tokenRejected is the answer where Graph does not take the token: the fault is not the caller's. With resourceFault, Graph did not
// take a fresh one either, and to try again at once does not help.
func tokenRejected(resourceFault bool) *Error {
	e := &Error{
		Status: http.StatusBadGateway, Code: codeUnavailable, Inner: "tokenRejected",
		Message: "Microsoft Graph refused graphproxy's access token, and nothing was done; try again", RetryAfter: time.Second,
	}
	if resourceFault {
		e.Message = "Microsoft Graph refused this request although graphproxy's access token is fresh, and nothing was done: it may not serve this resource to apps that act without a user; see its documentation for application permissions"
		e.RetryAfter = 0
	}
	return e
}

// failed keeps what went wrong for ServeHTTP's one place of answering. The request that it is given holds the token: it
// must not be looked at.
func (f *forwarding) failed(_ http.ResponseWriter, _ *http.Request, err error) {
	f.x.err = f.explain(err)
}

func (f *forwarding) explain(err error) error {
	var own *Error
	if errors.As(err, &own) {
		return own
	}
	bad := f.x.in.failure()
	if f.x.gone() != nil && !isSlow(bad) {
		return errCallerGone
	}
	if bad != nil {
		return malformedBody(bad)
	}
	e := &Error{Status: http.StatusBadGateway, Code: codeUnavailable, Inner: "graphUnreachable", Message: "graphproxy could not reach Microsoft Graph", Err: err}
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		e.Status, e.Inner, e.Message = http.StatusGatewayTimeout, "graphTimeout", "Microsoft Graph did not answer in time"
	}
	return e
}

// unread is why a body could not be read: its caller left, or it is the caller's to mend.
func unread(r *http.Request, err error) error {
	if r.Context().Err() != nil && !isSlow(err) { // a read that fails ends the context, too
		return errCallerGone
	}
	return malformedBody(err)
}

// isSlow reports whether a body could not be read because it came too slowly.
func isSlow(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }

// malformedBody is the answer to a caller whose body broke off, came too slowly or was not what its framing said: Graph is not
// to blame.
func malformedBody(err error) error {
	if isSlow(err) {
		return &Error{Status: http.StatusRequestTimeout, Code: codeInvalid, Inner: "bodyTooSlow", Message: "the request's body came too slowly, less than 16 KiB in a minute"}
	}
	return &Error{Status: http.StatusBadRequest, Code: codeInvalid, Inner: "malformedBody", Message: "the request's body could not be read to its end: it is shorter than announced or its chunks are malformed", Err: err}
}

// checkBody refuses a body where none has a meaning (RFC 9110 section 9.3.1): what Graph might read there was not judged.
func checkBody(r *http.Request, in io.Reader) error {
	isRead := r.Method == http.MethodGet || r.Method == http.MethodHead
	if !hasBody(r) || !isRead && r.ContentLength != 0 { // HTTP/2 may give a length of 0 and end the body in a later frame
		return nil
	}
	var one [1]byte
	switch _, err := io.ReadFull(in, one[:]); {
	case err == nil:
		return badRequest("unexpectedBody", "a %s request has no body in Microsoft Graph; send it without one", r.Method)
	case !errors.Is(err, io.EOF):
		return malformedBody(err)
	}
	r.Body = http.NoBody
	r.ContentLength = 0
	return nil
}
