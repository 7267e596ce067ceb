package auth_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"graphproxy/auth/entratest"
)

// Every request would carry the token, and no server takes such a header.
func TestAnAccessTokenIsBounded(t *testing.T) {
	for _, tt := range []struct {
		name   string
		length int
		ok     bool
	}{
		{"of an app with hundreds of roles", 24 << 10, true},
		{"of 64 KiB", 64 << 10, true},
		{"of a byte more", 64<<10 + 1, false},
		{"of 900 KB", 900_000, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			srv, options := entra(t, true)
			body, err := json.Marshal(map[string]any{
				"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": strings.Repeat("x", tt.length),
			})
			if err != nil {
				t.Fatal(err)
			}
			srv.Fail(entratest.Fault{Status: http.StatusOK, Body: string(body)})
			s := source(t, secretAt(srv), options)
			token, err := s.Token(t.Context())
			if (err == nil) != tt.ok {
				t.Fatalf("error %v", err)
			}
			h := make(http.Header)
			if token.SetAuthorization(h); err != nil &&
				(len(h) > 0 || !strings.Contains(err.Error(), "64 KiB") || strings.Contains(err.Error(), "xxx")) {
				t.Errorf("%.300v, header of %d", err, len(h))
			}
		})
	}
}
