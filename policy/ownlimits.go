package policy

import (
	"slices"

	"graphproxy/policy/limit"
)

// OwnCharges appends a charge for every bucket that covers a request which is about the caller itself and is not sent
// to Graph: the caller's limit, and each common limit that covers every request.
func (p *Policy) OwnCharges(dst []limit.Charge, caller string) []limit.Charge {
	for _, l := range p.OwnLimits(caller) {
		if l.everything {
			dst = append(dst, l.Charge)
		}
	}
	return dst
}

// OwnLimit is a limit that may cover requests of a caller.
type OwnLimit struct {
	Charge limit.Charge // on the caller's bucket, if Own
	Own    bool         // the limit has one bucket for this caller, which no other caller's requests take from
	Per    []string     // of a common limit; must not be changed

	everything bool // it covers every request of the caller
}

// OwnLimits returns the limits that may cover requests of a caller: its own, those of its allow rules, and common ones,
// in this order. An app or a tenant in a bucket is that of the caller, not of a rule.
func (p *Policy) OwnLimits(caller string) []OwnLimit {
	book := p.rules[caller]
	if book == nil {
		return nil
	}
	var all []OwnLimit
	if l := book.limit; l != nil {
		all = append(all, OwnLimit{Charge: limit.Charge{Limit: l}, Own: true, everything: true})
	}
	for _, r := range book.allowRules {
		if r.limit != nil {
			all = append(all, OwnLimit{Charge: limit.Charge{Limit: r.limit, Key: caller}, Own: true})
		}
	}
	r, d := Request{Caller: caller}, Decision{App: book.app, Tenant: book.tenant}
	for _, c := range p.limits {
		if !c.isFor(book) {
			continue
		}
		l := OwnLimit{Charge: limit.Charge{Limit: c.limit}, Per: c.per, everything: !c.covers}
		if !slices.ContainsFunc(c.per, isVariable) {
			l.Charge.Key = book.bucketKey(c.per, r, d, nil)
			l.Own = slices.Contains(c.per, perCaller)
		}
		all = append(all, l)
	}
	return all
}
