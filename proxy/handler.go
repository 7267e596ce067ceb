// Package proxy is a request's way through graphproxy, and the only code that writes to a caller.
//
// It asks the other rooms in turn (who is calling, what is the target, may they, is there room, with which token) and forwards
// what was judged to Microsoft Graph. What it decides itself: which bytes and headers reach Graph, which come back, what a
// refused caller sees, and what the audit line says. It leaves identity to auth/caller, Graph's URL grammar to
// policy/graph/odata, the rules to policy, room to policy/limit, and tokens to auth.
package proxy

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"graphproxy/auth"
	"graphproxy/auth/caller"
	"graphproxy/policy"
	"graphproxy/policy/graph/odata"
	"graphproxy/policy/limit"
	"graphproxy/policy/limit/queue"
	"graphproxy/proxy/links"
	"graphproxy/proxy/throttle"
)

// TokenSource gives the access tokens that Graph is shown. *auth.Source is one.
type TokenSource interface {
	Token(ctx context.Context) (auth.Token, error)
	Refused(auth.Token, auth.Refusal) auth.Renewal // Graph answered 401 to it
}

// App is an app registration as requests use it: in one tenant.
type App struct {
	Tenant string // whose resources its tokens open; targets may begin /v1.0/{tenant}/
	Tokens TokenSource
}

// Apps are the app registrations that there are. App returns the one that a policy calls by this name ("" is the default one),
// in this tenant ("" is its own), and nil if there is none. It is called for each request and must be safe for concurrent use.
type Apps interface {
	App(name, tenant string) *App
}

// Config is what a Handler needs. Graph, Apps and Authorization must be set.
type Config struct {
	Graph          *url.URL // Graph's root: scheme and host only, e.g. https://graph.microsoft.com
	Apps           Apps     // must have every one that Authorization names
	Authorization  *Authorization
	Buckets        Buckets          // nil: of this process
	Throttle       *throttle.Memory // what Graph said of its limits; nil: a new one
	PublicURL      string           // scheme and host that links carry, e.g. https://graph.contoso.com; "": those that the caller used
	Hosts          []string         // names that the proxy is known by besides that of PublicURL and localhost, without ports
	ForwardHeaders []string         // request headers that reach Graph besides those that its SDKs and documentation use
	MaxInFlight    int              // requests in flight; beyond it 503 at once. 0: 1000
	Roots          *x509.CertPool   // who may sign Graph's certificate; nil: the system's
	Audit          io.Writer        // one JSON line a request, each in one Write; nil: off. Must be safe for concurrent use
	AuditFailure   func() error     // why requests must be refused, because audit lines cannot be written; nil: never
	Log            *slog.Logger     // nil: slog.Default()
	Metrics        prometheus.Registerer
}

// Handler is the proxy. Safe for concurrent use.
type Handler struct {
	graph         *url.URL
	apps          Apps
	authorization atomic.Pointer[Authorization]
	buckets       Buckets
	queue         *queue.Queue
	throttle      *throttle.Memory
	headers       headerList
	wire          wire
	audit         *auditor
	unaudited     func() error // Config.AuditFailure
	log           *slog.Logger
	quiet         *log.Logger // of the reverse proxy: what it says is in the record already
	metrics       *metrics
	inFlight      atomic.Int64 // all requests, for the metric
	unknown       pool         // of requests whose caller is not known yet
	places        pool         // of requests that are worked on
	waiting       pool         // of requests that wait for a limit
	usages        sync.Map     // *usage by caller
	memory        *memory
	buffers       *bufferPool
	public        string
	hosts         Hosts
	origins       *http.CrossOriginProtection
	links         atomic.Pointer[addressed]
	zip           zipper
}

// New makes a Handler. Errors name the field and the cure.
func New(c Config) (*Handler, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	headers, err := newHeaderList(c.ForwardHeaders)
	if err != nil {
		return nil, err
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Buckets == nil {
		c.Buckets = own{limit.New()}
	}
	if c.Throttle == nil {
		c.Throttle = throttle.New(throttle.Options{Log: c.Log})
	}
	if c.MaxInFlight == 0 {
		c.MaxInFlight = 1000
	}
	hosts, err := NewHosts(c.PublicURL, c.Hosts)
	if err != nil {
		return nil, fmt.Errorf("proxy.Config.Hosts: %w", err)
	}
	origins, err := newOriginCheck(c.PublicURL)
	if err != nil {
		return nil, fmt.Errorf("proxy.Config.PublicURL: %w", err)
	}
	waiting, err := queue.New(c.Buckets, queue.Options{Now: time.Now})
	if err != nil {
		return nil, err
	}
	memory := newMemory(c.MaxInFlight)
	m, err := newMetrics(c.Metrics, func() float64 { return float64(waiting.Len()) }, func() float64 { return float64(memory.used.Load()) })
	if err != nil {
		return nil, fmt.Errorf("registering metrics: %w", err)
	}
	h := &Handler{
		graph: c.Graph, apps: c.Apps, buckets: c.Buckets, queue: waiting, throttle: c.Throttle, headers: headers,
		wire: newWire(c.Roots), audit: newAuditor(c.Audit, c.Log), unaudited: c.AuditFailure, log: c.Log, metrics: m,
		quiet:  slog.NewLogLogger(c.Log.Handler(), slog.LevelDebug),
		memory: memory, buffers: newBufferPool(), public: c.PublicURL, hosts: hosts, origins: origins,
	}
	h.places.most, h.waiting.most, h.unknown.most = int64(c.MaxInFlight), int64(c.MaxInFlight), int64(c.MaxInFlight)+mostUnknown
	h.authorization.Store(c.Authorization)
	return h, nil
}

func (c Config) check() error {
	switch {
	case c.Graph == nil || c.Graph.Host == "" || (c.Graph.Scheme != "https" && c.Graph.Scheme != "http"):
		return errors.New("proxy.Config.Graph: needs a scheme and a host, such as https://graph.microsoft.com")
	case strings.Trim(c.Graph.Path, "/") != "" || c.Graph.RawQuery != "" || c.Graph.User != nil:
		return errors.New("proxy.Config.Graph: holds more than a scheme and a host; requests carry the path")
	case c.Apps == nil:
		return errors.New("proxy.Config.Apps: is nil; requests cannot go without a token")
	case c.Authorization == nil:
		return errors.New("proxy.Config.Authorization: is nil; nothing would be allowed")
	case !isAddress(c.PublicURL):
		return errors.New("proxy.Config.PublicURL: holds more or less than a scheme and a host; write https://graph.contoso.com")
	case c.MaxInFlight < 0:
		return errors.New("proxy.Config.MaxInFlight: is negative; 0 means 1000")
	}
	return nil
}

// Use judges all later requests by a. Requests under way end as they began.
func (h *Handler) Use(a *Authorization) { h.authorization.Store(a) }

// Authorization returns the one in force.
func (h *Handler) Authorization() *Authorization { return h.authorization.Load() }

// exchange is one request on its way: what is known of it so far, for the record.
type exchange struct {
	rules *Authorization
	rec   *Record
	start time.Time
	out   *responseWriter
	in    *requestBody
	sent  time.Time       // when the request was handed to the transport
	err   error           // what the reverse proxy met
	ctx   context.Context // of the request
	gone  func() error    // why the caller no longer waits, or nil
	items *itemRun        // of a $batch; else nil
	links *links.Rewriter
	place place
	held  holding
	leave leave  // of a request that is no batch
	body  []byte // what is sent in the place of the caller's body, if that had to be read before the request was judged
	abort bool   // end the connection: an answer that nobody wrote would be 200

	allotment allotment // of its caller
}

// ServeHTTP takes one request through. Whatever happens below, it leaves exactly one record.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := h.begin(w, r)
	defer h.end(x)
	if err := h.serve(x, r); err != nil {
		h.fail(x, err)
	}
}

func (h *Handler) begin(w http.ResponseWriter, r *http.Request) *exchange {
	start := time.Now()
	rules := h.authorization.Load()
	rec := &Record{
		Time: start.UTC(), Method: methodName(r.Method), Decision: decisionRefuse,
		RequestID: newID(), ClientRequestID: clientRequestID(r.Header), Policy: rules.policy.Hash(),
	}
	h.metrics.inFlight.Set(float64(h.inFlight.Add(1)))
	in := newRequestBody(w, r)
	return &exchange{rules: rules, rec: rec, start: start, out: newResponseWriter(w, r, in), in: in, ctx: r.Context(), gone: r.Context().Err, held: holding{of: h.memory}}
}

// serve is a request's way, top to bottom (each step may be the last).
func (h *Handler) serve(x *exchange, r *http.Request) error {
	if err := checkHost(r); err != nil {
		return err
	}
	if err := h.checkAudit(); err != nil {
		return err
	}
	found, err := h.authenticate(x, r)
	if err != nil {
		return err
	}
	if err := h.work(x); err != nil {
		return err
	}
	x.links = h.linksOf(r)
	target, err := h.read(r, x.links)
	if err != nil {
		return err
	}
	x.rec.target(target)
	if err := h.checkOrigin(r, found.Evidence, x.rules.policy.Ask()); err != nil {
		return err
	}
	if err := checkHeaders(r.Header); err != nil {
		return err
	}
	if err := checkBody(r, x.in); err != nil {
		return err
	}

	request := policy.Request{Caller: found.Name, Method: r.Method, Target: target}
	if target.IsBatch() {
		return h.serveBatch(x, r, request)
	}
	if hasBody(r) {
		x.leave.check = func() error { return checkMediaType(r, target, x.in) }
	}
	refers := func(bounded bool) (references, error) { return x.referencesOf(r, target, bounded) }
	if err := h.judge(r.Context(), x, x.rec, request, &x.leave, refers); err != nil {
		return err
	}
	defer x.finish()
	if err := h.slowDown(r.Context(), x.rec, &x.leave); err != nil {
		return err
	}

	token, err := x.leave.app.Tokens.Token(r.Context())
	if err != nil {
		return noToken(r.Context(), err)
	}
	return h.forward(x, r, pass{target: target, decision: x.leave.decision, app: x.leave.app, token: token, body: x.body})
}

// authenticate finds out who the caller is, and what it may have at once.
func (h *Handler) authenticate(x *exchange, r *http.Request) (caller.Found, error) {
	if h.unknown.used.Add(1) > h.unknown.most {
		h.unknown.used.Add(-1)
		return caller.Found{}, overloaded("graphproxy has as many requests to authenticate as it may")
	}
	defer h.unknown.used.Add(-1)
	found, err := x.rules.callers.Authenticate(r)
	if err != nil {
		x.out.close = x.out.close || reconnect(err)
		return caller.Found{}, unauthenticated(err)
	}
	x.rec.Caller, x.rec.Evidence = found.Name, found.Evidence
	x.allotment = h.allot(x.rules, found.Name)
	x.held.own, x.held.most = &x.allotment.has.bytes, x.allotment.bytes
	return found, nil
}

// finish gives back what a request has of its caller's share, and then what it has of limits: who gets that has to find a place.
func (x *exchange) finish() {
	x.place.leave()
	x.leave.end()
}

// read is the only reading of a request's target. It takes the bytes of the request line, not what net/url made of them.
func (h *Handler) read(r *http.Request, l *links.Rewriter) (*odata.Target, error) {
	if !knownMethod(r.Method) {
		return nil, &Error{Status: http.StatusMethodNotAllowed, Code: codeInvalid, Inner: "methodNotAllowed", Message: "Microsoft Graph has the methods GET, HEAD, POST, PUT, PATCH and DELETE, in capital letters"}
	}
	if !strings.HasPrefix(r.RequestURI, "/") {
		return nil, badRequest("absoluteTarget", "the request line must hold a path such as /v1.0/users, not a whole address: graphproxy is used as a server, not as an HTTP proxy")
	}
	path, query, _ := strings.Cut(r.RequestURI, "?")
	target, err := odata.Parse(path, query)
	if err != nil {
		return nil, unreadable(err)
	}
	if target, err = mapReference(target, l); err != nil {
		return nil, unreadable(err)
	}
	return target, nil
}

// noToken is the last thing that can fail before the wire. What Entra said goes to the log and to /readyz.
func noToken(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errCallerGone
	}
	e := &Error{Status: http.StatusServiceUnavailable, Code: codeUnavailable, Inner: "tokenUnavailable", Message: "graphproxy has no access token for Microsoft Graph now; its operator sees why at /readyz", Err: err, RetryAfter: 5 * time.Second}
	var cause *auth.Error
	if errors.As(err, &cause) && cause.RetryAfter > 0 {
		e.RetryAfter = cause.RetryAfter
	}
	return e
}

// fail answers a request that did not reach its end, when there is still somebody to answer.
func (h *Handler) fail(x *exchange, err error) {
	if errors.Is(err, errCallerGone) && x.shutDown() {
		err = cutByShutdown()
	}
	if errors.Is(err, errCallerGone) {
		x.rec.Reason, x.rec.Status, x.abort = "callerGone", statusCallerGone, true
		return
	}
	e := h.toldOf(x, err)
	x.rec.Reason = e.Inner
	if e.Status == http.StatusRequestEntityTooLarge {
		x.held.release() // what was read of the body is of no use
		x.in.discard()
	}
	render(x.out, e, x.rec)
}

// toldOf tells the log what is not for the caller, and returns the rest.
func (h *Handler) toldOf(x *exchange, err error) *Error {
	e := asError(err)
	if e.Err != nil {
		h.log.Log(context.Background(), level(e), e.Message, "code", e.Inner, "status", e.Status, "caller", x.rec.Caller, "request_id", x.rec.RequestID, "error", e.Err)
	}
	return e
}

// level: why there is no token, or no key of an issuer, is told once by who fetches it; to repeat it for every request would bury it.
func level(e *Error) slog.Level {
	if e.Inner == "tokenUnavailable" || e.Inner == "issuerUnavailable" {
		return slog.LevelDebug
	}
	return slog.LevelWarn
}

// end completes the record. It runs deferred, so that a panic below is recorded too; http.ErrAbortHandler, with which the
// reverse proxy cuts off a body that Graph cut off, goes on to the server.
func (h *Handler) end(x *exchange) {
	p := recover()
	if p != nil && p != http.ErrAbortHandler { //nolint:errorlint // net/http compares it so, too
		h.log.Error("panic", "value", fmt.Sprint(p), "request_id", x.rec.RequestID, "stack", string(debug.Stack()))
		if !x.out.started() {
			h.fail(x, fmt.Errorf("panic: %v", p))
			p = nil
		}
	}
	if p != nil {
		x.rec.Reason = x.cutOff()
	}
	x.held.release()
	x.place.leave()
	h.metrics.inFlight.Set(float64(h.inFlight.Add(-1)))
	if x.rec.Status == 0 {
		x.rec.Status = x.out.status
	}
	x.rec.BytesIn, x.rec.BytesOut = x.in.count(), x.out.bytes
	elapsed := time.Since(x.start)
	x.rec.Millis = millis(elapsed)
	h.metrics.observe(x.rec, elapsed)
	x.rec.bound()
	h.audit.write(x.rec)
	h.tell(x.rec)
	x.items.end(h, x.rec)
	if p != nil || x.abort {
		panic(http.ErrAbortHandler)
	}
}

// tell logs the request for whoever debugs: what the audit line says, without the keys that are in it.
func (h *Handler) tell(rec *Record) {
	ctx := context.Background()
	if !h.log.Enabled(ctx, slog.LevelDebug) {
		return
	}
	h.log.LogAttrs(ctx, slog.LevelDebug, "request",
		slog.String("caller", rec.Caller), slog.String("method", rec.Method), slog.String("path", rec.Path), slog.Any("query", rec.Query), slog.String("rule", rec.Rule),
		slog.String("decision", rec.Decision), slog.String("reason", rec.Reason), slog.Int("status", rec.Status), slog.Float64("ms", rec.Millis), slog.String("request_id", rec.RequestID))
}

// cutOff says who ended an answer in the middle.
func (x *exchange) cutOff() string {
	if x.shutDown() {
		return "shutdown"
	}
	if x.gone() != nil {
		return "callerGone"
	}
	return "graphBrokeOff"
}
