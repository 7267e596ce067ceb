package consent_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"graphproxy/auth"
	"graphproxy/auth/consent"
)

func TestAGrantIsConfirmedByAToken(t *testing.T) {
	with, without := auth.Description{Readable: true, Roles: []string{"User.Read.All"}}, auth.Description{Readable: true}
	notYet, wrong := &auth.Error{Code: 7000229, Cause: "not yet"}, &auth.Error{Code: 7000215, Cause: "wrong"}
	tests := []struct {
		name  string
		says  []auth.Description // token by token; the last one again and again
		errs  []error            // likewise
		takes int
		took  time.Duration
		roles int
		err   error
	}{
		{"at once", []auth.Description{with}, []error{nil}, 1, 0, 1, nil},
		{"by the third token", []auth.Description{without, without, with}, []error{nil}, 3, 3 * time.Second, 1, nil},
		{
			"once Entra ID knows of the service principal",
			[]auth.Description{with},
			[]error{notYet, &auth.Error{Status: 503}, nil},
			3,
			3 * time.Second,
			1,
			nil,
		},
		{"never: no role within a minute", []auth.Description{without}, []error{nil}, 8, time.Minute, 0, nil},
		{"never: Entra ID goes on refusing", []auth.Description{{}}, []error{notYet}, 8, time.Minute, 0, notYet},
		{"not by waiting: the secret is wrong", []auth.Description{{}}, []error{wrong}, 1, 0, 0, wrong},
		{
			"not by waiting: an error of another kind",
			[]auth.Description{{}},
			[]error{context.Canceled},
			1,
			0,
			0,
			context.Canceled,
		},
		{"as far as a token tells that cannot be read", []auth.Description{{}}, []error{nil}, 1, 0, 0, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start, takes := time.Now(), 0
				d, err := consent.Confirm(t.Context(), func(context.Context) (auth.Description, error) {
					n := takes
					takes++
					return tt.says[min(n, len(tt.says)-1)], tt.errs[min(n, len(tt.errs)-1)]
				})
				if !errors.Is(err, tt.err) || len(d.Roles) != tt.roles {
					t.Errorf("%+v, error %v", d, err)
				}
				if took := time.Since(start); takes != tt.takes || took != tt.took {
					t.Errorf("%d tokens in %s", takes, took)
				}
			})
		})
	}
	t.Run("waiting ends with the context", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			_, err := consent.Confirm(ctx, func(context.Context) (auth.Description, error) { return without, nil })
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("error %v", err)
			}
		})
	})
}
