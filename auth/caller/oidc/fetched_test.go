package oidc_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"graphproxy/auth/caller/oidc"
	"graphproxy/auth/caller/oidc/oidctest"
)

// stranger is a token of the issuer with a key id that the issuer never had.
func (r *rig) stranger(n int) string {
	r.t.Helper()
	return r.sign(nil, members{"alg": "EdDSA", "kid": fmt.Sprintf("unknown-%d", n)})
}

func TestKeysAreFetchedBeforeTheFirstToken(t *testing.T) {
	r := newRig(t, oidctest.Options{}).trust()
	r.keys.Settle()
	r.wantFetches(1, 1)
	r.Break(oidctest.Down)
	r.want(r.sign(nil, nil), "ok")
	t.Run("and not again for the next policy", func(t *testing.T) {
		r.trust()
		r.want(r.sign(nil, nil), "ok")
		r.wantFetches(1, 1)
	})
}

func TestAFloodOfUnknownKeysCostsOneFetchInHalfAMinute(t *testing.T) {
	r := newRig(t, oidctest.Options{}).trust()
	r.keys.Settle()
	flood := func() {
		for n := range 200 {
			r.want(r.stranger(n), oidc.CodeInvalid)
		}
	}
	flood()
	r.wantFetches(2, 2)
	r.clock.Move(29 * time.Second)
	flood()
	r.wantFetches(2, 2)
	r.want(r.sign(nil, nil), "ok")
	r.clock.Move(time.Second)
	flood()
	r.wantFetches(3, 3)
}

func TestAFloodInParallelCostsOneFetch(t *testing.T) {
	r := newRig(t, oidctest.Options{}).trust()
	r.keys.Settle()
	r.Break(oidctest.Slow)
	var all sync.WaitGroup
	for n := range 50 {
		raw := r.stranger(n)
		all.Go(func() {
			if got := outcome(t, r.v, raw); got != oidc.CodeInvalid {
				t.Error(got)
			}
		})
	}
	t.Run("while others go on", func(t *testing.T) { r.want(r.sign(nil, nil), "ok") })
	r.Heal()
	all.Wait()
	r.wantFetches(2, 2)
}

func TestAFloodOfForeignTokensFetchesNothing(t *testing.T) {
	r := newRig(t, oidctest.Options{})
	o := r.options()
	o.Client = &http.Client{Transport: stopped{}}
	keys := oidc.NewKeys(o)
	v, err := keys.Verifier([]oidc.Source{{Issuer: "https://oidc.contoso.example"}})
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if got := outcome(t, v, r.sign(nil, nil)); got != oidc.CodeIssuerUnknown {
			t.Error(got)
		}
	}
	r.wantFetches(0, 0)
}

func TestRotationIsFoundByOneFetch(t *testing.T) {
	r := newRig(t, oidctest.Options{}).trust()
	old := r.sign(nil, nil)
	r.want(old, "ok")
	if err := r.Rotate(); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for n := range 20 {
		raw := r.sign(members{"n": n}, nil)
		all.Go(func() {
			if got := outcome(t, r.v, raw); got != "ok" {
				t.Error(got)
			}
		})
	}
	all.Wait()
	r.want(old, "ok")
	r.wantFetches(2, 2)
	t.Run("and what is no longer published no longer verifies", func(t *testing.T) {
		r.Withdraw()
		r.clock.Move(30 * time.Second)
		r.want(r.stranger(1), oidc.CodeInvalid)
		r.want(old, oidc.CodeInvalid)
		r.want(r.sign(nil, nil), "ok")
	})
}

func TestKeysAreFetchedAgainWhenTheyAreOld(t *testing.T) {
	for _, tt := range []struct {
		header string
		age    time.Duration
	}{
		{"", time.Hour},
		{"no-cache", time.Hour},
		{"max-age=x", time.Hour},
		{"public, max-age=7200, must-revalidate", 2 * time.Hour},
		{"Max-Age=\"600\"", 10 * time.Minute},
		{"max-age=0", 5 * time.Minute},
		{"max-age=99999999", 24 * time.Hour},
	} {
		t.Run("Cache-Control: "+tt.header, func(t *testing.T) {
			r := newRig(t, oidctest.Options{CacheControl: tt.header}).trust()
			r.keys.Settle()
			r.clock.Move(tt.age - time.Second)
			r.want(r.sign(nil, nil), "ok")
			r.keys.Settle()
			r.wantFetches(1, 1)
			r.clock.Move(time.Second)
			r.want(r.sign(nil, nil), "ok")
			r.keys.Settle()
			r.wantFetches(2, 2)
		})
	}
}

func TestAnIssuerThatIsDownLeavesItsKeysInUse(t *testing.T) {
	r := newRig(t, oidctest.Options{}).trust()
	r.keys.Settle()
	for _, fault := range []oidctest.Fault{
		oidctest.Down, oidctest.WrongIssuer, oidctest.HugeBody, oidctest.NoJSON, oidctest.OtherHost, oidctest.KeysInClear,
		oidctest.KeysNotFound,
	} {
		t.Run(string(fault), func(t *testing.T) {
			failures := r.log.Count("cannot be fetched")
			r.Break(fault)
			r.clock.Move(25 * time.Hour)
			for range 3 {
				r.want(r.sign(nil, nil), "ok")
				r.keys.Settle()
				r.clock.Move(time.Hour)
			}
			r.want(r.stranger(1), oidc.CodeUnavailable)
			if n := r.log.Count("cannot be fetched"); n != failures+1 {
				t.Errorf("the failure is logged %d times", n-failures)
			}
			r.Heal()
			r.clock.Move(time.Minute)
			r.want(r.stranger(1), oidc.CodeInvalid)
			if n := r.log.Count("can be fetched again"); n != failures+1 {
				t.Errorf("the recovery is logged %d times in all", n)
			}
		})
	}
}

func TestAnIssuerThatWasNeverThere(t *testing.T) {
	r := newRig(t, oidctest.Options{})
	r.Break(oidctest.Down)
	r.trust()
	raw := r.sign(nil, nil)
	r.want(raw, oidc.CodeUnavailable)
	attempts := 1
	r.wantFetches(attempts, 0)
	t.Run("is asked after a second, then two, and at last once in a minute", func(t *testing.T) {
		for _, pause := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60, 60} {
			r.clock.Move(pause*time.Second - time.Millisecond)
			for range 20 {
				r.want(raw, oidc.CodeUnavailable)
			}
			r.wantFetches(attempts, 0)
			r.clock.Move(time.Millisecond)
			r.want(raw, oidc.CodeUnavailable)
			attempts++
			r.wantFetches(attempts, 0)
		}
	})
	t.Run("and is found when it is back", func(t *testing.T) {
		r.Heal()
		r.clock.Move(time.Minute)
		r.want(r.sign(nil, nil), "ok")
	})
}

func TestACallerThatGoesAwayHarmsNoOther(t *testing.T) {
	r := newRig(t, oidctest.Options{})
	r.Break(oidctest.Slow)
	r.trust()
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	raw := r.sign(nil, nil)
	_, err := r.v.Verify(gone, raw)
	var refusal *oidc.Error
	if !errors.As(err, &refusal) || refusal.Code != oidc.CodeUnavailable || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	other := make(chan string)
	go func() { other <- outcome(t, r.v, raw) }()
	r.Heal()
	if got := <-other; got != "ok" {
		t.Error(got)
	}
	r.wantFetches(1, 1)
}

func TestAnIssuerThatPublishesNothingIsBelieved(t *testing.T) {
	r := newRig(t, oidctest.Options{}).trust()
	raw := r.sign(nil, nil)
	r.want(raw, "ok")
	r.Break(oidctest.NoKeys)
	r.clock.Move(30 * time.Second)
	r.want(r.stranger(1), oidc.CodeInvalid)
	r.want(raw, oidc.CodeInvalid)
}

func TestExpiredTokensFetchNothing(t *testing.T) {
	r := newRig(t, oidctest.Options{}).trust()
	r.keys.Settle()
	r.want(r.sign(members{"exp": 1}, members{"kid": "unknown"}), oidc.CodeExpired)
	r.wantFetches(1, 1)
}

func TestSourcesThatAreRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		sources []oidc.Source
		want    string
	}{
		"http beyond loopback": {[]oidc.Source{{Issuer: "http://oidc.contoso.example"}},
			`"http://oidc.contoso.example" is no issuer`},
		"a query":        {[]oidc.Source{{Issuer: "https://oidc.contoso.example?a"}}, "is no issuer"},
		"an empty query": {[]oidc.Source{{Issuer: "https://oidc.contoso.example?"}}, "is no issuer"},
		"a fragment":     {[]oidc.Source{{Issuer: "https://oidc.contoso.example#"}}, "is no issuer"},
		"a user":         {[]oidc.Source{{Issuer: "https://a@oidc.contoso.example"}}, "is no issuer"},
		"nothing":        {[]oidc.Source{{}}, "is no issuer"},
		"two places": {[]oidc.Source{
			{Issuer: "https://oidc.contoso.example"},
			{Issuer: "https://oidc.contoso.example", JWKSFile: "x"},
		},
			`the keys of issuer "https://oidc.contoso.example" are to come from two places`},
		"a file that is not there": {[]oidc.Source{
			{Issuer: "https://oidc.contoso.example", JWKSFile: "absent.json"},
			{Issuer: ""},
		},
			"issuer \"https://oidc.contoso.example\": jwks_file \"absent.json\": it cannot be opened: no such file or " +
				"directory: correct the path, or create the file\n\"\" is no issuer"},
	} {
		t.Run(name, func(t *testing.T) {
			keys := oidc.NewKeys(oidc.Options{Client: &http.Client{Transport: stopped{}}})
			v, err := keys.Verifier(tt.sources)
			keys.Settle()
			if v != nil || err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, %v, want %s", v, err, tt.want)
			}
		})
	}
	t.Run("the same source twice is one", func(t *testing.T) {
		r := newRig(t, oidctest.Options{})
		r.verifier(oidc.Source{Issuer: r.Issuer()}, oidc.Source{Issuer: r.Issuer()})
		r.keys.Settle()
		r.wantFetches(1, 1)
	})
}

func TestManyCallersAtOnce(t *testing.T) {
	r := newRig(t, oidctest.Options{}).trust()
	var good, strange []string
	for n := range 20 {
		good = append(good, r.sign(members{"n": n % 5, "exp": 4e9}, members{"alg": "ES256"}))
		strange = append(strange, r.stranger(n))
	}
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			for i := range 20 {
				switch (n + i) % 4 {
				case 0:
					if got := outcome(t, r.v, good[i]); got != "ok" {
						t.Error(got)
					}
				case 1:
					_, _ = r.v.Verify(context.Background(), strange[i])
				case 2:
					r.clock.Move(time.Minute)
				case 3:
					if v, err := r.keys.Verifier([]oidc.Source{{Issuer: r.Issuer()}}); v == nil || err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	all.Wait()
	r.keys.Settle()
}
