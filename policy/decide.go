package policy

import (
	"slices"
	"time"

	"graphproxy/policy/body"
	"graphproxy/policy/graph/odata"
	"graphproxy/policy/limit"
	"graphproxy/policy/match"
)

// ruleBook has the rules of one caller.
type ruleBook struct {
	file     string
	key      string // of its bucket of a limit per caller
	app      string
	tenant   string
	priority string
	until    time.Time // zero: it does not end
	report   bool
	limit    *limit.Limit
	inFlight Share
	about    About

	allow      match.AllowSet
	allowRules []*Rule // by number in allow
	deny       match.DenySet
	denyRules  []*Rule
	origins    []AppRef // of the allow rules, each once
}

// The reasons of a Decision, besides the conditions of the nearest rule.
const (
	reasonCaller = "no such caller"
	reasonNoRule = "no rule allows it"
	reasonBatch  = "a batch is not judged as a whole"
)

// Decide decides whether the request may be made. A deny rule wins over every allow rule. Otherwise the first
// allow rule in file order whose conditions hold decides, and without one the request is denied. Decide fails
// closed: an unknown caller, version or method is denied, in either mode. A $batch is denied too, because each
// of its requests must be decided.
//
// In report mode a denied request is let through, with WouldDeny set. Decide allocates nothing, unless a rule
// that names $expand must judge a $expand with options in parentheses.
func (p *Policy) Decide(r Request) (d Decision) {
	book := p.rules[r.Caller]
	if book == nil || r.Target == nil {
		return Decision{Reason: reasonCaller, App: DefaultApp}
	}
	method := MethodsOf(r.Method, r.Target)
	book.decide(&d, &r, method)
	d.Ticket = book.ticket(d.Rule)
	if !d.Allow && !d.ReadBody && d.Reason != ReasonEnded && book.report && method != 0 && !r.Target.IsBatch() {
		d.Allow, d.WouldDeny = true, true
	}
	return d
}

// ReasonDenied is the reason where an explicit deny rule denies the request.
const ReasonDenied = "denied"

// ReasonEnded is the reason where the caller has ended.
const ReasonEnded = "the caller has ended"

// ReasonBody is the beginning of the reason when a condition on the body does not hold: "body: recipients".
const ReasonBody = match.ReasonBody

// ReasonUnreadable is the reason when the body is ambiguous, and rules have conditions on it.
const ReasonUnreadable = body.ReasonUnreadable

// ReasonSelection is the reason where a request goes on with a delta query by a token, a rule bounds what the token can
// hold, and the request has no Selection.
const ReasonSelection = match.ReasonSelection

// ReasonReferences is the reason when a rule allows the request, but not the resources that it refers to.
const ReasonReferences = "references"

// decide sets the decision, and ignores the mode.
func (b *ruleBook) decide(d *Decision, r *Request, method match.Methods) {
	c := match.Circumstances{Body: r.Body, At: r.At}
	if r.Selection != nil {
		c.Selection = (*match.Selection)(&r.Selection.Options)
	}
	b.byTarget(d, r.Target, method, &c)
	if d.Allow && d.Selects && r.Selection != nil && (r.Selection.App != d.App || r.Selection.Tenant != d.Tenant) {
		*d = Decision{Near: d.Rule, Reason: ReasonSelection, App: d.App, Tenant: d.Tenant, Priority: d.Priority}
	}
	if d.Allow && len(r.References) > 0 {
		if _, ok := d.Rule.MayReferTo(r.References); !ok {
			d.Allow, d.Reason = false, ReasonReferences
		}
	}
}

// byTarget sets the decision, which is the zero Decision before, and ignores references. While the body is not read, a
// decision that depends on it is a denial. The decision is set in place because it is large.
func (b *ruleBook) byTarget(d *Decision, t *odata.Target, method match.Methods, c *match.Circumstances) {
	d.Reason, d.App, d.Tenant, d.Priority = reasonNoRule, b.app, b.tenant, b.priority
	switch {
	case b.hasEnded(c.At):
		d.Reason = ReasonEnded
		return
	case len(t.Segments) > match.MaxSegments:
		return
	}
	denial := b.deny.FirstFor(t, method, c)
	if denial.Found {
		d.Rule, d.Reason = b.denyRules[denial.Index], ReasonDenied
		return
	}
	if t.IsBatch() {
		d.Reason = reasonBatch
		return
	}
	switch result := b.allow.FindFor(t, method, c); {
	case result.Index >= 0:
		d.Rule = b.allowRules[result.Index]
		if d.ReadBody = c.Body == nil && (denial.Unread || d.Rule.body != nil); d.ReadBody {
			d.Rule, d.Near, d.Reason = nil, d.Rule, unreadBody
			return
		}
		d.Allow, d.Reason, d.Until = true, "", sooner(d.Rule.match.Until, b.until)
		d.App, d.Tenant = b.appOf(d.Rule)
		d.Selects = (denial.Selects || d.Rule.selects) && t.IsDelta()
		if d.Rule.priority != "" {
			d.Priority = d.Rule.priority
		}
	case result.Near >= 0:
		d.Near, d.Reason = b.allowRules[result.Near], result.Reason
	}
}

// appOf returns the app registration that a rule's requests use, and its tenant. A caller's tenant goes with the
// caller's app.
func (b *ruleBook) appOf(r *Rule) (app, tenant string) {
	switch {
	case r.app != "":
		return r.app, r.tenant
	case r.tenant != "":
		return b.app, r.tenant
	}
	return b.app, b.tenant
}

// Origins returns the app registrations, each with its tenant, that requests of a caller can use: the one of each allow
// rule. A link that a caller was given came with one of these. The caller of Origins must not change them.
func (p *Policy) Origins(caller string) []AppRef {
	if book := p.rules[caller]; book != nil {
		return book.origins
	}
	return nil
}

func (b *ruleBook) add(allow, deny []*Rule) {
	b.allowRules, b.denyRules = allow, deny
	for _, r := range allow {
		b.allow.Add(&r.match)
		r.selects = r.match.BoundsSelection()
		app, tenant := b.appOf(r)
		if ref := (AppRef{Name: app, Tenant: tenant}); !slices.Contains(b.origins, ref) {
			b.origins = append(b.origins, ref)
		}
	}
	for _, r := range deny {
		b.deny.Add(&r.match)
	}
}
