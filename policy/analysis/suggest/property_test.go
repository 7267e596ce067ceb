package suggest_test

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"graphproxy/policy"
	"graphproxy/policy/analysis/audit"
	"graphproxy/policy/analysis/suggest"
	"graphproxy/policy/graph/odata"
)

// The parts of paths: names, keys of every form, and texts with a meaning in templates, patterns or YAML.
var (
	roots    = []string{"users", "Users", "groups", "me", "deviceManagement", "drives", "reports"}
	segments = []string{
		"messages", "Messages", "members", "mailFolders", "inbox", "root", "items", "delta", "delta()", "frob", "frob()",
		"graph.frob", "microsoft.graph.frob()", "graph.user", "archive", "1", "a-b", "adele@contoso.com", "ADELE@contoso.com",
		"bob", "('bob')", "('delta')", "('inbox')", "('a-b')", "(5)", "(a='1')", "(A=2,b='x')", "(b='y',a='2')", "$ref",
		"$count", "$value", "%7Bid%7D", "('{id}')", "('a{b')", "**", "a*", "('**')", "('@x')", "(a='@x')", "(a='{x}')",
		"#%23", "a%23b", "a%20%23%20b", "a:%20b", "('%22')", "'x", "x''y", "!tag", "&amp", "('?')", "('$x')", "%C3%A4",
		"%C3%84", "~", "null", "a,b", "-", "- a", "graph.a-b", "microsoft.graph.x@y",
	}
	drivePaths = []string{"", "", "", ":/Reports/q1.txt:", ":/reports/Q1.txt:", ":/%7Bx%7D:", ":/a/%23%20b:", ":/100%25"}
)

func drawTarget(t *rapid.T) *odata.Target {
	path := "/" + rapid.SampledFrom([]string{"v1.0", "v1.0", "v1.0", "beta"}).Draw(t, "version") + "/" +
		rapid.SampledFrom(roots).Draw(t, "root")
	for range rapid.IntRange(0, 4).Draw(t, "length") {
		s := rapid.SampledFrom(segments).Draw(t, "segment")
		if !strings.HasPrefix(s, "(") {
			path += "/"
		}
		path += strings.NewReplacer("#%23", "%23", " ", "%20", "{", "%7B", "}", "%7D").Replace(s)
	}
	if colon := rapid.SampledFrom(drivePaths).Draw(t, "drive path"); colon != "" {
		path += colon
		if strings.HasSuffix(colon, ":") {
			path += "/" + rapid.SampledFrom([]string{"children", "content", "a-b"}).Draw(t, "after")
		}
	}
	query := rapid.SampledFrom([]string{"", "", "", "$top=", "$expand=", "$select=&$expand=", "$apply=",
		"$compute=&$expand="}).Draw(t, "query")
	target, err := odata.Parse(path, query)
	if err != nil {
		t.Skip(err)
	}
	return target
}

func drawLines(t *rapid.T) []audit.Line {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) audit.Line {
		target := drawTarget(t)
		return audit.Line{
			Caller:    "app",
			Method:    rapid.SampledFrom([]string{"GET", "HEAD", "POST", "DELETE"}).Draw(t, "method"),
			Parsed:    target,
			Target:    target.Path(),
			Decision:  rapid.SampledFrom([]string{audit.Allow, audit.Allow, audit.Limit}).Draw(t, "decision"),
			WouldDeny: rapid.Bool().Draw(t, "would deny"),
			Status:    rapid.SampledFrom([]int{200, 200, 200, 404, 400, 500}).Draw(t, "status"),
		}
	}), 0, 25).Draw(t, "lines")
}

// load reads suggested YAML as a policy.
func load(t rapid.TB, yaml string) *policy.Policy {
	t.Helper()
	p, err := policy.Parse("policy.yaml",
		[]byte("version: 1\n"+strings.Replace(yaml, "  app:\n", "  app:\n    identity: [anyone]\n", 1)))
	if err != nil {
		t.Fatalf("%v\n%s", err, yaml)
	}
	return p
}

// allowed counts the lines that the policy allows, ignoring their queries.
func allowed(p *policy.Policy, lines []audit.Line) (n int) {
	for _, l := range lines {
		target := &odata.Target{Version: l.Parsed.Version, Segments: l.Parsed.Segments}
		if p.Decide(policy.Request{Caller: "app", Method: l.Method, Target: target}).Allow {
			n++
		}
	}
	return n
}

func TestSuggestionsLoadAllowWhatWasSeenAndAreSmallest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lines := drawLines(t)
		s, plain := suggest.New(suggest.Options{Pin: rapid.Bool().Draw(t, "pin")}), suggest.New(suggest.Options{})
		for _, l := range lines {
			s.Add(l)
			plain.Add(l)
		}
		suggested := s.Suggest()
		if err := suggested.Verify(); err != nil {
			t.Fatal(err)
		}
		if len(lines) == 0 {
			return
		}
		c := suggested.Callers[0]
		var b strings.Builder
		if err := suggested.WriteYAML(&b); err != nil {
			t.Fatal(err)
		}
		yaml := b.String()
		if strings.Contains(yaml, "/**") {
			t.Errorf("there is a rule for everything below:\n%s", yaml)
		}
		p := load(t, yaml)
		if allow, deny := p.Rules("app"); len(allow) != len(c.Rules) || len(deny) > 0 {
			t.Fatalf("%d rules are suggested and %d load:\n%s", len(c.Rules), len(allow), yaml)
		}
		if other := plain.Suggest().Callers[0].Unwritable; c.Unwritable != other {
			t.Errorf("%d requests have no rule, and %d if nothing is pinned:\n%s", c.Unwritable, other, yaml)
		}
		n, requests := allowed(p, lines), 0
		for _, r := range c.Rules {
			requests += r.Requests
		}
		if requests+c.Unwritable != len(lines) || n < requests {
			t.Errorf("of %d requests %d are allowed, %d counted and %d without a rule:\n%s", len(lines), n, requests,
				c.Unwritable, yaml)
		}
		isRule := func(line string) bool { return strings.HasPrefix(line, "      - ") }
		all := strings.Split(yaml, "\n")
		for i := range all {
			if !isRule(all[i]) {
				continue
			}
			rest := strings.Join(slices.Delete(slices.Clone(all), i, i+1), "\n")
			if !slices.ContainsFunc(strings.Split(rest, "\n"), isRule) {
				rest = strings.Replace(rest, "    allow:", "    allow: []", 1)
			}
			if allowed(load(t, rest), lines) == n {
				t.Errorf("nothing is denied without the rule %s:\n%s", all[i], yaml)
			}
		}
	})
}

func TestTheOrderOfTheLogDoesNotCount(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lines := drawLines(t)
		pin := rapid.Bool().Draw(t, "pin")
		rulesOf := func(lines []audit.Line) []string {
			s := suggest.New(suggest.Options{Pin: pin})
			for _, l := range lines {
				s.Add(l)
			}
			var all []string
			for _, c := range s.Suggest().Callers {
				for _, r := range c.Rules {
					all = append(all, r.Text)
				}
			}
			return all
		}
		first := rulesOf(lines)
		if second := rulesOf(rapid.Permutation(lines).Draw(t, "other order")); !slices.Equal(first, second) {
			t.Errorf("%q\n%q", first, second)
		}
	})
}
