package proxy

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"graphproxy/auth"
	"graphproxy/auth/caller"
	"graphproxy/policy"
	"graphproxy/policy/graph/odata"
	"graphproxy/proxy/links"
)

// exchange is one request under way, with all facts that are known so far.
type exchange struct {
	traced        *traced
	authorization *Authorization
	request       *http.Request
	rec           *Record
	start         time.Time
	out           *responseWriter
	in            *requestBody
	links         *links.Rewriter
	allotment     allotment // of its caller
	place         place
	held          holding
	seen          *odata.Target // the target of the request, as far as it can be read
	mark          string        // of the link that the request follows; "" if it has none
	unreadable    error         // why it cannot be read
	admission     admission     // of a request that is not a batch
	mayWait       func() bool   // called before the wait for a limit; nil: not needed yet
	body          sentBody      // of a request that is not a batch
	batch         *batchRun     // of a $batch; else nil
	graphBody     answerBody
	spent         spent
	stalled       atomic.Bool // an answer of Graph stalled
	err           error       // of the reverse proxy
	abort         bool        // end the connection: net/http would answer 200 otherwise
	single        *outbound   // memory for the one of a request that is no batch
	shadow        *shadow     // what the candidate is to judge; nil: there is no candidate
}

// parts is what nearly every request needs, in one piece of memory.
type parts struct {
	exchange exchange
	record   Record
	out      responseWriter
	in       requestBody
	single   outbound
}

// ServeHTTP serves one request. It leaves exactly one record in every case.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := h.begin(w, r)
	defer h.end(x)
	if err := h.serve(x); err != nil {
		h.fail(x, err)
	}
}

func (h *Handler) begin(w http.ResponseWriter, r *http.Request) *exchange {
	start := time.Now()
	authorization := h.authorization.Load()
	p := new(parts)
	rec := &p.record
	*rec = Record{
		Time:            start.UTC(),
		Method:          methodName(r.Method),
		Decision:        decisionRefuse,
		RequestID:       newID(),
		ClientRequestID: clientRequestID(r.Header),
		TraceID:         traceID(r.Header),
		Policy:          authorization.policy.Hash(),
	}
	origin := authorization.callers.Origin(r)
	rec.Client, rec.Peer = origin.Client, origin.Peer
	h.meter.InFlight.Add(1)
	p.in.prepare(w, r)
	p.out.prepare(w, r, &p.in, &p.exchange.held)
	p.exchange = exchange{
		traced:        h.tracing.begin(r, rec),
		authorization: authorization,
		request:       r,
		rec:           rec,
		start:         start,
		out:           &p.out,
		in:            &p.in,
		held:          holding{of: h.memory},
		single:        &p.single,
		shadow:        h.shadow(),
	}
	return &p.exchange
}

// serve has the steps of a request, in order. Each step may be the last.
func (h *Handler) serve(x *exchange) error {
	x.unreadable = x.look()
	known, err := h.authenticate(x)
	if err != nil {
		return err
	}
	if isMe(x.request) {
		return h.serveMe(x, known)
	}
	request, err := h.read(x, known)
	if err != nil {
		return err
	}
	x.shadow.see(request)
	if x.authorization.policy.Ended(request.Caller, request.At) {
		d := x.authorization.policy.Decide(request)
		x.rec.decide(d)
		return denied(x.authorization.policy, request, d)
	}
	if request.Target.IsBatch() {
		return h.serveBatch(x, request)
	}
	if err := h.decide(x, x.rec, request, &x.admission, nil); err != nil {
		return err
	}
	if err := h.admit(x); err != nil {
		return err
	}
	defer x.finish()
	token, err := x.token(x.admission.app)
	if err != nil {
		return err
	}
	return h.forward(x, x.outbound(token))
}

// authenticate finds the caller, and takes a place for it among the requests in flight.
func (h *Handler) authenticate(x *exchange) (caller.Found, error) {
	defer x.traced.step("authenticate").end()
	if err := checkHost(x.request); err != nil {
		return caller.Found{}, err
	}
	if err := h.checkAudit(); err != nil {
		return caller.Found{}, err
	}
	found, err := h.identify(x)
	if err != nil {
		return caller.Found{}, err
	}
	x.rec.Caller, x.rec.Evidence, x.rec.Credential = found.Name, found.Evidence, found.Credential
	x.allotment = h.allot(x.authorization, found.Name)
	x.held.own, x.held.most = &x.allotment.has.bytes, x.allotment.bytes
	return found, h.work(x)
}

// identify checks the evidence of the caller. The number of requests in it is bounded, because evidence may have to
// wait for keys.
func (h *Handler) identify(x *exchange) (caller.Found, error) {
	defer h.unknown.used.Add(-1)
	if h.unknown.used.Add(1) > h.unknown.most {
		return caller.Found{}, overloaded("graphproxy has as many requests to authenticate as it may")
	}
	found, err := x.authorization.callers.Authenticate(x.request)
	if err != nil {
		x.out.close = x.out.close || reconnect(err)
		return caller.Found{}, unauthenticated(err)
	}
	return found, nil
}

// look reads the target of a request, and records it even if the caller turns out to be unknown. read returns its
// error: a problem with the caller's evidence is reported first.
func (x *exchange) look() error {
	target, err := readTarget(x.request)
	if err != nil {
		return err
	}
	if x.seen, x.mark, err = takeMark(target); err != nil {
		x.seen = target
	}
	x.rec.target(x.seen)
	return err
}

// read reads a request once: its target, and whether its origin, headers and body are unambiguous.
func (h *Handler) read(x *exchange, known caller.Found) (policy.Request, error) {
	if x.unreadable != nil {
		return policy.Request{}, x.unreadable
	}
	r := x.request
	x.links = h.linksOf(r)
	target, err := mapReference(x.seen, x.links)
	if err != nil {
		return policy.Request{}, unreadable(err)
	}
	if err := h.checkOrigin(r, known.Evidence, x.authorization.policy.ContactAdvice()); err != nil {
		return policy.Request{}, err
	}
	if err := checkHeaders(r.Header); err != nil {
		return policy.Request{}, err
	}
	request := policy.Request{Caller: known.Name, Method: r.Method, Target: target, At: x.rec.Time}
	if x.mark != "" {
		request.Selection = h.selectionOf(x, request, x.mark)
	}
	return request, checkBody(r, x.in)
}

// readTarget reads the bytes of the request line, not the result of net/url.
func readTarget(r *http.Request) (*odata.Target, error) {
	if !knownMethod(r.Method) {
		return nil, &Error{
			Status:  http.StatusMethodNotAllowed,
			Code:    codeInvalid,
			Inner:   "methodNotAllowed",
			Message: "Microsoft Graph has the methods GET, HEAD, POST, PUT, PATCH and DELETE, in capital letters",
			allow:   "GET, HEAD, POST, PUT, PATCH, DELETE",
		}
	}
	if !strings.HasPrefix(r.RequestURI, "/") {
		return nil, badRequest("absoluteTarget",
			"the request line must hold a path such as /v1.0/users, not a whole address: "+
				"graphproxy is used as a server, not as an HTTP proxy")
	}
	path, query, _ := strings.Cut(r.RequestURI, "?")
	target, err := odata.Parse(path, query)
	if err != nil {
		return nil, unreadable(err)
	}
	return target, nil
}

// token returns the access token of the app that the policy names. No later step can fail before the request is
// sent.
func (x *exchange) token(app *App) (auth.Token, error) {
	defer x.traced.step("token").end()
	defer since(&x.spent.waiting, time.Now())
	ctx := x.request.Context()
	token, err := app.Tokens.Token(ctx)
	if err != nil {
		return auth.Token{}, noToken(ctx, err)
	}
	return token, nil
}

// noToken is the answer to a request without a token. Entra's error is in the log and at /readyz.
func noToken(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errCallerGone
	}
	e := &Error{
		Status:     http.StatusServiceUnavailable,
		Code:       codeUnavailable,
		Inner:      "tokenUnavailable",
		Message:    "graphproxy has no access token for Microsoft Graph now; its operator sees why at /readyz",
		Err:        err,
		RetryAfter: 5 * time.Second,
	}
	var cause *auth.Error
	if errors.As(err, &cause) && cause.RetryAfter > 0 {
		e.RetryAfter = cause.RetryAfter
	}
	return e
}

// finish gives back the request's place, and then its slots of limits: the next request with a slot needs a place.
func (x *exchange) finish() {
	x.place.leave()
	x.admission.end()
}

// gone reports whether the caller no longer waits for the answer.
func (x *exchange) gone() bool { return x.request.Context().Err() != nil }

// fail answers a request that ended with an error, if its caller still waits.
func (h *Handler) fail(x *exchange, err error) {
	if errors.Is(err, errCallerGone) && x.shutDown() {
		err = cutByShutdown()
	}
	if errors.Is(err, errCallerGone) {
		x.rec.Reason, x.rec.Status, x.abort = "callerGone", statusCallerGone, true
		return
	}
	e := h.logCause(x, err)
	x.rec.Reason = e.Inner
	x.out.reset()
	if e.Status == http.StatusRequestEntityTooLarge {
		x.held.release() // what was read of the body is not used
		x.in.discard()
	}
	render(x.out, e, x.rec)
}
