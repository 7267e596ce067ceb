package oidc_test

import (
	"testing"
	"time"

	"graphproxy/auth/caller/oidc"
	"graphproxy/auth/caller/oidc/oidctest"

	"github.com/google/go-cmp/cmp"
)

func TestEachAlgorithmVerifies(t *testing.T) {
	for _, tls := range []bool{false, true} {
		r := newRig(t, oidctest.Options{TLS: tls, Path: "/v2.0"}).trust()
		for _, alg := range []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512",
			"EdDSA"} {
			t.Run(alg, func(t *testing.T) {
				raw := r.sign(nil, members{"alg": alg})
				for range 2 {
					if got := outcome(t, r.v, raw); got != "ok" {
						t.Error(got)
					}
				}
				if got := outcome(t, r.v, raw[:len(raw)-4]+"AAAA"); got != oidc.CodeInvalid {
					t.Errorf("with another signature: %s", got)
				}
			})
		}
	}
}

func TestATokenHasTheSignedClaims(t *testing.T) {
	r := newRig(t, oidctest.Options{}).trust()
	raw := r.sign(members{
		"aud":                           []string{"graphproxy", "other"},
		"groups":                        []string{"a", "b"},
		"n":                             1.5,
		"big":                           12345678901234567,
		"yes":                           true,
		"none":                          nil,
		"https://contoso.example/roles": []string{"x"},
		"mixed":                         []any{"a", 1},
		"empty":                         []any{},
		"object":                        members{"a": "b"},
		"kubernetes.io": members{
			"namespace":      "hr",
			"serviceaccount": members{"name": "sync"},
			"a/b":            members{"c~d": "deep"},
			"":               "blank",
		},
		"/odd": "odd",
	}, nil)
	token, err := r.v.Verify(t.Context(), raw)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]string{}
	for _, claim := range []string{
		"sub", "aud", "groups", "n", "big", "yes", "none", "absent", "https://contoso.example/roles", "mixed", "empty",
		"object", "kubernetes.io",
		"kubernetes.io.namespace", "/kubernetes.io/namespace", "/kubernetes.io/serviceaccount/name",
		"/kubernetes.io/serviceaccount",
		"/kubernetes.io/a~1b/c~0d", "/kubernetes.io/", "/odd", "/~1odd", "/groups", "/groups/0", "/", "", "/sub/x", "exp",
	} {
		if values := token.Values(claim); values != nil {
			got[claim] = values
		}
	}
	want := map[string][]string{
		"sub":                                {"hr-sync"},
		"aud":                                {"graphproxy", "other"},
		"groups":                             {"a", "b"},
		"n":                                  {"1.5"},
		"big":                                {"12345678901234567"},
		"yes":                                {"true"},
		"https://contoso.example/roles":      {"x"},
		"/kubernetes.io/namespace":           {"hr"},
		"/kubernetes.io/serviceaccount/name": {"sync"},
		"/kubernetes.io/a~1b/c~0d":           {"deep"},
		"/kubernetes.io/":                    {"blank"},
		"/~1odd":                             {"odd"},
		"/groups":                            {"a", "b"},
		"exp":                                {"1795258800"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if token.Issuer != r.Issuer() || token.Subject != "hr-sync" || !token.Expires.Equal(r.clock.Now().Add(time.Hour)) {
		t.Errorf("%+v", token)
	}
	if d := cmp.Diff([]string{"graphproxy", "other"}, token.Audiences); d != "" {
		t.Error(d)
	}
}

func TestTimes(t *testing.T) {
	r := newRig(t, oidctest.Options{}).trust()
	now := r.clock.Now().Unix()
	for _, tt := range []struct {
		name   string
		claims members
		want   string
	}{
		{"expired within the leeway", members{"exp": now - 59}, "ok"},
		{"expired by the leeway", members{"exp": now - 60}, oidc.CodeExpired},
		{"expired by the leeway and less than a second", members{"exp": float64(now) - 59.5}, "ok"},
		{"expired long ago", members{"exp": 0}, oidc.CodeExpired},
		{"expires in the year 9999", members{"exp": 253402300799}, "ok"},
		{"expires in milliseconds", members{"exp": now * 1000}, oidc.CodeInvalid},
		{"valid in a minute", members{"nbf": now + 60}, "ok"},
		{"valid in more than a minute", members{"nbf": now + 61}, oidc.CodeInvalid},
		{"issued in a minute", members{"iat": now + 60}, "ok"},
		{"issued in more than a minute", members{"iat": now + 61}, oidc.CodeInvalid},
		{"neither nbf nor iat", members{"nbf": nil, "iat": nil}, "ok"},
		{"no exp", members{"exp": nil}, oidc.CodeInvalid},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := outcome(t, r.v, r.sign(tt.claims, nil)); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
	t.Run("a good token expires", func(t *testing.T) {
		raw := r.sign(nil, nil)
		r.want(raw, "ok")
		r.clock.Move(time.Hour + 59*time.Second)
		r.want(raw, "ok")
		r.clock.Move(time.Second)
		r.want(raw, oidc.CodeExpired)
	})
}

func TestIssuersAreComparedByteByByte(t *testing.T) {
	r := newRig(t, oidctest.Options{Path: "/a/"}).trust()
	r.want(r.sign(nil, nil), "ok")
	own := r.Issuer()
	for _, issuer := range []string{own + "/", own[:len(own)-1], own + "?", "HTTP" + own[4:], "https://fabrikam.example",
		" " + own} {
		r.want(r.sign(members{"iss": issuer}, nil), oidc.CodeIssuerUnknown)
	}
	r.wantFetches(1, 1)
}

func TestZeroVerifierTrustsNoIssuer(t *testing.T) {
	r := newRig(t, oidctest.Options{})
	if got := outcome(t, &oidc.Verifier{}, r.sign(nil, nil)); got != oidc.CodeIssuerUnknown {
		t.Error(got)
	}
	r.wantFetches(0, 0)
}

func TestTypesOfTokens(t *testing.T) {
	r := newRig(t, oidctest.Options{}).trust()
	for typ, want := range map[any]string{
		nil:                           "ok",
		"JWT":                         "ok",
		"jwt":                         "ok",
		"at+jwt":                      "ok",
		"AT+JWT":                      "ok",
		"application/at+jwt":          "ok",
		"Application/JWT":             "ok",
		"":                            oidc.CodeInvalid,
		"JOSE":                        oidc.CodeInvalid,
		"dpop+jwt":                    oidc.CodeInvalid,
		"logout+jwt":                  oidc.CodeInvalid,
		"id+jwt":                      oidc.CodeInvalid,
		"application/application/jwt": oidc.CodeInvalid,
		"jwt ":                        oidc.CodeInvalid,
		5:                             oidc.CodeInvalid,
		"text/jwt":                    oidc.CodeInvalid,
	} {
		if got := r.outcome(r.sign(nil, members{"typ": typ})); got != want {
			t.Errorf("typ %v: got %s, want %s", typ, got, want)
		}
	}
}
