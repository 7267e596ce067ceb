package proxy

import (
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"graphproxy/auth/caller"
	"graphproxy/policy"
	"graphproxy/policy/graph/odata"
	"graphproxy/policy/limit"
	"graphproxy/proxy/batch"
)

// leveled are Buckets that can report the level of a bucket.
type leveled interface {
	Level(c *limit.Charge) limit.Level
}

func (b localBuckets) Level(c *limit.Charge) limit.Level { return b.Limiter.Level(time.Now(), c) }

// judgeCandidate records what the candidate would have decided on a request, and on each item of a batch. It runs when
// the request has been answered, and looks at what is in memory: it reads nothing of a body, takes from no limit, and
// waits for nothing. A panic in it is logged, and the request is recorded without the candidate.
func (h *Handler) judgeCandidate(x *exchange) {
	s := x.shadow
	if s == nil {
		return
	}
	defer func() {
		if p := recover(); p != nil {
			x.logger(h.log).Error("panic in judging by the candidate policy",
				"value", fmt.Sprint(p), "request_id", x.rec.RequestID, "stack", string(debug.Stack()))
		}
	}()
	if s.request.Target == nil && !h.wasNotKnown(x) {
		return
	}
	before := caller.Found{Name: x.rec.Caller, Evidence: x.rec.Evidence}
	if x.out.status == http.StatusMisdirectedRequest && s.request.Target == nil {
		before = caller.Found{} // the evidence does not count under this Host
	}
	found, known := h.identifyByCandidate(x, before)
	switch {
	case !known:
		o := outcome{ruling: rulingRefuse}
		h.differ(x.rec, s.of.policy, found.Name, &o)
		h.judgeItems(x, found.Name, false)
		return
	case s.request.Target == nil && !h.readForCandidate(x, found):
		return
	}
	if found.Name != s.request.Caller {
		s.request.Caller, s.request.Selection = found.Name, nil
	}
	o := h.outcomeByCandidate(x)
	h.differ(x.rec, s.of.policy, found.Name, &o)
	h.judgeItems(x, found.Name, true)
}

// wasNotKnown reports whether a request was refused because of who sent it, and not for another reason. Its target
// could be read.
func (h *Handler) wasNotKnown(x *exchange) bool {
	return x.unreadable == nil && x.seen != nil &&
		(x.out.status == http.StatusUnauthorized || x.out.status == http.StatusMisdirectedRequest)
}

// readForCandidate reads a request whose caller only the candidate knows.
func (h *Handler) readForCandidate(x *exchange, found caller.Found) bool {
	x.links = h.linksOf(x.request)
	target, err := mapReference(x.seen, x.links)
	if err != nil || checkHeaders(x.request.Header) != nil {
		return false
	}
	x.shadow.see(policy.Request{Caller: found.Name, Method: x.request.Method, Target: target, At: x.rec.Time})
	return true
}

// judgeItems records the outcomes of the items of a batch, in the order in which they were judged.
// Name is their caller under the candidate, if that knows one.
func (h *Handler) judgeItems(x *exchange, name string, known bool) {
	if x.batch == nil {
		return
	}
	for _, i := range x.batch.batch.Order() {
		rec := &x.batch.records[i]
		if rec.Decision == "" { // the batch ended before
			continue
		}
		o := outcome{ruling: rulingRefuse}
		if known {
			o = h.itemByCandidate(x, i, name)
		}
		h.differ(rec, x.shadow.of.policy, name, &o)
		x.shadow.outcomes[i] = o
	}
}

// outcomeByCandidate judges a single request, or a batch as a whole.
func (h *Handler) outcomeByCandidate(x *exchange) outcome {
	request := x.shadow.request
	if !request.Target.IsBatch() {
		o := h.judgeBeside(x, x.rec, request, nil, &x.admission)
		if o.ruling == rulingUnknown && x.rec.Decision == decisionAllow && x.rec.GraphStatus == 0 {
			return outcome{} // it was refused later: because of its body, or because there is no token
		}
		return o
	}
	d := x.shadow.of.policy.Decide(request)
	if d.Rule != nil || d.Reason == policy.ReasonEnded {
		d.WouldDeny = d.Rule != nil && x.shadow.of.policy.Reports(request.Caller)
		d.Allow = d.WouldDeny
		return outcomeOf(d)
	}
	if active := x.rec.ruling(); active == rulingDeny || active == rulingWouldDeny || x.rec.Caller == "" {
		return outcome{ruling: rulingAllow, decision: d}
	}
	return outcome{} // what refuses the batch as a whole is not the policy
}

// itemByCandidate judges an item of a batch.
func (h *Handler) itemByCandidate(x *exchange, i int, name string) outcome {
	run, request := x.batch, x.shadow.items[i]
	if request.Target == nil {
		return outcome{}
	}
	if request.Caller != name {
		request.Caller, request.Selection = name, nil
	}
	item := &run.batch.Items[i]
	refused := outcome{ruling: rulingRefuse}
	for _, on := range item.DependsOn {
		before := &x.shadow.outcomes[on]
		switch {
		case before.differs && before.ruling == rulingUnknown:
			return outcome{ruling: rulingUnknown}
		case before.differs && !before.sends(), !before.differs && run.errs[on] != nil:
			return refused
		}
	}
	o := h.judgeBeside(x, &run.records[i], request, item, &run.admissions[i])
	for _, on := range item.DependsOn {
		if before := x.shadow.outcomes[on].decision; o.sends() &&
			(before.App != o.decision.App || before.Tenant != o.decision.Tenant) {
			return refused
		}
	}
	return o
}

// judgeBeside judges a request, or an item of a batch, as decide and reserve do. The admission is that of the policy in
// force.
func (h *Handler) judgeBeside(x *exchange, rec *Record, r policy.Request, item *batch.Item, a *admission) outcome {
	p := x.shadow.of.policy
	r.References = x.referenceIn(r.Target)
	d := p.Decide(r)
	if h.isForeign(d, r.Target) {
		return outcome{ruling: rulingRefuse}
	}
	if d.ReadBody {
		body, read := x.bodyInMemory(item, r.Target)
		if !read {
			return outcome{ruling: rulingUnknown, decision: d}
		}
		r.Body = body
		if d = p.Decide(r); d.Reason == policy.ReasonUnreadable {
			return outcome{ruling: rulingRefuse}
		}
	}
	if d.Allow && d.Rule.BoundsReferences() {
		refs, read, err := x.referencesInMemory(item, r)
		switch {
		case !read:
			return outcome{ruling: rulingUnknown, decision: d}
		case err != nil:
			return outcome{ruling: rulingRefuse}
		}
		r.References = append(r.References, refs.named...)
		if d = p.Decide(r); d.Allow && refs.unfit != nil {
			return outcome{ruling: rulingRefuse}
		}
	}
	if d.Allow && item == nil && x.isRefusedAnyway(rec, r.Target) {
		return outcome{ruling: rulingRefuse}
	}
	o := outcomeOf(d)
	if o.sends() && !h.fits(a, p.Charges(x.shadow.few[:0], r, d)) {
		o.ruling = rulingLimit
	}
	return o
}

// isForeign reports whether the target names a tenant that is not that of the app registration which the candidate
// chooses. One in a tenant that only the candidate names is not known.
func (h *Handler) isForeign(d policy.Decision, t *odata.Target) bool {
	if t.Tenant == "" || strings.EqualFold(t.Tenant, "myOrganization") {
		return false
	}
	app := h.apps.App(d.App, d.Tenant)
	return app == nil || !strings.EqualFold(t.Tenant, app.Tenant)
}

// isRefusedAnyway reports whether a request that the candidate allows is refused because of its body, whatever the
// policy.
func (x *exchange) isRefusedAnyway(rec *Record, t *odata.Target) bool {
	if hasBody(x.request) && (x.request.ContentLength > 0 || x.in.count() > 0) && !isMedia(t) {
		contentType := x.request.Header.Get("Content-Type")
		if !isJSON(contentType) && !takesMediaType(t, contentType) {
			return true
		}
	}
	return rec.Decision == decisionRefuse && x.mapsBody(t) && x.body.text == nil // it could not be read
}

// bodyInMemory is judgeBody for a body that is in memory; false if it is not.
func (x *exchange) bodyInMemory(item *batch.Item, t *odata.Target) (*policy.Body, bool) {
	absent, contentType := !hasBody(x.request), x.request.Header.Get("Content-Type")
	if item != nil {
		absent, contentType = item.Body == nil, item.ContentType()
	}
	switch {
	case absent:
		return &policy.Body{State: policy.BodyAbsent}, true
	case isMedia(t), item != nil && !item.HasJSON(), !isJSONInUTF8(contentType):
		return &policy.Body{State: policy.BodyOther}, true
	}
	text, read := x.textInMemory(item)
	return jsonBody(text), read
}

// referencesInMemory is references for a rule that bounds them and a body that is in memory; read is false if it is
// not.
func (x *exchange) referencesInMemory(item *batch.Item, r policy.Request) (refs references, read bool, err error) {
	q := refers{method: r.Method, target: r.Target}
	if item == nil {
		q.contentType = x.request.Header.Get("Content-Type")
		if hasBody(x.request) {
			q.body, read = x.textInMemory(nil)
		} else {
			read = true
		}
	} else {
		if item.Body != nil && (x.links == nil || !item.HasJSON()) {
			return references{}, true, notJSON()
		}
		q.contentType = item.ContentType()
		q.body, read = x.textInMemory(item)
	}
	if !read || x.links == nil {
		return references{}, false, nil
	}
	refs, err = q.references(x.links)
	return refs, true, err
}

// textInMemory returns the body of a request, or of an item, with the proxy's addresses replaced by Graph's; false if
// the policy in force did not read it.
func (x *exchange) textInMemory(item *batch.Item) ([]byte, bool) {
	text, plain := x.body.text, x.body.plain
	if item != nil {
		text, plain = item.Body, false
		if text == nil {
			return nil, true
		}
	}
	switch {
	case text == nil:
		return nil, false
	case plain:
		return text, true
	case x.links == nil, item == nil && x.request.Header.Get("Content-Encoding") != "":
		return nil, false
	}
	mapped, err := mapBody(text, x.links)
	return mapped, err == nil
}

// fits reports whether the limits of the candidate have enough for a request, without taking from them. What the policy
// in force charged as well was answered when it did; of the rest, a limit that is new or changed has full buckets.
func (h *Handler) fits(a *admission, charges []limit.Charge) bool {
	buckets, canTell := h.buckets.(leveled)
	for i := range charges {
		c := &charges[i]
		switch charged := among(c, a.charges); {
		case charged != nil && a.refusal != nil && charged.Limit == a.refusal.Limit && charged.Key == a.refusal.Key:
			return false
		case charged != nil || !canTell:
			continue
		}
		if level := buckets.Level(c); !level.Has(c) {
			return false
		}
	}
	return true
}

// among returns the charge that takes the same from the same bucket; nil if there is none.
func among(c *limit.Charge, all []limit.Charge) *limit.Charge {
	for i := range all {
		if c.Same(&all[i]) {
			return &all[i]
		}
	}
	return nil
}
