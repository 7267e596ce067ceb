package proxy

import (
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

// batchRun is a $batch under way: the decisions on its items, and their results.
type batchRun struct {
	batch      *batch.Batch
	version    string // of the batch, and so of its items
	records    []Record
	errs       []*Error    // why an item is not sent; nil for those that are
	admissions []admission // of the items that are sent
	groups     []group
}

// group is the items that go to Graph in one batch, because they use the same app registration.
type group struct {
	app   *App
	items []int
	body  []byte
}

// freeURLs is how many bytes longer than the request the URLs of a compressed batch may be: judging a URL costs
// more than inflating it.
const freeURLs = 16 << 10

// serveBatch decides on the items of a batch one by one, sends the allowed items in one batch for each app
// registration, and answers the others in their places. The batch itself needs no rule and takes no tokens of a
// limit.
func (h *Handler) serveBatch(x *exchange, request policy.Request) error {
	if err := h.judgeEnvelope(x, request); err != nil {
		return err
	}
	b, err := h.readEnvelope(x, request)
	if err != nil {
		return err
	}
	x.rec.Decision = decisionAllow
	if err := h.admitItems(x, b); err != nil {
		return err
	}
	o := &outbound{x: x, target: request.Target, batch: x.batch}
	if len(x.batch.groups) == 1 {
		if err := o.setGroup(&x.batch.groups[0]); err != nil {
			return err
		}
	}
	return h.forward(x, o)
}

// setGroup makes o the request that sends a group, with the token of its app.
func (o *outbound) setGroup(g *group) error {
	token, err := o.x.token(g.app)
	if err != nil {
		return err
	}
	o.app, o.token, o.body = g.app, token, sentBody{text: g.body, read: true, plain: true}
	return nil
}

// readEnvelope reads the body of a batch. Until it has come the batch uses its caller's concurrency; then each item
// does.
func (h *Handler) readEnvelope(x *exchange, request policy.Request) (*batch.Batch, error) {
	defer x.admission.end()
	a := &x.admission
	a.charges = x.authorization.policy.EnvelopeCharges(a.few[:0], request)
	if len(a.charges) > 0 {
		if err := h.take(x, x.rec, a); err != nil {
			return nil, err
		}
	}
	r := x.request
	text, err := judgedBody(r, x.in, &x.held)
	if err != nil {
		return nil, err
	}
	b, err := batch.Read(text, batch.Options{
		Version: request.Target.Version,
		Hosts:   []string{"https://" + r.Host, "http://" + r.Host, h.public},
		Header:  h.headers.mayBeInItem,
		MaxURLs: int(x.in.count()) + freeURLs,
	})
	if err != nil {
		return nil, badBatch(err)
	}
	return b, nil
}

// giveBack gives back what was taken for the items that are not sent after all.
func (run *batchRun) giveBack(h *Handler) {
	for i := range run.admissions {
		if run.errs[i] == nil {
			h.buckets.Return(run.admissions[i].charges)
		}
	}
}

// judgeEnvelope refuses a batch that a deny rule forbids as a whole, and a request that is not a batch as Graph
// documents it (https://learn.microsoft.com/graph/json-batching).
func (h *Handler) judgeEnvelope(x *exchange, request policy.Request) error {
	r, p := x.request, x.authorization.policy
	if r.Method != http.MethodPost {
		return &Error{
			Status:  http.StatusMethodNotAllowed,
			Code:    codeInvalid,
			Inner:   "methodNotAllowed",
			Message: "a $batch is sent with POST",
			allow:   http.MethodPost,
		}
	}
	d := p.Decide(request)
	if _, err := h.app(d, request.Target); err != nil {
		return err
	}
	if d.Rule != nil { // a deny rule: allow rules have no effect on a batch
		d.WouldDeny = p.Reports(request.Caller)
		d.Allow = d.WouldDeny
		x.rec.decide(d)
		if !d.Allow {
			return denied(p, request, d)
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

// checkJSON refuses a body whose Content-Type is not JSON in UTF-8. Pages of other sites can make a browser send a
// body without a type.
func checkJSON(contentType string) error {
	mediaType, parameters, err := mime.ParseMediaType(contentType)
	if err == nil && mediaType == "application/json" && isUTF8(parameters) {
		return nil
	}
	return &Error{
		Status: http.StatusUnsupportedMediaType,
		Code:   codeInvalid,
		Inner:  "unsupportedMediaType",
		Message: fmt.Sprintf("a $batch is JSON in UTF-8, and the request says Content-Type: %.80q; send application/json",
			contentType),
	}
}

// isUTF8 reports whether the parameters of a Content-Type name UTF-8, also as utf8, which Microsoft's own tools
// write, or no charset, which means UTF-8 for JSON (RFC 8259 section 8.1).
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

// admitItems takes each item through decide and the limits, first the items that others depend on, and writes the
// text to be sent. The run belongs to the exchange from the start, so that slots are given back and items recorded
// even after a panic.
func (h *Handler) admitItems(x *exchange, b *batch.Batch) error {
	n := len(b.Items)
	run := &batchRun{
		batch:      b,
		version:    x.rec.Version,
		records:    make([]Record, n),
		errs:       make([]*Error, n),
		admissions: make([]admission, n),
	}
	x.batch = run
	x.shadow.seeItems(n)
	defer x.traced.step("decide").end()
	for _, i := range b.Order() {
		run.records[i] = x.itemRecord(&b.Items[i])
		if err := h.admitItem(x, run, i); err != nil {
			run.refuse(i, asError(err))
		}
	}
	if err := h.slowItemsDown(x, run); err != nil {
		return err
	}
	if err := run.write(&x.held); err != nil {
		run.giveBack(h)
		return err
	}
	if err := h.resume(x); err != nil { // an item that waited found no free place afterwards
		run.giveBack(h)
		return err
	}
	return nil
}

// write divides the items that are sent into groups, and writes the body of each group.
func (run *batchRun) write(held *holding) error {
	for _, i := range run.batch.Order() {
		if run.errs[i] == nil {
			run.enlist(i)
		}
	}
	for i := range run.groups {
		g := &run.groups[i]
		if g.body = run.batch.Encode(g.items); !held.add(int64(cap(g.body))) {
			return overShare()
		}
	}
	return nil
}

// refuse records that an item is not sent.
func (run *batchRun) refuse(i int, e *Error) {
	run.errs[i] = e
	run.records[i].Reason, run.records[i].Status = e.Inner, e.Status
}

// slowItemsDown is slowDown for all items together.
func (h *Handler) slowItemsDown(x *exchange, run *batchRun) error {
	d := run.delay()
	if d <= 0 {
		return nil
	}
	if err := x.pause(d); err != nil {
		return err
	}
	for _, i := range run.batch.Order() {
		if run.errs[i] != nil || run.admissions[i].probe != nil {
			continue
		}
		err := h.recheckThrottle(&run.records[i], &run.admissions[i])
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
func (run *batchRun) dependency(i int) error {
	for _, on := range run.batch.Items[i].DependsOn {
		if run.errs[on] != nil {
			return &Error{
				Status: http.StatusFailedDependency,
				Code:   codeDependency,
				Inner:  "dependencyRefused",
				Message: fmt.Sprintf("the item depends on %.80q, which graphproxy refused, so it was not sent",
					run.batch.Items[on].ID),
			}
		}
	}
	return nil
}

// enlist adds an item to the group of its app.
func (run *batchRun) enlist(item int) {
	for i := range run.groups {
		if g := &run.groups[i]; g.app == run.admissions[item].app {
			g.items = append(g.items, item)
			return
		}
	}
	items := append(make([]int, 0, len(run.admissions)), item) // most batches have one group
	run.groups = append(run.groups, group{app: run.admissions[item].app, items: items})
}

// admitItem takes one item through read, decide and the limits.
func (h *Handler) admitItem(x *exchange, run *batchRun, i int) error {
	item, rec := &run.batch.Items[i], &run.records[i]
	if e := item.Err; e != nil {
		return &Error{Status: e.Status, Code: codeInvalid, Inner: e.Code, Message: e.Message}
	}
	var err error
	var mark string
	if item.Target, mark, err = takeMark(item.Target); err != nil {
		return err
	}
	rec.target(item.Target)
	if item.Target, err = mapReference(item.Target, x.links); err != nil {
		return unreadable(err)
	}
	request := policy.Request{Caller: x.rec.Caller, Method: item.Method, Target: item.Target, At: x.rec.Time}
	x.shadow.seeItem(i, request)
	if err := run.dependency(i); err != nil {
		return err
	}
	a := &run.admissions[i]
	if mark != "" {
		request.Selection = h.selectionOf(x, request, mark)
		x.shadow.seeItem(i, request)
	}
	if err := h.decide(x, rec, request, a, item); err != nil {
		return err
	}
	if err := h.reserve(x, rec, a); err != nil {
		a.app = nil
		return err
	}
	if err := run.checkApps(i); err != nil {
		h.buckets.Return(a.charges)
		a.end()
		a.app = nil
		return err
	}
	if p := priority(a.decision, item.Target); p != "" {
		item.Headers = append(item.Headers, batch.Header{Name: "x-ms-throttle-priority", Value: p})
	}
	return nil
}

// checkApps refuses an item that depends on one that is sent with another app.
func (run *batchRun) checkApps(i int) error {
	for _, on := range run.batch.Items[i].DependsOn {
		if run.admissions[on].app != run.admissions[i].app {
			return badRequest("mixedApps", "the item depends on %.80q, which the policy sends with another app registration, "+
				"so in another batch; send them one after the other", run.batch.Items[on].ID)
		}
	}
	return nil
}

// delay returns how long the whole batch waits, because a limit of Graph's is near for one of its items.
func (run *batchRun) delay() time.Duration {
	var d time.Duration
	for i := range run.admissions {
		d = max(d, run.admissions[i].delay)
	}
	return d
}

// itemRecord returns the record of an item with the fields that it shares with the batch's.
func (x *exchange) itemRecord(item *batch.Item) Record {
	return Record{
		Time:            x.rec.Time,
		Caller:          x.rec.Caller,
		Evidence:        x.rec.Evidence,
		Credential:      x.rec.Credential,
		Client:          x.rec.Client,
		Peer:            x.rec.Peer,
		Method:          methodName(item.Method),
		Decision:        decisionRefuse,
		BytesIn:         int64(len(item.Body)),
		ClientRequestID: x.rec.ClientRequestID,
		TraceID:         x.rec.TraceID,
		Policy:          x.rec.Policy,
		Item:            item.ID,
	}
}

// allowed reports whether all items that would be sent were decided on, and may be sent with the app of their
// group.
func (run *batchRun) allowed() bool {
	for _, g := range run.groups {
		mayNot := func(i int) bool { return run.errs[i] != nil || run.admissions[i].app != g.app }
		if g.app == nil || g.body == nil || slices.ContainsFunc(g.items, mayNot) {
			return false
		}
	}
	return true
}
