package oidc_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"testing"
	"time"

	"graphproxy/auth/caller/oidc"
	"graphproxy/auth/caller/oidc/oidctest"

	"github.com/go-jose/go-jose/v4"
)

// published makes the issuer publish these keys.
func (r *rig) published(keys ...any) {
	r.t.Helper()
	r.Publish([]byte(toJSON(r.t, map[string]any{"keys": keys})))
}

func (r *rig) jwk(alg string, change func(*jose.JSONWebKey)) jose.JSONWebKey {
	r.t.Helper()
	key, kid, err := r.Key(alg)
	if err != nil {
		r.t.Fatal(err)
	}
	k := jose.JSONWebKey{Key: key.Public(), KeyID: kid}
	if change != nil {
		change(&k)
	}
	return k
}

// with returns a key as JSON with these additional members.
func with(t testing.TB, k jose.JSONWebKey, more string) any {
	t.Helper()
	text := toJSON(t, k)
	return rawJSON(text[:len(text)-1] + more + "}")
}

type rawJSON string

func (r rawJSON) MarshalJSON() ([]byte, error) { return []byte(r), nil }

func TestTheUseOfAKeyLimitsWhatItVerifies(t *testing.T) {
	bad := rawJSON(`{"kty":"RSA","kid":"rsa-1","n":"AQAB"}`)
	alg := func(alg string) func(*jose.JSONWebKey) { return func(k *jose.JSONWebKey) { k.Algorithm = alg } }
	named := func(kid string) func(*jose.JSONWebKey) { return func(k *jose.JSONWebKey) { k.KeyID = kid } }
	for _, tt := range []struct {
		name string
		keys func(r *rig) []any
		alg  string
		want string
	}{
		{"nothing", func(r *rig) []any { return []any{r.jwk("RS256", nil)} }, "PS384", "ok"},
		{"its algorithm", func(r *rig) []any { return []any{r.jwk("RS256", alg("PS384"))} }, "PS384", "ok"},
		{"another algorithm", func(r *rig) []any { return []any{r.jwk("RS256", alg("RS256"))} }, "PS384", oidc.CodeInvalid},
		{"that it encrypts", func(r *rig) []any { return []any{r.jwk("RS256", func(k *jose.JSONWebKey) { k.Use = "enc" })} },
			"RS256", oidc.CodeInvalid},
		{"that it may verify",
			func(r *rig) []any { return []any{with(t, r.jwk("RS256", nil), `,"key_ops":["verify","x"]`)} }, "RS256", "ok"},
		{"that it may not verify", func(r *rig) []any { return []any{with(t, r.jwk("RS256", nil), `,"key_ops":["sign"]`)} },
			"RS256", oidc.CodeInvalid},
		{"a certificate that is none",
			func(r *rig) []any { return []any{with(t, r.jwk("RS256", nil), `,"x5c":["AAAA"],"x5t":"!"`)} }, "RS256", "ok"},
		{"its private part", func(r *rig) []any { return []any{with(t, r.jwk("ES256", nil), `,"d":"AAAA"`)} }, "ES256",
			oidc.CodeInvalid},
		{"another key id", func(r *rig) []any { return []any{r.jwk("RS256", named("other"))} }, "RS256", oidc.CodeInvalid},
		{"no key id", func(r *rig) []any { return []any{r.jwk("RS256", named(""))} }, "RS256", oidc.CodeInvalid},
		{"nothing, beside keys that are none", func(r *rig) []any {
			return []any{bad, "x", nil, 5, members{"kty": "new"}, r.jwk("RS256", nil)}
		}, "RS256", "ok"},
		{"the id of another key, too", func(r *rig) []any {
			return []any{r.jwk("ES256", named(r.kid("ES384"))), r.jwk("ES384", nil)}
		}, "ES384", "ok"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, oidctest.Options{})
			r.published(tt.keys(r)...)
			r.trust().want(r.sign(nil, members{"alg": tt.alg}), tt.want)
		})
	}
}

func TestEachKeyOfAnIDIsTried(t *testing.T) {
	r := newRig(t, oidctest.Options{})
	old := r.jwk("RS256", nil)
	if err := r.Rotate(); err != nil {
		t.Fatal(err)
	}
	r.published(old, r.jwk("RS256", func(k *jose.JSONWebKey) { k.KeyID = old.KeyID }))
	r.trust().want(r.sign(nil, members{"kid": old.KeyID}), "ok")
}

func TestWeakKeysAreRefused(t *testing.T) {
	for bits, want := range map[int]string{1024: oidc.CodeInvalid, 2047: oidc.CodeInvalid, 2048: "ok", 3072: "ok"} {
		t.Run(fmt.Sprint(bits), func(t *testing.T) {
			key, err := rsa.GenerateKey(rand.Reader, bits)
			if err != nil {
				t.Fatal(err)
			}
			r := newRig(t, oidctest.Options{})
			r.published(jose.JSONWebKey{Key: key.Public(), KeyID: "k"})
			raw, err := oidctest.SignRaw(crypto.Signer(key), "RS256", []byte(`{"alg":"RS256","kid":"k"}`), []byte(r.payload("")))
			if err != nil {
				t.Fatal(err)
			}
			r.trust().want(raw, want)
		})
	}
}

func TestTokensWithoutAKeyID(t *testing.T) {
	r := newRig(t, oidctest.Options{}).trust()
	nameless := members{"kid": nil}
	t.Run("verify if one key fits", func(t *testing.T) {
		r.want(r.sign(nil, nameless), "ok")
		r.want(r.sign(nil, members{"kid": nil, "alg": "ES384"}), "ok")
		r.wantFetches(1, 1)
	})
	if err := r.Rotate(); err != nil {
		t.Fatal(err)
	}
	t.Run("are refused if several fit", func(t *testing.T) {
		r.want(r.sign(nil, nameless), oidc.CodeInvalid)
		r.wantFetches(2, 2)
		r.want(r.sign(nil, nil), "ok")
	})
	t.Run("verify after a rotation, which only their signature tells", func(t *testing.T) {
		r.Withdraw()
		r.clock.Move(30 * time.Second)
		r.want(r.sign(nil, nameless), "ok")
		r.wantFetches(3, 3)
	})
}
