package oidc_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"graphproxy/auth/caller/oidc"
	"graphproxy/auth/caller/oidc/oidctest"
)

// web answers requests by address: a body, or a redirect if it begins with "->".
type web map[string]string

func (w web) RoundTrip(r *http.Request) (*http.Response, error) {
	text, found := w[r.URL.String()]
	res := &http.Response{
		StatusCode: http.StatusOK,
		Header:     http.Header{},
		Request:    r,
		Body:       io.NopCloser(strings.NewReader(text)),
	}
	if to, redirects := strings.CutPrefix(text, "->"); redirects {
		res.StatusCode = http.StatusFound
		res.Header.Set("Location", to)
	}
	if !found {
		res.StatusCode = http.StatusNotFound
	}
	return res, nil
}

func TestDiscovery(t *testing.T) {
	const (
		issuer    = "https://oidc.contoso.example/a"
		discovery = issuer + "/.well-known/openid-configuration"
	)
	document := func(keys string) string { return `{"issuer":"` + issuer + `","jwks_uri":"` + keys + `"}` }
	for name, tt := range map[string]struct {
		web  web
		want string // in the log; "": it verifies
	}{
		"on another host": {web{
			discovery:                            document("https://keys.contoso.example/k?p=x"),
			"https://keys.contoso.example/k?p=x": "keys",
		}, ""},
		"in clear on loopback": {web{discovery: document("http://[::1]:1/k"), "http://[::1]:1/k": "keys"}, ""},
		"after redirects": {web{
			discovery:                        "->/b",
			"https://oidc.contoso.example/b": "->/c",
			"https://oidc.contoso.example/c": document("https://h/k"),
			"https://h/k":                    "->k2",
			"https://h/k2":                   "keys",
		}, ""},
		"after too many redirects": {web{discovery: "->" + discovery}, "redirects more than three times"},
		"redirected to http":       {web{discovery: "->http://oidc.contoso.example/b"}, "another host or scheme"},
		"redirected to a port":     {web{discovery: "->https://oidc.contoso.example:8443/b"}, "another host or scheme"},
		"redirected to a host": {web{discovery: document("https://h/k"), "https://h/k": "->https://i/k"},
			"another host or scheme"},
		"not found":    {web{}, "answered HTTP 404"},
		"of no issuer": {web{discovery: `{"jwks_uri":"https://h/k"}`}, `the document is of issuer \"\"`},
		"of the issuer with a /": {web{discovery: `{"issuer":"` + issuer + `/","jwks_uri":"https://h/k"}`},
			"write the issuer in the policy exactly so"},
		"of two issuers": {web{discovery: `{"issuer":"x",` + document("https://h/k")[1:]},
			"the document holds a member twice"},
		"of two issuers by case": {web{discovery: `{"ISSUER":"x",` + document("https://h/k")[1:]},
			"the document holds a member twice"},
		"without keys":             {web{discovery: `{"issuer":"` + issuer + `"}`}, `jwks_uri \"\" is no https:// address`},
		"with keys in clear":       {web{discovery: document("http://oidc.contoso.example/k")}, "is no https:// address"},
		"with keys in a file":      {web{discovery: document("file:///etc/keys")}, "is no https:// address"},
		"with keys behind a user":  {web{discovery: document("https://a:b@h/k")}, "is no https:// address"},
		"with keys and a fragment": {web{discovery: document("https://h/k?x#y")}, "is no https:// address"},
		"with keys that are a list": {web{discovery: document("https://h/k"), "https://h/k": "[]"},
			"the JWK Set is not one JSON object"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, oidctest.Options{})
			for address, text := range tt.web {
				if text == "keys" {
					tt.web[address] = string(r.JWKS())
				}
			}
			o := r.options()
			o.Client = &http.Client{Transport: tt.web}
			keys := oidc.NewKeys(o)
			v, err := keys.Verifier([]oidc.Source{{Issuer: issuer}})
			if err != nil {
				t.Fatal(err)
			}
			want := "ok"
			if tt.want != "" {
				want = oidc.CodeUnavailable
			}
			if got := outcome(t, v, r.sign(members{"iss": issuer}, nil)); got != want || r.log.Count(tt.want) == 0 {
				t.Errorf("got %s, and in the log: %s", got, r.log.String())
			}
		})
	}
}

// hanging is a server that never answers.
type hanging struct{}

func (hanging) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func TestNoRequestWaitsForLong(t *testing.T) {
	r := newRig(t, oidctest.Options{})
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		raw := r.sign(members{"iss": "https://oidc.contoso.example", "iat": nil, "nbf": nil}, nil)
		v, err := oidc.NewKeys(oidc.Options{Client: &http.Client{Transport: hanging{}}}).Verifier([]oidc.Source{
			{Issuer: "https://oidc.contoso.example"},
		})
		if err != nil {
			t.Fatal(err)
		}
		verify := func(ctx context.Context, reason string, after time.Duration) {
			t.Helper()
			_, err := v.Verify(ctx, raw)
			var refusal *oidc.Error
			if !errors.As(err, &refusal) || refusal.Code != oidc.CodeUnavailable || !strings.Contains(err.Error(), reason) {
				t.Errorf("got %v", err)
			}
			if d := time.Since(start); d != after {
				t.Errorf("after %v, want %v", d, after)
			}
		}
		patient := context.Background()
		hasty, cancel := context.WithTimeout(patient, time.Second)
		defer cancel()
		verify(hasty, "context deadline exceeded", time.Second)
		verify(patient, "takes long to answer", 6*time.Second)
		verify(patient, "context deadline exceeded", 10*time.Second) // of the fetch itself
		verify(patient, "context deadline exceeded", 10*time.Second) // until a second has passed
	})
}
