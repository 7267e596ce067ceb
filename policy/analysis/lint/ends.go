package lint

import (
	"time"

	"graphproxy/policy"
	"graphproxy/policy/match"
)

// soon is how long before its end a grant is reported.
const soon = 14 * 24 * time.Hour

// ends reports rules and callers that have ended, or end soon.
func (c *checker) ends() {
	if c.Now.IsZero() {
		return
	}
	told := make(map[*policy.Rule]bool)
	for _, b := range c.books {
		if text := c.endText(b.caller.Until); text != "" {
			c.report.AddIn(b.caller.File, b.caller.Line, b.where+".until", "the caller %s", text)
		}
		for _, rules := range [][]*policy.Rule{b.allow, b.deny} {
			for _, r := range rules {
				if text := c.endText(r.Until()); text != "" && !told[r] {
					told[r] = true
					c.report.AddIn(r.File, r.Line, b.where, "%s %s", r.Text, text)
				}
			}
		}
	}
}

// endText returns the text for a rule that has ended, or ends soon; "" if neither.
func (c *checker) endText(until time.Time) string {
	left := until.Sub(c.Now)
	switch at := until.Format(time.RFC3339); {
	case until.IsZero() || left > soon:
		return ""
	case left <= 0:
		return "has ended at " + at + " and is none since. Delete it, or write another until"
	default:
		return "ends at " + at + ", within 14 days. Write another until if it is still needed"
	}
}

// tokens reports conditions on $select at a delta query. The selection of the first request is inside the tokens of
// the links that follow, where the policy cannot check it.
func (c *checker) tokens() {
	told := make(map[*policy.Rule]bool)
	for _, b := range c.books {
		for _, r := range b.allow {
			segments := r.Match().Template.Segments
			if told[r] || segments[len(segments)-1].Base != "delta" || !boundsSelect(r.Match()) {
				continue
			}
			told[r] = true
			c.report.AddIn(r.File, r.Line, b.where+".allow",
				"%s bounds $select, and the nextLinks and deltaLinks of a delta query hold the "+
					"selection inside their token: they are refused. Let the app begin anew with $select each time, or take "+
					"$select out "+
					"of the rule", r.Text)
		}
	}
}

func boundsSelect(m *match.Rule) bool {
	for i := range m.Options {
		if m.Options[i].Name == "$select" && !m.Options[i].IsRefused() {
			return true
		}
	}
	return false
}
