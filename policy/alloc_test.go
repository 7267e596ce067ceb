package policy_test

import "testing"

func TestDecideAllocatesNothing(t *testing.T) {
	p := app(t, `
allow:
  - GET /users/{id}:
      where: {id: ["*@contoso.com", "a*b*c"]}
      query: {$select: [id, mail], $expand: [manager], $top: 50, $filter: ["x eq '*'"]}
  - GET /reports/getX(period={period})
  - ANY /drives/**
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
	} {
		r := request(t, "app", text)
		if n := testing.AllocsPerRun(100, func() { p.Decide(r) }); n != 0 {
			t.Errorf("%s: %v allocations", text, n)
		}
	}
}
