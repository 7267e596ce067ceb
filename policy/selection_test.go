package policy_test

import (
	"slices"
	"testing"

	"graphproxy/policy"
	"graphproxy/policy/match"
)

// A target of odata.Parse has fewer segments. One that a program makes by hand is denied, below /** too, because the
// rules do not look behind them.
func TestATargetWithMoreSegmentsThanRulesLookAtIsDenied(t *testing.T) {
	p := app(t, "allow: [ANY /users/**]\ndeny: [GET /users/delta]")
	for n, allowed := range map[int]bool{match.MaxSegments: true, match.MaxSegments + 1: false} {
		r := request(t, "app", "GET /users/1/messages")
		long := *r.Target
		long.Segments = slices.Clone(long.Segments)
		for len(long.Segments) < n {
			long.Segments = append(long.Segments, long.Segments[2])
		}
		r.Target = &long
		if d := p.Decide(r); d.Allow != allowed || !allowed && (d.Reason != "no rule allows it" || d.Rule != nil) {
			t.Errorf("%d segments: %+v", n, d)
		}
	}
}

// What a token holds is proven for the app and the tenant that it was got with. Another app may see more.
func TestASelectionCountsForItsAppAndItsTenant(t *testing.T) {
	p := app(t, "allow:\n  - GET /users/delta: {query: {$select: [id]}, app: hr, tenant: contoso.com}")
	begun := request(t, "app", "GET /users/delta?$select=id").Target.Query
	for _, c := range []struct {
		app, tenant string
		allowed     bool
	}{
		{"hr", "contoso.com", true},
		{"hr", "", false},
		{"hr", "fabrikam.com", false},
		{"default", "contoso.com", false},
		{"", "", false},
	} {
		r := request(t, "app", "GET /users/delta?$deltatoken=x")
		r.Selection = &policy.Selection{Options: begun, App: c.app, Tenant: c.tenant}
		d := p.Decide(r)
		if d.Allow != c.allowed || !c.allowed && (d.Reason != policy.ReasonSelection || d.Rule != nil || d.Near == nil) {
			t.Errorf("app %q, tenant %q: %+v", c.app, c.tenant, d)
		}
		if d.App != "hr" || d.Tenant != "contoso.com" {
			t.Errorf("app %q, tenant %q: the decision is for %q in %q", c.app, c.tenant, d.App, d.Tenant)
		}
	}
}

// A deny rule for a path in colons bounds the token of a delta query also where the request names the path part by
// part. Without a proof of what the token holds, the next page would be denied.
func TestADenyRuleForAPathAsksForAProofInEachSpelling(t *testing.T) {
	p := app(t, `
allow: [ANY /drives/**]
deny:
  - GET /drives/{drive}/root:/Salaries:/delta:
      query: {$select: [file]}`)
	for _, path := range []string{"/drives/1/root:/Salaries:/delta", "/drives/1/root/children/Salaries/delta"} {
		if d := p.Decide(request(t, "app", "GET "+path+"?$select=id")); !d.Allow || !d.Selects {
			t.Errorf("%s: allowed %v, needs a proof %v", path, d.Allow, d.Selects)
		}
		next := request(t, "app", "GET "+path+"?$deltatoken=x")
		if d := p.Decide(next); d.Allow {
			t.Errorf("%s: the next page is allowed without a proof", path)
		}
		next.Selection = &policy.Selection{Options: request(t, "app", "GET "+path+"?$select=id").Target.Query, App: "default"}
		if d := p.Decide(next); !d.Allow {
			t.Errorf("%s: the next page is denied with a proof: %s", path, d.Reason)
		}
	}
}
