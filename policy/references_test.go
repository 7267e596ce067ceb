package policy_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"graphproxy/policy"
)

const bounded = `version: 1
callers:
  a:
    identity: [anyone]
    allow:
      - POST,DELETE /groups/{group}/members/$ref:
          references:
            - /users/{id}: {where: {id: ["*@contoso.com"]}}
            - /directoryObjects/{id}
            - /groups/{id}/members/{member}
      - POST /groups
tests:
  - caller: a
    allow:
      - DELETE /groups/7/members/$ref?$id=https://graph.microsoft.com/v1.0/users/adele@contoso.com
      - DELETE /groups/7/members/$ref?$id=https://graph.microsoft.com/beta/directoryObjects/1
    deny:
      - DELETE /groups/7/members/$ref?$id=https://graph.microsoft.com/v1.0/users/ceo@fabrikam.com
      - DELETE /groups/7/members/$ref?$id=https://graph.microsoft.com/v1.0/servicePrincipals/1
`

func TestARuleMayBoundWhatARequestRefersTo(t *testing.T) {
	p := load(t, bounded)
	allow, _ := p.Rules("a")
	members, groups := allow[0], allow[1]
	if groups.BoundsReferences() || !members.BoundsReferences() {
		t.Fatal("only the first rule says what it may refer to")
	}
	if diff := cmp.Diff([]string{`/users/{id}, where: {id: ["*@contoso.com"]}`, "/directoryObjects/{id}",
		"/groups/{id}/members/{member}"}, members.References()); diff != "" {
		t.Error(diff)
	}
	for text, want := range map[string]bool{
		"/v1.0/users/adele@contoso.com":                true,
		"/beta/users/adele@contoso.com":                true,
		"/users('adele@contoso.com')":                  true,
		"users/adele@contoso.com":                      true,
		"/v1.0/Users/adele%40contoso.com":              true,
		"/v1.0/directoryObjects/1":                     true,
		"/v1.0/groups/1/members/2":                     true,
		"/v1.0/users/ceo@fabrikam.com":                 false,
		"/v1.0/users":                                  false,
		"/v1.0/users/delta":                            false,
		"/v1.0/groups/1":                               false,
		"/v1.0/beta/users/adele@contoso.com":           false,
		"/v2/tenant/directoryObjects/1":                false,
		"https://evil.example/v1.0/directoryObjects/1": false,
		"//evil.example/directoryObjects/1":            false,
		"/v1.0/directoryObjects/1?x=y":                 false,
		"/v1.0/directoryObjects/1#x":                   false,
		"/v1.0/directoryObjects/../users/1":            false,
		"/v1.0/directoryObjects/a%2Fb":                 false,
		"/v1.0/contoso.com/directoryObjects/1":         false,
		"":                                             false,
		"$1":                                           false,
	} {
		if offending, ok := members.MayReferTo([]string{"/directoryObjects/1", text}); ok != want ||
			!ok && offending != text {
			t.Errorf("%q: %v", text, ok)
		}
		if _, ok := groups.MayReferTo([]string{text}); !ok {
			t.Errorf("%q: a rule that does not say lets a request refer to anything", text)
		}
	}
	r, err := policy.ParseRequest("a",
		"DELETE /groups/7/members/$ref?$id=https://graph.microsoft.com/v1.0/servicePrincipals/1")
	if err != nil {
		t.Fatal(err)
	}
	if e := p.Explain(r); e.Allow || !strings.Contains(e.String(), "policy.yaml:6") ||
		!strings.Contains(e.String(), "references") {
		t.Errorf("%+v: %s", e, e)
	}
}

func TestReferencesThatCannotBeMeant(t *testing.T) {
	for _, value := range []string{"[]", "users/{id}", "/v1.0/users/{id}", `[{"/users/{id}": {limit: 1/s}}]`,
		`[{"/users/{id}": {where: {name: x}}}]`, `[{"/a": {where: {}}, "/b": ` +
			`{where: {}}}]`, "GET /users/{id}", "/users/../x"} {
		_, err := policy.Parse("policy.yaml",
			[]byte(
				"version: 1\ncallers:\n  a:\n    identity: [anyone]\n    allow:\n      - POST /groups:\n          references: "+
					value+"\n",
			))
		if err == nil || !strings.Contains(err.Error(), "policy.yaml:7: callers.a.allow[0].references") {
			t.Errorf("references: %s: %v", value, err)
		}
	}
}
