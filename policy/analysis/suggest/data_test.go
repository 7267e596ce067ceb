package suggest_test

import (
	"slices"
	"strings"
	"testing"

	"graphproxy/policy/analysis/audit"
	"graphproxy/policy/analysis/suggest"
	"graphproxy/policy/graph/catalog/catalogtest"
	"graphproxy/policy/graph/odata"
	"graphproxy/policy/match"
)

// operation is one line of a list.
type operation struct {
	method   string
	template *odata.Template
}

func operations(t testing.TB, version string) []operation {
	t.Helper()
	var all []operation
	for line := range strings.Lines(catalogtest.List(t, version)) {
		method, path, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		template, err := odata.ParseTemplate("/" + version + path)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, operation{method, template})
	}
	return all
}

// request is the audit line of the operation with a key for each variable.
func (o operation) request(t testing.TB, key string) audit.Line {
	t.Helper()
	segments := slices.Clone(o.template.Segments)
	for i := range segments {
		s := &segments[i]
		if s.Var {
			s.Var, s.Text = false, key
		}
		s.Args = slices.Clone(s.Args)
		for j := range s.Args {
			if a := &s.Args[j]; a.Var {
				a.Var, a.Value, a.Quoted = false, key, true
			}
		}
	}
	written := odata.Target{Version: o.template.Version, Segments: segments}
	return line(t, "app", o.method+" "+written.EscapedPath())
}

var keys = []string{
	"2b3a4c5d-1111-2222-3333-444455556666", "adele@contoso.com", "AAMkAGI2TG93AAA=",
	"19:561fbdbbfca848a484f0a6f00ce9dbbd@thread.tacv2", "b!-RIj2DuyvEyV1T4NlOaMHk8XkS",
	"01BYE5RZ6QN3ZWBTUFOFD3GSPGOHDJD36K", "pyCSVNJ6dkKD3c5EnMbjUZgAHzAb", "contoso.com", "48x48",
	"84b80893-8749-40a3-97b7-68513b600544_5d6059b6-368d-45f8-91e1-8e07d485f1d0",
}

// variables reports which segments and arguments of the template are variables.
func variables(t *odata.Template) []bool {
	var all []bool
	for i := range t.Segments {
		all = append(all, t.Segments[i].Var)
		for _, a := range t.Segments[i].Args {
			all = append(all, a.Var)
		}
	}
	return all
}

// compare reports whether a rule has the variables of Graph's own template for a request that it allows, and
// whether it has more.
func compare(own, rule *odata.Template) (same, wider bool) {
	want, got := variables(own), variables(rule)
	if len(want) != len(got) || own.Version != rule.Version {
		return false, true
	}
	same = true
	for i := range want {
		same = same && want[i] == got[i]
		wider = wider || got[i] && !want[i]
	}
	return same, wider
}

func parseRule(t testing.TB, text string) *match.Rule {
	t.Helper()
	methods, path, _ := strings.Cut(text, " ")
	template, err := odata.ParseTemplate(path)
	if err != nil {
		t.Fatal(err)
	}
	r := &match.Rule{Template: template}
	for m := range strings.SplitSeq(methods, ",") {
		r.Methods |= match.MethodOf(m)
	}
	if methods == "ANY" {
		r.Methods = match.Any
	}
	return r
}

func TestEveryOperationOfGraphAlone(t *testing.T) {
	for _, version := range []string{"v1.0", "beta"} {
		t.Run(version, func(t *testing.T) {
			all := operations(t, version)
			same := 0
			for i, o := range all {
				s := suggest.New(suggest.Options{})
				s.Add(o.request(t, keys[i%len(keys)]))
				rules := texts(t, s.Suggest())
				if len(rules) != 1 {
					t.Fatalf("%s %s: %q", o.method, o.template.Text, rules)
				}
				isSame, wider := compare(o.template, parseRule(t, rules[0]).Template)
				if wider {
					t.Errorf("%s %s is suggested wider: %s", o.method, o.template.Text, rules[0])
				}
				if isSame {
					same++
				} else if same > i-20 {
					t.Logf("%s %s is suggested as %s", o.method, o.template.Text, rules[0])
				}
			}
			t.Logf("%d of %d operations come out as Graph has them (%.2f %%)", same, len(all),
				100*float64(same)/float64(len(all)))
		})
	}
}

func TestKeysThatAreWords(t *testing.T) {
	for _, version := range []string{"v1.0", "beta"} {
		t.Run(version, func(t *testing.T) {
			all := operations(t, version)
			same := 0
			for i, o := range all {
				if i%5 > 0 {
					continue // a sample
				}
				s := suggest.New(suggest.Options{})
				s.Add(o.request(t, "Budget"))
				rule := texts(t, s.Suggest())[0]
				isSame, wider := compare(o.template, parseRule(t, rule).Template)
				if wider {
					t.Errorf("%s %s is suggested wider: %s", o.method, o.template.Text, rule)
				}
				if isSame {
					same++
				}
			}
			t.Logf("%.1f %% of the operations come out as Graph has them, the others narrower",
				500*float64(same)/float64(len(all)))
		})
	}
}

func TestEveryOperationOfGraphInOneLog(t *testing.T) {
	for _, name := range []string{"v1.0 without the list", "beta without the list", "v1.0 with the list"} {
		version, how, _ := strings.Cut(name, " ")
		t.Run(name, func(t *testing.T) {
			all := operations(t, version)
			var o suggest.Options
			if how == "with the list" {
				o.Operations = new(suggest.Operations)
				if err := o.Operations.Read(strings.NewReader(catalogtest.List(t, version)), version); err != nil {
					t.Fatal(err)
				}
			}
			s := suggest.New(o)
			var lines []audit.Line
			for i, o := range all {
				lines = append(lines, o.request(t, keys[i%len(keys)]))
				s.Add(lines[i])
				s.Add(o.request(t, "Budget"))
			}
			suggested := s.Suggest()
			if err := suggested.Verify(); err != nil {
				t.Fatal(err)
			}
			var tree match.AllowSet
			var rules []*match.Rule
			for _, text := range texts(t, suggested) {
				rules = append(rules, parseRule(t, text))
				tree.Add(rules[len(rules)-1])
			}
			same := 0
			for i, o := range all {
				r := rules[tree.Find(lines[i].Parsed, match.MethodOf(o.method)).Index]
				isSame, wider := compare(o.template, r.Template)
				if wider {
					t.Errorf("%s %s is suggested wider: %s", o.method, o.template.Text, r.Template.Text)
				}
				if isSame {
					same++
				} else if same > i-20 {
					t.Logf("%s %s is suggested as %s", o.method, o.template.Text, r.Template.Text)
				}
			}
			t.Logf("%d of %d operations come out as Graph has them (%.2f %%), in %d rules", same, len(all),
				100*float64(same)/float64(len(all)), len(rules))
		})
	}
}
