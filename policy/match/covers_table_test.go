package match_test

import (
	"testing"

	"graphproxy/policy/graph/odata"
	"graphproxy/policy/match"
)

// ruleOf makes a rule of a template, and of values for its first variable if there are any.
func ruleOf(t *testing.T, path string, values ...string) *match.Rule {
	t.Helper()
	template, err := odata.ParseTemplate(path)
	if err != nil {
		t.Fatal(err)
	}
	rule := &match.Rule{Methods: match.Get, Template: template}
	if len(values) > 0 {
		key, _ := match.NewKey(template, match.Variables(template)[0], values)
		rule.Keys = append(rule.Keys, key)
	}
	return rule
}

// Answers that are uncertain too often would be correct but useless.
func TestWhatIsSureOfTwoRules(t *testing.T) {
	type rule struct {
		path   string
		values []string
	}
	one := func(path string, values ...string) rule { return rule{path, values} }
	const yes, no = true, false
	for name, c := range map[string]struct {
		a, b                     rule
		covers, denies, overlaps bool
	}{
		"other names of variables": {one("/users/{id}"), one("/users('{user}')"), yes, yes, yes},
		"a key that is written out": {one("/users/{id}/**"), one("/users/adele@contoso.com/messages"),
			yes, yes, yes},
		"what could also be called is not sure": {one("/users/{id}/mailFolders/{f}"),
			one("/users/{id}/mailFolders/inbox"), no, no, yes},
		"a function is no key": {one("/users/{id}"), one("/users/delta"), no, no, no},
		"an operation's name in the middle may be a key": {one("/users/{id}/delta"), one("/users/activate/delta/**"), no, no,
			yes},
		"everything below":    {one("/users/**"), one("/users/delta"), yes, yes, yes},
		"the resource itself": {one("/users/{id}/**"), one("/users/{id}"), yes, yes, yes},
		"another resource":    {one("/users/{id}/messages"), one("/users/{id}/events"), no, no, no},
		"another version":     {one("/users/{id}"), one("/beta/users/{id}"), no, no, no},
		"a value within a pattern": {one("/users/{id}", "*@contoso.com"),
			one("/users/{id}", "adele@contoso.com", "a*@Contoso.com"), yes, yes, yes},
		"a pattern beyond a value": {one("/users/{id}", "adele@contoso.com"),
			one("/users/{id}", "*@contoso.com"), no, no, yes},
		"values that never meet": {one("/users/{id}", "*@contoso.com"),
			one("/users/{id}", "*@fabrikam.com"), no, no, no},
		"a value written out and one under where": {one("/users/adele@contoso.com"), one("/users/{id}", "Adele@contoso.com"),
			yes, yes, yes},
		"every value": {one("/users/{id}", "*"), one("/users/{id}"), yes, yes, yes},
		"a star does not cross slashes in a path": {one("/drives/{d}/root:/{p}"), one("/drives/{e}/root:/Reports"), yes,
			yes, yes},
		"a cast is passed over only when denying": {one("/groups/{id}/members"),
			one("/groups/{id}/members/microsoft.graph.user"), no, yes, yes},
		"arguments are left out only when denying": {one("/reports/getOffice(period='D7')"),
			one("/reports/getOffice(period='D30')"), no, no, no},
		"arguments":        {one("/reports/getOffice(period={p})"), one("/reports/getOffice(period='D30')"), yes, yes, yes},
		"an alternate key": {one("/users/{id}"), one("/users(userPrincipalName='{upn}')"), no, yes, yes},
		"$ref":             {one("/groups/{id}/members/{m}"), one("/groups/{id}/members/{m}/$ref"), no, no, no},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := ruleOf(t, c.a.path, c.a.values...), ruleOf(t, c.b.path, c.b.values...)
			if got := match.Covers(a, b); got != c.covers {
				t.Errorf("covers: %v", got)
			}
			if got := match.Denies(a, b); got != c.denies {
				t.Errorf("denies: %v", got)
			}
			if got := match.Overlaps(a, b); got != c.overlaps {
				t.Errorf("overlaps: %v", got)
			}
		})
	}
}

func TestMethodsMustBeAmongThoseOfTheOther(t *testing.T) {
	a, b := ruleOf(t, "/users/{id}"), ruleOf(t, "/users/{id}")
	a.Methods, b.Methods = match.Get|match.Patch, match.Patch|match.Delete
	if match.Covers(a, b) || match.Denies(a, b) || !match.Overlaps(a, b) {
		t.Error("PATCH is in both and DELETE is not")
	}
	b.Methods = match.Delete
	if match.Overlaps(a, b) {
		t.Error("no method is in both")
	}
	a.Methods = match.Any
	if !match.Covers(a, b) || !match.Denies(a, b) {
		t.Error("ANY is every method")
	}
}
