package match_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"graphproxy/policy/graph/odata"
	"graphproxy/policy/match"
)

// matches reports whether a rule with the value under where matches the key as an allow rule and as a deny
// rule.
func matches(t testing.TB, value, key string) (narrow, wide bool) {
	t.Helper()
	template, err := odata.ParseTemplate("/users/{id}")
	if err != nil {
		t.Fatal(err)
	}
	condition, found := match.NewKey(template, "id", []string{value})
	if !found {
		t.Fatal("the template has no id")
	}
	rule := &match.Rule{Methods: match.Get, Template: template, Keys: []match.Key{condition}}
	target := &odata.Target{Version: "v1.0", Segments: []odata.Segment{
		{Kind: odata.Name, Text: "users", Fold: "users", Base: "users"},
		{Kind: odata.Key, Text: key, Fold: odata.Fold(key), Base: odata.Fold(key), Quoted: true},
	}}
	var n match.AllowSet
	n.Add(rule)
	var w match.DenySet
	w.Add(rule)
	_, wide = w.First(target, match.Get)
	return n.Find(target, match.Get).Index >= 0, wide
}

func TestValuesWithStars(t *testing.T) {
	long := strings.Repeat("a", match.MaxPattern)
	for _, c := range []struct {
		value, key   string
		narrow, wide bool
	}{
		{"adele@contoso.com", "Adele@Contoso.COM", true, true},
		{"adele@contoso.com", "adele@contoso.co", false, false},
		{"*@contoso.com", "@contoso.com", true, true},
		{"*@contoso.com", "a@contoso.com@contoso.com", true, true},
		{"*@contoso.com", "a@contoso.comx", false, false},
		{"*", "anything", true, true},
		{"*", "a/b", false, false},
		{"**", "a/b/c", true, true},
		{"***", "a/b/c", true, true},
		{"a*b*c", "axbxbc", true, true},
		{"a*b*c", "axcxb", false, false},
		{"Reports/*/q1", "reports/2026/q1", true, true},
		{"Reports/*/q1", "reports/2026/x/q1", false, false},
		{"Reports/**/q1", "reports/2026/x/q1", true, true},
		{"**/b*c", "a/x/b/b1c", true, true},
		{"Reports/**", "Reports", false, true},
		{"Reports/**", "Reportsx", false, false},
		{"straße", "STRASSE", false, true},
		{"ÄRGER", "ärger", true, true},
		{"Σ", "ς", true, true},
		{"kim", "\u212Aim", false, true}, // the Kelvin sign
		{"a b", "a+b", false, true},
		{"a+b", "a b", false, false},
		{"", "", true, true},
		{long, long, true, true},
		{long, long + "a", false, false},
		{"guid", "guid@11111111-2222-3333-4444-555555555555", false, true},
		{"guid", "guid@11111111-2222-3333-4444-55555555555", false, false},
	} {
		if narrow, wide := matches(t, c.value, c.key); narrow != c.narrow || wide != c.wide {
			t.Errorf("%q for the key %q: narrow %v, wide %v", c.value, c.key, narrow, wide)
		}
	}
}

// stands defines what stars mean, in the shortest way.
func stands(value, key string) bool {
	switch {
	case value == "":
		return key == ""
	case strings.HasPrefix(value, "**"):
		return stands(value[2:], key) || key != "" && stands(value, key[1:])
	case value[0] == '*':
		return stands(value[1:], key) || key != "" && key[0] != '/' && stands(value, key[1:])
	}
	return key != "" && strings.EqualFold(value[:1], key[:1]) && stands(value[1:], key[1:])
}

func TestStarsMeanWhatTheyMean(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		value := rapid.StringMatching(`[abA/*]{0,10}`).Draw(r, "value")
		key := rapid.StringMatching(`[abA/]{0,10}`).Draw(r, "key")
		narrow, wide := matches(t, value, key)
		if narrow != stands(value, key) {
			r.Fatalf("%q for the key %q: %v", value, key, narrow)
		}
		if narrow && !wide {
			r.Fatalf("%q matches the key %q narrowly and not widely", value, key)
		}
	})
}
