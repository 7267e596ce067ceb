package lint

import (
	"graphproxy/policy"
	"graphproxy/policy/match"
)

// limits reports limits that cover nothing that a caller may do. A caller in report mode may do anything.
func (c *checker) limits() {
	byRoot := make(map[string][]*policy.Rule)
	for i := range c.books {
		if c.policy.Reports(c.books[i].caller.Name) {
			return
		}
		for _, r := range c.books[i].allow {
			byRoot[root(r.Match())] = append(byRoot[root(r.Match())], r)
		}
	}
	left := &pairs{mostPairs}
	for _, l := range c.policy.Limits() {
		if !l.All && !anyUsed(l.Covers, byRoot, left) {
			c.report.AddIn(l.Covers[0].File, l.Covers[0].Line, l.Limit.Name+".covers",
				"no allow rule of any caller is covered by this limit, so it never "+
					"counts anything. Write its covers as the allow rules have them, or delete it")
		}
	}
}

// shares reports a caller that may use capacity that all others need.
func (c *checker) shares() {
	if len(c.books) < 2 {
		return
	}
	for i := range c.books {
		if b := &c.books[i]; b.caller.InFlight.Percent == 100 {
			c.report.AddIn(b.caller.File, b.caller.Line, b.where+".in_flight",
				"this caller may have every request in flight, and the other callers are refused meanwhile "+
					"(503). Write a smaller part, such as 75%%, or leave it out for a half")
		}
	}
}

// anyUsed reports whether one of the covers may match what a rule allows; true when too many were compared.
func anyUsed(covers []*policy.Rule, byRoot map[string][]*policy.Rule, left *pairs) bool {
	for _, cover := range covers {
		for _, r := range byRoot[root(cover.Match())] {
			if !left.take() || match.Overlaps(cover.Match(), r.Match()) {
				return true
			}
		}
	}
	return false
}
