package match_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"graphproxy/policy/graph/odata"
	"graphproxy/policy/match"
)

// segments are the parts of paths of templates and targets; targets have no variables.
var (
	literals = []string{"users", "groups", "delta", "delta()", "graph.user", "microsoft.graph.delta", "members", "1",
		"adele@contoso.com", "$count", "$ref", "getX", "('1')", "('delta')", "(upn='1')", "(a='1',b='2')", "(b='2',a='1')",
		"root:/a/b:", "11111111-2222-3333-4444-555555555555@11111111-2222-3333-4444-555555555555"}
	templated = append([]string{"{x}", "{y}", "(upn='{z}')", "(a='{v}',b='{w}')", "root:/{p}:"}, literals...)
	queries   = []string{"", "$select=id", "$select=id,mail", "$expand=members", "$expand=members($select=id)",
		"$filter=a", "$top=5", "$select=members/id", "$select=id,members($select=id)", "$apply=a", "x=a%26y=b"}
)

func draw(r *rapid.T, from []string) string {
	var b strings.Builder
	b.WriteString("/users")
	for _, s := range rapid.SliceOfN(rapid.SampledFrom(from), 0, 5).Draw(r, "segments") {
		if !strings.HasPrefix(s, "(") {
			b.WriteByte('/')
		}
		b.WriteString(s)
	}
	return strings.ReplaceAll(b.String(), "::", ":")
}

func drawRule(r *rapid.T) *match.Rule {
	below := rapid.SampledFrom([]string{"", "/**"}).Draw(r, "below")
	template, err := odata.ParseTemplate(draw(r, templated) + below)
	if err != nil {
		r.Skip("no template")
	}
	rule := &match.Rule{Methods: match.Get, Template: template}
	for _, name := range match.Variables(template) {
		if rapid.Bool().Draw(r, "narrowed") {
			key, _ := match.NewKey(template, name,
				[]string{rapid.SampledFrom([]string{"1", "*@contoso.com", "a/*", "**"}).Draw(r, "value")})
			rule.Keys = append(rule.Keys, key)
		}
	}
	expansion, err := match.ParseExpansion("members")
	if err != nil {
		r.Fatal(err)
	}
	for _, o := range []match.Option{match.Select([]string{"id"}), match.Expand([]match.Expansion{expansion})} {
		if rapid.Bool().Draw(r, "optioned") {
			rule.Options = append(rule.Options, o)
		}
	}
	return rule
}

// drawTarget draws a target that a rule usually may match.
func drawTarget(r *rapid.T, rule *match.Rule) *odata.Target {
	path := "/v1.0" + draw(r, literals)
	if rapid.IntRange(0, 3).Draw(r, "like the rule") > 0 {
		path = strings.TrimSuffix(rule.Template.Text, "/**")
		for _, name := range match.Variables(rule.Template) {
			value := rapid.SampledFrom([]string{"1", "adele@contoso.com", "delta", "a"}).Draw(r, "key")
			path = strings.NewReplacer("/{"+name+"}", "/"+value, "{"+name+"}", "'"+value+"'").Replace(path)
		}
		path = strings.Replace(path, "root:/'", "root:/", 1)
	}
	target, err := odata.Parse(path, rapid.SampledFrom(queries).Draw(r, "query"))
	if err != nil {
		r.Skip("no target")
	}
	return target
}

// A deny rule must match at least what the same rule would allow. The only exception is an option that is
// absent, which an allow rule accepts.
func TestWhatMatchesNarrowlyMatchesWidely(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		rule := drawRule(r)
		target := drawTarget(r, rule)
		var n match.AllowSet
		var w match.DenySet
		n.Add(rule)
		w.Add(rule)
		for _, o := range rule.Options {
			if _, present := target.Option(o.Name); !present && o.Name != "$select" {
				r.Skip("an absent option")
			}
		}
		found := n.Find(target, match.Get).Index >= 0
		if _, wide := w.First(target, match.Get); found && !wide {
			r.Fatalf("%s matches %s narrowly and not widely", target.Path(), rule.Template.Text)
		}
	})
}

// The trees find the first of several rules that would match alone.
func TestTheFirstRuleThatMatchesIsFound(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		var rules []*match.Rule
		var narrow match.AllowSet
		var wide match.DenySet
		for range rapid.IntRange(1, 6).Draw(r, "rules") {
			rule := drawRule(r)
			rules = append(rules, rule)
			narrow.Add(rule)
			wide.Add(rule)
		}
		target := drawTarget(r, rapid.SampledFrom(rules).Draw(r, "rule"))
		wantNarrow, wantWide := -1, len(rules)
		for i, rule := range rules {
			var n match.AllowSet
			n.Add(rule)
			if wantNarrow < 0 && n.Find(target, match.Get).Index == 0 {
				wantNarrow = i
			}
			var w match.DenySet
			w.Add(rule)
			if _, found := w.First(target, match.Get); found {
				wantWide = min(wantWide, i)
			}
		}
		if got := narrow.Find(target, match.Get).Index; got != wantNarrow {
			r.Errorf("narrow: rule %d, want %d", got, wantNarrow)
		}
		if got, _ := wide.First(target, match.Get); got != wantWide {
			r.Errorf("wide: rule %d, want %d", got, wantWide)
		}
	})
}
