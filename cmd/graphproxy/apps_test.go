package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"graphproxy/auth/entratest"
)

// Three app registrations, of which one is used in two tenants, and one has a wrong secret.
const threeApps = `version: 1
callers:
  local:
    identity: [{network: [127.0.0.0/8]}]
    allow:
      - GET /users
      - GET /groups: {app: hr}
      - GET /groups/{id}: {app: hr, tenant: fabrikam.example}
      - GET /users/{id}: {app: broken}
      - GET /users/{id}/manager: {app: broken}
`

func registered(name, tenant, domain, id, secret string, roles ...string) entratest.App {
	return entratest.App{
		Name:     name,
		TenantID: tenant,
		Domain:   domain,
		ClientID: id,
		Secret:   secret,
		Roles:    roles,
	}
}

const (
	fabrikamID = "7a1d2c11-4b1e-4a52-8f0e-0d5c3c7a1b99"
	hrID       = "c0ffee00-0000-4000-8000-000000000001"
	brokenID   = "c0ffee00-0000-4000-8000-000000000002"
)

func startThreeApps(t *testing.T) (*world, *process) {
	t.Helper()
	w := newWorld(t)
	w.entra.Add(registered("default", tenantID, "", clientID, "s-default", "User.ReadWrite.All"))
	w.entra.Add(registered("hr", tenantID, "", hrID, "s-hr", "Group.Read.All"))
	w.entra.Add(registered("hr at fabrikam", fabrikamID, "fabrikam.example", hrID, "s-hr", "Group.Read.All"))
	w.entra.Add(registered("broken", tenantID, "", brokenID, "right", "User.Read.All"))
	w.policy = w.write(t, "policy.yaml", threeApps)
	p := w.serve(t, "AZURE_CLIENT_SECRET=s-default",
		"GRAPHPROXY_APPS_0_NAME=hr", "GRAPHPROXY_APPS_0_TENANT_ID="+tenantID, "GRAPHPROXY_APPS_0_CLIENT_ID="+
			hrID, "GRAPHPROXY_APPS_0_CLIENT_SECRET_FILE="+w.write(t, "hr", "s-hr\n"),
		"GRAPHPROXY_APPS_3_NAME=broken", "GRAPHPROXY_APPS_3_TENANT_ID="+tenantID, "GRAPHPROXY_APPS_3_CLIENT_ID="+
			brokenID, "GRAPHPROXY_APPS_3_CLIENT_SECRET=wrong")
	until(t, "all attempts at a token", func() bool {
		_, r := p.ready(t)
		for _, a := range r.Apps {
			if !a.Ready && a.Cause == "" {
				return false
			}
		}
		return true
	})
	return w, p
}

func TestAnAppThatFailsTouchesNoOther(t *testing.T) {
	t.Parallel()
	w, p := startThreeApps(t)
	status, r := p.ready(t)
	if status != 200 || !r.Ready {
		t.Errorf("%d %+v", status, r)
	}
	type state struct {
		App, Tenant string
		Ready       bool
		AADSTS      int
	}
	var got []state
	for _, a := range r.Apps {
		got = append(got, state{a.App, a.Tenant, a.Ready, a.AADSTS})
	}
	want := []state{
		{"default", tenantID, true, 0},
		{"hr", tenantID, true, 0},
		{"broken", tenantID, false, 7000215},
		{"hr", "fabrikam.example", true, 0},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for target, want := range map[string]int{
		"/v1.0/users?$top=1":                    200,
		"/v1.0/groups?$top=1":                   200,
		"/v1.0/users/adele@contoso.com":         503,
		"/v1.0/users/adele@contoso.com/manager": 503,
	} {
		a := p.get(t, p.callers+target)
		if a.status != want {
			t.Errorf("%s: status %d, want %d: %s", target, a.status, want, a.body)
		}
		if want == 503 && (!strings.Contains(a.body, "tokenUnavailable") || a.header.Get("Retry-After") == "") {
			t.Errorf("%s: %v %s", target, a.header, a.body)
		}
	}
	seen := map[string]string{} // app of the token by path
	for _, q := range w.graph.Requests() {
		claims, err := w.entra.Verify(strings.TrimPrefix(q.Header.Get("Authorization"), "Bearer "))
		must(t, err)
		seen[q.Target] = claims.ClientID + "@" + claims.TenantID
	}
	if diff := cmp.Diff(map[string]string{
		"/v1.0/users?$top=1":  clientID + "@" + tenantID,
		"/v1.0/groups?$top=1": hrID + "@" + tenantID,
	}, seen); diff != "" {
		t.Error(diff)
	}
	metrics := p.get(t, p.admin+"/metrics").body
	for _, line := range []string{`graphproxy_token_ready{app="broken",tenant="` + tenantID + `"} 0`,
		`graphproxy_token_ready{app="hr",tenant="fabrikam.example"} 1`} {
		if !strings.Contains(metrics, line) {
			t.Errorf("no %s in /metrics", line)
		}
	}
}

func TestAnAppIsUsedInTheTenantThatTheRuleNames(t *testing.T) {
	t.Parallel()
	w, p := startThreeApps(t)
	for _, prefix := range []string{"", "/fabrikam.example", "/myOrganization"} {
		p.get(t, p.callers+"/v1.0"+prefix+"/groups/1")
	}
	requests := w.graph.Requests()
	if len(requests) != 3 {
		t.Fatalf("Graph received %d requests", len(requests))
	}
	for _, q := range requests {
		claims, err := w.entra.Verify(strings.TrimPrefix(q.Header.Get("Authorization"), "Bearer "))
		if err != nil || claims.TenantID != fabrikamID || q.Target != "/v1.0/groups/1" {
			t.Errorf("%s with a token of %+v, %v", q.Target, claims, err)
		}
	}
	if a := p.get(t, p.callers+"/v1.0/"+tenantID+"/groups/1"); a.status != 400 ||
		!strings.Contains(a.body, "foreignTenant") {
		t.Errorf("another tenant than the rule's: %d %s", a.status, a.body)
	}
	until(t, "audit line",
		func() bool { return strings.Contains(p.stdout.String(), `"app":"hr","tenant":"fabrikam.example"`) })
}

func TestABatchOfSeveralAppsGoesInSeveralBatches(t *testing.T) {
	t.Parallel()
	w, p := startThreeApps(t)
	a := p.do(t, "POST", p.callers+"/v1.0/$batch", `{"requests":[
		{"id":"1","method":"GET","url":"/users?$top=1"},
		{"id":"2","method":"GET","url":"/groups?$top=1"},
		{"id":"3","method":"GET","url":"/users/adele@contoso.com"},
		{"id":"4","method":"DELETE","url":"/users/adele@contoso.com"},
		{"id":"5","method":"GET","url":"/groups?$top=1","dependsOn":["1"]},
		{"id":"6","method":"GET","url":"/users?$top=2","dependsOn":["1"]}]}`, "Content-Type: application/json")
	var answers struct {
		Responses []struct {
			ID     string
			Status int
			Body   struct {
				Error struct{ InnerError struct{ Code string } }
			}
		}
	}
	must(t, json.Unmarshal([]byte(a.body), &answers))
	got := map[string]string{}
	for _, r := range answers.Responses {
		got[r.ID] = strings.TrimSpace(fmt.Sprint(r.Status, " ", r.Body.Error.InnerError.Code))
	}
	want := map[string]string{
		"1": "200",
		"2": "200",
		"3": "503 tokenUnavailable",
		"4": "403 policyDenied",
		"5": "400 mixedApps",
		"6": "200",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff, a.body)
	}
	sent := map[string]string{}
	for _, q := range w.graph.Requests() {
		if q.Item == "" {
			continue
		}
		sent[q.Item] = q.Target
	}
	if diff := cmp.Diff(map[string]string{
		"1": "/v1.0/users?$top=1",
		"2": "/v1.0/groups?$top=1",
		"6": "/v1.0/users?$top=2",
	}, sent); diff != "" {
		t.Error(diff)
	}
	until(t, "audit lines", func() bool { return strings.Count(p.stdout.String(), `"batch":`) == 6 })
}

func TestAPolicyThatNamesAnUnknownAppDoesNotLoad(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.policy = w.write(t, "policy.yaml", strings.Replace(threeApps, "app: broken", "app: brokn", 1))
	p := start(t, w.environ("AZURE_CLIENT_SECRET=x"), "serve")
	if status := p.wait(t); status != 2 {
		t.Errorf("status %d", status)
	}
	for _, want := range []string{`policy.yaml:9: callers.local.allow[3].app: the app registration "brokn" is not ` +
		`configured: write one of default, or set GRAPHPROXY_APPS_0_NAME=brokn`, `policy.yaml:7: `} {
		if !strings.Contains(p.stderr.String(), want) {
			t.Errorf("no %q in %s", want, p.stderr)
		}
	}
}

func TestThereMayBeNoDefaultApp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.entra.Add(registered("hr", tenantID, "", hrID, "s-hr", "User.Read.All"))
	without := []string{"AZURE_TENANT_ID=", "AZURE_CLIENT_ID=", "GRAPHPROXY_APPS_0_NAME=hr",
		"GRAPHPROXY_APPS_0_TENANT_ID=" + tenantID, "GRAPHPROXY_APPS_0_CLIENT_ID=" + hrID,
		"GRAPHPROXY_APPS_0_CLIENT_SECRET=s-hr"}
	w.policy = w.write(t, "policy.yaml", strings.Replace(onlyUsers, "  local:\n", "  local:\n    app: hr\n", 1))
	p := w.serve(t, without...)
	p.expect(t, 200)
	p.stop(t)
	w.policy = w.write(t, "policy.yaml", onlyUsers)
	p = start(t, w.environ(without...), "serve")
	if status := p.wait(t); status != 2 ||
		!strings.Contains(p.stderr.String(),
			"no app registration is named, and there is no default one: write app: with one of hr") {
		t.Errorf("status %d: %s", status, p.stderr)
	}
}
