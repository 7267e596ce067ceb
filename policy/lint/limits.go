package lint

import (
	"graphproxy/policy"
	"graphproxy/policy/match"
)

// limits tells of limits that cover nothing that a caller may do. What a caller in report mode may do is anything.
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
	covers := c.policy.Covers()
	for len(covers) > 0 {
		n := 1
		for n < len(covers) && covers[n].Limit == covers[0].Limit {
			n++
		}
		if !anyUsed(covers[:n], byRoot) {
			c.report.Add(covers[0].Rule.Line, covers[0].Limit+".covers", "no allow rule of any caller is covered by this limit, so it never counts anything. Write its covers as the allow rules have them, or delete it")
		}
		covers = covers[n:]
	}
}

func anyUsed(covers []policy.Cover, byRoot map[string][]*policy.Rule) bool {
	for _, cover := range covers {
		for _, r := range byRoot[root(cover.Rule.Match())] {
			if match.Overlaps(cover.Rule.Match(), r.Match()) {
				return true
			}
		}
	}
	return false
}
