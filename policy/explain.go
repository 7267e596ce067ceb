package policy

import (
	"fmt"
	"strings"

	"graphproxy/policy/match"
)

// Explanation explains the decision on a request. Shapes are those of Decision.
type Explanation struct {
	Allow   bool  // in either mode
	Reports bool  // the caller is in report mode, which lets through what is denied
	Rule    *Rule // that decides; nil: none does
	// When no rule decides, Nearest is the rule of the caller that comes nearest, or nil. Differs is the
	// difference, as a clause: "whose where: id does not hold".
	Nearest *Rule
	Differs string
	// Batch reports that the request is a $batch, which needs no rule: each of its items is judged by itself.
	Batch bool

	App      string // the app registration that is used; "" is the default one
	Tenant   string // the tenant that it is used in; "" is its own
	Priority string // that is sent to Graph; "" is none
	// the caller's share of all requests in flight, as the file has it; "" is what a caller has without one
	InFlight string
	Limits   []string // names of the limits that an allowed request takes from

	// Answer is what the caller of a denied request reads, see Policy.Denial; "" if the request is allowed.
	Answer string
}

// Explain explains the decision of Decide. It is slow. The caller must be one of the file's, else nothing is
// allowed.
func (p *Policy) Explain(r Request) Explanation {
	book := p.rules[r.Caller]
	if book == nil || r.Target == nil {
		return Explanation{}
	}
	var d Decision
	book.decide(&d, &r, MethodsOf(r.Method, r.Target))
	e := Explanation{
		Allow:    d.Allow,
		Reports:  book.report,
		Rule:     d.Rule,
		Batch:    r.Target.IsBatch(),
		App:      d.App,
		Tenant:   d.Tenant,
		Priority: d.Priority,
		InFlight: book.inFlight.String(),
	}
	if !d.Allow && !(e.Batch && d.Rule == nil) {
		e.Answer = p.Denial(r, d)
	}
	switch {
	case e.Batch && d.Reason == ReasonEnded:
		e.Differs = ReasonEnded
	case e.Batch:
		e.Allow = d.Rule == nil && r.Method == "POST"
	case d.Allow:
		for _, c := range p.Charges(nil, r, d) {
			e.Limits = append(e.Limits, c.Limit.Name)
		}
	case d.Reason == ReasonReferences:
		e.Differs = ReasonReferences
	case d.Reason == ReasonEnded:
		e.Differs = ReasonEnded
	case d.Reason == ReasonSelection:
		e.Nearest, e.Differs = d.Near, "which bounds what the token of a link holds, and only the running proxy can decide "+
			"whether it returned that link to this caller"
	case d.Near != nil && d.Reason == match.ReasonUntil:
		e.Nearest, e.Differs = d.Near, "which has ended"
	case d.Near != nil && strings.HasPrefix(d.Reason, match.ReasonBody):
		e.Nearest, e.Differs = d.Near, "whose "+d.Reason+" does not hold"
	case d.Rule == nil:
		e.Nearest, e.Differs = p.nearest(r)
	}
	return e
}

// String returns the explanation as a sentence without a subject: "is denied, by policy.yaml:12: ANY
// /users/{id}/**".
func (e Explanation) String() string {
	switch {
	case e.Differs == ReasonEnded:
		return "is denied: " + ReasonEnded
	case e.Batch && e.Allow:
		return "is allowed: a batch needs no rule, each of its items is judged by itself"
	case e.Batch && e.Rule == nil:
		return "is denied: a batch is sent with POST"
	case e.Allow:
		return "is allowed, by " + e.Rule.Where() + ": " + e.Rule.Text
	case e.Differs == ReasonReferences:
		return "is denied: " + e.Rule.Where() + ": " + e.Rule.Text + " does not let it refer to that, see its references"
	case e.Rule != nil:
		return "is denied, by " + e.Rule.Where() + ": " + e.Rule.Text
	case e.Nearest == nil:
		return "is denied: no rule of this caller begins like it"
	}
	return fmt.Sprintf("is denied: no rule allows it; the nearest is %s: %s, %s", e.Nearest.Where(), e.Nearest.Text,
		e.Differs)
}

// nearest returns, for a request that no rule allows, the rule of its caller that comes nearest and what differs; nil
// if no rule begins like the request.
func (p *Policy) nearest(r Request) (rule *Rule, differs string) {
	book := p.rules[r.Caller]
	i, clause, found := book.allow.Nearest(r.Target, MethodsOf(r.Method, r.Target))
	if !found {
		return nil, ""
	}
	return book.allowRules[i], clause
}
