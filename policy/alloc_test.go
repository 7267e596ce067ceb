package policy_test

import (
	"testing"

	"graphproxy/policy"
)

func TestDecideAllocatesNothing(t *testing.T) {
	p := app(t, `
allow:
  - GET /users/{id}:
      where: {id: ["*@contoso.com", "a*b*c"]}
      query: {$select: [id, mail], $expand: [manager], $top: 50, $filter: ["x eq '*'"]}
  - GET /reports/getX(period={period})
  - ANY /drives/**
  - GET /users/delta:
      query: {$select: [id]}
deny:
  - ANY /users/{id}/**:
      where: {id: [ceo@contoso.com, "*-admin@*"]}
  - GET /users/{id}:
      query: {$expand: [members], $select: [mobilePhone]}
  - ANY /users/adele@fabrikam.com
  - ANY /drives/{drive}/root:/{path}:/**:
      where: {path: "Salaries/**"}`)
	for _, text := range []string{
		"GET /users/Adele@contoso.com?$select=id,mail&$expand=manager&$top=5&$filter=x%20eq%20'y'",
		"GET /users('ceo@contoso.com')/messages", "GET /users(userPrincipalName='EVE@Contoso.com')", "PATCH /users/1",
		"GET /nothing/at/all", "GET /reports/microsoft.graph.getX(period='D7')", "GET /drives/1/root:/Reports/a/b:/content",
		"POST /$batch", "GET /users/1@11111111-2222-3333-4444-555555555555",
		"GET /users/delta?$deltatoken=x", "GET /users/delta?token=aTokenOfSharePoint",
	} {
		r := request(t, "app", text)
		for _, r.Selection = range []*policy.Selection{nil, {Options: r.Target.Query}} {
			if n := testing.AllocsPerRun(100, func() { p.Decide(r) }); n != 0 {
				t.Errorf("%s: %v allocations", text, n)
			}
		}
	}
}

// The hits of the usual number of common limits lie on the stack, and so do the facts of a request with a body. The key
// of a limit per id, and the value that it is made of, are what is allocated.
func TestChargesAllocateNothingButTheirKeys(t *testing.T) {
	p := load(t, `version: 1
limits:
  users: {rate: 10/s, covers: [ANY /users/**]}
  each: {rate: 10/s, per: caller, covers: ["GET /users/{id}/messages"]}
  mailbox: {rate: 10/s, per: id, covers: ["ANY /users/{id}/**"]}
callers:
  app:
    identity: [anyone]
    allow:
      - GET /users/{id}/messages
      - GET /users/{id}: {limit: 10/s}
`)
	for text, keys := range map[string]float64{"GET /users/1": 2, "GET /users/1/messages": 2} {
		r := request(t, "app", text)
		r.Body = &policy.Body{}
		d := p.Decide(r)
		space := p.Charges(nil, r, d)
		if len(space) != 3 {
			t.Errorf("%s: %d charges", text, len(space))
		}
		if n := testing.AllocsPerRun(100, func() { space = p.Charges(space[:0], r, p.Decide(r)) }); n != keys {
			t.Errorf("%s: %v allocations, want %v", text, n, keys)
		}
	}
}
