package proxy

import (
	"context"
	"net"
	"net/http"
	"sync/atomic"

	"graphproxy/auth/caller"
	"graphproxy/proxy/batch"
)

// NewResponseWriter is what answers are written to. The answer ends with end.
func NewResponseWriter(w http.ResponseWriter, r *http.Request) (to http.ResponseWriter, end func()) {
	var in requestBody
	in.prepare(w, r)
	var out responseWriter
	out.prepare(w, r, &in, &holding{of: newMemory(1), own: new(atomic.Int64), most: share{most: 1 << 30, fraction: 1}})
	out.mayGather = true
	return &out, func() { out.end(); out.send() }
}

// InFlight is how many requests are in the handler.
func (h *Handler) InFlight() int { return int(h.meter.InFlight.Load()) }

// OnDial makes connections to Graph by way of f.
func OnDial(h *Handler, f func() (net.Conn, error)) {
	dial := func(context.Context, string, string) (net.Conn, error) { return f() }
	h.wire.kept.DialContext, h.wire.fresh.DialContext = dial, dial
}

// Cut shortens a text for an audit line.
func Cut(s string, most int) (string, bool) { return cut(s, most) }

// HeldBytes returns how many bytes are counted now, and the bound.
func (h *Handler) HeldBytes() (now, most int64) { return h.memory.used.Load(), h.memory.most }

// WholeAnswer keeps the answer to a batch in memory, with this many bytes that may be counted. It returns how many are
// counted, and after Close how many, and how much of the answer can still be read.
func WholeAnswer(text string, most int64) (held, left int64, unread int) {
	x := &exchange{held: holding{of: newMemory(1), own: new(atomic.Int64), most: share{most: most, fraction: 1}}}
	merger := new(batch.Batch).Merger(batch.Edit{}, x.held.memory())
	s := &answerStream{x: x, merger: merger, close: func() {}}
	if s.holdWhole(len(text)) {
		s.whole.WriteString(text)
	}
	held = x.held.n
	_ = s.Close()
	return held, x.held.n, s.whole.Len()
}

// BoundHeldBytes lowers the bound of counted bytes.
func BoundHeldBytes(h *Handler, most int64) { h.memory.most = most }

// Untraced calls every span that a request may have, without tracing.
func Untraced() {
	var off *Tracing
	t := off.begin(nil, nil)
	t.step("authenticate").end()
	t.outgoing(nil, nil).answered(nil, nil, 0)
	_ = t.spanID()
	t.end(nil, nil)
}

// AppendLine appends the audit line of a record.
func (rec *Record) AppendLine(b []byte) []byte { return rec.appendLine(b) }

// Authenticate finds the caller of a request, as the handler does.
func (a *Authorization) Authenticate(r *http.Request) (caller.Found, error) {
	return a.callers.Authenticate(r)
}

// Bound shortens what is too long for a line.
func (rec *Record) Bound() { rec.bound() }

// MakeMe behaves as a request that makes an answer about a caller, until the returned function is called.
func (h *Handler) MakeMe(caller string) (end func()) {
	one := &h.usageOf(caller).me
	one.Lock()
	return one.Unlock
}
