package policy

import "graphproxy/policy/limit"

// CommonLimit is an entry of the file's limits.
type CommonLimit struct {
	Limit  *limit.Limit // must not be changed
	Per    []string     // each value of these has a bucket of its own; nil: one bucket
	All    bool         // it covers every request
	Covers []*Rule      // the requests that it covers, if not all
	Own    string       // the file whose callers it covers; "": any caller
}

// Limits returns the limits that cover more than one caller, in file order.
func (p *Policy) Limits() []CommonLimit {
	all := make([]CommonLimit, len(p.limits))
	for i, c := range p.limits {
		all[i] = CommonLimit{Limit: c.limit, Per: c.per, All: !c.covers, Own: c.own}
	}
	for _, c := range p.coverOf {
		all[c.limit].Covers = append(all[c.limit].Covers, c.rule)
	}
	return all
}

// CallerLimit returns the caller's own limit, or nil. It must not be changed.
func (p *Policy) CallerLimit(caller string) *limit.Limit {
	if book := p.rules[caller]; book != nil {
		return book.limit
	}
	return nil
}
