package proxy

import (
	"context"
	"reflect"
	"slices"
	"strings"

	"graphproxy/auth/caller"
	"graphproxy/policy"
	"graphproxy/policy/limit"
)

// candidate is a policy that is judged beside the one in force, and changes nothing.
type candidate struct {
	*Authorization
	beside *Authorization // in force when the two were compared
	// every request has the same caller under both, so its evidence is not checked twice
	sameCallers bool
}

// UseCandidate makes a the policy that later requests are judged by beside the one in force; nil: there is none. Where
// its decision differs, the audit line and a metric have it. It has no other effect on a request.
func (h *Handler) UseCandidate(a *Authorization) {
	h.pairing.Lock()
	defer h.pairing.Unlock()
	if a == nil {
		h.candidate.Store(nil)
		h.meter.UseCandidate(nil)
		return
	}
	h.candidate.Store(pair(a, h.authorization.Load()))
	h.meter.UseCandidate(a.policy)
}

// pair compares the callers of a candidate with those of the policy in force.
func pair(a, inForce *Authorization) *candidate {
	return &candidate{
		Authorization: a,
		beside:        inForce,
		sameCallers:   reflect.DeepEqual(identitiesOf(a.policy), identitiesOf(inForce.policy)),
	}
}

// identitiesOf returns the callers of a policy with what identifies them, without the places in the file.
func identitiesOf(p *policy.Policy) []caller.Caller {
	all := callersOf(p.Callers())
	for i := range all {
		withoutPlaces(all[i].Identities)
	}
	slices.SortFunc(all, func(a, b caller.Caller) int { return strings.Compare(a.Name, b.Name) })
	return all
}

func withoutPlaces(all []caller.Identity) {
	for i := range all {
		all[i].File, all[i].Line, all[i].Name = "", 0, ""
		withoutPlaces(all[i].All)
	}
}

// shadow is a request under way as the candidate is to judge it. A nil shadow is that of a proxy without a candidate.
type shadow struct {
	of       *candidate
	request  policy.Request   // as it was read; without a Target if it was refused before
	items    []policy.Request // of a batch, those that could be read
	outcomes []outcome        // of items

	few [4]limit.Charge // storage for the usual number of charges
}

// shadow returns what the candidate needs of a new request; nil if there is no candidate.
func (h *Handler) shadow() *shadow {
	if c := h.candidate.Load(); c != nil {
		return &shadow{of: c}
	}
	return nil
}

// see notes a request that was read.
func (s *shadow) see(r policy.Request) {
	if s != nil {
		s.request = r
	}
}

// seeItems notes that a batch has n items.
func (s *shadow) seeItems(n int) {
	if s != nil {
		s.items, s.outcomes = make([]policy.Request, n), make([]outcome, n)
	}
}

// seeItem notes an item of a batch that was read.
func (s *shadow) seeItem(i int, r policy.Request) {
	if s != nil {
		s.items[i] = r
	}
}

// identifyByCandidate returns the caller of a request under the candidate; false if it has none. Before is the caller
// under the policy in force, the zero Found if it has none. No network is waited for: a token whose issuer's keys are
// not known yet has no caller.
func (h *Handler) identifyByCandidate(x *exchange, before caller.Found) (caller.Found, bool) {
	c := x.shadow.of
	if c.sameCallers && c.beside == x.authorization {
		return before, before.Name != ""
	}
	ctx, cancel := context.WithCancel(x.request.Context())
	cancel()
	found, err := c.callers.Authenticate(x.request.WithContext(ctx))
	if err != nil {
		return caller.Found{}, false
	}
	return found, h.checkOrigin(x.request, found.Evidence, "") == nil
}

// The rulings of a policy on a request, as the metric's labels have them.
const (
	rulingAllow     = decisionAllow
	rulingWouldDeny = "would_deny" // report mode lets it through
	rulingDeny      = decisionDeny
	rulingLimit     = decisionLimit
	rulingRefuse    = decisionRefuse
	rulingUnknown   = "unknown" // it depends on a body that the policy in force did not have to read
)

// outcome is what the candidate would decide.
type outcome struct {
	ruling   string // "": it was not judged
	decision policy.Decision
	differs  bool
}

// sends reports whether the request would go to Graph.
func (o *outcome) sends() bool { return o.ruling == rulingAllow || o.ruling == rulingWouldDeny }

// outcomeOf is the outcome of a decision that needs no more of the body.
func outcomeOf(d policy.Decision) outcome {
	switch {
	case d.WouldDeny:
		return outcome{ruling: rulingWouldDeny, decision: d}
	case d.Allow:
		return outcome{ruling: rulingAllow, decision: d}
	}
	return outcome{ruling: rulingDeny, decision: d}
}

// ruling returns what the policy in force decided. A request that was held back because Graph throttles is one that the
// policy let through.
func (rec *Record) ruling() string {
	switch {
	case rec.Decision == decisionLimit && rec.Reason == limitExceeded:
		return rulingLimit
	case rec.Decision != decisionAllow && rec.Decision != decisionLimit:
		return rec.Decision
	case rec.WouldDeny:
		return rulingWouldDeny
	}
	return rulingAllow
}

// CandidateRecord is the decision of the candidate policy in an audit line.
type CandidateRecord struct {
	Decision  string `json:"decision"` // as that of the record, or unknown
	WouldDeny bool   `json:"would_deny,omitempty"`
	Rule      string `json:"rule,omitempty"` // file:line
	Policy    string `json:"policy"`         // hash of the candidate's file
}

// differ records the outcome in the record, and counts it, if it differs from what the policy in force decided. Name is
// the caller, which the candidate may know while the policy in force does not.
func (h *Handler) differ(rec *Record, p *policy.Policy, name string, o *outcome) {
	active := rec.ruling()
	isUnread := active == rulingRefuse && rec.Caller != "" && o.ruling == rulingUnknown // neither could read the body
	if o.ruling == "" || o.ruling == active || isUnread {
		return
	}
	o.differs = true
	c := &CandidateRecord{Decision: o.ruling, WouldDeny: o.decision.WouldDeny, Policy: p.Hash()}
	if o.ruling == rulingWouldDeny {
		c.Decision = decisionAllow
	}
	rule := o.decision.Rule
	if o.ruling == rulingUnknown && rule == nil {
		rule = o.decision.Near
	}
	if rule != nil {
		c.Rule = rule.Where()
	}
	rec.Candidate = c
	if rec.Caller != "" {
		name = rec.Caller
	}
	h.meter.Difference(name, active, o.ruling)
}
