package policy_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"graphproxy/policy"
)

const severalApps = `version: 1
rules:
  shared:
    - GET /groups: {tenant: fabrikam.example}
callers:
  plain:
    identity: [{key: {sha256: 7b51eab7778620007e560bea6a98a68b29390d46d985592fd3426f5824201db8}}]
    allow:
      - include: shared
      - GET /users
      - GET /sites: {app: files}
  hr:
    app: hr
    tenant: Contoso.example
    identity: [anyone]
    allow:
      - include: shared
      - GET /users
      - GET /sites: {app: files}
      - GET /drives: {app: files, tenant: 3f1c5a52-9a3e-4f0a-9b5e-0d5c3c7a1b11}
`

func TestARuleWinsOverItsCallerAndATenantGoesWithItsApp(t *testing.T) {
	p := load(t, severalApps)
	for _, tt := range []struct{ caller, target, app, tenant string }{
		{"plain", "/users", "default", ""},
		{"plain", "/groups", "default", "fabrikam.example"},
		{"plain", "/sites", "files", ""},
		{"hr", "/users", "hr", "contoso.example"},
		{"hr", "/groups", "hr", "fabrikam.example"},
		{"hr", "/sites", "files", ""},
		{"hr", "/drives", "files", "3f1c5a52-9a3e-4f0a-9b5e-0d5c3c7a1b11"},
	} {
		t.Run(tt.caller+" GET "+tt.target, func(t *testing.T) {
			r, err := policy.ParseRequest(tt.caller, "GET "+tt.target)
			if err != nil {
				t.Fatal(err)
			}
			d := p.Decide(r)
			if !d.Allow || d.App != tt.app || d.Tenant != tt.tenant {
				t.Errorf("%+v", d)
			}
		})
	}
	want := []policy.AppRef{
		{"default", "", "policy.yaml:7: callers.plain"},
		{"default", "fabrikam.example", "policy.yaml:4: rules.shared[0].tenant"},
		{"files", "", "policy.yaml:11: callers.plain.allow[2].app"},
		{"hr", "contoso.example", "policy.yaml:13: callers.hr.app"},
		{"hr", "fabrikam.example", "policy.yaml:4: rules.shared[0].tenant"},
		{"files", "", "policy.yaml:19: callers.hr.allow[2].app"},
		{"files", "3f1c5a52-9a3e-4f0a-9b5e-0d5c3c7a1b11", "policy.yaml:20: callers.hr.allow[3].app"},
	}
	if diff := cmp.Diff(want, p.Apps()); diff != "" {
		t.Error(diff)
	}
}

func TestATenantIsOneTenant(t *testing.T) {
	for _, tenant := range []string{"common", "Organizations", "consumers", "../x", "a/b", "a?b=c", "-a", "[a]", "{}",
		`""`} {
		if _, err := policy.Parse("policy.yaml",
			[]byte("version: 1\ncallers:\n  a:\n    tenant: "+tenant+"\n    identity: [anyone]\n    allow: []\n")); err == nil {
			t.Errorf("tenant: %s was read", tenant)
		}
	}
}
