package auth_test

import (
	"crypto/sha1" // Service Fabric names certificates by their SHA-1
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"graphproxy/auth"
	"graphproxy/auth/entratest"
)

func TestManagedIdentity(t *testing.T) {
	for _, user := range []string{"", clientID} {
		name := "system-assigned"
		if user != "" {
			name = "user-assigned"
		}
		t.Run(name+": a token, and another one at its renewal although MSAL keeps the first", func(t *testing.T) {
			srv, options := entra(t, false)
			srv.SetLifetime(time.Hour, time.Second)
			t.Setenv("IDENTITY_ENDPOINT", srv.ManagedIdentityURL())
			t.Setenv("IDENTITY_HEADER", srv.ManagedIdentityHeader())
			s := source(t, auth.App{ManagedIdentity: true, ClientID: user}, options)
			first, err := s.Token(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			h := http.Header{}
			first.SetAuthorization(h)
			if _, err := srv.Verify(strings.TrimPrefix(h.Get("Authorization"), "Bearer ")); err != nil {
				t.Error(err)
			}
			s.Refused(first, auth.Refusal{Invalid: true})
			second, err := s.Token(t.Context())
			if err != nil || first == second || s.Status().Acquisitions != 2 {
				t.Errorf("error %v, status %+v", err, s.Status())
			}
		})
	}
	t.Run("Service Fabric's certificate is pinned", func(t *testing.T) {
		h := newHostile(t)
		h.StartTLS()
		t.Setenv("IDENTITY_ENDPOINT", h.URL+"/msi/token")
		t.Setenv("IDENTITY_HEADER", canary)
		t.Setenv("IDENTITY_SERVER_THUMBPRINT", fmt.Sprintf("%X", sha1.Sum(h.Certificate().Raw)))
		s := source(t, auth.App{ManagedIdentity: true}, auth.Options{})
		wantBearer(t, s, "good")
		t.Setenv("IDENTITY_SERVER_THUMBPRINT", strings.Repeat("0", 40))
		wantError(t, failing(t, auth.App{ManagedIdentity: true}, auth.Options{}), "endpoint was not reached")
		if _, requests := h.sent(); len(requests) != 1 {
			t.Errorf("requests %q", requests)
		}
		t.Setenv("IDENTITY_SERVER_THUMBPRINT", canary)
		wantError(t, failing(t, auth.App{ManagedIdentity: true, ClientID: clientID}, auth.Options{}), "AZURE_CLIENT_ID")
	})
	t.Run("faults of the endpoint are told", func(t *testing.T) {
		srv, options := entra(t, false)
		t.Setenv("IDENTITY_ENDPOINT", srv.ManagedIdentityURL())
		t.Setenv("IDENTITY_HEADER", srv.ManagedIdentityHeader())
		srv.Fail(entratest.Fault{Status: 429, RetryAfter: "3"})
		wantError(t, failing(t, auth.App{ManagedIdentity: true}, options), "holds requests back")
		srv.Fail(entratest.Fault{Status: 503, Body: canary})
		wantError(t, failing(t, auth.App{ManagedIdentity: true}, options), "is failing (HTTP 503)")
	})
	t.Run("a wrong header is a refusal with a cure", func(t *testing.T) {
		srv, options := entra(t, false)
		t.Setenv("IDENTITY_ENDPOINT", srv.ManagedIdentityURL())
		t.Setenv("IDENTITY_HEADER", canary)
		wantError(t, failing(t, auth.App{ManagedIdentity: true}, options), "managed identity endpoint refused",
			"AZURE_CLIENT_ID")
	})
	t.Run("no endpoint is told", func(t *testing.T) {
		t.Setenv("IDENTITY_ENDPOINT", "http://"+freePort(t))
		t.Setenv("IDENTITY_HEADER", canary)
		wantError(t, failing(t, auth.App{ManagedIdentity: true}, auth.Options{}), "endpoint was not reached",
			"Azure resource")
	})
}
