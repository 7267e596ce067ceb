package auth_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"graphproxy/auth"
)

func unsigned(payload string) string {
	return "e30." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + ".c2ln"
}

func TestRoles(t *testing.T) {
	tests := []struct {
		name, token string
		app         auth.App
		roles       []string
		log         []string // in the one warning; none: no warning
	}{
		{"are those in the token", unsigned(`{"roles":["User.Read.All","Mail.Send"]}`), secretApp,
			[]string{"User.Read.All", "Mail.Send"}, nil},
		{"missing are told with the place of consent", unsigned(`{"aud":"x"}`), secretApp, nil,
			[]string{"https://login.microsoftonline.com/contoso.onmicrosoft.com/adminconsent?client_id=app",
				"after each change"}},
		{"none are told too", unsigned(`{"roles":[]}`), secretApp, []string{}, []string{"/adminconsent?client_id=app"}},
		{"of a managed identity are assigned and not consented to", unsigned(`{}`), auth.App{ManagedIdentity: true}, nil,
			[]string{"appRoleAssignments"}},
		{"of an opaque token are not known", "opaque", secretApp, nil, nil},
		{"of three parts that are no token are not known", "a.b.c", secretApp, nil, nil},
		{"of another shape are not known", unsigned(`{"roles":"all"}`), secretApp, nil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				s := fakeSource(t, tt.app, &fakeEntra{life: time.Hour, token: tt.token}, slog.New(slog.NewTextHandler(&log, nil)))
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan struct{})
				go func() { defer close(done); s.Run(ctx) }()
				pass(5 * time.Hour) // ten tokens
				cancel()
				<-done
				if diff := cmp.Diff(tt.roles, s.Status().Roles); diff != "" {
					t.Error(diff)
				}
				want := min(len(tt.log), 1)
				if n := strings.Count(log.String(), "level=WARN"); n != want {
					t.Errorf("%d warnings, want %d:\n%s", n, want, &log)
				}
				for _, w := range tt.log {
					if !strings.Contains(log.String(), w) {
						t.Errorf("the log does not say %q:\n%s", w, &log)
					}
				}
			})
		})
	}
}

func TestLog(t *testing.T) {
	t.Run("an outage is told once a minute, and its end", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var log bytes.Buffer
			f := &fakeEntra{life: time.Hour, err: &auth.Error{Cause: "down", Cure: "wait", Status: 503}}
			s := fakeSource(t, secretApp, f, slog.New(slog.NewTextHandler(&log, nil)))
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan struct{})
			go func() { defer close(done); s.Run(ctx) }()
			pass(10*time.Minute + time.Second)
			f.set(func(f *fakeEntra) { f.err = nil })
			pass(time.Minute)
			cancel()
			<-done
			if n := strings.Count(log.String(), "level=ERROR"); n < 9 || n > 11 {
				t.Errorf("%d errors in ten minutes:\n%s", n, &log)
			}
			for _, want := range []string{"app=default", "error.cause=down", "error.cure=wait", "error.status=503",
				"token acquired"} {
				if !strings.Contains(log.String(), want) {
					t.Errorf("the log does not say %q:\n%s", want, &log)
				}
			}
		})
	})
}
