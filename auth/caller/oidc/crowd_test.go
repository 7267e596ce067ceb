package oidc_test

import (
	"testing"

	"graphproxy/auth/caller/oidc"
	"graphproxy/auth/caller/oidc/oidctest"
)

// A token with an unknown key id costs nothing to make up, and each would wait for its issuer's answer.
func TestAtMost64TokensWaitForAnIssuersKeys(t *testing.T) {
	const waiting, more = 64, 36
	r := newRig(t, oidctest.Options{}).trust()
	r.keys.Settle()
	good := r.sign(nil, nil)
	r.Break(oidctest.Slow)
	outcomes := make(chan string, waiting+more)
	for n := range waiting + more {
		raw := r.stranger(n)
		go func() { outcomes <- outcome(t, r.v, raw) }()
	}
	for range more {
		if got := <-outcomes; got != oidc.CodeUnavailable {
			t.Errorf("one too many: %s", got)
		}
	}
	r.want(good, "ok")
	r.Heal()
	for range waiting {
		if got := <-outcomes; got != oidc.CodeInvalid {
			t.Errorf("one that waited: %s", got)
		}
	}
	r.want(good, "ok")
	r.wantFetches(2, 2)
}
