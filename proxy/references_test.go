package proxy_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const referring = `
version: 1
callers:
  app:
    identity: [{network: [127.0.0.0/8, "::1/128"]}]
    allow:
      - POST,DELETE /groups/{group}/members/$ref:
          references: [{"/users/{id}": {where: {id: ["*@contoso.com"]}}}]
      - PATCH /groups/{id}:
          references: ["/users/{id}"]
`

func TestWhatARequestRefersToIsJudgedWhereTheRuleSaysSo(t *testing.T) {
	r := newRig(t, referring)
	graph, own := r.graph.URL(), r.server.URL
	for _, tt := range []struct {
		name, method, target, body string
		status                     int
		code                       string
	}{
		{"by the proxy's address", "POST", "/v1.0/groups/1/members/$ref", `{"@odata.id":"` + own + `/v1.0/users/adele@contoso.com"}`, 0, ""},
		{"by Graph's", "POST", "/v1.0/groups/1/members/$ref", `{"@odata.id":"` + graph + `/v1.0/users('adele@contoso.com')"}`, 0, ""},
		{"someone else", "POST", "/v1.0/groups/1/members/$ref", `{"@odata.id":"` + own + `/v1.0/users/ceo@fabrikam.com"}`, 403, "policyDenied"},
		{"something else", "POST", "/v1.0/groups/1/members/$ref", `{"@odata.id":"` + own + `/v1.0/groups/2"}`, 403, "policyDenied"},
		{"at another host", "POST", "/v1.0/groups/1/members/$ref", `{"@odata.id":"https://evil.example/v1.0/users/adele@contoso.com"}`, 403, "policyDenied"},
		{"one of several", "PATCH", "/v1.0/groups/1", `{"members@odata.bind":["` + graph + `/v1.0/users/1","` + graph + `/v1.0/devices/2"]}`, 403, "policyDenied"},
		{"several", "PATCH", "/v1.0/groups/1", `{"members@odata.bind":["` + graph + `/v1.0/users/1","` + graph + `/beta/users/2"]}`, 0, ""},
		{"with the key escaped", "POST", "/v1.0/groups/1/members/$ref", `{"\u0040odata.id":"` + own + `/v1.0/groups/2"}`, 403, "policyDenied"},
		{"nothing", "PATCH", "/v1.0/groups/1", `{"description":"x"}`, 0, ""},
		{"in $id", "DELETE", "/v1.0/groups/1/members/$ref?$id=" + graph + "/v1.0/users/adele@contoso.com", "", 0, ""},
		{"someone else in $id", "DELETE", "/v1.0/groups/1/members/$ref?$id=" + own + "/v1.0/users/ceo@fabrikam.com", "", 403, "policyDenied"},
		{"no JSON", "PATCH", "/v1.0/groups/1", "description=x", 400, "badJSON"},
	} {
		for _, header := range []string{asJSON, "Content-Type: text/plain"} {
			t.Run(tt.name+", "+header, func(t *testing.T) {
				r.graph.Reset()
				a := r.do(t, tt.method, tt.target, tt.body, header)
				if tt.status == 0 {
					if n := r.graph.Count(); n != 1 || a.header.Get("Proxy-Status") != "" {
						t.Errorf("%d %s; Graph received %d requests", a.status, a.body, n)
					}
					return
				}
				if inner := a.refusal(t, tt.status, map[int]string{400: "invalidRequest", 403: "accessDenied"}[tt.status]); inner != tt.code || r.graph.Count() != 0 {
					t.Errorf("%s; Graph received %d requests", inner, r.graph.Count())
				}
			})
		}
	}
}

func TestWhatAnItemRefersToIsJudged(t *testing.T) {
	r := newRig(t, referring)
	a := r.do(t, "POST", "/v1.0/$batch", strings.ReplaceAll(`{"requests":[
		{"id":"1","method":"POST","url":"/groups/1/members/$ref","headers":{"Content-Type":"application/json"},"body":{"@odata.id":"HOST/v1.0/users/ceo@fabrikam.com"}},
		{"id":"2","method":"DELETE","url":"/groups/1/members/$ref?$id=HOST/v1.0/groups/2"},
		{"id":"3","method":"POST","url":"/groups/1/members/$ref","headers":{"Content-Type":"text/plain"},"body":"{\"@odata.id\":\"HOST/v1.0/users/ceo@fabrikam.com\"}"},
		{"id":"4","method":"POST","url":"/groups/1/members/$ref","headers":{"Content-Type":"application/json"},"body":{"@odata.id":"HOST/v1.0/users/adele@contoso.com"}}]}`, "HOST", r.server.URL), asJSON)
	got := a.statuses(t)
	delete(got, "4") // Graph's to answer
	if diff := cmp.Diff(map[string]int{"1": 403, "2": 403, "3": 400}, got); diff != "" {
		t.Error(diff, a.body)
	}
	if diff := cmp.Diff([]string{"4 POST /v1.0/groups/1/members/$ref"}, r.ran()); diff != "" {
		t.Error(diff)
	}
}
