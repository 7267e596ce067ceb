package auth_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"graphproxy/auth"
)

// jwtOf is a token with the given claims. No test verifies its signature.
func jwtOf(claims string) string {
	return "eyJhbGciOiJSUzI1NiJ9." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + "." + canary
}

func TestATokenIsDescribed(t *testing.T) {
	at := func(unix int64) time.Time { return time.Unix(unix, 0).UTC() }
	tests := []struct {
		name, access string
		want         auth.Description
	}{
		{"version 1.0",
			jwtOf(`{"aud":"https://graph.microsoft.com","iat":1700000000,"exp":1700003900,"appid":"6b7e",` +
				`"app_displayname":"Contoso HR","tid":"3f1c","ver":"1.0","roles":["User.Read.All"],"uti":"secret"}`),
			auth.Description{
				Readable: true,
				TenantID: "3f1c",
				ClientID: "6b7e",
				AppName:  "Contoso HR",
				Audience: "https://graph.microsoft.com",
				Version:  "1.0",
				Issued:   at(1700000000),
				Expires:  at(1700003900),
				Roles:    []string{"User.Read.All"},
			}},
		{"version 2.0", jwtOf(`{"aud":["00000003-0000-0000-c000-000000000000"],"iat":1700000000.5,"azp":"6b7e","ver":"2.0"}`),
			auth.Description{
				Readable: true,
				ClientID: "6b7e",
				Audience: "00000003-0000-0000-c000-000000000000",
				Version:  "2.0",
				Issued:   at(1700000000).Add(500 * time.Millisecond),
			}},
		{"claims of other types tell nothing", jwtOf(`{"aud":7,"iat":"x","exp":-1,"appid":{},"tid":null,"ver":1}`),
			auth.Description{Readable: true}},
		{"times beyond what JSON can write tell nothing", jwtOf(`{"iat":1e300,"exp":253402300800}`),
			auth.Description{Readable: true}},
		{"what does not print is replaced", jwtOf(`{"app_displayname":"a\u001b[31mb\nc","roles":["\u202eR"]}`),
			auth.Description{Readable: true, AppName: "a\ufffd[31mb\ufffdc", Roles: []string{"\ufffdR"}}},
		{"roles that are no list make it unreadable", jwtOf(`{"tid":"3f1c","roles":"User.Read.All"}`), auth.Description{}},
		{"an opaque token", "opaque" + canary, auth.Description{}},
		{"an encrypted token", "a.b.c.d.e", auth.Description{}},
		{"no JSON inside", "a.b.c", auth.Description{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, auth.NewToken(tt.access).Describe()); diff != "" {
				t.Error(diff)
			}
		})
	}
	t.Run("no token says nothing", func(t *testing.T) {
		if diff := cmp.Diff(auth.Description{}, auth.Token{}.Describe()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestAnotherTenantIsReported(t *testing.T) {
	const other = "99999999-2222-3333-4444-555555555555"
	tests := []struct {
		name, told string
		app        auth.App
		want       bool
	}{
		{"another GUID", other, auth.App{TenantID: tenantID}, true},
		{"the same GUID in capitals", strings.ToUpper(tenantID), auth.App{TenantID: tenantID}, false},
		{"a domain is configured", other, auth.App{TenantID: "contoso.onmicrosoft.com"}, false},
		{"nothing is told", "", auth.App{TenantID: tenantID}, false},
		{"a managed identity", other, auth.App{TenantID: tenantID, ManagedIdentity: true}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.app.OtherTenant(tt.told); got != tt.want {
				t.Errorf("got %t", got)
			}
		})
	}
}

func TestConsentThatWasDeclinedIsExplained(t *testing.T) {
	tests := []struct{ name, oauth, description, want string }{
		{"the administrator declined", "consent_required", "AADSTS65004: " + canary,
			"an administrator declined to consent (AADSTS65004); ask for admin consent again"},
		{"the administrator declined on the older page", "permission_denied", "The admin canceled the request",
			"an administrator declined to consent; ask for admin consent again"},
		{"a code that needs a variable's name", "invalid_client", "AADSTS700016: " + canary,
			"the app is not known in this tenant (AADSTS700016); check GRAPHPROXY_APPS_0_CLIENT_ID and " +
				"GRAPHPROXY_APPS_0_TENANT_ID, and the cloud; an app of another tenant needs an administrator's consent here first"},
		{"a code that is not in the table", "server_error", "AADSTS123456: " + canary,
			"Entra ID did not grant consent (AADSTS123456); look the code up at " +
				"https://login.microsoftonline.com/error?code=123456"},
		{"a reason without a code", "temporarily_unavailable", canary,
			"Entra ID did not grant consent and calls the reason temporarily_unavailable; ask again; the sign-in logs of the " +
				"tenant have the details"},
		{"a reason in other words", "<script>" + canary, canary,
			"Entra ID did not grant consent, without a reason; ask again; the sign-in logs of the tenant have the details"},
		{"no reason", "", "",
			"Entra ID did not grant consent, without a reason; ask again; the sign-in logs of the tenant have the details"},
	}
	a := auth.App{Prefix: "GRAPHPROXY_APPS_0_"}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := a.Declined(tt.oauth, tt.description).Error(); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestAnAddressNeedsNoCredential(t *testing.T) {
	if problems := (auth.App{TenantID: tenantID, ClientID: clientID}).CheckAddress(); len(problems) > 0 {
		t.Error(problems)
	}
	if problems := (auth.App{
		TenantID:      "common",
		AuthorityHost: "x",
		Scope:         "User.Read",
	}).CheckAddress(); len(problems) != 4 {
		t.Errorf("want 4 problems, got %v", problems)
	}
}
