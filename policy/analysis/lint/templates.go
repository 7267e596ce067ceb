package lint

import (
	"graphproxy/policy"
)

// templates warns of rules and covers that name nothing in Graph, or that only a signed-in user has. A deny rule
// that names nothing in the embedded lists does not load.
func (c *checker) templates() {
	var allow, deny []*policy.Rule
	for i := range c.books {
		allow, deny = append(allow, c.books[i].allow...), append(deny, c.books[i].deny...)
	}
	for _, l := range c.policy.Limits() {
		deny = append(deny, l.Covers...)
	}
	for _, r := range distinct(allow) {
		if r.Match().Template.Segments[0].Base == "me" {
			c.report.AddIn(r.File, r.Line, "",
				"%s can never succeed: /me is the user who has signed in, and a token of an app has none. Write /users/{id}",
				r.Text)
			continue
		}
		c.template(r, false)
	}
	for _, r := range distinct(deny) {
		c.template(r, true)
	}
}

// template looks one rule up.
func (c *checker) template(r *policy.Rule, wide bool) {
	problem := c.Operations.Problem(r.Match(), wide)
	switch {
	case problem != "" && !r.Unknown():
		c.report.AddIn(
			r.File,
			r.Line,
			"",
			"%s names nothing in the %s of Graph: %s",
			r.Text,
			r.Match().Template.Version,
			problem,
		)
	case problem == "" && r.Unknown() && c.Operations != nil:
		c.report.AddIn(
			r.File,
			r.Line,
			"",
			"%s is in Graph, so unknown: true does nothing but hide a later mistake. Take it out",
			r.Text,
		)
	}
}
