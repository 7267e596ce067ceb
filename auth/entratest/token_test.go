package entratest_test

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"graphproxy/auth/entratest"
)

func TestTokenAnswer(t *testing.T) {
	t.Run("a secret is answered with a bearer token of an hour and no refresh_in", func(t *testing.T) {
		r := newRig(t, fixedClock())
		a := r.token(t, form())
		r.wantToken(t, a)
		delete(a.json, "access_token")
		want := map[string]any{"token_type": "Bearer", "expires_in": 3599.0, "ext_expires_in": 3599.0}
		if diff := cmp.Diff(want, a.json); diff != "" {
			t.Error(diff)
		}
		if got := a.header.Get("Cache-Control"); !strings.Contains(got, "no-store") {
			t.Errorf("Cache-Control: %q", got)
		}
	})
	t.Run("lifetime and refresh_in are as set", func(t *testing.T) {
		o := fixedClock()
		o.Lifetime, o.RefreshIn = 24*time.Hour, 12*time.Hour
		r := newRig(t, o)
		if a := r.token(t, form()); a.json["expires_in"] != 86400.0 || a.json["refresh_in"] != 43200.0 {
			t.Error(a.text)
		}
		r.SetLifetime(90*time.Second, 0)
		if a := r.token(t, form()); a.json["expires_in"] != 90.0 || a.json["refresh_in"] != nil {
			t.Error(a.text)
		}
	})
	t.Run("requests are counted and the form is kept", func(t *testing.T) {
		r := newRig(t, fixedClock())
		if f := r.LastForm(); f != nil || r.TokenRequests() != 0 {
			t.Errorf("form %v, %d requests", f, r.TokenRequests())
		}
		r.token(t, form("client_secret=wrong"))
		r.token(t, form())
		r.LastForm().Set("scope", "changed") // a copy
		if diff := cmp.Diff(form(), r.LastForm()); diff != "" || r.TokenRequests() != 2 {
			t.Errorf("%d requests\n%s", r.TokenRequests(), diff)
		}
	})
}

func TestTokenClaims(t *testing.T) {
	t.Run("they are those of an app-only token", func(t *testing.T) {
		r := newRig(t, fixedClock())
		got := payload(t, r.wantToken(t, r.token(t, form())))
		if got["oid"] != got["sub"] || uuid.Validate(got["oid"].(string)) != nil || len(got["uti"].(string)) < 20 {
			t.Errorf("oid %v, sub %v, uti %v", got["oid"], got["sub"], got["uti"])
		}
		for _, name := range []string{"oid", "sub", "uti"} {
			delete(got, name)
		}
		from := float64(now.Add(-5 * time.Minute).Unix())
		want := map[string]any{
			"aud":             []any{graph},
			"iss":             r.URL() + "/" + tenantID + "/",
			"idp":             r.URL() + "/" + tenantID + "/",
			"tid":             tenantID,
			"appid":           clientID,
			"appidacr":        "1",
			"app_displayname": "HR sync",
			"idtyp":           "app",
			"roles":           []any{"User.Read.All"},
			"ver":             "1.0",
			"iat":             from,
			"nbf":             from,
			"exp":             float64(now.Add(3599 * time.Second).Unix()),
		}
		if diff := cmp.Diff(want, map[string]any(got)); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("an app without roles gets a token without the claim, and tokens keep the roles they were "+
		"issued with", func(t *testing.T) {
		r := newRig(t, fixedClock())
		before := r.wantToken(t, r.token(t, form()))
		r.SetRoles(clientID)
		after := r.wantToken(t, r.token(t, form()))
		if _, has := payload(t, after)["roles"]; has {
			t.Error("the token has the claim roles")
		}
		old, err := r.Verify(before)
		must(t, err)
		recent, err := r.Verify(after)
		must(t, err)
		if diff := cmp.Diff([][]string{{"User.Read.All"}, nil}, [][]string{old.Roles, recent.Roles}); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("two tokens of one second differ", func(t *testing.T) {
		r := newRig(t, fixedClock())
		first, second := r.wantToken(t, r.token(t, form())), r.wantToken(t, r.token(t, form()))
		if first == second {
			t.Error("they are the same")
		}
	})
}

func TestTokenRequestsThatAreGranted(t *testing.T) {
	basic := "Authorization: Basic " +
		base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(clientID)+":"+url.QueryEscape(secret)))
	tests := []struct {
		name   string
		tenant string
		form   url.Values
		header []string
	}{
		{name: "the tenant by its domain, in capitals", tenant: strings.ToUpper(domain), form: form()},
		{name: "the client ID in capitals", form: form("client_id=" + strings.ToUpper(clientID))},
		{name: "HTTP Basic", form: form("client_id=", "client_secret="), header: []string{basic}},
		{name: "HTTP Basic and the client ID in the form too", form: form("client_secret="), header: []string{basic}},
		{name: "the OpenID Connect scopes that MSAL adds", form: form("scope=" + scope + " openid offline_access profile")},
		{name: "Graph of another cloud", form: form("scope=https://dod-graph.microsoft.us/.default")},
		{name: "Graph by its application ID", form: form("scope=00000003-0000-0000-c000-000000000000/.default")},
		{name: "Graph with a slash at the end", form: form("scope=https://graph.microsoft.com//.default")},
		{name: "a Graph on this machine", form: form("scope=http://127.0.0.1:4711/.default")},
		{name: "claims that change nothing",
			form: form(`claims={"access_token":{"nbf":{"essential":true,"value":"1657834417"}}}`)},
	}
	r := newRig(t, fixedClock())
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tenant := tenantID
			if tt.tenant != "" {
				tenant = tt.tenant
			}
			header := append([]string{"Content-Type: application/x-www-form-urlencoded; charset=utf-8"}, tt.header...)
			r.wantToken(t, r.do(t, request(t, http.MethodPost, r.URL()+tokenPath(tenant), tt.form.Encode(), header...)))
		})
	}
}

func TestTokenRequestsThatAreRefused(t *testing.T) {
	const bad, unauthorized = http.StatusBadRequest, http.StatusUnauthorized
	disabled, expired, public := contoso(), contoso(), contoso()
	disabled.ClientID, disabled.Disabled = "disabled", true
	expired.ClientID, expired.SecretExpired = "expired", true
	public.ClientID, public.Secret = "public", ""
	r := newRig(t, fixedClock())
	for _, a := range []entratest.App{disabled, expired, public,
		{TenantID: "fabrikam.onmicrosoft.com", ClientID: "payroll", Secret: secret}} {
		r.Add(a)
	}
	tests := []struct {
		name   string
		tenant string
		form   url.Values
		status int
		oauth  string
		code   int
	}{
		{"no grant type", tenantID, form("grant_type="), bad, "invalid_request", 900144},
		{"no client ID", tenantID, form("client_id="), bad, "invalid_request", 900144},
		{"no scope", tenantID, form("scope="), bad, "invalid_request", 900144},
		{"a parameter twice", tenantID, url.Values{"scope": {scope, scope}}, bad, "invalid_request", 9000411},
		{"another grant", tenantID, form("grant_type=password"), bad, "unsupported_grant_type", 70003},
		{"a tenant that does not exist", "fabrikam.com", form(), bad, "invalid_request", 90002},
		{"a tenant that cannot exist", "fabrikam", form(), bad, "invalid_request", 900023},
		{"common", "common", form(), bad, "unauthorized_client", 50194},
		{
			"organizations, and a client that is not known",
			"Organizations",
			form("client_id=nobody"),
			bad,
			"invalid_request",
			50059,
		},
		{"consumers", "consumers", form(), bad, "invalid_request", 9001023},
		{"a client that is not known", tenantID, form("client_id=nobody"), bad, "unauthorized_client", 700016},
		{"a client of another tenant", tenantID, form("client_id=payroll"), bad, "unauthorized_client", 700016},
		{"an app that is disabled", tenantID, form("client_id=disabled"), bad, "unauthorized_client", 7000112},
		{"no credential", tenantID, form("client_secret="), unauthorized, "invalid_client", 7000218},
		{"a wrong secret", tenantID, form("client_secret=canary"), unauthorized, "invalid_client", 7000215},
		{"a secret for an app that has none", tenantID, form("client_id=public"), unauthorized, "invalid_client", 7000215},
		{"a secret that has expired", tenantID, form("client_id=expired"), unauthorized, "invalid_client", 7000222},
		{
			"a wrong secret of an app whose own has expired",
			tenantID,
			form("client_id=expired", "client_secret=canary"),
			unauthorized,
			"invalid_client",
			7000215,
		},
		{"two credentials", tenantID, form("client_assertion=canary.canary.canary"), bad, "invalid_request", 9002313},
		{
			"an assertion without its type",
			tenantID,
			form("client_secret=", "client_assertion=canary.canary.canary"),
			unauthorized,
			"invalid_client",
			7000218,
		},
		{"a scope that is not .default", tenantID, form("scope=" + graph + "/User.Read.All"), bad, "invalid_scope", 1002012},
		{".default of nothing", tenantID, form("scope=/.default"), bad, "invalid_scope", 1002012},
		{"only OpenID Connect scopes", tenantID, form("scope=openid profile"), bad, "invalid_scope", 1002012},
		{
			"two resources",
			tenantID,
			form("scope=" + scope + " https://graph.microsoft.us/.default"),
			bad,
			"invalid_scope",
			70011,
		},
		{
			"a resource that is not known",
			tenantID,
			form("scope=https://vault.azure.net/.default"),
			bad,
			"invalid_resource",
			500011,
		},
		{"claims that are not JSON", tenantID, form("claims={canary"), bad, "invalid_request", 9002313},
		{"claims that are not an object", tenantID, form("claims=[1]"), bad, "invalid_request", 9002313},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := r.do(t, request(t, http.MethodPost, r.URL()+tokenPath(tt.tenant), tt.form.Encode(),
				"Content-Type: application/x-www-form-urlencoded"))
			wantError(t, a, tt.status, tt.oauth, tt.code)
		})
	}
}

func TestTokenRequestsThatAreNoForm(t *testing.T) {
	const bad = http.StatusBadRequest
	r := newRig(t, fixedClock())
	t.Run("JSON in place of a form", func(t *testing.T) {
		a := r.do(t, request(t, http.MethodPost, r.URL()+tokenPath(tenantID), `{"client_secret":"canary"}`,
			"Content-Type: application/json"))
		wantError(t, a, bad, "invalid_request", 900144)
	})
	t.Run("parameters in the address", func(t *testing.T) {
		a := r.do(t, request(t, http.MethodPost, r.URL()+tokenPath(tenantID)+"?"+form().Encode(), "",
			"Content-Type: application/x-www-form-urlencoded"))
		wantError(t, a, bad, "invalid_request", 900144)
	})
	t.Run("GET", func(t *testing.T) {
		wantError(t, r.get(t, tokenPath(tenantID)), bad, "invalid_request", 900561)
	})
	t.Run("HTTP Basic and a secret in the form too", func(t *testing.T) {
		a := r.token(t, form(), "Authorization: Basic "+base64.StdEncoding.EncodeToString([]byte(clientID+":"+secret)))
		wantError(t, a, bad, "invalid_request", 9002313)
	})
	t.Run("a body of a megabyte", func(t *testing.T) {
		wantError(t, r.token(t, form("x="+strings.Repeat("x", 1<<20))), bad, "invalid_request", 9002313)
	})
}

func TestErrorShape(t *testing.T) {
	r := newRig(t, fixedClock())
	correlation := uuid.NewString()
	a := r.token(t, form("client_secret=canary"), "client-request-id: "+correlation)
	trace, _ := a.json["trace_id"].(string)
	want := map[string]any{
		"error": "invalid_client",
		"error_description": "AADSTS7000215: Invalid client secret provided. Ensure the secret being sent in the " +
			"request is the client secret value, not the client secret ID, for a secret added to app '" + clientID + "'.\r\n" +
			"Trace ID: " + trace + "\r\nCorrelation ID: " + correlation + "\r\nTimestamp: 2026-11-21 12:00:00Z",
		"error_codes":    []any{7000215.0},
		"timestamp":      "2026-11-21 12:00:00Z",
		"trace_id":       trace,
		"correlation_id": correlation,
		"error_uri":      r.URL() + "/error?code=7000215",
	}
	if diff := cmp.Diff(want, a.json); diff != "" || uuid.Validate(trace) != nil {
		t.Errorf("trace %q\n%s", trace, diff)
	}
}

func TestEveryMessageIsComplete(t *testing.T) {
	codes := []int{
		7000215, 7000222, 7000218, 700016, 700011, 7000229, 7000112, 70001, 90002, 900023, 50059, 90019, 50194,
		9001023, 90010, 90130, 90124,
		700027, 50012, 50013, 500133, 700030, 70021, 70011, 1002012, 500011, 650056, 65005,
		700025, 53003, 530032, 50196, 90038, 900382, 900432,
		90055, 90033, 90024, 90006, 50033, 65004, 65001, 700021, 700023, 700024, 700211, 700212, 700213, 123456,
	}
	r := newRig(t, fixedClock())
	placeholder := regexp.MustCompile(`\{[a-z]+\}`)
	for _, code := range codes {
		r.Fail(entratest.Fault{AADSTS: code})
		a := r.token(t, form())
		if hole := placeholder.FindString(a.text); hole != "" {
			t.Errorf("AADSTS%d has %s in its text", code, hole)
		}
		if got := a.json["error_codes"].([]any)[0]; got != float64(code) {
			t.Errorf("AADSTS%d is answered with %v", code, got)
		}
	}
}

func TestCapabilities(t *testing.T) {
	r := newRig(t, fixedClock())
	for claims, want := range map[string]any{
		`{"access_token":{"xms_cc":{"values":["CP1"]}}}`:           []any{"CP1"},
		`{"access_token":{"xms_cc":{"values":["cp1","unknown"]}}}`: []any{"cp1"},
		`{"access_token":{"xms_cc":{"values":["unknown"]}}}`:       nil,
		`{}`: nil,
	} {
		t.Run(claims, func(t *testing.T) {
			got := payload(t, r.wantToken(t, r.token(t, form("claims="+claims))))["xms_cc"]
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestVerify(t *testing.T) {
	t.Run("a token is good until its time is over", func(t *testing.T) {
		at := now
		r := newRig(t, entratest.Options{Lifetime: time.Minute, Now: func() time.Time { return at }})
		token := r.wantToken(t, r.token(t, form()))
		at = now.Add(59 * time.Second)
		if _, err := r.Verify(token); err != nil {
			t.Error(err)
		}
		at = now.Add(time.Minute)
		if _, err := r.Verify(token); err == nil || !strings.Contains(err.Error(), "expired") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("a revoked token is refused and a newer one is good", func(t *testing.T) {
		r := newRig(t, fixedClock())
		token := r.wantToken(t, r.token(t, form()))
		r.Revoke()
		if _, err := r.Verify(token); err == nil || !strings.Contains(err.Error(), "revoked") {
			t.Errorf("error %v", err)
		}
		r.wantToken(t, r.token(t, form()))
	})
	t.Run("a token of another server, a changed one, an unsigned one and none at all are refused", func(t *testing.T) {
		r, other := newRig(t, fixedClock()), newRig(t, fixedClock())
		token := r.wantToken(t, r.token(t, form()))
		header, rest, _ := strings.Cut(token, ".")
		claims, signature, _ := strings.Cut(rest, ".")
		changed := base64.RawURLEncoding.EncodeToString(
			[]byte(`{"aud":"https://graph.microsoft.com","roles":["Directory.ReadWrite.All"]}`))
		none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`))
		for _, bad := range []string{
			other.wantToken(t, other.token(t, form())),
			header + "." + changed + "." + signature,
			none + "." + claims + ".",
			"canary",
			"",
		} {
			if _, err := r.Verify(bad); err == nil || strings.Contains(err.Error(), "canary") {
				t.Errorf("%q: error %v", bad, err)
			}
		}
	})
}

func TestResourcesAndRotation(t *testing.T) {
	t.Run("a token for another resource is not for Graph", func(t *testing.T) {
		o := fixedClock()
		o.Resources = []string{"api://graphproxy"}
		r := newRig(t, o)
		a := r.token(t, form("scope=api://graphproxy/.default"))
		token, _ := a.json["access_token"].(string)
		if aud := payload(t, token)["aud"]; !cmp.Equal(aud, []any{"api://graphproxy"}) {
			t.Errorf("audience %v", aud)
		}
		if _, err := r.Verify(token); err == nil || !strings.Contains(err.Error(), "another resource") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("a secret is rotated by adding the app again", func(t *testing.T) {
		r := newRig(t, fixedClock())
		token := r.wantToken(t, r.token(t, form()))
		a := contoso()
		a.Secret = "another"
		r.Add(a)
		wantError(t, r.token(t, form()), http.StatusUnauthorized, "invalid_client", 7000215)
		r.wantToken(t, r.token(t, form("client_secret=another")))
		if _, err := r.Verify(token); err != nil {
			t.Error(err)
		}
	})
}
