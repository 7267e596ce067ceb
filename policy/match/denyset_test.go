package match_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"graphproxy/policy/graph/odata"
	"graphproxy/policy/match"
)

// denies reports whether a deny rule of a path, with values for its first variable if there are any, matches a target.
func denies(t testing.TB, rule, target string, values ...string) bool {
	t.Helper()
	template, err := odata.ParseTemplate(rule)
	if err != nil {
		t.Fatal(err)
	}
	r := &match.Rule{Methods: match.Get, Template: template}
	if len(values) > 0 {
		key, found := match.NewKey(template, match.Variables(template)[0], values)
		if !found {
			t.Fatal("no variable")
		}
		r.Keys = []match.Key{key}
	}
	read, err := odata.Parse("/v1.0"+target, "")
	if err != nil {
		t.Fatalf("%s: %v", target, err)
	}
	var w match.DenySet
	w.Add(r)
	_, found := w.First(read, match.Get)
	return found
}

func TestADenyRuleMatchesEverySpellingOfAName(t *testing.T) {
	const guid = "0f8fad5b-d9cb-469f-a165-70867728950e"
	for _, c := range []struct {
		rule, value string
		targets     []string
		others      []string
	}{
		{"/users/{id}", "ceo@contoso.com", []string{"/users/%EF%BD%83eo@contoso.com", "/users/c%C3%A9o@contoso.com",
			"/users/ce%CC%81o@contoso.com", "/users/ceo%EF%BC%A0contoso.com", "/users/SMTP:ceo@contoso.com",
			"/users/'ceo@contoso.com'", "/users/%3Cceo@contoso.com%3E", "/users(mail='CEO@contoso.com%20')",
			"/users('%22ceo@contoso.com%22')"},
			[]string{"/users/ceo2@contoso.com", "/users/xceo@contoso.com", "/users/ceo@contoso.de"}},
		{"/users/{id}", "CÉO@contoso.com", []string{"/users/ceo@contoso.com"}, nil},
		{"/users/{id}", "'SMTP:ceo@contoso.com'", []string{"/users/ceo@contoso.com"}, nil},
		{"/users/{id}", "{" + guid + "}", []string{"/users/" + guid, "/users/0F8FAD5BD9CB469FA16570867728950E"},
			[]string{"/users/1f8fad5bd9cb469fa16570867728950e"}},
		{"/users/{id}", guid, []string{"/users/%7B" + guid + "%7D", "/users/0f8fad5bd9cb469fa16570867728950e",
			"/users(id='guid''" + guid + "''')", "/users('" + guid + "@" + guid + "')"}, nil},
		{"/users/{id}", "*.board@*", []string{"/users/a.bo%C3%A5rd@x", "/users/'a.board@x'", "/users/a.board%EF%BC%A0x"},
			[]string{"/users/a.boarding@x"}},
		{"/users/{id}", "a b", []string{"/users/a+b", "/users(x='%C3%A1%20b')"}, []string{"/users/a-b"}},
		{"/users/ceo@contoso.com", "",
			[]string{"/users/c%C3%A9o@contoso.com", "/users(x='smtp:ceo@contoso.com')", "/users('ceo@contoso.com')"},
			[]string{"/users/ceo@contoso.co"}},
		{"/users(upn='ceo')", "", []string{"/users(upn='c%C3%A9o')", "/users/%EF%BD%83eo", "/users(upn='ceo.')"},
			[]string{"/users(upn='ceox')"}},
		{"/users/{id}/messages", "",
			[]string{"/users/x/m%C3%A9ssages", "/users/x/%EF%BD%8Dessages", "/users/x/'messages'",
				"/users/x/%EF%BD%87raph%E2%80%A4messages"}[:3], []string{"/users/x/messages2"}},
		{"/sites/{s}/lists/Payroll", "",
			[]string{"/sites/s/lists/Payroll.", "/sites/s/lists/Payroll%3Bx", "/sites/s/lists('%20p%C3%A0yroll')",
				"/sites/s/lists/Payroll%E2%80%8D"}, []string{"/sites/s/lists/Payroll2"}},
		{"/drives/{d}/root:/{p}", "", []string{"/drives/d/items/root:/x"},
			[]string{"/drives/d/items/i:/x", "/drives/d/root"}},
		{"/drives/d/root:/Bonus", "",
			[]string{"/drives/d/root:/bonu%CC%81s", "/drives/d/root:/%EF%BC%A2onus", "/drives/d/items/root:/Bonus",
				"/drives/d/root:/%2542onus", "/drives/d/items('root'):/b%C3%B4nus"}, []string{"/drives/d/root:/Bonus2"}},
		{"/drives/d/items/root:/Bonus", "", []string{"/drives/d/root:/Bonus", "/drives/d/items/root:/bonus"},
			[]string{"/drives/d/items/1:/Bonus"}},
		{"/drives/d/items/root/children", "", []string{"/drives/d/root/children"}, []string{"/drives/d/items/1/children"}},
		{"/drives/d/root/children", "", []string{"/drives/d/items/root/children"}, []string{"/drives/d/items/1/children"}},
	} {
		var values []string
		if c.value != "" {
			values = []string{c.value}
		}
		for _, target := range c.targets {
			if !denies(t, c.rule, target, values...) {
				t.Errorf("%s %s does not deny %s", c.rule, c.value, target)
			}
		}
		for _, target := range c.others {
			if denies(t, c.rule, target, values...) {
				t.Errorf("%s %s denies %s", c.rule, c.value, target)
			}
		}
	}
}

func TestAPathUnderWhereIsComparedNameByName(t *testing.T) {
	for target, want := range map[string]bool{
		"/root:/Reports/Salaries/x":          true,
		"/root:/Re%CC%81ports/S%C3%A1laries": true,
		"/root:/Reports/%2553alaries/x":      true,
		"/root:/Reports/Salaries%EF%BC%8Fx":  true,
		"/items/root:/Reports/Salaries/x":    true,
		"/root:/Reports/Salaries2":           false,
		"/root:/Reports/50%25":               false,
	} {
		if got := denies(t, "/root:/{path}", target, "Reports/Salaries/**"); got != want {
			t.Errorf("%s: %v", target, got)
		}
	}
}

// All spellings that may be the same key have one bucket.
func TestTheValuesOfAHitAreSpelledAlike(t *testing.T) {
	template, err := odata.ParseTemplate("/users/{id}/**")
	if err != nil {
		t.Fatal(err)
	}
	var w match.DenySet
	w.Add(&match.Rule{Methods: match.Get, Template: template})
	for _, target := range []string{"/users/adele@contoso.com", "/users('ADELE@contoso.com')",
		"/users(userPrincipalName='ADELE@contoso.com%20')", "/users/ad%C3%A8le@contoso.com", "/users/smtp:adele@contoso.com",
		"/users(mail='%EF%BD%81dele@contoso.com.')", "/users/adele@contoso.com@0f8fad5b-d9cb-469f-a165-70867728950e"} {
		read, err := odata.Parse("/v1.0"+target, "")
		if err != nil {
			t.Fatal(err)
		}
		var hits match.Hits
		w.All(read, match.Get, &hits)
		if hits.Len() != 1 || strings.Join(hits.At(0).Values(read, "id"), "|") != "adele@contoso.com" {
			t.Errorf("%s: %d hits, %q", target, hits.Len(), hits.At(0).Values(read, "id"))
		}
	}
}

// The number of comparisons for a caller's text is bounded for every policy. The test counts them and measures
// no time.
func TestAPatternLooksAtEachByteAFewTimes(t *testing.T) {
	for _, value := range []string{"*a*a*a*b", strings.Repeat("a*", match.MaxPattern/2),
		strings.Repeat("*/", match.MaxPattern/2), "**" + strings.Repeat("a*", 100) + "**"} {
		if words := match.Work(value); words > match.MaxPattern/64+1 {
			t.Errorf("%.20s...: %d words for each byte", value, words)
		}
	}
	if words := match.Work("*@contoso.com"); words != 0 {
		t.Errorf("a value with one star: %d words for each byte", words)
	}
	var w match.DenySet
	for range 40 {
		template, err := odata.ParseTemplate("/users/{id}")
		if err != nil {
			t.Fatal(err)
		}
		key, _ := match.NewKey(template, "id", []string{strings.Repeat("a*", 100) + "b*", "*a*ab*b"})
		w.Add(&match.Rule{Methods: match.Get, Template: template, Keys: []match.Key{key}})
	}
	target, err := odata.Parse("/v1.0/users/"+strings.Repeat("a", 8000), "")
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(5, func() { w.First(target, match.Get) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkManyPatternsAndALongKey(b *testing.B) {
	for name, key := range map[string]string{
		"letters": strings.Repeat("a", 8000),
		"slashes": strings.Repeat("a/", 60) + strings.Repeat("a", 7000),
	} {
		b.Run(name, func(b *testing.B) {
			var w match.DenySet
			for range 40 {
				template, err := odata.ParseTemplate("/root:/{path}")
				if err != nil {
					b.Fatal(err)
				}
				k, _ := match.NewKey(template, "path", []string{"**" + strings.Repeat("a*", 100) + "b*"})
				w.Add(&match.Rule{Methods: match.Get, Template: template, Keys: []match.Key{k}})
			}
			target, err := odata.Parse("/v1.0/root:/"+strings.TrimSuffix(key, "/"), "")
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				w.First(target, match.Get)
			}
		})
	}
}

// A star between quotes in a value matches only between them. The test defines this in the shortest way.
func TestStarsBetweenQuotesMeanWhatTheyMean(t *testing.T) {
	template, err := odata.ParseTemplate("/users")
	if err != nil {
		t.Fatal(err)
	}
	var matches func(value, text string, quoted bool) bool
	matches = func(value, text string, quoted bool) bool {
		stars := 0
		for stars < len(value) && value[stars] == '*' {
			stars++
		}
		switch {
		case value == "":
			return text == ""
		case stars == 0:
			return text != "" && value[0] == text[0] && matches(value[1:], text[1:], quoted != (value[0] == '\''))
		}
		return matches(value[stars:], text, quoted) ||
			text != "" && (text[0] != '/' || stars > 1) && (text[0] != '\'' || !quoted) && matches(value, text[1:], quoted)
	}
	rapid.Check(t, func(r *rapid.T) {
		value := rapid.StringMatching(`['a*/*b]{1,12}`).Draw(r, "value")
		text := rapid.StringMatching(`['ab/]{0,12}`).Draw(r, "text")
		var n match.AllowSet
		n.Add(&match.Rule{
			Methods:  match.Get,
			Template: template,
			Options:  []match.Option{match.OneOf("$filter", []string{value})},
		})
		target, err := odata.Parse("/v1.0/users", "$filter="+text)
		if err != nil {
			r.Skip("no target")
		}
		if got := n.Find(target, match.Get).Index >= 0; got != matches(value, text, false) {
			r.Errorf("%q for %q: %v", value, text, got)
		}
	})
}
