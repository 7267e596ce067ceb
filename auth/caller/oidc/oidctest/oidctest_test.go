package oidctest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"graphproxy/auth/caller/oidc/oidctest"
)

func start(t *testing.T, o oidctest.Options) *oidctest.Server {
	t.Helper()
	s, err := oidctest.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func get(t *testing.T, s *oidctest.Server, address string) (int, string) {
	t.Helper()
	res, err := s.Client().Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

func TestDiscoveryLeadsToTheKeys(t *testing.T) {
	for _, path := range []string{"", "/", "/realms/contoso", "/v2.0/"} {
		s := start(t, oidctest.Options{TLS: true, Path: path})
		_, body := get(t, s, strings.TrimSuffix(s.Issuer(), "/")+"/.well-known/openid-configuration")
		var document struct{ Issuer, Jwks_uri string }
		if err := json.Unmarshal([]byte(body), &document); err != nil || document.Issuer != s.Issuer() {
			t.Fatalf("%v: %s", err, body)
		}
		if status, body := get(t, s, document.Jwks_uri); status != http.StatusOK || body != string(s.JWKS()) {
			t.Errorf("%d: %s", status, body)
		}
		if discovery, keys := s.Fetches(); discovery != 1 || keys != 1 {
			t.Errorf("%d and %d fetches", discovery, keys)
		}
		if status, _ := get(t, s, s.Issuer()+"/other"); status != http.StatusNotFound {
			t.Error(status)
		}
	}
}

func TestRotateAndWithdraw(t *testing.T) {
	s := start(t, oidctest.Options{})
	count := func(kid string) int { return strings.Count(string(s.JWKS()), `"`+kid+`"`) }
	_, old, err := s.Key("PS512")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Rotate(); err != nil {
		t.Fatal(err)
	}
	_, now, err := s.Key("RS256")
	if err != nil || old == now || count(old) != 1 || count(now) != 1 {
		t.Errorf("%q, then %q: %v", old, now, err)
	}
	if s.Withdraw(); count(old) != 0 || count(now) != 1 {
		t.Errorf("withdrawn, %s", s.JWKS())
	}
}

func TestWhatNoKeySignsIsAnError(t *testing.T) {
	s := start(t, oidctest.Options{})
	for _, alg := range []string{"", "none", "HS256", "ES256K", "RS"} {
		if raw, err := s.Sign(nil, map[string]any{"alg": alg}); err == nil {
			t.Errorf("%q: %s", alg, raw)
		}
	}
}

func TestCloseEndsSlowRequests(t *testing.T) {
	s, err := oidctest.New(oidctest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s.Break(oidctest.Slow)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if res, err := s.Client().Get(s.Issuer() + "/keys"); err == nil {
			_ = res.Body.Close()
		}
	}()
	s.Close()
	<-done
}
