package proxy_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"graphproxy/policy"
	"graphproxy/proxy"
)

const twoApps = `
version: 1
callers:
  app:
    identity: [{network: [127.0.0.0/8, "::1/128"]}]
    allow:
      - GET /users
      - GET /groups: {app: hr}
      - GET /sites: {app: hr, limit: {rate: 1/h, burst: 1}}
      - GET /drives: {app: none}
`

// named are app registrations by name.
type named map[string]*proxy.App

func (n named) App(name, _ string) *proxy.App { return n[name] }

func TestGraphsAnswerToOneGroupOfABatchIsForItsItemsOnly(t *testing.T) {
	t.Parallel()
	const batch = `{"requests":[{"id":"1","method":"GET","url":"/users"},{"id":"2","method":"GET","url":"/groups"},` +
		`{"id":"3","method":"GET","url":"/sites"}]}`
	graphtestAnswer := func(w http.ResponseWriter, body string) {
		var sent struct{ Requests []struct{ ID string } }
		_ = json.Unmarshal([]byte(body), &sent)
		w.Header().Set("Content-Type", "application/json")
		var answers []string
		for _, q := range sent.Requests {
			answers = append(answers, `{"id":"`+q.ID+
				`","status":200,"headers":{"Location":"https://evil.fabrikam.com/x"},"body":{"@odata.nextLink":"GRAPH/v1.0/next"}}`)
		}
		_, _ = io.WriteString(w, `{"responses":[`+strings.Join(answers, ",")+`]}`)
	}
	for _, tt := range []struct {
		name   string
		groups func(w http.ResponseWriter, body string) // what the app hr gets
		want   map[string]int
	}{
		{"both answer", graphtestAnswer, map[string]int{"1": 200, "2": 200, "3": 200}},
		{"throttled as a whole", func(w http.ResponseWriter, _ string) {
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(http.StatusTooManyRequests)
			_, _ = io.WriteString(w, `{"error":{"code":"TooManyRequests"}}`)
		}, map[string]int{"1": 200, "2": 429, "3": 429}},
		{"the token is refused", func(w http.ResponseWriter, _ string) { w.WriteHeader(http.StatusUnauthorized) },
			map[string]int{"1": 200, "2": 502, "3": 502}},
		{"no JSON", func(w http.ResponseWriter, _ string) { _, _ = io.WriteString(w, "<html>") },
			map[string]int{"1": 200, "2": 502, "3": 502}},
		{"an answer to an item of the other group", func(w http.ResponseWriter, _ string) {
			_, _ = io.WriteString(w,
				`{"responses":[{"id":"1","status":200,"body":{"secret":"of hr"}},{"id":"2","status":200},{"id":"3","status":200}]}`)
		}, map[string]int{"1": 200, "2": 502, "3": 502}},
		{"one is left out", func(w http.ResponseWriter, _ string) {
			_, _ = io.WriteString(w, `{"responses":[{"id":"3","status":404}]}`)
		}, map[string]int{"1": 200, "2": 504, "3": 404}},
		{"no answer", func(http.ResponseWriter, string) { panic(http.ErrAbortHandler) },
			map[string]int{"1": 200, "2": 502, "3": 502}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, twoApps, func(c *proxy.Config, _ *rig) {
				c.Apps = named{policy.DefaultApp: {Tenant: tenant, Tokens: fixed{}}, "hr": {Tenant: tenant, Tokens: fixed{}}}
			})
			r.graph.Handle("POST /v1.0/$batch", func(w http.ResponseWriter, q *http.Request) {
				body, _ := io.ReadAll(q.Body)
				if strings.Contains(string(body), "/users") {
					graphtestAnswer(w, strings.ReplaceAll(string(body), "GRAPH", r.graph.URL()))
					return
				}
				tt.groups(w, string(body))
			})
			a := r.do(t, "POST", "/v1.0/$batch", batch, asJSON)
			if diff := cmp.Diff(tt.want, a.statuses(t)); diff != "" {
				t.Error(diff, a.body)
			}
			if strings.Contains(a.body, "of hr") {
				t.Errorf("an answer reached an item that did not ask for it: %s", a.body)
			}
			if tt.want["2"] == 429 && a.responses(t)["2"].Headers["Retry-After"] != "7" {
				t.Errorf("%s", a.body)
			}
			lines := r.audit.wait(t, 4)
			for id, status := range tt.want {
				n := 0
				for _, line := range lines {
					var rec struct {
						Item   string
						Status int
						Batch  string
					}
					must(t, json.Unmarshal([]byte(line), &rec))
					if rec.Item == id && rec.Status == status && rec.Batch != "" {
						n++
					}
				}
				if n != 1 {
					t.Errorf("item %s has %d lines with status %d in %s", id, n, status, strings.Join(lines, ""))
				}
			}
		})
	}
}

func TestAnAppThatIsNotThereIsAFaultOfTheProxy(t *testing.T) {
	r := newRig(t, twoApps,
		func(c *proxy.Config, _ *rig) { c.Apps = named{policy.DefaultApp: {Tenant: tenant, Tokens: fixed{}}} })
	a := r.do(t, "GET", "/v1.0/drives", "")
	if inner := a.refusal(t, 500, "generalException"); inner != "internalError" {
		t.Error(a.body)
	}
	r.sawNothing(t)
}

func TestAnItemThatIsRefusedForItsAppsTakesFromNoBucket(t *testing.T) {
	r := newRig(t, twoApps, func(c *proxy.Config, r *rig) {
		c.Apps = named{policy.DefaultApp: {Tenant: tenant, Tokens: r.source}, "hr": {Tenant: tenant, Tokens: r.source}}
	})
	a := r.do(t, "POST", "/v1.0/$batch",
		`{"requests":[{"id":"1","method":"GET","url":"/users"},{"id":"2","method":"GET","url":"/sites?search=x",`+
			`"dependsOn":["1"]}]}`, asJSON)
	if diff := cmp.Diff(map[string]int{"1": 200, "2": 400}, a.statuses(t)); diff != "" {
		t.Fatal(diff, a.body)
	}
	for _, want := range []bool{true, false} {
		if a := r.do(t, "GET", "/v1.0/sites?search=x", ""); (a.status != 429) != want {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
}
