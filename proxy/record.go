package proxy

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"math"
	"sync"
	"time"

	"graphproxy/policy"
	"graphproxy/policy/graph/odata"
)

// What a Record's Decision says.
const (
	decisionAllow  = "allow"  // judged and let through, whatever Graph then answered
	decisionDeny   = "deny"   // no rule allows it, or one denies it
	decisionLimit  = "limit"  // no room in one of our buckets
	decisionRefuse = "refuse" // never came to a judgement: unreadable, unknown caller, too many in flight, a broken batch
)

// Record is the audit line of one request. It holds names and ids, never a query value, a header, a body or evidence. The line
// has less than 4 KiB, see bound.
// The zero values of the optional fields are left out of the line.
type Record struct {
	Time            time.Time `json:"time"`
	Caller          string    `json:"caller"`
	Evidence        string    `json:"evidence"`
	App             string    `json:"app,omitempty"`
	Tenant          string    `json:"tenant,omitempty"` // that the policy names; absent for the app's own
	Method          string    `json:"method"`
	Version         string    `json:"version,omitempty"`
	Path            string    `json:"path,omitempty"`   // template of the rule that decided: /v1.0/users/{id}
	Target          string    `json:"target,omitempty"` // path with its keys, without the query
	Query           []string  `json:"query,omitempty"`  // names of the query options
	Rule            string    `json:"rule,omitempty"`   // file:line
	Decision        string    `json:"decision"`
	WouldDeny       bool      `json:"would_deny,omitempty"`
	Reason          string    `json:"reason,omitempty"` // innerError.code of a refusal, or why report mode would deny
	Status          int       `json:"status"`           // what the caller saw; 499 when it left before an answer
	GraphStatus     int       `json:"graph_status,omitempty"`
	Millis          float64   `json:"ms"`
	GraphMillis     float64   `json:"graph_ms,omitempty"` // until Graph's response header
	BytesIn         int64     `json:"bytes_in"`
	BytesOut        int64     `json:"bytes_out"`
	RequestID       string    `json:"request_id"`
	ClientRequestID string    `json:"client_request_id"`
	Policy          string    `json:"policy"`          // hash of the policy file that judged
	Batch           string    `json:"batch,omitempty"` // of an item of a $batch: request_id of the batch
	Item            string    `json:"item,omitempty"`  // of an item: its id, as the caller wrote it
	Cut             []string  `json:"cut,omitempty"`   // names of the fields above that are shortened
}

// statusCallerGone is the status in a record whose caller left before it was answered (nginx's convention).
const statusCallerGone = 499

func (rec *Record) target(t *odata.Target) {
	rec.Version, rec.Target, rec.Query = t.Version, t.Path(), t.OptionNames()
}

func (rec *Record) decide(d policy.Decision) {
	rec.App, rec.Tenant = appName(d.App), d.Tenant
	rec.Decision = decisionAllow
	if !d.Allow {
		rec.Decision = decisionDeny
	}
	rec.WouldDeny = d.WouldDeny
	if d.Rule != nil {
		rec.Rule, rec.Path = d.Rule.Where(), d.Rule.Path
	}
	if d.WouldDeny {
		rec.Reason = d.Reason
	}
}

// appName is what a record and a bucket's key say for the app registration that a rule or caller did not name.
func appName(app string) string {
	if app == "" {
		return "default"
	}
	return app
}

// auditor writes records as JSON lines. One Write a line, so that an O_APPEND file never mixes two.
type auditor struct {
	w       io.Writer
	log     *slog.Logger
	buffers sync.Pool
}

func newAuditor(w io.Writer, log *slog.Logger) *auditor {
	return &auditor{w: w, log: log, buffers: sync.Pool{New: func() any { return new(bytes.Buffer) }}}
}

// write appends one line. An audit log that cannot be written is told in the log at every record: it must not pass unseen.
func (a *auditor) write(rec *Record) {
	if a.w == nil {
		return
	}
	buf := a.buffers.Get().(*bytes.Buffer)
	defer a.buffers.Put(buf)
	buf.Reset()
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false)
	err := enc.Encode(rec)
	if err == nil {
		_, err = a.w.Write(odata.VisibleJSON(buf.Bytes())) // a mark of direction could make a target look like another
	}
	if err != nil {
		a.log.Error("audit line lost", "request_id", rec.RequestID, "error", err)
	}
}

// millis is a duration in milliseconds with microseconds behind the point.
func millis(d time.Duration) float64 { return math.Round(float64(d)/float64(time.Microsecond)) / 1000 }
