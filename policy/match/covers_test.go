package match_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"graphproxy/policy/graph/odata"
	"graphproxy/policy/match"
)

// The parts of rules and targets: few words, so that they often match.
var (
	coverSegments = []string{"/{x}", "/{x}", "/{y}", "/1", "/a@b.c", "/foo", "/foo()", "/delta", "/delta()", "('delta')",
		"('1')", "/mailFolders", "/archive", "/inbox", "/graph.foo", "/graph.foo()", "/microsoft.graph.security.activate",
		"/activate", "/$count", "/$ref", "/getX", "(p={v})", "(p='1')", "(p='1',q={w})", "(q='a@b.c')", "/root:/{p}:",
		"/root:/Reports/a:", "/root:/reports:", "/children", "/items", "/sites", "/drive", "/user", "/domains", "/graph.a.b"}
	coverTargets = []string{"/1", "/1", "/a@b.c", "/A@B.C", "/A@b.c@11111111-2222-3333-4444-555555555555", "/foo",
		"/Foo()", "/delta", "/delta()", "('delta')", "('1')", "('foo')", "/mailFolders", "/archive", "/inbox", "('inbox')",
		"/graph.foo", "/microsoft.graph.foo()", "/graph.delta", "/graph.inbox", "/microsoft.graph.security.activate",
		"/activate", "/$count", "/$ref", "/getX", "(p='1')", "(p='2')", "(q='1',p='1')", "(q='a@b.c')", "(p='a@b.c')",
		"/root:/Reports/a:", "/root:/reports:", "/root:/x:", "/children", "/items", "/sites", "/drive", "/user", "/domains",
		"/graph.a.b", "/getByPath"}
	coverValues  = []string{"1", "a@b.c", "*@b.c", "a*", "*", "**", "delta", "Reports/*", "reports/**", "foo"}
	coverQueries = []string{"", "", "", "$select=id", "$select=id,mail", "$select=mail", "$select=", "$top=5", "$top=50",
		"$top=x", "$expand=a", "$expand=a($select=id)", "$expand=a($expand=b)", "$expand=a,b", "$expand=*",
		"$filter=x%20eq%20'a'", "$filter=x%20eq%20'b'", "$filter=y", "$search=a&$top=5", "$expand=b&$select=id",
		"$select=a/id", "select=a(select=id),id", "$select=a($expand=b)", "$select=b/id,mail", "$select=a/b/id",
		"$expand=a($select=b/id)", "$apply=x", "compute=x", "x=a%26odd=1", "odd=1"}
)

func pick(r *rand.Rand, from []string) string { return from[r.IntN(len(from))] }

func coverPath(r *rand.Rand, from []string) string {
	var b strings.Builder
	b.WriteString(pick(r, []string{"/users", "/users", "/sites"}))
	for range r.IntN(4) {
		b.WriteString(pick(r, from))
	}
	return strings.ReplaceAll(b.String(), "::", ":")
}

func coverExpansions(r *rand.Rand) match.Option {
	var entries []match.Expansion
	for range 1 + r.IntN(2) {
		e, err := match.ParseExpansion(pick(r,
			[]string{"a", "a($select=id)", "a($expand=b)", "a($expand=*)", "a($select=b/id)", "a($select=id,b/id)", "b", "*"}))
		if err != nil {
			panic(err)
		}
		entries = append(entries, e)
	}
	return match.Expand(entries)
}

func coverOption(r *rand.Rand) match.Option {
	switch r.IntN(11) {
	case 8:
		return match.Select([]string{"id", "a/id", "b/id"}[r.IntN(3):])
	case 9:
		return match.OneOf(pick(r, []string{"$apply", "$compute"}), []string{pick(r, []string{"x", "**"})})
	case 10:
		return match.OneOf("odd", []string{pick(r, []string{"1", "**"})})
	case 0:
		return match.Select([]string{"id", "mail"}[r.IntN(2):])
	case 1:
		return match.Select([]string{"id"})
	case 2, 3:
		return coverExpansions(r)
	case 4:
		return match.AtMost("$top", []int{5, 50}[r.IntN(2)])
	case 5:
		return match.Refused(pick(r, []string{"$top", "$filter", "$expand", "$select", "$search", "$apply", "odd"}))
	}
	values := []string{"x eq '*'", "x eq 'a'", "*", "**", "y"}
	return match.OneOf("$filter", []string{pick(r, values), pick(r, values)})
}

// coverRule makes a rule of a path; false if the path is none.
func coverRule(r *rand.Rand, path string) (*match.Rule, bool) {
	template, err := odata.ParseTemplate(path)
	if err != nil {
		return nil, false
	}
	rule := &match.Rule{Methods: match.Get, Template: template}
	for _, name := range match.Variables(template) {
		if r.IntN(2) == 0 {
			key, _ := match.NewKey(template, name, []string{pick(r, coverValues), pick(r, coverValues)}[r.IntN(2):])
			rule.Keys = append(rule.Keys, key)
		}
	}
	seen := make(map[string]bool)
	for range max(0, r.IntN(5)-2) {
		if o := coverOption(r); !seen[o.Name] {
			seen[o.Name] = true
			rule.Options = append(rule.Options, o)
		}
	}
	return rule, true
}

// coverPair makes two rules that are often similar.
func coverPair(r *rand.Rand) (a, b *match.Rule, ok bool) {
	path := coverPath(r, coverSegments)
	other := path
	switch r.IntN(6) {
	case 0:
		other = coverPath(r, coverSegments)
	case 1, 2: // another segment
		parts := strings.Split(path[1:], "/")
		i := r.IntN(len(parts))
		if i > 0 {
			parts[i] = strings.TrimPrefix(pick(r, coverSegments), "/")
		}
		other = "/" + strings.Join(parts, "/")
	case 3: // fewer segments
		parts := strings.Split(path[1:], "/")
		other = "/" + strings.Join(parts[:1+r.IntN(len(parts))], "/")
	}
	if r.IntN(3) == 0 {
		path += "/**"
	}
	if r.IntN(2) == 0 {
		other += "/**"
	}
	b, okB := coverRule(r, path)
	a, okA := coverRule(r, other)
	if okA && okB && r.IntN(3) == 0 {
		a.Options = b.Options
	}
	return a, b, okA && okB
}

// coverTarget makes a target that usually resembles a rule.
func coverTarget(r *rand.Rand, rule *match.Rule) (*odata.Target, bool) {
	path := coverPath(r, coverTargets)
	if r.IntN(5) > 0 {
		path = strings.TrimPrefix(rule.Template.Text, "/v1.0")
		for _, name := range match.Variables(rule.Template) {
			value := pick(r, []string{"1", "a@b.c", "foo", "delta", "a", "Reports/a", "inbox", "mailFolders"})
			if r.IntN(3) == 0 {
				path = strings.Replace(path, "/{"+name+"}", "('"+value+"')", 1)
			}
			path = strings.NewReplacer(":/{"+name+"}", ":/"+value, "/{"+name+"}", "/"+value, "{"+name+"}",
				"'"+value+"'").Replace(path)
		}
		if cut, isBelow := strings.CutSuffix(path, "/**"); isBelow {
			for path = cut; r.IntN(2) == 0; {
				path += pick(r, coverTargets)
			}
		}
		if r.IntN(3) == 0 { // another spelling
			parts := strings.Split(path[1:], "/")
			if i := r.IntN(len(parts)); i > 0 && !strings.ContainsAny(parts[i], ":(") {
				path = strings.Replace(path, "/"+parts[i],
					pick(r, []string{"('" + parts[i] + "')", "/graph." + parts[i], "/" + parts[i] + "()",
						"/" + strings.ToUpper(parts[i])}), 1)
			}
		}
	}
	target, err := odata.Parse("/v1.0"+path, pick(r, coverQueries))
	return target, err == nil
}

func matchesNarrowly(rule *match.Rule, t *odata.Target) bool {
	var tree match.AllowSet
	tree.Add(rule)
	return tree.Find(t, match.Get).Index == 0
}

func matchesWidely(rule *match.Rule, t *odata.Target) bool {
	var tree match.DenySet
	tree.Add(rule)
	_, found := tree.First(t, match.Get)
	return found
}

// describe returns the text of a rule for messages.
func describe(rule *match.Rule) string {
	text := rule.Template.Text
	for _, k := range rule.Keys {
		text += " " + k.Reason + "=" + strings.Join(k.Values(), "|")
	}
	for _, o := range rule.Options {
		text += " " + o.Reason
	}
	return text
}

// A result about two rules must hold for every request.
func TestAResultAboutTwoRulesHoldsForEveryRequest(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	count := make(map[string]int)
	for range 20_000 {
		a, b, ok := coverPair(r)
		if !ok {
			continue
		}
		count["pairs"]++
		covers, denies, overlaps := match.Covers(a, b), match.Denies(a, b), match.Overlaps(a, b)
		for said, is := range map[string]bool{"covers": covers, "denies": denies, "overlaps not": !overlaps} {
			if is {
				count[said]++
			}
		}
		for range 12 {
			from := b
			if r.IntN(4) == 0 {
				from = a
			}
			target, ok := coverTarget(r, from)
			if !ok || !matchesNarrowly(b, target) {
				continue
			}
			count["targets of b"]++
			narrow, wide := matchesNarrowly(a, target), matchesWidely(a, target)
			if covers {
				count["targets covered"]++
			}
			if !narrow {
				count["targets of b alone"]++
			}
			if covers && !narrow || denies && !wide || !overlaps && wide {
				t.Fatalf("a %s\nb %s\ntarget %s?%s\ncovers %v, narrow %v; denies %v, overlaps %v, wide %v",
					describe(a), describe(b), target.Path(), target.RawQuery(), covers, narrow, denies, overlaps, wide)
			}
		}
	}
	t.Log(count)
	for said, least := range map[string]int{
		"covers":             2000,
		"denies":             2000,
		"overlaps not":       3000,
		"targets covered":    10_000,
		"targets of b alone": 10_000,
	} {
		if count[said] < least {
			t.Errorf("%s: %d of %d; the alphabet is too wide to show anything", said, count[said], count["pairs"])
		}
	}
}
