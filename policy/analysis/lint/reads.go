package lint

import (
	"graphproxy/policy"
	"graphproxy/policy/graph/service"
	"graphproxy/policy/match"
)

// reads reports rules for ANY that could be for READ, because Graph has only reading operations there.
func (c *checker) reads() {
	told := make(map[*policy.Rule]bool)
	for _, b := range c.books {
		for _, r := range b.allow {
			if told[r] || r.Match().Methods&match.Any != match.Any || !c.onlyReads(r.Match()) {
				continue
			}
			told[r] = true
			c.report.AddIn(
				r.File,
				r.Line,
				b.where+".allow",
				"%s is for ANY, and Graph only reads there: write READ, so that it stays so",
				r.Text,
			)
		}
	}
}

// onlyReads reports whether every operation of Graph at a template reads: the template ends in a function or
// $count, it belongs to a service that only reports, or the list of operations shows it.
func (c *checker) onlyReads(m *match.Rule) bool {
	segments := m.Template.Segments
	last := &segments[len(segments)-1]
	switch {
	case !m.Template.Below && (service.Reads(segments) || last.Base == "delta" || last.Fold == "$count"):
		return true
	case segments[0].Base == "reports" || segments[0].Base == "auditlogs":
		return len(segments) > 1 || m.Template.Below
	}
	return false
}
