package proxy_test

import (
	"encoding/base64"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// demand is the claim that Graph requires of a token after a policy has changed.
const demand = `{"access_token":{"nbf":{"essential":true,"value":"1657834417"}}}`

func TestAClaimsChallengeIsAnsweredAndTheRequestSentOnceMore(t *testing.T) {
	t.Parallel()
	batch := `{"requests":[{"id":"1","method":"GET","url":"/users/adele@contoso.com"}]}`
	for _, tt := range []struct {
		name, method, target, body string
		want                       int
	}{
		{"without a body", "GET", "/v1.0/users/adele@contoso.com", "", 200},
		{"with a small body", "PATCH", "/v1.0/users/adele@contoso.com", `{"jobTitle":"x"}`, 204},
		{"a batch", "POST", "/v1.0/$batch", batch, 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, everyone)
			r.do(t, "GET", "/v1.0/users/adele@contoso.com", "")
			r.graph.Reset()
			r.entra.Demand(demand)
			a := r.do(t, tt.method, tt.target, tt.body, asJSON)
			if a.status != tt.want || a.header.Get("WWW-Authenticate") != "" {
				t.Errorf("status %d, WWW-Authenticate %q: %s", a.status, a.header.Get("WWW-Authenticate"), a.body)
			}
			if n := r.graph.Count(); n != 2 {
				t.Errorf("Graph received %d requests, want the one that it challenged and the same with a new token", n)
			}
			if claims := r.entra.LastForm().Get("claims"); !strings.Contains(claims, `"nbf"`) ||
				!strings.Contains(claims, "CP1") {
				t.Errorf("Entra was asked for the claims %s", claims)
			}
			if a := r.do(t, "GET", "/v1.0/users/adele@contoso.com", ""); a.status != 200 || r.graph.Count() != 3 {
				t.Errorf("status %d, %d requests: the token that was asked for serves those that follow", a.status, r.graph.Count())
			}
		})
	}
}

// A challenge that no token can meet costs each request two tries, and causes fewer and fewer requests to Entra.
func TestAChallengeThatCannotBeMetIsNoLoop(t *testing.T) {
	r := newRig(t, everyone)
	challenge := `Bearer realm="", error="insufficient_claims", claims="` +
		base64.StdEncoding.EncodeToString([]byte(demand)) + `"`
	r.graph.Handle("PATCH /v1.0/users/adele@contoso.com", func(w http.ResponseWriter, q *http.Request) {
		_, _ = io.Copy(io.Discard, q.Body)
		w.Header().Set("WWW-Authenticate", challenge)
		w.WriteHeader(http.StatusUnauthorized)
	})
	for range 10 {
		a := r.do(t, "PATCH", "/v1.0/users/adele@contoso.com", `{"jobTitle":"x"}`, asJSON)
		if inner := a.refusal(t, 502, "serviceNotAvailable"); inner != "tokenRejected" ||
			a.header.Get("WWW-Authenticate") != "" {
			t.Errorf("innerError.code %q, WWW-Authenticate %q", inner, a.header.Get("WWW-Authenticate"))
		}
	}
	if sent, asked := r.graph.Count(), r.entra.TokenRequests(); sent > 20 || asked > 5 {
		t.Errorf("%d requests reached Graph and %d Entra", sent, asked)
	}
}

func TestAnItemForWhichTheTokenDoesNotDoIsNotTheCallersFault(t *testing.T) {
	r := newRig(t, batchPolicy)
	r.do(t, "GET", "/v1.0/users/adele@contoso.com", "")
	r.audit.wait(t, 1)
	r.audit.reset()
	before := r.entra.TokenRequests()
	r.graph.Handle("POST /v1.0/$batch", func(w http.ResponseWriter, q *http.Request) {
		_, _ = io.Copy(io.Discard, q.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w,
			`{"responses":[{"id":"2","status":200,"body":{}},{"id":"1","status":401,"headers":{"WWW-Authenticate":"Bearer `+
				`claims=\"`+
				base64.StdEncoding.EncodeToString([]byte(demand))+`\""},"body":{"error":{"code":"InvalidAuthenticationToken"}}}]}`)
	})
	a := r.do(t, "POST", "/v1.0/$batch",
		`{"requests":[{"id":"1","method":"GET","url":"/users/adele@contoso.com"},{"id":"2","method":"GET","url":"/users"}]}`,
		asJSON)
	if diff := cmp.Diff(map[string]int{"1": 502, "2": 200}, a.statuses(t)); diff != "" {
		t.Error(diff)
	}
	if inner := a.responses(t)["1"].inner(t); inner != "tokenRejected" || strings.Contains(a.body, "Bearer") {
		t.Errorf("%q in %s", inner, a.body)
	}
	if lines := strings.Join(r.audit.wait(t, 3), ""); strings.Count(lines, `"status":502,"graph_status":401`) != 1 ||
		strings.Count(lines, `"reason":"tokenRejected"`) != 1 {
		t.Error(lines)
	}
	until(t, "a new token", func() bool { return r.entra.TokenRequests() > before })
	until(t, "the claims in the request for it", func() bool {
		time.Sleep(time.Millisecond)
		return strings.Contains(r.entra.LastForm().Get("claims"), "nbf")
	})
}

func TestReferencesInABatchLeadToTheProxy(t *testing.T) {
	r := newRig(t, batchPolicy+"    mode: report\n")
	groups := r.do(t, "GET", "/v1.0/groups?$select=id", "")
	_, id, _ := strings.Cut(groups.body, `"id":"`)
	id, _, _ = strings.Cut(id, `"`)
	a := r.do(t, "POST", "/v1.0/$batch", `{"requests":[{"id":"1","method":"GET","url":"/groups/`+id+
		`/members/$ref"},{"id":"2","method":"GET","url":"/users?$top=1"}]}`, asJSON)
	if diff := cmp.Diff(map[string]int{"1": 200, "2": 200}, a.statuses(t)); diff != "" {
		t.Fatal(diff, a.body)
	}
	if strings.Contains(a.body, r.graph.URL()) ||
		strings.Count(string(a.responses(t)["1"].Body), r.server.URL+"/v1.0/") < 2 {
		t.Errorf("%s", a.body)
	}
}
