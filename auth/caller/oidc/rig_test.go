package oidc_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"graphproxy/auth/caller/oidc"
	"graphproxy/auth/caller/oidc/oidctest"
)

// clock is a clock that stands still until it is moved.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// journal collects the log.
type journal struct {
	mu   sync.Mutex
	text strings.Builder
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) Count(s string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Count(j.text.String(), s)
}

// rig is an issuer and the verifier that trusts it.
type rig struct {
	t testing.TB
	*oidctest.Server
	clock *clock
	log   *journal
	keys  *oidc.Keys
	v     *oidc.Verifier
}

func newRig(t testing.TB, o oidctest.Options) *rig {
	t.Helper()
	r := &rig{t: t, clock: newClock(), log: &journal{}}
	o.Now = r.clock.Now
	var err error
	if r.Server, err = oidctest.New(o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	r.keys = oidc.NewKeys(r.options())
	return r
}

func (r *rig) options() oidc.Options {
	return oidc.Options{Client: r.Client(), Now: r.clock.Now, Log: slog.New(slog.NewTextHandler(r.log, nil))}
}

// trust makes the verifier of this issuer.
func (r *rig) trust() *rig {
	r.t.Helper()
	r.v = r.verifier(oidc.Source{Issuer: r.Issuer()})
	return r
}

func (r *rig) verifier(sources ...oidc.Source) *oidc.Verifier {
	r.t.Helper()
	v, err := r.keys.Verifier(sources)
	if err != nil {
		r.t.Fatal(err)
	}
	return v
}

type members = map[string]any

// sign signs a good token, with these changes.
func (r *rig) sign(claims, header members) string {
	r.t.Helper()
	all := members{"sub": "hr-sync", "aud": "graphproxy"}
	for name, value := range claims {
		all[name] = value
	}
	raw, err := r.Sign(all, header)
	if err != nil {
		r.t.Fatal(err)
	}
	return raw
}

// outcome returns the code of a refusal, or "ok".
func (r *rig) outcome(raw string) string {
	r.t.Helper()
	return outcome(r.t, r.v, raw)
}

func outcome(t testing.TB, v *oidc.Verifier, raw string) string {
	t.Helper()
	token, err := v.Verify(context.Background(), raw)
	if err == nil {
		if token == nil {
			t.Error("neither a token nor an error")
		}
		return "ok"
	}
	var refusal *oidc.Error
	if !errors.As(err, &refusal) || token != nil {
		t.Fatalf("Verify = %v, %v, want an *Error alone", token, err)
	}
	if refusal.Message == "" || strings.Contains(err.Error(), "hr-sync") ||
		len(raw) > 8 && strings.Contains(err.Error(), raw) {
		t.Errorf("the error says nothing, or something of the token: %v", err)
	}
	return refusal.Code
}

// want fails the test when the outcome differs.
func (r *rig) want(raw, want string) {
	r.t.Helper()
	if got := r.outcome(raw); got != want {
		r.t.Errorf("got %s, want %s", got, want)
	}
}

func (r *rig) wantFetches(discovery, keys int) {
	r.t.Helper()
	if d, k := r.Fetches(); d != discovery || k != keys {
		r.t.Errorf("%d fetches of the discovery document and %d of the keys, want %d and %d", d, k, discovery, keys)
	}
}

// stopped is a client whose requests all fail.
type stopped struct{}

func (stopped) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("nothing may be fetched")
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}
