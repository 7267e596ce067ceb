package oidc_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"graphproxy/auth/caller/oidc"
	"graphproxy/auth/caller/oidc/oidctest"
)

func TestATokenThatWasVerified(t *testing.T) {
	r := newRig(t, oidctest.Options{}).trust()
	raw := r.sign(nil, nil)
	first, err := r.v.Verify(t.Context(), raw)
	if err != nil {
		t.Fatal(err)
	}
	again, err := r.v.Verify(t.Context(), raw)
	if err != nil || first != again {
		t.Errorf("it is verified again: %v", err)
	}
	t.Run("is verified again after five minutes", func(t *testing.T) {
		r.clock.Move(5 * time.Minute)
		if later, err := r.v.Verify(t.Context(), raw); err != nil || later == first {
			t.Errorf("it is not: %v", err)
		}
	})
	t.Run("is of no use with another signature", func(t *testing.T) {
		r.want(raw[:len(raw)-4]+"AAAA", oidc.CodeInvalid)
	})
	t.Run("is unknown to a policy that does not trust its issuer", func(t *testing.T) {
		if got := outcome(t, r.verifier(), raw); got != oidc.CodeIssuerUnknown {
			t.Error(got)
		}
	})
	t.Run("is judged by the keys of the policy", func(t *testing.T) {
		path := t.TempDir() + "/keys.json"
		write(t, path, toJSON(t, members{"keys": []any{r.jwk("ES256", nil)}}))
		if got := outcome(t, r.verifier(oidc.Source{Issuer: r.Issuer(), JWKSFile: path}), raw); got != oidc.CodeInvalid {
			t.Error(got)
		}
	})
	t.Run("is refused once its key is withdrawn", func(t *testing.T) {
		if err := r.Rotate(); err != nil {
			t.Fatal(err)
		}
		r.Withdraw()
		r.want(raw, "ok")
		r.clock.Move(30 * time.Second)
		r.want(r.stranger(1), oidc.CodeInvalid)
		r.want(raw, oidc.CodeInvalid)
	})
}

func TestTheCacheIsBounded(t *testing.T) {
	r := newRig(t, oidctest.Options{}).trust()
	for n := range oidc.MaxCached + 10 {
		r.want(r.sign(members{"n": n}, members{"alg": "EdDSA"}), "ok")
	}
	if n := r.keys.Cached(); n != oidc.MaxCached {
		t.Errorf("it holds %d", n)
	}
	for n := range 100 {
		r.want(r.sign(members{"exp": n}, nil), oidc.CodeExpired)
		r.want(fmt.Sprint(n), oidc.CodeInvalid)
	}
	if n := r.keys.Cached(); n != oidc.MaxCached {
		t.Errorf("it holds %d", n)
	}
}

func BenchmarkVerify(b *testing.B) {
	for _, alg := range []string{"RS256", "ES256", "EdDSA"} {
		r := newRig(b, oidctest.Options{}).trust()
		kubernetes := members{"namespace": "hr", "pod": members{"name": "x", "uid": "y"}}
		raw := r.sign(members{"groups": []string{"a", "b", "c"}, "kubernetes.io": kubernetes}, members{"alg": alg})
		b.Run(alg+" the first time", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r.keys.Forget()
				if _, err := r.v.Verify(context.Background(), raw); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(alg+" again", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := r.v.Verify(context.Background(), raw); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
