package lint

import (
	"strings"

	"graphproxy/policy"
	"graphproxy/policy/graph/odata"
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
	allow = append(allow, c.policy.BoundRules()...)
	for _, r := range distinct(allow) {
		if isOfMe(r) {
			c.report.AddIn(r.File, r.Line, "",
				"%s can never succeed: /me is the user who has signed in, and a token of an app has none. Write /users/{id} with "+
					"where: for the users that are meant", r.Text)
			continue
		}
		c.template(r, false)
		c.placeholder(r)
		for _, named := range r.Named() {
			c.named(named)
		}
	}
	for _, r := range distinct(deny) {
		if isOfMe(r) {
			c.report.AddIn(r.File, r.Line, "",
				"%s has no effect: /me is the user who has signed in, and a token of an app has none. Name users by /users/{id}",
				r.Text)
			continue
		}
		c.template(r, true)
		c.placeholder(r)
		for _, named := range r.Named() {
			c.named(named)
		}
	}
}

func isOfMe(r *policy.Rule) bool { return r.Match().Template.Segments[0].Base == "me" }

// named warns of a path of references or targets that names nothing in Graph.
func (c *checker) named(r *policy.Rule) {
	switch problem := c.Operations.Problem(r.Match(), true); {
	case isOfMe(r):
		c.report.AddIn(r.File, r.Line, "", "%s has no effect: /me is the user who has signed in, and a token of an app has "+
			"none. Name users by /users/{id} with where: for the users that are meant", r.PathText())
	case problem != "" && c.Operations.IsVoid(r.Match()) && !strings.HasPrefix(problem, "it is in "):
		c.report.AddIn(r.File, r.Line, "", "%s names nothing in the %s of Graph: %s", r.PathText(),
			r.Match().Template.Version, problem)
	}
}

// placeholder warns of a word of documentation in the place of a key: it is one key as it stands.
func (c *checker) placeholder(r *policy.Rule) {
	segments := r.Match().Template.Segments
	for i := range segments {
		s := &segments[i]
		if s.Var || s.Kind != odata.Name && s.Kind != odata.Key || !policy.IsPlaceholder(s.Text) ||
			!c.Operations.IsKey(r.Match().Template, i) {
			continue
		}
		c.report.AddIn(r.File, r.Line, "", "%s is about the one key %q, as it stands. Write the key that is meant; a key of "+
			"any value is written {id}", r.Text, s.Text)
		return
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
