package lint

import (
	"slices"
	"time"

	"graphproxy/policy"
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
		return "has ended at " + at + " and is none since. Delete it"
	default:
		return "ends at " + at + ", within 14 days. Write another until if it is still needed"
	}
}

// links reports bounds on what a delta query selects where its links cannot be marked: the options of the first request
// are inside the tokens of the links that follow, where they are not seen.
func (c *checker) links() {
	keyless := make(map[*policy.Rule]string)
	for _, d := range c.policy.BoundDeltas() {
		if slices.Contains(c.Keyless, d.App) {
			keyless[d.Rule] = d.App
		}
	}
	for _, b := range c.books {
		for _, r := range b.allow {
			if app, ok := keyless[r]; ok {
				delete(keyless, r)
				c.report.AddIn(
					r.File,
					r.Line,
					b.where+".allow",
					"%s bounds query options of a delta query, whose links graphproxy marks "+
						"with a key, and the credential of the app registration %q gives none, so serve does not start. Set "+
						"GRAPHPROXY_LINK_KEY_FILE, or take query: out of the rule",
					r.Text,
					app,
				)
			}
		}
	}
}
