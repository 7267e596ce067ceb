package proxy

import (
	"context"
	"fmt"
	"mime"
	"net/http"
	"net/textproto"
	"slices"
	"strings"
	"time"

	"graphproxy/policy"
	"graphproxy/proxy/batch"
)

// itemRun is a $batch on its way: what was decided of each of its items, and what became of them.
type itemRun struct {
	batch   *batch.Batch
	version string // of the batch, and so of its items
	records []Record
	errs    []*Error // why an item is not sent; nil for those that are
	leaves  []leave  // of the items that are sent
	groups  []group
}

// group is those items that go to Graph in one batch, because they use the same app registration.
type group struct {
	app   *App
	items []int
	body  []byte
}

// freeURLs is how many bytes more than came the URLs of a batch may have, if it was compressed: judging a URL costs more than inflating it.
const freeURLs = 16 << 10

// serveBatch takes the items of a batch through one by one, sends those that may go in one batch, and answers the others in
// their places. The batch itself needs no rule and takes no room.
func (h *Handler) serveBatch(x *exchange, r *http.Request, request policy.Request) error {
	if err := h.judgeEnvelope(x, r, request); err != nil {
		return err
	}
	text, err := h.readEnvelope(x, r, request)
	if err != nil {
		return err
	}
	b, err := batch.Read(text, batch.Options{
		Version: request.Target.Version,
		Hosts:   []string{"https://" + r.Host, "http://" + r.Host, h.public},
		Header:  h.headers.mayBeInItem,
		MaxURLs: int(x.in.count()) + freeURLs,
	})
	if err != nil {
		return badBatch(err)
	}
	x.rec.Decision = decisionAllow
	if err := h.judgeItems(r.Context(), x, b); err != nil {
		return err
	}
	if err := h.resume(x); err != nil { // an item that waited found no place afterwards
		x.items.giveBack(h)
		return err
	}
	switch groups := x.items.groups; len(groups) {
	case 0:
		s := newAnswerStream(h, x)
		defer s.Close()
		return s.write()
	case 1:
		token, err := groups[0].app.Tokens.Token(r.Context())
		if err != nil {
			return noToken(r.Context(), err)
		}
		return h.forward(x, r, pass{target: request.Target, items: x.items, app: groups[0].app, token: token, body: groups[0].body})
	}
	return h.forwardGroups(x, r, request.Target)
}

// readEnvelope reads the body of a batch. Until it is there the batch counts into the concurrency of its caller, as each item does then.
func (h *Handler) readEnvelope(x *exchange, r *http.Request, request policy.Request) ([]byte, error) {
	defer x.leave.end()
	l := &x.leave
	l.charges = x.rules.policy.EnvelopeCharges(l.few[:0], request)
	if len(l.charges) > 0 {
		if err := h.take(r.Context(), x, x.rec, l); err != nil {
			return nil, err
		}
	}
	return judgedBody(r, x.in, &x.held)
}

// giveBack gives back what the items took that are not sent after all.
func (run *itemRun) giveBack(h *Handler) {
	for i := range run.leaves {
		if run.errs[i] == nil {
			h.buckets.Return(run.leaves[i].charges)
		}
	}
}

// judgeEnvelope refuses a batch that is forbidden as such, and what is not a batch as Graph documents it
// (https://learn.microsoft.com/graph/json-batching).
func (h *Handler) judgeEnvelope(x *exchange, r *http.Request, request policy.Request) error {
	if r.Method != http.MethodPost {
		return &Error{Status: http.StatusMethodNotAllowed, Code: codeInvalid, Inner: "methodNotAllowed", Message: "a $batch is sent with POST"}
	}
	d := x.rules.policy.Decide(request)
	if _, err := h.app(d, request.Target); err != nil {
		return err
	}
	if d.Rule != nil { // a deny rule: no other is about a batch
		d.WouldDeny = x.rules.policy.Reports(request.Caller)
		d.Allow = d.WouldDeny
		x.rec.decide(d)
		if !d.Allow {
			return denied(x.rules.policy, request, d)
		}
	}
	if len(request.Target.Query) > 0 {
		return badRequest("badBatch", "a $batch takes no query options; write them in the URLs of its items")
	}
	if !hasBody(r) {
		return nil
	}
	return checkJSON(r.Header.Get("Content-Type"))
}

// checkJSON refuses a body that does not say that it is JSON in UTF-8. Pages of other sites can have a browser send one that does not say
// anything.
func checkJSON(contentType string) error {
	mediaType, parameters, err := mime.ParseMediaType(contentType)
	if err == nil && mediaType == "application/json" && isUTF8(parameters) {
		return nil
	}
	return &Error{Status: http.StatusUnsupportedMediaType, Code: codeInvalid, Inner: "unsupportedMediaType", Message: fmt.Sprintf("a $batch is JSON in UTF-8, and the request says Content-Type: %.80q; send application/json", contentType)}
}

// isUTF8 reports whether the parameters of a Content-Type name UTF-8, as utf8 too, which Microsoft's own tools write, or no
// charset, which is UTF-8 for JSON (RFC 8259 section 8.1).
func isUTF8(parameters map[string]string) bool {
	charset, named := parameters["charset"]
	return !named || strings.EqualFold(charset, "utf-8") || strings.EqualFold(charset, "utf8")
}

func badBatch(err error) error {
	if e, ok := err.(*batch.Error); ok { //nolint:errorlint // Read documents the type
		return badRequest(e.Code, "%s", e.Message)
	}
	return err
}

// mayBeInItem reports whether a header of a batch's item may reach Graph: the same as for requests.
func (l headerList) mayBeInItem(name, value string) bool {
	name = textproto.CanonicalMIMEHeaderKey(name)
	return l[name] && (name != "Client-Request-Id" || isRequestID(value))
}

// judgeItems judges each item, those first that others depend on, and writes what is to be sent. The run belongs to the
// exchange from the start, so that slots are given back and items recorded even after a panic.
func (h *Handler) judgeItems(ctx context.Context, x *exchange, b *batch.Batch) error {
	n := len(b.Items)
	run := &itemRun{batch: b, version: x.rec.Version, records: make([]Record, n), errs: make([]*Error, n), leaves: make([]leave, n)}
	x.items = run
	for _, i := range b.Order() {
		rec := &run.records[i]
		*rec = x.itemRecord(&b.Items[i])
		if err := h.judgeItem(ctx, x, run, i); err != nil {
			run.refuse(i, asError(err))
		}
	}
	if err := h.slowItemsDown(ctx, run); err != nil {
		return err
	}
	for _, i := range b.Order() {
		if run.errs[i] == nil {
			run.enlist(i)
		}
	}
	for i := range run.groups {
		g := &run.groups[i]
		if g.body = b.Encode(g.items); !x.held.add(int64(cap(g.body))) {
			run.giveBack(h)
			return noRoom()
		}
	}
	return nil
}

// refuse notes that an item is not sent.
func (run *itemRun) refuse(i int, e *Error) {
	run.errs[i] = e
	run.records[i].Reason, run.records[i].Status = e.Inner, e.Status
}

// slowItemsDown is slowDown for all items together.
func (h *Handler) slowItemsDown(ctx context.Context, run *itemRun) error {
	d := run.delay()
	if d <= 0 {
		return nil
	}
	if err := pause(ctx, d); err != nil {
		return err
	}
	for _, i := range run.batch.Order() {
		if run.errs[i] != nil || run.leaves[i].probe != nil {
			continue
		}
		err := h.askAgain(&run.records[i], &run.leaves[i])
		if err == nil {
			err = run.dependency(i)
		}
		if err != nil {
			run.refuse(i, asError(err))
		}
	}
	return nil
}

// dependency refuses an item that depends on one that was refused.
func (run *itemRun) dependency(i int) error {
	for _, on := range run.batch.Items[i].DependsOn {
		if run.errs[on] != nil {
			return &Error{Status: http.StatusFailedDependency, Code: codeDependency, Inner: "dependencyRefused", Message: fmt.Sprintf("the item depends on %.80q, which graphproxy refused, so it was not sent", run.batch.Items[on].ID)}
		}
	}
	return nil
}

// enlist puts an item to those that use the same app.
func (run *itemRun) enlist(item int) {
	for i := range run.groups {
		if g := &run.groups[i]; g.app == run.leaves[item].app {
			g.items = append(g.items, item)
			return
		}
	}
	run.groups = append(run.groups, group{app: run.leaves[item].app, items: []int{item}})
}

func (h *Handler) judgeItem(ctx context.Context, x *exchange, run *itemRun, i int) error {
	item, rec := &run.batch.Items[i], &run.records[i]
	if e := item.Err; e != nil {
		return &Error{Status: e.Status, Code: codeInvalid, Inner: e.Code, Message: e.Message}
	}
	rec.target(item.Target)
	var err error
	if item.Target, err = mapReference(item.Target, x.links); err != nil {
		return unreadable(err)
	}
	if err := run.dependency(i); err != nil {
		return err
	}
	l := &run.leaves[i]
	refers := func(bounded bool) (references, error) { return x.referencesOfItem(item, bounded) }
	if err := h.judge(ctx, x, rec, policy.Request{Caller: x.rec.Caller, Method: item.Method, Target: item.Target}, l, refers); err != nil {
		l.app = nil
		return err
	}
	for _, on := range item.DependsOn {
		if run.leaves[on].app != l.app {
			h.buckets.Return(l.charges)
			l.end()
			l.app = nil
			return badRequest("mixedApps", "the item depends on %.80q, which the policy sends with another app registration, so in another batch; send them one after the other", run.batch.Items[on].ID)
		}
	}
	if p := priority(l.decision, item.Target); p != "" {
		item.Headers = append(item.Headers, batch.Header{Name: "x-ms-throttle-priority", Value: p})
	}
	return nil
}

// delay is how long the whole batch waits, because a limit of Graph's is near for one of its items.
func (run *itemRun) delay() (d time.Duration) {
	for i := range run.leaves {
		d = max(d, run.leaves[i].delay)
	}
	return d
}

// itemRecord is the record of an item as far as it is that of the batch.
func (x *exchange) itemRecord(item *batch.Item) Record {
	return Record{
		Time: x.rec.Time, Caller: x.rec.Caller, Evidence: x.rec.Evidence, Method: methodName(item.Method), Decision: decisionRefuse,
		BytesIn: int64(len(item.Body)), ClientRequestID: x.rec.ClientRequestID, Policy: x.rec.Policy, Item: item.ID,
	}
}

// allowed reports whether a batch to be sent with this app is one whose items were all judged, and may be.
func (run *itemRun) allowed(app *App, body []byte) bool {
	for _, g := range run.groups {
		if g.app != app || app == nil || body == nil {
			continue
		}
		return !slices.ContainsFunc(g.items, func(i int) bool { return run.errs[i] != nil || run.leaves[i].app != app })
	}
	return false
}

// setBatchHeaders makes a header say what is sent, which is not what the caller sent.
func setBatchHeaders(h http.Header) {
	h["Content-Type"] = []string{"application/json"}
	delete(h, "Content-Encoding")
	h["Accept-Encoding"] = []string{"gzip"} // the answer is read here, whatever the caller accepts
}
