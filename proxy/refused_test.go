package proxy_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"graphproxy/auth/entratest"
)

// refusing makes OneNote answer every request with 401, and the directory normally.
func (r *rig) refusing(challenge string) {
	r.graph.Handle("/v1.0/users/adele@contoso.com/onenote/**", func(w http.ResponseWriter, q *http.Request) {
		_, _ = io.Copy(io.Discard, q.Body)
		w.Header().Set("WWW-Authenticate", challenge)
		w.WriteHeader(http.StatusUnauthorized)
	})
}

const notes = everyone + "      - ANY /users/{id}/onenote/**\n"

// bare is Graph's challenge where a resource takes no app-only token.
const bare = `Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", ` +
	`client_id="00000003-0000-0000-c000-000000000000"`

func TestOneResourcesRefusalsCostOthersNothing(t *testing.T) {
	for _, tt := range []struct {
		name  string
		fault *entratest.Fault
		most  int // token requests
	}{
		{"while Entra is up", nil, 2},
		{"while Entra answers 503", &entratest.Fault{Status: 503}, 8},
		{"while Entra resets", &entratest.Fault{Reset: true}, 8},
		{"while Entra hangs", &entratest.Fault{Hang: true}, 8},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, notes)
			r.do(t, "GET", "/v1.0/users/adele@contoso.com", "")
			r.refusing(bare)
			if tt.fault != nil {
				r.entra.Fail(*tt.fault)
			}
			var refused sync.WaitGroup
			for i := range 60 {
				if i%10 == 0 {
					refused.Go(func() {
						a := r.do(t, "GET", "/v1.0/users/adele@contoso.com/onenote/notebooks", "")
						if inner := a.refusal(t, 502, "serviceNotAvailable"); inner != "tokenRejected" ||
							a.header.Get("WWW-Authenticate") != "" {
							t.Errorf("innerError.code %q, WWW-Authenticate %q", inner, a.header.Get("WWW-Authenticate"))
						}
					})
				}
				if a := r.do(t, "GET", "/v1.0/users/adele@contoso.com", ""); a.status != 200 {
					t.Errorf("request %d of another resource: %d %s", i, a.status, a.body)
				}
				if !r.source.Status().Ready {
					t.Error("not ready while the token lives")
				}
			}
			r.entra.Heal()
			refused.Wait()
			if n := r.entra.TokenRequests(); n > tt.most {
				t.Errorf("Entra had %d token requests, want at most %d", n, tt.most)
			}
		})
	}
}

func TestAResourceThatRefusesAFreshTokenIsPassedOn(t *testing.T) {
	for name, challenge := range map[string]string{"a bare 401": bare, "invalid_token": `Bearer error="invalid_token"`} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, notes)
			r.refusing(challenge)
			for i, method := range []string{"GET", "POST", "GET", "DELETE", "PATCH"} {
				a := r.do(t, method, "/v1.0/users/adele@contoso.com/onenote/pages", "")
				if inner := a.refusal(t, 502, "serviceNotAvailable"); inner != "tokenRejected" ||
					!strings.Contains(a.body, "token is fresh") || a.header.Get("Retry-After") != "" {
					t.Errorf("request %d: %q, Retry-After %q: %s", i, inner, a.header.Get("Retry-After"), a.body)
				}
			}
			if n := r.graph.Count(); n != 6 {
				t.Errorf("Graph received %d requests, want the first one twice and the others once", n)
			}
			if n := r.entra.TokenRequests(); n != 2 {
				t.Errorf("Entra had %d token requests, want 2", n)
			}
		})
	}
}

func TestItemsThatAreRefusedCostEntraOneRequest(t *testing.T) {
	r := newRig(t, notes)
	r.graph.Handle("POST /v1.0/$batch", func(w http.ResponseWriter, q *http.Request) {
		_, _ = io.Copy(io.Discard, q.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w,
			`{"responses":[{"id":"1","status":401,"headers":{"WWW-Authenticate":"Bearer realm=\"\""},"body":{}},{"id":"2",`+
				`"status":200,"body":{}}]}`)
	})
	fresh := 0
	for i := range 20 {
		a := r.do(t, "POST", "/v1.0/$batch",
			`{"requests":[{"id":"1","method":"GET","url":"/users/adele@contoso.com/onenote/notebooks"},{"id":"2",`+
				`"method":"GET","url":"/users"}]}`, asJSON)
		if diff := cmp.Diff(map[string]int{"1": 502, "2": 200}, a.statuses(t)); diff != "" {
			t.Fatalf("batch %d: %s", i, diff)
		}
		if strings.Contains(a.body, "token is fresh") {
			fresh++
		}
		if i == 0 {
			until(t, "a new token", func() bool { return r.source.Status().Acquisitions == 2 })
		}
	}
	if n := r.entra.TokenRequests(); n != 2 || fresh != 19 {
		t.Errorf("Entra had %d token requests, %d items said that the token is fresh; want 2 and 19", n, fresh)
	}
}

// Other requests wait for the new token if Graph refuses the old one as invalid.
func TestATokenThatGraphCallsInvalidIsServedToNoRequest(t *testing.T) {
	r := newRig(t, notes)
	r.do(t, "GET", "/v1.0/users/adele@contoso.com", "")
	r.refusing(`Bearer error="invalid_token"`)
	r.entra.Fail(entratest.Fault{Status: 503})
	r.do(t, "GET", "/v1.0/users/adele@contoso.com/onenote/notebooks", "")
	r.graph.Reset()
	a := r.do(t, "GET", "/v1.0/users/adele@contoso.com", "")
	if inner := a.refusal(t, 503, "serviceNotAvailable"); inner != "tokenUnavailable" {
		t.Errorf("innerError.code %q", inner)
	}
	r.sawNothing(t)
}

func TestARevokedTokenIsReplacedEachTime(t *testing.T) {
	r := newRig(t, everyone)
	for i := range 2 {
		r.do(t, "GET", "/v1.0/users/adele@contoso.com", "")
		r.entra.Revoke()
		until(t, fmt.Sprint("an answer after revocation ", i), func() bool {
			return r.do(t, "GET", "/v1.0/users/adele@contoso.com", "").status == 200
		})
	}
}
