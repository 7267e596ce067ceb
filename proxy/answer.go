package proxy

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"graphproxy/policy/graph/odata"
	"graphproxy/proxy/links"
)

// answered checks and changes Graph's answer before any of it goes to the caller.
func (o *outbound) answered(res *http.Response) error {
	rec := o.x.rec
	if err := checkStatus(res); err != nil {
		return err
	}
	if o.batch == nil {
		o.h.noteLimits(&o.x.admission, res.StatusCode, res.Header)
	}
	if res.StatusCode == http.StatusUnauthorized {
		return tokenRejected(o.resourceFault)
	}
	cleanResponse(res.Header)
	if id := res.Header.Get("Request-Id"); isRequestID(id) {
		rec.RequestID = id
	} else {
		res.Header["Request-Id"] = o.values.one(rec.RequestID)
	}
	res.Header["Client-Request-Id"] = o.values.one(rec.ClientRequestID)
	res.Trailer = nil // announces none; dropTrailers removes trailers that come nevertheless
	if o.batch != nil {
		return o.answerBatch(res)
	}
	o.flushOnPause(res)
	if err := o.rewriteLinks(res); err != nil {
		return err
	}
	o.moveHeader(res)
	return nil
}

// moveHeader moves the header of the answer to the caller's answer. The reverse proxy would make a list for each field
// and read the Content-Type again; it must still find that of text/event-stream, which it flushes after each piece.
func (o *outbound) moveHeader(res *http.Response) {
	to := o.x.out.Header()
	for name, values := range res.Header {
		if _, found := to[name]; !found && !(name == "Content-Type" && isEventStream(values)) {
			to[name] = values
			delete(res.Header, name)
		}
	}
}

// isEventStream reports whether a Content-Type may be text/event-stream.
func isEventStream(values []string) bool {
	const eventStream = "text/event-stream"
	return len(values) > 0 && len(values[0]) >= len(eventStream) &&
		strings.EqualFold(values[0][:len(eventStream)], eventStream)
}

// flushFrom is the length up to which an answer is not flushed before its end, if Graph sends its length: net/http
// keeps that much.
const flushFrom = 4 << 10

// flushOnPause sends the caller what has come of an answer when Graph pauses, and not before: the reverse proxy
// would flush after each piece of an answer of unknown length. It still does so for text/event-stream, and for an
// answer that net/http reads, which does not report a pause.
func (o *outbound) flushOnPause(res *http.Response) {
	body, ok := res.Body.(*answerBody)
	if !ok || !body.pauses() || 0 <= res.ContentLength && res.ContentLength <= flushFrom {
		return
	}
	o.x.out.mayGather = true
	body.OnPause(o.x.out.flush)
	res.ContentLength = max(0, res.ContentLength) // an unknown length makes the reverse proxy flush
}

// noteHeader records when Graph's response header came, and its status.
func (o *outbound) noteHeader(res *http.Response, sent time.Time) {
	elapsed := time.Since(sent)
	o.x.rec.GraphStatus, o.x.rec.GraphMillis = res.StatusCode, millis(elapsed)
	o.h.meter.Durations.Graph.Observe(elapsed.Seconds())
}

// checkStatus refuses an answer of Graph with an invalid status line (RFC 9110 section 15, RFC 9112 section 4): the
// caller would get another status than Graph's, because net/http writes 200 in place of 099.
func checkStatus(res *http.Response) error {
	isControl := func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }
	switch {
	case res.StatusCode < 200 || res.StatusCode > 599:
		return badStatus(errors.New("the status is not from 200 to 599"))
	case strings.ContainsFunc(res.Status, isControl):
		return badStatus(errors.New("the reason beside the status holds control characters"))
	}
	return nil
}

func badStatus(err error) error {
	return &Error{
		Status:  http.StatusBadGateway,
		Code:    codeUnavailable,
		Inner:   "badAnswer",
		Message: "Microsoft Graph's answer has a status that no server may give; what was sent may have been carried out",
		Err:     err,
	}
}

// rewriteLinks replaces Graph's address in the links of Graph's answer by the proxy's.
func (o *outbound) rewriteLinks(res *http.Response) error {
	l := o.x.links
	if l == nil {
		return nil
	}
	for _, name := range locationHeaders {
		for i, value := range res.Header[name] {
			res.Header[name][i] = l.Location(value, o.target.Version)
		}
	}
	isPart := res.StatusCode == http.StatusPartialContent
	if isPart || isStored(res.Request.Method, o.target) || !isJSON(res.Header.Get("Content-Type")) {
		return nil
	}
	// The body gets another length. res.ContentLength stays, or the reverse proxy would flush each piece.
	delete(res.Header, "Content-Length")
	if res.Body == http.NoBody || res.Request.Method == http.MethodHead {
		return nil
	}
	mark := o.marker()
	body, err := o.h.zip.rewrite(res.Body, res.Header, func(plain io.ReadCloser) io.ReadCloser {
		if mark != nil {
			plain = l.NewMarker(plain, mark)
		}
		return l.NewReader(plain, links.Options{References: isReference(o.target)})
	})
	res.Body = body
	return err
}

// marker returns what marks the links of the answer to a single request that it was carried out; nil if they need
// no mark.
func (o *outbound) marker() links.Mark {
	if o.batch != nil {
		return nil
	}
	return o.x.admission.marker()
}

// isStored reports whether an answer may be bytes that a user has stored. The answer to an upload is Graph's own:
// it has links.
func isStored(method string, t *odata.Target) bool {
	return (method == http.MethodGet || method == http.MethodHead) && isMedia(t)
}

// dropTrailers removes the trailers after Graph's body. The reverse proxy adds them when the body has ended, so
// they were not checked, and may have fields that are removed from headers.
func dropTrailers(h http.Header) {
	for name := range h {
		if strings.HasPrefix(name, http.TrailerPrefix) {
			delete(h, name)
		}
	}
}

// tokenRejected is the answer when Graph refuses the token: the caller is not at fault. With resourceFault, Graph
// has also refused a fresh token, and an immediate retry does not help.
func tokenRejected(resourceFault bool) *Error {
	e := &Error{
		Status:     http.StatusBadGateway,
		Code:       codeUnavailable,
		Inner:      "tokenRejected",
		Message:    "Microsoft Graph refused graphproxy's access token, and nothing was done; try again",
		RetryAfter: time.Second,
	}
	if resourceFault {
		e.Message = "Microsoft Graph refused this request although graphproxy's access token is fresh, and nothing " +
			"was done: " +
			"it may not serve this resource to apps that act without a user; see its documentation for application permissions"
		e.RetryAfter = 0
	}
	return e
}

// failed keeps the error for Handler.fail, which answers all errors. The request in its argument has the token: it
// must not be read.
func (o *outbound) failed(_ http.ResponseWriter, _ *http.Request, err error) {
	o.x.err = o.explain(err)
}

// explain returns the answer to a request that Graph did not answer: because the caller left, its body was at
// fault, or Graph was.
func (o *outbound) explain(err error) error {
	var known *Error
	if errors.As(err, &known) {
		return known
	}
	bad := o.x.in.failure()
	if o.x.gone() && !isSlow(bad) {
		return errCallerGone
	}
	if bad != nil {
		return malformedBody(bad)
	}
	e := &Error{
		Status:  http.StatusBadGateway,
		Code:    codeUnavailable,
		Inner:   "graphUnreachable",
		Message: "graphproxy could not reach Microsoft Graph",
		Err:     err,
	}
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		e.Status, e.Inner, e.Message = http.StatusGatewayTimeout, "graphTimeout", "Microsoft Graph did not answer in time"
	}
	return e
}
