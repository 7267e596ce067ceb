package proxy

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"graphproxy/policy"
	"graphproxy/policy/graph/odata"
)

// The values of a Record's Decision.
const (
	decisionAllow  = "allow"  // allowed and sent, with any answer of Graph
	decisionDeny   = "deny"   // no rule allows it, or one denies it
	decisionLimit  = "limit"  // one of our limits, or one of Graph's, refuses it
	decisionRefuse = "refuse" // refused before a decision: unreadable, unknown caller, too many in flight, a broken batch
)

// Record is the audit line of one request. It has names and ids, never a query value, a header, a body or evidence.
// The line has less than 4 KiB, see bound. The zero values of the optional fields are left out of the line.
type Record struct {
	Time     time.Time `json:"time"`
	Caller   string    `json:"caller"`
	Evidence string    `json:"evidence"`
	// the caller's identity that matched: its name, or 8 digits of its hash
	Credential      string           `json:"credential,omitempty"`
	Client          string           `json:"client"`         // address that the request comes from, without port
	Peer            string           `json:"peer,omitempty"` // the trusted proxy that named Client
	App             string           `json:"app,omitempty"`
	Tenant          string           `json:"tenant,omitempty"` // that the policy names; absent for the app's own
	Method          string           `json:"method"`
	Version         string           `json:"version,omitempty"`
	Path            string           `json:"path,omitempty"`   // template of the rule that decided: /v1.0/users/{id}; see shapeOf
	Target          string           `json:"target,omitempty"` // path with its keys, without the query
	Query           []string         `json:"query,omitempty"`  // names of the query options
	Rule            string           `json:"rule,omitempty"`   // file:line
	Ticket          string           `json:"ticket,omitempty"` // of the rule, and else of the caller, as the policy has it
	Decision        string           `json:"decision"`
	WouldDeny       bool             `json:"would_deny,omitempty"`
	Reason          string           `json:"reason,omitempty"`    // innerError.code of a refusal, or why report mode would deny
	Condition       string           `json:"condition,omitempty"` // on the body, that was not met: "body: recipients"
	Until           string           `json:"until,omitempty"`     // when the grant that allowed it ends, in its last day
	Candidate       *CandidateRecord `json:"candidate,omitempty"` // what the candidate policy decides, if that differs
	Status          int              `json:"status"`              // what the caller saw; 499 when it left before an answer
	GraphStatus     int              `json:"graph_status,omitempty"`
	Millis          float64          `json:"ms"`
	GraphMillis     float64          `json:"graph_ms,omitempty"` // until Graph's response header
	BytesIn         int64            `json:"bytes_in"`
	BytesOut        int64            `json:"bytes_out"`
	RequestID       string           `json:"request_id"`
	ClientRequestID string           `json:"client_request_id"`
	TraceID         string           `json:"trace_id,omitempty"` // of the caller's traceparent, or of graphproxy's own trace
	Policy          string           `json:"policy"`             // hash of the policy file that decided
	Batch           string           `json:"batch,omitempty"`    // of an item of a $batch: request_id of the batch
	Item            string           `json:"item,omitempty"`     // of an item: its id, as the caller wrote it
	Cut             []string         `json:"cut,omitempty"`      // names of the fields above that are shortened

	// For the metrics.
	decided  *policy.Rule // Rule
	reported string       // the Reason for which report mode would deny
}

// statusCallerGone is the status in a record whose caller left before it was answered (nginx's convention).
const statusCallerGone = 499

func (rec *Record) target(t *odata.Target) {
	rec.Version, rec.Target, rec.Query = t.Version, t.Path(), t.OptionNames()
}

func (rec *Record) decide(d policy.Decision) {
	rec.App, rec.Tenant = d.App, d.Tenant
	rec.Decision = decisionAllow
	if !d.Allow {
		rec.Decision = decisionDeny
	}
	rec.WouldDeny, rec.Ticket = d.WouldDeny, d.Ticket
	if d.Rule != nil {
		rec.Rule, rec.Path, rec.decided = d.Rule.Where(), d.Rule.Path, d.Rule
	}
	if d.WouldDeny {
		rec.Reason, rec.reported = d.Reason, d.Reason
	}
	const lastDay = 24 * time.Hour
	if d.Allow && !d.WouldDeny && !d.Until.IsZero() && d.Until.Sub(rec.Time) <= lastDay {
		rec.Until = d.Until.Format(time.RFC3339)
	}
	if strings.HasPrefix(d.Reason, policy.ReasonBody) {
		rec.Condition = d.Reason
	}
}

// end records the request. It runs deferred, so that a panic below is recorded too. http.ErrAbortHandler is passed
// on to the server: the reverse proxy uses it to cut off a body that Graph cut off.
func (h *Handler) end(x *exchange) {
	p := recover()
	defer x.out.send()
	if p != nil && p != http.ErrAbortHandler { //nolint:errorlint // net/http compares it in the same way
		x.logger(h.log).Error("panic", "value", fmt.Sprint(p), "request_id", x.rec.RequestID, "stack", string(debug.Stack()))
		if !x.out.started() {
			h.fail(x, fmt.Errorf("panic: %v", p))
			p = nil
		}
	}
	if err := x.instead(); p != nil && err != nil {
		h.fail(x, err)
		p = nil
	}
	if p != nil {
		x.rec.Reason = x.cutOff()
		x.out.cutOff()
	}
	x.out.end()
	h.judgeCandidate(x)
	x.held.release()
	x.place.leave()
	h.meter.InFlight.Add(-1)
	h.record(x)
	if p != nil || x.abort {
		panic(http.ErrAbortHandler)
	}
}

// record completes the record of a request, and of each item of a batch, and writes them to the metrics, the audit log
// and the log.
func (h *Handler) record(x *exchange) {
	rec := x.rec
	if rec.Status == 0 {
		rec.Status = x.out.status
	}
	elapsed := time.Since(x.start)
	rec.BytesIn, rec.BytesOut, rec.Millis = x.in.count(), x.out.bytes, millis(elapsed)
	h.observe(x, elapsed)
	rec.shape(x.seen)
	h.meter.Request(rec.outcome())
	h.complete(x, rec)
	items := x.batch.recordItems(h, x)
	h.audit.write(rec, items)
	x.traced.end(rec, items)
}

// recordItems completes the records of a batch's items, and returns them; nil for a request that is no batch.
func (b *batchRun) recordItems(h *Handler, x *exchange) []Record {
	if b == nil {
		return nil
	}
	for i := range b.records {
		b.admissions[i].end()
		item := &b.records[i]
		item.shape(b.batch.Items[i].Target)
		item.ofBatch(x.rec)
		h.meter.Item(item.outcome())
		h.complete(x, item)
	}
	return b.records
}

// complete bounds a record, and logs it.
func (h *Handler) complete(x *exchange, rec *Record) {
	if rec.Until != "" {
		h.meter.Ending.Add(1)
	}
	rec.bound()
	h.keepRefusal(rec)
	h.logRecord(x, rec)
}

// ofBatch completes the record of an item with that of its batch. An item without an answer of its own gets
// Whole.Status.
func (rec *Record) ofBatch(whole *Record) {
	rec.Batch, rec.RequestID = whole.RequestID, whole.RequestID
	rec.Millis, rec.GraphMillis = whole.Millis, whole.GraphMillis
	if rec.Status == 0 { // the batch failed, or was answered, as a whole
		rec.Status, rec.GraphStatus, rec.Reason = whole.Status, whole.GraphStatus, whole.Reason
	}
}

// logRecord logs the request for debugging: the fields of the audit line without keys.
func (h *Handler) logRecord(x *exchange, rec *Record) {
	ctx := context.Background()
	if !h.log.Enabled(ctx, slog.LevelDebug) {
		return
	}
	x.logger(h.log).LogAttrs(ctx, slog.LevelDebug, "request",
		slog.String("caller", rec.Caller),
		slog.String("method", rec.Method),
		slog.String("path", rec.Path),
		slog.Any("query", rec.Query),
		slog.String("rule", rec.Rule),
		slog.String("decision", rec.Decision),
		slog.String("reason", rec.Reason),
		slog.Int("status", rec.Status),
		slog.Float64("ms", rec.Millis),
		slog.String("request_id", rec.RequestID),
	)
}

// logger adds the request's trace to its log lines.
func (x *exchange) logger(log *slog.Logger) *slog.Logger {
	if x.rec.TraceID == "" {
		return log
	}
	log = log.With("trace_id", x.rec.TraceID)
	if id := x.traced.spanID(); id != "" {
		log = log.With("span_id", id)
	}
	return log
}

// logCause logs the cause of an error, which must not reach the caller, and returns the error for the caller.
func (h *Handler) logCause(x *exchange, err error) *Error {
	e := asError(err)
	if e.Err != nil {
		x.logger(h.log).Log(context.Background(), e.level(), e.Message,
			"code", e.Inner,
			"status", e.Status,
			"caller", x.rec.Caller,
			"request_id", x.rec.RequestID,
			"error", e.Err,
		)
	}
	return e
}

// level is debug for a missing token or missing keys of an issuer. The package that fetches them logs that once; a
// line for every request would hide it.
func (e *Error) level() slog.Level {
	if e.Inner == "tokenUnavailable" || e.Inner == "issuerUnavailable" {
		return slog.LevelDebug
	}
	return slog.LevelWarn
}

// instead returns the answer for a caller when Graph's answer ended before any of its body came; nil: Graph's
// answer stays.
func (x *exchange) instead() error {
	switch {
	case x.out.started():
		return nil
	case x.shutDown():
		return cutByShutdown()
	case x.stalled.Load() && !x.gone():
		return graphStalled()
	}
	return nil
}

// cutOff returns the side that ended an answer in the middle.
func (x *exchange) cutOff() string {
	switch {
	case x.shutDown():
		return "shutdown"
	case x.gone():
		return "callerGone"
	case x.stalled.Load():
		return "graphStalled"
	}
	return "graphBrokeOff"
}

// millis returns a duration in milliseconds with three decimals.
func millis(d time.Duration) float64 { return math.Round(float64(d)/float64(time.Microsecond)) / 1000 }
