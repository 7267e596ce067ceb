package consent_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"graphproxy/auth"
	"graphproxy/auth/consent"
)

const (
	tenantID = "3f1c5a52-9a3e-4f0a-9b5e-0d5c3c7a1b11"
	otherID  = "99999999-9a3e-4f0a-9b5e-0d5c3c7a1b11"
	clientID = "6b7e0f7e-43cf-4a0e-8f5c-5b1f3f0b6c22"
	canary   = "canary7f3a"
)

func app() auth.App {
	return auth.App{
		Name:          "default",
		TenantID:      tenantID,
		ClientID:      clientID,
		AuthorityHost: "https://login.microsoftonline.us/",
		Scope:         "https://graph.microsoft.us/.default",
	}
}

func redirect(t *testing.T, text string) consent.Redirect {
	t.Helper()
	r, err := consent.ParseRedirect(text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func ask(t *testing.T) consent.Question {
	t.Helper()
	return consent.NewQuestion(app(), redirect(t, "http://localhost:8400/back"), false)
}

// parts are an address without its query, and the query.
func parts(t *testing.T, text string) (string, url.Values) {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	query := u.Query()
	u.RawQuery = ""
	return u.String(), query
}

func state(t *testing.T, q consent.Question) string {
	t.Helper()
	_, query := parts(t, q.URL())
	return query.Get("state")
}

func TestTheAddressIsThatOfTheAppAndTheCloud(t *testing.T) {
	tests := []struct {
		name  string
		v1    bool
		page  string
		scope []string
	}{
		{"the v2.0 page", false, "https://login.microsoftonline.us/" + tenantID + "/v2.0/adminconsent",
			[]string{"https://graph.microsoft.us/.default"}},
		{"the older page", true, "https://login.microsoftonline.us/" + tenantID + "/adminconsent", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			q := consent.NewQuestion(app(), redirect(t, "http://localhost:8400/"), tt.v1)
			page, query := parts(t, q.URL())
			want := url.Values{"client_id": {clientID}, "redirect_uri": {"http://localhost:8400/"}, "state": {state(t, q)}}
			if tt.scope != nil {
				want["scope"] = tt.scope
			}
			if page != tt.page {
				t.Errorf("page %s", page)
			}
			if diff := cmp.Diff(want, query); diff != "" {
				t.Error(diff)
			}
		})
	}
	t.Run("every question has a state of its own, of 256 bits", func(t *testing.T) {
		one, two := state(t, ask(t)), state(t, ask(t))
		if one == two || len(one) != 43 {
			t.Errorf("states %q and %q", one, two)
		}
	})
}

func TestAnswersAreRead(t *testing.T) {
	q := ask(t)
	own := "state=" + state(t, q)
	declined := app().Declined("consent_required", "AADSTS65004")
	tests := []struct {
		name, query string
		want        consent.Answer
	}{
		{"a grant", own + "&admin_consent=True&tenant=" + tenantID + "&scope=x",
			consent.Answer{Granted: true, TenantID: tenantID}},
		{"a grant in small letters, its tenant in capitals", own + "&admin_consent=true&tenant=" + strings.ToUpper(tenantID),
			consent.Answer{Granted: true, TenantID: tenantID}},
		{"a grant whose tenant is no GUID", own + "&admin_consent=True&tenant=<b>", consent.Answer{Granted: true}},
		{"a refusal that says admin_consent=True",
			own + "&admin_consent=True&error=consent_required&error_description=AADSTS65004%3a+no", consent.Answer{
				Refusal: declined,
			}},
		{"a refusal of the older page", own + "&error=permission_denied&error_description=The+admin+canceled+the+request",
			consent.Answer{Refusal: app().Declined("permission_denied", "")}},
		{"an empty error is one", own + "&admin_consent=True&tenant=" + tenantID + "&error=",
			consent.Answer{Refusal: app().Declined("", "")}},
		{"a description alone is an error", own + "&admin_consent=True&error_description=AADSTS65004",
			consent.Answer{Refusal: declined}},
		{"neither yes nor no", own + "&tenant=" + tenantID, consent.Answer{}},
		{"admin_consent is something else", own + "&admin_consent=False&tenant=" + tenantID, consent.Answer{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := q.Read(tt.query)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWhatIsNotTheAnswerIsForeign(t *testing.T) {
	q := ask(t)
	own := "state=" + state(t, q)
	const yes = "&admin_consent=True&tenant=" + tenantID
	tests := []struct{ name, query string }{
		{"nothing", ""},
		{"no state", yes[1:]},
		{"an empty state", "state=" + yes},
		{"another state", "state=" + state(t, ask(t)) + yes},
		{"the state and more", own + "A" + yes},
		{"the start of the state", own[:len(own)-1] + yes},
		{"the state twice", own + "&" + own + yes},
		{"two states, the right one first", own + "&state=x" + yes},
		{"a parameter twice", own + yes + "&admin_consent=True"},
		{"a broken escape", own + yes + "&x=%zz"},
		{"a semicolon", own + ";x" + yes},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if a, err := q.Read(tt.query); err != consent.ErrForeign || a != (consent.Answer{}) {
				t.Errorf("answer %+v, error %v", a, err)
			}
		})
	}
}

func TestTheTenantOfAGrantIsHeldAgainstTheApp(t *testing.T) {
	tests := []struct {
		name, configured, told string
		want                   bool
	}{
		{"the same", tenantID, tenantID, false},
		{"another", tenantID, otherID, true},
		{"a domain is configured", "contoso.onmicrosoft.com", otherID, false},
		{"the answer names none", tenantID, "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := app()
			a.TenantID = tt.configured
			q := consent.NewQuestion(a, redirect(t, "http://localhost/"), false)
			if got := q.OtherTenant(consent.Answer{Granted: true, TenantID: tt.told}); got != tt.want {
				t.Errorf("got %t", got)
			}
		})
	}
}

func TestRedirectURIs(t *testing.T) {
	tests := []struct {
		text string
		want []string // addresses; nil: refused
	}{
		{"http://localhost:8400/", []string{"127.0.0.1:8400", "[::1]:8400"}},
		{"http://localhost:8400", []string{"127.0.0.1:8400", "[::1]:8400"}},
		{"http://LocalHost/a/B-c_1", []string{"127.0.0.1:80", "[::1]:80"}},
		{"http://127.0.0.1:9/x", []string{"127.0.0.1:9"}},
		{"http://[::1]:9/x", []string{"[::1]:9"}},
		{"", nil},
		{"localhost:8400", nil},
		{"https://localhost:8400/", nil},
		{"HTTP://localhost:8400/", nil},
		{"http://contoso.com:8400/", nil},
		{"http://localhost.contoso.com/", nil},
		{"http://10.0.0.1:8400/", nil},
		{"http://0.0.0.0:8400/", nil},
		{"http://user@localhost:8400/", nil},
		{"http://localhost:8400/?a=b", nil},
		{"http://localhost:8400/?", nil},
		{"http://localhost:8400/#", nil},
		{"http://localhost:0/", nil},
		{"http://localhost:65536/", nil},
		{"http://localhost:/", nil},
		{"http://localhost:8400/../a", nil},
		{"http://localhost:8400/%61", nil},
		{"http://localhost:8400/a b", nil},
		{"http://localhost:8400/é", nil},
		{"http:localhost", nil},
		{"http://" + canary + ".example:8400/", nil},
		{"http://localhost/?" + canary, nil},
		{canary, nil},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			r, err := consent.ParseRedirect(tt.text)
			if (err != nil) != (tt.want == nil) {
				t.Fatalf("error %v", err)
			}
			if err != nil {
				if strings.Contains(err.Error(), canary) {
					t.Errorf("the error quotes the setting: %v", err)
				}
				return
			}
			if diff := cmp.Diff(tt.want, r.Addresses()); diff != "" || r.String() != tt.text {
				t.Errorf("%s: %s", r, diff)
			}
		})
	}
}
