package auth_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"graphproxy/auth"
)

func TestClaimsAreFoundInAChallengeHoweverItIsWritten(t *testing.T) {
	const claims = `{"access_token":{"nbf":{"essential":true, "value":"1657834417"}}}`
	encoded := base64.StdEncoding.EncodeToString([]byte(claims))
	for _, test := range []struct {
		name   string
		fields []string
		want   auth.ClaimsChallenge
	}{
		{"no field", nil, ""},
		{"a plain refusal",
			[]string{`Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", ` +
				`client_id="00000003-0000-0000-c000-000000000000"`}, ""},
		{"as Graph writes it, with an address that lacks its quotes",
			[]string{`Bearer realm="", authorization_uri=https://login.microsoftonline.com/common/oauth2/authorize, ` +
				`client_id="00000003-0000-0000-c000-000000000000", error="insufficient_claims", claims="` + encoded +
				`", errorDescription="Continuous access evaluation resulted in claims challenge"`}, claims},
		{"in another order, in capitals, without commas or quotes",
			[]string{`BEARER Claims=` + encoded + ` error=insufficient_claims`}, claims},
		{"the second of two fields", []string{`Negotiate`, `Bearer claims="` + encoded + `"`}, claims},
		{"the second challenge of a field",
			[]string{`Basic realm="a, b=\"c\" ", Bearer realm="", claims = "` + encoded + `"`}, claims},
		{"in the other alphabet, without padding",
			[]string{`Bearer claims="` + base64.RawURLEncoding.EncodeToString([]byte(`{"a":"~~~???>>>"}`)) + `"`},
			`{"a":"~~~???>>>"}`},
		{"the first one that is one", []string{`Bearer claims="e30="`, `Bearer claims="` + encoded + `"`}, claims},
		{"of another scheme", []string{`PoP claims="` + encoded + `"`}, ""},
		{"no scheme", []string{`claims="` + encoded + `"`}, ""},
		{"within another value", []string{`Bearer realm="claims=\"` + encoded + `\", "`}, ""},
		{"a name that only ends so", []string{`Bearer xclaims="` + encoded + `"`}, ""},
		{"no base64", []string{`Bearer claims="{}"`}, ""},
		{"no object", []string{`Bearer claims="` + base64.StdEncoding.EncodeToString([]byte(`["a"]`)) + `"`}, ""},
		{"an object that asks for nothing", []string{`Bearer claims="e30="`}, ""},
		{"a quote without end", []string{`Bearer claims="` + encoded}, ""},
		{"too long",
			[]string{`Bearer claims="` + base64.StdEncoding.EncodeToString([]byte(`{"a":"`+strings.Repeat("x", 9000)+`"}`)) +
				`"`}, ""},
		{"stray signs", []string{`,,= "x" ,Bearer , = claims=` + encoded}, claims},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := auth.RefusalOf("files", http.Header{"Www-Authenticate": test.fields}); got.Claims != test.want ||
				got.Service != "files" || got.Invalid {
				t.Errorf("%+v, want the claims %q", got, test.want)
			}
		})
	}
}

func TestARefusalReportsWhetherTheTokenIsInvalid(t *testing.T) {
	for _, test := range []struct {
		name   string
		fields []string
		want   bool
	}{
		{"as RFC 6750 writes it",
			[]string{`Bearer realm="example", error="invalid_token", error_description="The access token expired"`}, true},
		{"without quotes, in capitals", []string{`bearer Error=INVALID_TOKEN`}, true},
		{"in the second challenge", []string{`Basic realm="a", Bearer error="invalid_token"`}, true},
		{"in the second field", []string{`Bearer realm=""`, `Bearer error="invalid_token"`}, true},
		{"another error", []string{`Bearer error="insufficient_claims"`}, false},
		{"an error that begins so", []string{`Bearer error="invalid_token_type"`}, false},
		{"of another scheme", []string{`DPoP error="invalid_token"`}, false},
		{"within a description", []string{`Bearer error_description="error="invalid_token""`}, false},
		{"a name that only ends so", []string{`Bearer xerror="invalid_token"`}, false},
		{"no field", nil, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := auth.RefusalOf("files", http.Header{"Www-Authenticate": test.fields}); got.Invalid != test.want ||
				got.Claims != "" {
				t.Errorf("%+v, want invalid %v", got, test.want)
			}
		})
	}
}

func FuzzRefusalOf(f *testing.F) {
	f.Add(`Bearer realm="", claims="eyJhIjoxfQ=="`)
	f.Add(`Bearer a="\`)
	f.Add(`,=""Bearer ==`)
	f.Fuzz(func(t *testing.T, field string) {
		if c := auth.RefusalOf("", http.Header{"Www-Authenticate": {field}}).Claims; c != "" &&
			!strings.Contains(strings.ToLower(field), "claims") {
			t.Errorf("%q in %q", c, field)
		}
	})
}
