package oidc_test

import (
	"context"
	"strings"
	"testing"

	"graphproxy/auth/caller/oidc/oidctest"
)

// FuzzVerify checks that only tokens that the issuer signed verify, and that nothing panics. (An ECDSA
// signature r, s has the twin r, n-s, which verifies and means the same; random changes do not find it.)
func FuzzVerify(f *testing.F) {
	r := newRig(f, oidctest.Options{}).trust()
	good := map[string]bool{}
	for _, alg := range []string{"RS256", "PS256", "ES256", "EdDSA"} {
		raw := r.sign(nil, members{"alg": alg})
		good[raw] = true
		f.Add(raw)
	}
	for _, raw := range attacks(r) {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		token, err := r.v.Verify(context.Background(), raw)
		if (token != nil) != (err == nil) || token != nil && !good[raw] {
			t.Errorf("%q: %v, %v", raw, token, err)
		}
	})
}

// FuzzClaims checks that the claims of a signed token are read in one way, or refused.
func FuzzClaims(f *testing.F) {
	r := newRig(f, oidctest.Options{}).trust()
	for _, more := range []string{
		`,"a":1`, `,"a":[null]`, `,"/a":{"b":"c"}`, `,"A":1,"a":2`, `,"a":{"a":1,"a":1}`, `,"sub":"x"`, `}{`, `,"x":"\ud800"`,
	} {
		f.Add(more, "/a/b")
	}
	header := []byte(r.header("EdDSA", ""))
	key, _, err := r.Key("EdDSA")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, more, claim string) {
		raw, err := oidctest.SignRaw(key, "EdDSA", header, []byte(r.payload(more)))
		if err != nil {
			t.Fatal(err)
		}
		token, err := r.v.Verify(context.Background(), raw)
		if err != nil {
			return
		}
		if token.Subject != "hr-sync" || token.Issuer != r.Issuer() || len(token.Audiences) != 1 ||
			token.Audiences[0] != "graphproxy" {
			t.Errorf("%q changes the token: %+v", more, token)
		}
		if values := token.Values(claim); len(values) > 0 && !strings.HasPrefix(claim, "/") &&
			strings.Contains(claim, "\ufffd") {
			t.Errorf("claim %q has the values %q", claim, values)
		}
	})
}
