package lint

import (
	"cmp"
	"slices"
	"strings"

	"graphproxy/policy"
	"graphproxy/policy/graph/odata"
	"graphproxy/policy/match"
)

// versions reports deny rules for one version of Graph where the caller may make the same request in the other: a rule
// is for one version, and most resources are in both.
func (c *checker) versions() {
	found := findings{left: pairs{mostPairs}}
	for i := range c.books {
		b := &c.books[i]
		byRoot := make(map[string][]*policy.Rule)
		for _, r := range distinct(b.allow) {
			byRoot[root(r.Match())] = append(byRoot[root(r.Match())], r)
		}
		for _, d := range distinct(b.deny) {
			if a := b.allowedElsewhere(d, byRoot, &found.left); a != nil {
				found.add(d, b.where+".deny", "denies "+d.Match().Template.Version+" only, and "+name(a)+" allows the same in "+
					a.Match().Template.Version+". Deny it there too: "+moveText(d))
			}
		}
	}
	for _, r := range found.order {
		c.report.AddIn(r.File, r.Line, found.of[r][0].where, "%s", r.Text+" "+found.of[r][0].message)
	}
}

// allowedElsewhere returns an allow rule for the other version that allows a request like those of the deny rule,
// and that no deny rule of the other version touches; nil if none certainly does.
func (b *book) allowedElsewhere(d *policy.Rule, byRoot map[string][]*policy.Rule, left *pairs) *policy.Rule {
	moved := move(d.Match())
	if len(moved.Options) > 0 || moved.Template.Segments[0].Kind == odata.System { // $batch belongs to both versions
		return nil
	}
	for _, a := range byRoot[root(moved)] {
		if !left.take() {
			return nil
		}
		if !match.Overlaps(moved, a.Match()) {
			continue
		}
		var denied, allowed = new(match.DenySet), new(match.AllowSet)
		allowed.Add(bare(a.Match()))
		denied.Add(moved)
		for _, t := range examples(a.Match(), moved) {
			method := a.Match().Methods & moved.Methods
			if _, isDenied := denied.First(t, method); isDenied && allowed.Find(t, method).Index >= 0 &&
				!b.touched(t, method, left) {
				return a
			}
		}
	}
	return nil
}

// touched reports whether a deny rule may match the request; true when too many were compared.
func (b *book) touched(t *odata.Target, method match.Methods, left *pairs) bool {
	return slices.ContainsFunc(b.deny, func(r *policy.Rule) bool {
		if r.Match().Template.Version != t.Version || r.Match().Methods&method == 0 {
			return false
		}
		var tree match.DenySet
		tree.Add(bare(r.Match()))
		_, found := tree.First(t, method)
		return found || !left.take()
	})
}

// bare returns a rule without its conditions on query options, as a tree of its own may have it.
func bare(m *match.Rule) *match.Rule {
	return &match.Rule{Methods: m.Methods, Template: m.Template, Keys: m.Keys, Nots: m.Nots}
}

// move returns the rule for the other version.
func move(m *match.Rule) *match.Rule {
	t := *m.Template
	t.Version = "beta"
	if m.Template.Version == "beta" {
		t.Version = "v1.0"
	}
	return &match.Rule{Methods: m.Methods, Template: &t, Keys: m.Keys, Nots: m.Nots, Options: m.Options}
}

func moveText(r *policy.Rule) string {
	method, path, _ := strings.Cut(r.Text, " ")
	if rest, isBeta := strings.CutPrefix(path, "/beta/"); isBeta {
		return method + " /" + rest
	}
	return method + " /beta" + path
}

// examples returns requests that two templates of a version may both match: the segments of the longer template,
// with the values of either for its variables.
func examples(a, b *match.Rule) []*odata.Target {
	if len(b.Template.Segments) > len(a.Template.Segments) {
		a, b = b, a
	}
	var all []*odata.Target
	for _, order := range [][2]*match.Rule{{a, b}, {b, a}} {
		t := &odata.Target{Version: a.Template.Version, Segments: slices.Clone(a.Template.Segments)}
		for i := range t.Segments {
			fill(&t.Segments[i], cmp.Or(valueAt(order[0], i), valueAt(order[1], i), "11111111-2222-3333-4444-555555555555"))
		}
		all = append(all, t)
	}
	return all
}

// valueAt returns a value of a rule for segment i, or "".
func valueAt(m *match.Rule, i int) string {
	for j := range m.Keys {
		if k := &m.Keys[j]; k.Segment() == i && len(k.Values()) > 0 {
			return strings.ReplaceAll(k.Values()[0], "*", "x")
		}
	}
	if i < len(m.Template.Segments) && !m.Template.Segments[i].Var {
		return m.Template.Segments[i].Text
	}
	return ""
}

// fill puts a value in the place of a variable.
func fill(s *odata.Segment, value string) {
	folded := strings.ToLower(value)
	switch {
	case s.Kind == odata.Args:
		s.Args = slices.Clone(s.Args)
		for i := range s.Args {
			if a := &s.Args[i]; a.Var {
				a.Value, a.Var = value, false
			}
		}
	case s.Var && s.Kind == odata.Path:
		*s = odata.Segment{Kind: odata.Path, Text: value, Fold: folded, Base: folded}
	case s.Var:
		*s = odata.Segment{Kind: odata.Key, Text: value, Fold: folded, Base: folded, Quoted: true}
	}
}
