package auth_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"graphproxy/auth"
	"graphproxy/auth/entratest"
)

func TestRotation(t *testing.T) {
	keys := testKeys()
	one, two := certificate(t, keys[0], -time.Hour, time.Hour), certificate(t, keys[1], -time.Hour, 2*time.Hour)
	tests := []struct {
		name, old, new string
		set            func(a *auth.App, path string)
		after          entratest.App // what the server takes after the rotation
		parameter      string        // of the token request, that must be different after the rotation
	}{
		{
			"secret",
			canary,
			"another-" + canary,
			func(a *auth.App, p string) { a.SecretFile = p },
			registration("another-" + canary),
			"client_secret",
		},
		{
			"certificate",
			pemFile(t, keys[0], one),
			pemFile(t, keys[1], two),
			func(a *auth.App, p string) { a.CertificatePath = p },
			registration("", two),
			"client_assertion",
		},
		{
			"federated token",
			federated(t, "old"),
			federated(t, "new"),
			func(a *auth.App, p string) { a.FederatedTokenFile = p },
			registration(""),
			"client_assertion",
		},
	}
	for _, tt := range tests {
		t.Run("a new "+tt.name+" is used without a restart, and the old token until it has worked", func(t *testing.T) {
			t.Parallel()
			srv, options := entra(t, true)
			srv.Add(registration(canary, one))
			path := writeFile(t, tt.old)
			s := source(t, appAt(srv, func(a *auth.App) { tt.set(a, path) }), options)
			running(t, s)
			first, err := bearer(t.Context(), s)
			if err != nil {
				t.Fatal(err)
			}
			before := srv.LastForm().Get(tt.parameter)
			replace(t, path, tt.new) // not known to the server yet, but for the federated token
			if tt.name != "federated token" {
				eventually(t, "the mistake is told", func() bool { return s.Status().Err != nil })
				wantBearer(t, s, first)
			}
			srv.Add(tt.after)
			eventually(t, "a second token", func() bool { return s.Status().Acquisitions == 2 })
			if st := s.Status(); st.Err != nil || st.FileErr != "" {
				t.Errorf("status %+v", st)
			}
			second, err := bearer(t.Context(), s)
			if err != nil || second == first {
				t.Errorf("the old token is served, error %v", err)
			}
			if after := srv.LastForm().Get(tt.parameter); after == before || after == "" {
				t.Error("the old credential was sent")
			}
		})
	}
	t.Run("a certificate that cannot be used leaves the old one in use", func(t *testing.T) {
		srv, options := entra(t, true)
		srv.Add(registration("", one))
		path := writeFile(t, pemFile(t, keys[0], one))
		s := source(t, appAt(srv, func(a *auth.App) { a.CertificatePath = path }), options)
		running(t, s)
		first, err := s.Token(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		replace(t, path, pemFile(t, keys[0], certificate(t, keys[0], -2*time.Hour, -time.Hour)))
		eventually(t, "the mistake is told", func() bool { return strings.Contains(s.Status().FileErr, "expired on") })
		s.Refused(first, auth.Refusal{Invalid: true})
		if _, err := s.Token(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// replace writes a file as Kubernetes and careful tools do: whole, by a rename.
func replace(t *testing.T, path, text string) {
	t.Helper()
	next := filepath.Join(filepath.Dir(path), "next")
	if err := os.WriteFile(next, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, path); err != nil {
		t.Fatal(err)
	}
}
