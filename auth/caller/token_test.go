package caller_test

import (
	"path/filepath"
	"strings"
	"testing"

	"graphproxy/auth/caller"
	"graphproxy/auth/caller/oidc"
	"graphproxy/auth/caller/oidc/oidctest"
)

func issuer(t *testing.T) *oidctest.Server {
	t.Helper()
	s, err := oidctest.New(oidctest.Options{})
	must(t, err)
	t.Cleanup(s.Close)
	return s
}

func bearerOf(t *testing.T, s *oidctest.Server, claims map[string]any) string {
	t.Helper()
	raw, err := s.Sign(claims, nil)
	must(t, err)
	return "Authorization: Bearer " + raw
}

func TestTokens(t *testing.T) {
	s, stranger := issuer(t), issuer(t)
	of := func(audience, subject string, claims map[string][]string) caller.Identity {
		return caller.Identity{Kind: caller.Token, Issuer: s.Issuer(), Audience: audience, Subject: subject, Claims: claims}
	}
	a := mustNewWith(t, caller.Options{Tokens: oidc.NewKeys(oidc.Options{})},
		is("hr", of("graphproxy", "system:serviceaccount:hr:*", nil)),
		is("ci", of("ci", "", map[string][]string{"repository": {"contoso/graph", "contoso/tools-*"}, "env": {"prod"}})),
		is("pod", of("pods", "", map[string][]string{"/kubernetes.io/namespace": {"mail"}})),
		is("other", of("elsewhere", "system:serviceaccount:hr:sync", nil)),
		is("mail", key(mailKey)), is("hr2", key(hrKey)), is("all", anyone))
	hr := map[string]any{"aud": "graphproxy", "sub": "system:serviceaccount:hr:sync"}
	for _, tt := range []struct {
		name   string
		claims map[string]any
		more   string
		want   string
	}{
		{"by its subject", hr, "", "hr by token"},
		{"by one of its audiences",
			map[string]any{"aud": []string{"x", "graphproxy"}, "sub": "system:serviceaccount:hr:sync"}, "", "hr by token"},
		{"an empty run of characters", map[string]any{"aud": "graphproxy", "sub": "system:serviceaccount:hr:"}, "",
			"hr by token"},
		{"by its claims", map[string]any{"aud": "ci", "repository": "contoso/tools-x", "env": []string{"test", "prod"}}, "",
			"ci by token"},
		{"by a claim within another", map[string]any{"aud": "pods", "kubernetes.io": map[string]any{"namespace": "mail"}},
			"", "pod by token"},
		{"beside another's good key", hr, "X-Api-Key: " + mailKey, "evidenceAmbiguous"},
		{"beside a wrong key", hr, "X-Api-Key: " + wrongKey, "keyUnknown"},
		{"for two callers' audiences",
			map[string]any{
				"aud": []string{"elsewhere", "graphproxy"},
				"sub": "system:serviceaccount:hr:sync",
			}, "", "evidenceAmbiguous"},
		{"with the claims of two callers",
			map[string]any{
				"aud":        []string{"ci", "graphproxy"},
				"sub":        "system:serviceaccount:hr:sync",
				"repository": "contoso/graph",
				"env":        "prod",
			}, "", "evidenceAmbiguous"},
		{"another subject", map[string]any{"aud": "graphproxy", "sub": "system:serviceaccount:it:sync"}, "", "tokenUnknown"},
		{"the subject in another letter case", map[string]any{"aud": "graphproxy", "sub": "System:serviceaccount:hr:sync"},
			"", "tokenUnknown"},
		{"no subject", map[string]any{"aud": "graphproxy"}, "", "tokenUnknown"},
		{"another audience", map[string]any{"aud": "graph", "sub": "system:serviceaccount:hr:sync"}, "", "tokenUnknown"},
		{"the audience in another letter case", map[string]any{"aud": "GraphProxy", "sub": "system:serviceaccount:hr:sync"},
			"", "tokenUnknown"},
		{"one claim of two", map[string]any{"aud": "ci", "repository": "contoso/graph"}, "", "tokenUnknown"},
		{"another value of a claim", map[string]any{"aud": "ci", "repository": "contoso/graph2", "env": "prod"}, "",
			"tokenUnknown"},
		{"a claim that is an object",
			map[string]any{"aud": "ci", "repository": map[string]any{"contoso/graph": 1}, "env": "prod"}, "", "tokenUnknown"},
		{"expired", map[string]any{"aud": "graphproxy", "sub": "system:serviceaccount:hr:sync", "exp": 1000}, "",
			"tokenExpired"},
		{"no audience", map[string]any{"sub": "system:serviceaccount:hr:sync"}, "", "tokenInvalid"},
		{"an issuer that only says so",
			map[string]any{
				"iss": stranger.Issuer(),
				"aud": "graphproxy",
				"sub": "system:serviceaccount:hr:sync",
			}, "", "tokenIssuerUnknown"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			headers := []string{bearerOf(t, s, tt.claims)}
			if tt.more != "" {
				headers = append(headers, tt.more)
			}
			if got := outcome(t, a, request(headers...)); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	t.Run("another issuer's signature", func(t *testing.T) {
		claims := map[string]any{"iss": s.Issuer(), "aud": "graphproxy", "sub": "system:serviceaccount:hr:sync"}
		if got := outcome(t, a, request(bearerOf(t, stranger, claims))); got != "tokenInvalid" {
			t.Errorf("got %q", got)
		}
	})
	t.Run("in an X-Api-Key it is a key", func(t *testing.T) {
		header := strings.Replace(bearerOf(t, s, hr), "Authorization: Bearer ", "X-Api-Key: ", 1)
		if got := outcome(t, a, request(header)); got != "keyUnknown" {
			t.Errorf("got %q", got)
		}
	})
}

func TestTokenBesideAKeyOfTheSameCaller(t *testing.T) {
	s := issuer(t)
	a := mustNewWith(t, caller.Options{Tokens: oidc.NewKeys(oidc.Options{})},
		is("hr", caller.Identity{Kind: caller.Token, Issuer: s.Issuer(), Audience: "graphproxy", Subject: "hr"}, key(hrKey)),
		is("mail", key(mailKey)))
	token := bearerOf(t, s, map[string]any{"aud": "graphproxy", "sub": "hr"})
	if got := outcome(t, a, request(token, "X-Api-Key: "+hrKey)); got != "hr by token" {
		t.Errorf("got %q", got)
	}
	if got := outcome(t, a, request("Authorization: Bearer "+hrKey)); got != "hr by key" {
		t.Errorf("got %q", got)
	}
}

// A token may fit several identities of its caller. The first with a name is recorded.
func TestOfSeveralIdentitiesOfACallerTheFirstWithANameIsRecorded(t *testing.T) {
	s := issuer(t)
	id := caller.Identity{Kind: caller.Token, Issuer: s.Issuer(), Audience: "graphproxy", Subject: "hr"}
	narrow := id
	narrow.Claims = map[string][]string{"role": {"sync"}}
	a := mustNewWith(t, caller.Options{Tokens: oidc.NewKeys(oidc.Options{})},
		is("hr", id, named("nightly", narrow), named("later", narrow)))
	got, err := a.Authenticate(request(bearerOf(t, s, map[string]any{"aud": "graphproxy", "sub": "hr", "role": "sync"})))
	if want := (caller.Found{Name: "hr", Evidence: caller.Token, Credential: "nightly"}); err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestAnIssuerThatIsDownIsNoReasonToFallBack(t *testing.T) {
	s := issuer(t)
	s.Break(oidctest.Down)
	a := mustNewWith(t, caller.Options{Tokens: oidc.NewKeys(oidc.Options{})},
		is("hr", caller.Identity{Kind: caller.Token, Issuer: s.Issuer(), Audience: "graphproxy", Subject: "hr"}), is("all",
			anyone))
	if got := outcome(t, a,
		request(bearerOf(t, s, map[string]any{"aud": "graphproxy", "sub": "hr"}))); got != "issuerUnavailable" {
		t.Errorf("got %q", got)
	}
}

func TestTokensNeedKeys(t *testing.T) {
	id := at(4, token)
	_, err := caller.New([]caller.Caller{is("hr", id)}, caller.Options{})
	const want = "line 4: callers.hr: token: the keys of issuers are not to be had here, so no token can be verified: " +
		"take the identity out"
	if err == nil || err.Error() != want {
		t.Errorf("without keys: got %v", err)
	}
	id.JWKSFile = filepath.Join(t.TempDir(), "jwks.json")
	_, err = caller.New([]caller.Caller{is("hr", id)}, caller.Options{Tokens: offline()})
	if err == nil || !strings.HasPrefix(err.Error(), "line 4: callers.hr: token: ") ||
		!strings.Contains(err.Error(), id.JWKSFile) {
		t.Errorf("with a file that is not there: got %v", err)
	}
	if err := caller.Check([]caller.Caller{is("hr", id)}); err != nil {
		t.Errorf("Check looks for the file: %v", err)
	}
}
