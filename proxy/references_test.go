package proxy_test

import (
	"encoding/json"
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

func TestReferencesAreJudgedIfTheRuleBoundsThem(t *testing.T) {
	r := newRig(t, referring)
	graph, own := r.graph.URL(), r.server.URL
	for _, tt := range []struct {
		name, method, target, body string
		status                     int
		code                       string
	}{
		{
			"by the proxy's address",
			"POST",
			"/v1.0/groups/1/members/$ref",
			`{"@odata.id":"` + own + `/v1.0/users/adele@contoso.com"}`,
			0,
			"",
		},
		{
			"by Graph's",
			"POST",
			"/v1.0/groups/1/members/$ref",
			`{"@odata.id":"` + graph + `/v1.0/users('adele@contoso.com')"}`,
			0,
			"",
		},
		{
			"someone else",
			"POST",
			"/v1.0/groups/1/members/$ref",
			`{"@odata.id":"` + own + `/v1.0/users/ceo@fabrikam.com"}`,
			403,
			"policyDenied",
		},
		{
			"something else",
			"POST",
			"/v1.0/groups/1/members/$ref",
			`{"@odata.id":"` + own + `/v1.0/groups/2"}`,
			403,
			"policyDenied",
		},
		{
			"at another host",
			"POST",
			"/v1.0/groups/1/members/$ref",
			`{"@odata.id":"https://evil.example/v1.0/users/adele@contoso.com"}`,
			403,
			"policyDenied",
		},
		{
			"one of several",
			"PATCH",
			"/v1.0/groups/1",
			`{"members@odata.bind":["` + graph + `/v1.0/users/1","` + graph + `/v1.0/devices/2"]}`,
			403,
			"policyDenied",
		},
		{
			"several",
			"PATCH",
			"/v1.0/groups/1",
			`{"members@odata.bind":["` + graph + `/v1.0/users/1","` + graph + `/beta/users/2"]}`,
			0,
			"",
		},
		{
			"with the key escaped",
			"POST",
			"/v1.0/groups/1/members/$ref",
			`{"\u0040odata.id":"` + own + `/v1.0/groups/2"}`,
			403,
			"policyDenied",
		},
		{"nothing", "PATCH", "/v1.0/groups/1", `{"description":"x"}`, 0, ""},
		{"in $id", "DELETE", "/v1.0/groups/1/members/$ref?$id=" + graph + "/v1.0/users/adele@contoso.com", "", 0, ""},
		{
			"in an id that is sent without the dollar sign, as it was written",
			"DELETE",
			"/v1.0/groups/1/members/$ref?id=" + own + "/v1.0/users/adele@contoso.com",
			"",
			0,
			"",
		},
		{
			"someone else in such an id",
			"DELETE",
			"/v1.0/groups/1/members/$ref?id=" + own + "/v1.0/users/ceo@fabrikam.com",
			"",
			403,
			"policyDenied",
		},
		{
			"someone else behind an escaped ampersand",
			"DELETE",
			"/v1.0/groups/1/members/$ref?$id=" + own + "/v1.0/users/adele@contoso.com%26$id=" + own + "/v1.0/groups/2",
			"",
			400,
			"ambiguousTarget",
		},
		{
			"someone else in $id",
			"DELETE",
			"/v1.0/groups/1/members/$ref?$id=" + own + "/v1.0/users/ceo@fabrikam.com",
			"",
			403,
			"policyDenied",
		},
		{"no JSON", "PATCH", "/v1.0/groups/1", "description=x", 400, "badJSON"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r.graph.Reset()
			a := r.do(t, tt.method, tt.target, tt.body, asJSON)
			if tt.status == 0 {
				if n := r.graph.Count(); n != 1 || a.header.Get("Proxy-Status") != "" {
					t.Errorf("%d %s; Graph received %d requests", a.status, a.body, n)
				}
				return
			}
			if inner := a.refusal(t, tt.status,
				map[int]string{400: "invalidRequest", 403: "accessDenied"}[tt.status]); inner != tt.code || r.graph.Count() != 0 {
				t.Errorf("%s; Graph received %d requests", inner, r.graph.Count())
			}
		})
	}
}

// A bounded body must be JSON in UTF-8, with that type. An allowed address does not change that.
func TestABoundedBodyIsJSONInUTF8(t *testing.T) {
	r := newRig(t, referring)
	may := `{"@odata.id":"` + r.graph.URL() + `/v1.0/users/adele@contoso.com"}`
	utf16 := "\xff\xfe"
	for _, c := range may {
		utf16 += string([]byte{byte(c), 0})
	}
	for _, tt := range []struct{ name, contentType, body string }{
		{"text", "text/plain", may},
		{"a form", "application/x-www-form-urlencoded", may},
		{"XML", "application/atom+xml", may},
		{"UTF-7", "application/json; charset=utf-7", may},
		{"UTF-7 in quotes", `application/json; charset="UTF-7"`, may},
		{"UTF-7 in the extended form of RFC 8187", "application/json; charset*=us-ascii'en'utf-7", may},
		{"UTF-16", "application/json; charset=utf-16", may},
		{"UTF-16 that is such", "application/json; charset=utf-16", utf16},
		{"UTF-16 that does not say so", "application/json", utf16},
		{"UTF-32", "application/json; charset=utf-32le", may},
		{"EBCDIC", "application/json; charset=ibm037", may},
		{"Latin-1", "application/json; charset=iso-8859-1", may},
		{"a charset that is empty", `application/json; charset=""`, may},
		{"two charsets", "application/json; charset=utf-8; charset=utf-7", may},
		{"a charset that ends early", `application/json; charset="utf-8`, may},
		{"two types", "application/json, application/xml", may},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r.graph.Reset()
			r.audit.reset()
			a := r.do(t, "POST", "/v1.0/groups/1/members/$ref", tt.body, "Content-Type: "+tt.contentType)
			if a.status != 415 && a.status != 400 || a.header.Get("Proxy-Status") == "" {
				t.Errorf("%d %s", a.status, a.body)
			}
			r.sawNothing(t)
			if rec := r.one(t); rec["decision"] != "refuse" {
				t.Errorf("record %v", rec)
			}
			if tt.body != may {
				return
			}
			r.graph.Reset()
			a = r.do(t, "POST", "/v1.0/$batch",
				`{"requests":[{"id":"1","method":"POST","url":"/groups/1/members/$ref","headers":{"Content-Type":`+
					jsonString(t, tt.contentType)+`},"body":`+tt.body+`}]}`, asJSON)
			if a.status == 200 && a.statuses(t)["1"] < 400 {
				t.Errorf("as an item: %s", a.body)
			}
			r.sawNothing(t)
		})
	}
	for _, contentType := range []string{"application/json", "application/json; charset=UTF-8",
		`application/json;charset="utf8"`, "application/json; odata.metadata=minimal; charset=utf-8"} {
		t.Run("allowed: "+contentType, func(t *testing.T) {
			r.graph.Reset()
			a := r.do(t, "POST", "/v1.0/groups/1/members/$ref", "\ufeff"+may, "Content-Type: "+contentType)
			if got := r.graph.Requests(); a.header.Get("Proxy-Status") != "" || len(got) != 1 || string(got[0].Body) != may {
				t.Errorf("%d %s; Graph received %+v", a.status, a.body, got)
			}
		})
	}
}

func jsonString(t *testing.T, s string) string {
	t.Helper()
	text, err := json.Marshal(s)
	must(t, err)
	return string(text)
}

// Each body is tried as a request of its own, compressed, and as an item of a batch.
func TestNothingIsReferredToThatWasNotJudged(t *testing.T) {
	r := newRig(t, referring)
	expand := strings.NewReplacer("GRAPH", r.graph.URL(), "OWN", r.server.URL, "OK",
		r.graph.URL()+"/v1.0/users/adele@contoso.com").Replace
	ref, group := "/groups/1/members/$ref", "/groups/1"
	for _, tt := range []struct {
		target, body string
		status       int
	}{
		{ref, `{"odata.id":"GRAPH/v1.0/groups/2"}`, 403},
		{ref, `{"odata.id":"OK"}`, 400},
		{ref, `{"url":"GRAPH/v1.0/groups/2"}`, 403},
		{ref, `{"uri":"groups/2"}`, 403},
		{ref, `{"__metadata":{"uri":"GRAPH/v1.0/groups/2"}}`, 403},
		{ref, `{"@odata.id ":"GRAPH/v1.0/groups/2"}`, 403},
		{ref, `{"@odata.id ":"OK"}`, 400},
		{ref, `{"@odata.id":{"@odata.id":"OK"}}`, 400},
		{ref, `{"@odata.id":["OK"]}`, 400},
		{ref, `{"@odata.id":"OK","@odata.id":"OK"}`, 400},
		{ref, `{"@odata.id":"OK","x":{"members":["GRAPH/v1.0/groups/2"]}}`, 403},
		{ref, `{"@odata.id":"OK","x":1}`, 400},
		{ref, `{"@odata.id":""}`, 403},
		{ref, `{}`, 400},
		{ref, `[]`, 400},
		{ref, `[{"@odata.id":"OK"}]`, 400},
		{ref, `["OK"]`, 400},
		{ref, `"OK"`, 400},
		{ref, `1`, 400},
		{ref, `null`, 400},
		{ref, `{"@odata.id":"https://a@graph.microsoft.com/v1.0/users/adele@contoso.com"}`, 403},
		{ref, `{"@odata.id":"https://graph.microsoft.us/v1.0/users/adele@contoso.com"}`, 403},
		{ref, `{"@odata.id":"users/ceo@fabrikam.com"}`, 403},
		{ref, `{"@odata.id":"/directoryObjects/2"}`, 403},
		{ref, `{"@odata.id":"../users/adele@contoso.com"}`, 403},
		{ref, `{"@odata.id":"https:\u002f\u002fgraph.microsoft.com/v1.0/groups/2"}`, 403},
		{ref, `{"@odata.id":"https:\u002f\u002fgraph.microsoft.com/v1.0/users/adele@contoso.com"}`, 0},
		{group, `{"members":["GRAPH/v1.0/groups/2"]}`, 403},
		{group, `{"members":["OWN/v1.0/groups/2"]}`, 403},
		{group, `{"members":["/groups/2"]}`, 403},
		{group, `{"directoryObject@odata.bind":"directoryObjects/2"}`, 403},
		{group, `{"members@odata.bind":["GRAPH/v1.0/users/1","groups/2"]}`, 403},
		{group, `{"a":{"b":[{"Members@OData.Bind":"GRAPH/beta/groups/2"}]}}`, 403},
		{group, `{"x":"HTTPS://Graph.Microsoft.Com:443/v1.0/groups/2"}`, 403},
		{group, `[{"members@odata.bind":["GRAPH/v1.0/users/1"]}]`, 400},
		{group, `"{\"members@odata.bind\":[\"GRAPH/v1.0/groups/2\"]}"`, 400},
		{group, `[]`, 400},
		{group, `{"members@odata.bind":[` + strings.Repeat(`"users/1",`, 100) + `"users/1"]}`, 400},
		{ref, `{"@odata.id":"OK"}`, 0},
		{ref, `{"@odata.id":"OWN/beta/users('adele@contoso.com')"}`, 0},
		{ref, `{"\u0040odata.id":"users/adele@contoso.com"}`, 0},
		{group, `{}`, 0},
		{group,
			`{"members@odata.bind":["GRAPH/v1.0/users/1","users/2","/beta/users/3"],"description":"see GRAPH/v1.0/groups"}`, 0},
		{group, `{"description":"Sales/Marketing","displayName":"users","theme":"https://fabrikam.example/v1.0/groups/2"}`,
			0},
	} {
		body := expand(tt.body)
		method := map[string]string{ref: "POST", group: "PATCH"}[tt.target]
		t.Run(method+" "+tt.target+" "+tt.body, func(t *testing.T) {
			for name, got := range map[string]func() answer{
				"single": func() answer { return r.do(t, method, "/v1.0"+tt.target, body, asJSON) },
				"zipped": func() answer {
					return r.do(t, method, "/v1.0"+tt.target, zipped(t, body), asJSON, "Content-Encoding: gzip")
				},
			} {
				r.graph.Reset()
				a := got()
				if tt.status == 0 {
					if a.header.Get("Proxy-Status") != "" || r.graph.Count() != 1 {
						t.Errorf("%s: %d %s", name, a.status, a.body)
					}
					continue
				}
				if a.refusal(t, tt.status,
					map[int]string{400: "invalidRequest", 403: "accessDenied"}[tt.status]); r.graph.Count() != 0 {
					t.Errorf("%s: Graph received it", name)
				}
			}
			r.graph.Reset()
			item := `{"requests":[{"id":"1","method":"` + method + `","url":"` + tt.target +
				`","headers":{"Content-Type":"application/json"},"body":` + body + `}]}`
			a := r.do(t, "POST", "/v1.0/$batch", item, asJSON)
			if got := a.statuses(t)["1"]; tt.status != 0 && got != tt.status || (len(r.ran()) == 1) != (tt.status == 0) {
				t.Errorf("as an item: %s; ran %q", a.body, r.ran())
			}
		})
	}
}

func TestAReferenceThatIsNotThereIsRefused(t *testing.T) {
	r := newRig(t, strings.Replace(referring, "POST,DELETE /groups/{group}/members/$ref",
		"POST,PUT,PATCH,DELETE /groups/{group}/members/$ref", 1))
	for _, method := range []string{"POST", "PUT", "PATCH"} {
		for name, raw := range map[string]string{
			"no body":             "\r\n",
			"a body of no bytes":  "Content-Type: application/json\r\nContent-Length: 0\r\n\r\n",
			"chunks of no bytes":  "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
			"a mark and no bytes": "Content-Type: application/json\r\nContent-Length: 3\r\n\r\n\ufeff",
		} {
			t.Run(method+" "+name, func(t *testing.T) {
				r.audit.reset()
				a := r.raw(t, method+" /v1.0/groups/1/members/$ref HTTP/1.1\r\nHost: graphproxy\r\n"+raw)
				if a.refusal(t, 400, "invalidRequest"); r.one(t)["decision"] != "refuse" {
					t.Errorf("records %q", r.audit.all())
				}
				r.sawNothing(t)
			})
		}
		t.Run(method+" as an item", func(t *testing.T) {
			for _, body := range []string{"", `,"body":null`, `,"Body":null,"headers":{"Content-Type":"application/json"}`} {
				a := r.do(t, "POST", "/v1.0/$batch",
					`{"requests":[{"id":"1","method":"`+method+`","url":"/groups/1/members/$ref"`+body+`}]}`, asJSON)
				if got := a.responses(t)["1"]; got.Status != 400 || got.inner(t) != "badReference" {
					t.Errorf("%s: %s", body, a.body)
				}
				r.sawNothing(t)
			}
		})
	}
	t.Run("DELETE needs none", func(t *testing.T) {
		if a := r.do(t, "DELETE", "/v1.0/groups/1/members/$ref?$id=users/adele@contoso.com",
			""); a.header.Get("Proxy-Status") != "" {
			t.Errorf("%d %s", a.status, a.body)
		}
	})
}

func TestWhatAnItemRefersToIsJudged(t *testing.T) {
	r := newRig(t, referring)
	a := r.do(t, "POST", "/v1.0/$batch", strings.ReplaceAll(`{"requests":[
		{"id":"1","method":"POST","url":"/groups/1/members/$ref","headers":{"Content-Type":"application/json"},"body":{"@odata.id":"HOST/v1.0/users/ceo@fabrikam.com"}},
		{"id":"2","method":"DELETE","url":"/groups/1/members/$ref?$id=HOST/v1.0/groups/2"},
		{"id":"3","method":"POST","url":"/groups/1/members/$ref","headers":{"Content-Type":"text/plain"},"body":"{\"@odata.id\":\"HOST/v1.0/users/ceo@fabrikam.com\"}"},
		{"id":"4","method":"POST","url":"/groups/1/members/$ref","headers":{"Content-Type":"application/json"},"body":{"@odata.id":"HOST/v1.0/users/adele@contoso.com"}}]}`, "HOST", r.server.URL), asJSON)
	got := a.statuses(t)
	delete(got, "4") // Graph answers it
	if diff := cmp.Diff(map[string]int{"1": 403, "2": 403, "3": 400}, got); diff != "" {
		t.Error(diff, a.body)
	}
	if diff := cmp.Diff([]string{"4 POST /v1.0/groups/1/members/$ref"}, r.ran()); diff != "" {
		t.Error(diff)
	}
}
