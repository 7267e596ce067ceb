package proxy_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"graphproxy/proxy"
	"graphproxy/proxy/graphtest"
)

// batchPolicy lets its caller do a little, limits one thing, and denies another.
const batchPolicy = `
version: 1
callers:
  app:
    identity: [{network: [127.0.0.0/8, "::1/128"]}]
    allow:
      - GET /users
      - GET /users/{id}
      - PATCH /users/{id}
      - POST /users/{id}/sendMail
      - GET /users/{id}/photo/$value
      - GET /groups: {limit: {rate: 1/h}}
      - ANY /test/**
    deny:
      - GET /users/{id}: {where: {id: [ceo@contoso.com]}}
`

const asJSON = "Content-Type: application/json"

// responses are the answers to a batch by the ids of its items.
type itemAnswer struct {
	ID      anyID
	Status  int
	Headers map[string]string
	Body    json.RawMessage
}

// anyID is the id of an item as text: a string, or the digits of an integer.
type anyID string

func (id *anyID) UnmarshalJSON(raw []byte) error {
	if raw[0] != '"' {
		*id = anyID(raw)
		return nil
	}
	return json.Unmarshal(raw, (*string)(id))
}

// responses reads the answer to a batch, which must be 200.
func (a answer) responses(t *testing.T) map[string]itemAnswer {
	t.Helper()
	if a.status != http.StatusOK || !strings.HasPrefix(a.header.Get("Content-Type"), "application/json") {
		t.Fatalf("status %d %v: %s", a.status, a.header, a.body)
	}
	var envelope struct{ Responses []itemAnswer }
	must(t, json.Unmarshal([]byte(a.body), &envelope))
	byID := make(map[string]itemAnswer)
	for _, r := range envelope.Responses {
		byID[string(r.ID)] = r
	}
	if len(byID) != len(envelope.Responses) {
		t.Fatalf("an id is answered twice: %s", a.body)
	}
	return byID
}

func (a answer) statuses(t *testing.T) map[string]int {
	t.Helper()
	statuses := make(map[string]int)
	for id, r := range a.responses(t) {
		statuses[id] = r.Status
	}
	return statuses
}

// inner is the innerError.code of an item that graphproxy refused.
func (i itemAnswer) inner(t *testing.T) string {
	t.Helper()
	var e graphError
	must(t, json.Unmarshal(i.Body, &e))
	if !strings.HasPrefix(i.Headers["Proxy-Status"], "graphproxy; error=") ||
		i.Headers["Content-Type"] != "application/json" || e.Error.Message == "" {
		t.Errorf("not a refusal of graphproxy's: %+v %s", i.Headers, i.Body)
	}
	return e.Error.InnerError["code"]
}

// ran are the items that Graph carried out, as "METHOD target".
func (r *rig) ran() []string {
	var all []string
	for _, q := range r.graph.Requests() {
		if q.Item != "" {
			all = append(all, q.Item+" "+q.Method+" "+q.Target)
		}
	}
	return all
}

func TestEachItemOfABatchIsARequestOfItsOwn(t *testing.T) {
	r := newRig(t, batchPolicy)
	a := r.do(t, "POST", "/v1.0/$batch", `{"requests":[
		{"id":"1","method":"GET","url":"/users/adele@contoso.com?$select=id"},
		{"id":"two","method":"GET","url":"users?$top=1&$filter=accountEnabled eq true"},
		{"id":"3","method":"GET","url":"/v1.0/users/alex@contoso.com"},
		{"id":"4","method":"GET","url":"`+r.server.URL+`/v1.0/groups"},
		{"id":"5","method":"GET","url":"/groups"},
		{"id":"6","method":"DELETE","url":"/users/adele@contoso.com"},
		{"id":"7","method":"GET","url":"/users/ceo@contoso.com"},
		{"id":"8","method":"GET","url":"/users?$expand=manager"},
		{"id":"9","method":"GET","url":"//evil.fabrikam.com/users"},
		{"id":"10","method":"GET","url":"/users/../groups"},
		{"id":"11","method":"get","url":"/users"},
		{"id":"12","method":"GET","url":"/`+tenant+`/users/adele@contoso.com"},
		{"id":"13","method":"GET","url":"/8f0c5a11-0000-4000-8000-000000000000/users/adele@contoso.com"},
		{"id":"14","method":"GET","url":"/users/adele@contoso.com","dependsOn":["1"]},
		{"id":"15","method":"GET","url":"/users/adele@contoso.com","dependsOn":["6"]}]}`, asJSON)
	want := map[string]int{
		"1":   200,
		"two": 200,
		"3":   200,
		"4":   200,
		"5":   429,
		"6":   403,
		"7":   403,
		"8":   403,
		"9":   400,
		"10":  400,
		"11":  405,
		"12":  200,
		"13":  400,
		"14":  200,
		"15":  424,
	}
	if diff := cmp.Diff(want, a.statuses(t)); diff != "" {
		t.Fatal(diff, a.body)
	}
	got := a.responses(t)
	for id, code := range map[string]string{
		"5":  "limitExceeded",
		"6":  "policyDenied",
		"7":  "policyDenied",
		"8":  "policyDenied",
		"9":  "foreignURL",
		"10": "ambiguousTarget",
		"11": "methodNotAllowed",
		"13": "foreignTenant",
		"15": "dependencyRefused",
	} {
		if inner := got[id].inner(t); inner != code {
			t.Errorf("item %s is refused with %s, want %s", id, inner, code)
		}
	}
	if after := got["5"].Headers["Retry-After"]; after == "" {
		t.Error("429 without Retry-After")
	}
	ran := r.ran()
	slices.Sort(ran)
	wantRan := []string{
		"1 GET /v1.0/users/adele@contoso.com?$select=id", "12 GET /v1.0/users/adele@contoso.com",
		"14 GET /v1.0/users/adele@contoso.com", "3 GET /v1.0/users/alex@contoso.com", "4 GET /v1.0/groups",
		"two GET /v1.0/users?$top=1&$filter=accountEnabled%20eq%20true",
	}
	if diff := cmp.Diff(wantRan, ran); diff != "" {
		t.Error(diff)
	}
	r.checkItemRecords(t, a, want)
}

// checkItemRecords compares the audit lines of a batch with its answer: one for the batch and one for each item.
func (r *rig) checkItemRecords(t *testing.T, a answer, statuses map[string]int) {
	t.Helper()
	items := make(map[string]map[string]any)
	envelopes := 0
	for _, line := range r.audit.wait(t, 1+len(statuses)) {
		var rec map[string]any
		must(t, json.Unmarshal([]byte(line), &rec))
		if rec["item"] == nil {
			envelopes++
			if rec["target"] != "/v1.0/$batch" || rec["decision"] != "allow" || rec["request_id"] != a.header.Get("request-id") {
				t.Errorf("the batch's line: %s", line)
			}
			continue
		}
		items[rec["item"].(string)] = rec
		if rec["batch"] != a.header.Get("request-id") || rec["request_id"] != rec["batch"] || rec["caller"] != "app" ||
			rec["client_request_id"] != a.header.Get("client-request-id") {
			t.Errorf("an item's line: %s", line)
		}
	}
	if envelopes != 1 || len(items) != len(statuses) {
		t.Errorf("%d lines for the batch and %d for items", envelopes, len(items))
	}
	decisions := map[int]string{
		200: "allow",
		204: "allow",
		400: "refuse",
		403: "deny",
		404: "allow",
		405: "refuse",
		424: "refuse",
		429: "limit",
	}
	for id, status := range statuses {
		if rec := items[id]; rec["status"] != float64(status) || rec["decision"] != decisions[status] {
			t.Errorf("item %s: %v", id, rec)
		}
	}
}

func TestABatchOfBeta(t *testing.T) {
	r := newRig(t, strings.ReplaceAll(batchPolicy, "- GET /users\n", "- GET /beta/users\n"))
	a := r.do(t, "POST", "/beta/$batch",
		`{"requests":[{"id":"1","method":"GET","url":"/users"},{"id":"2","method":"GET","url":"/users/1"},{"id":"3",`+
			`"method":"GET","url":"/v1.0/users/1"}]}`, asJSON)
	if diff := cmp.Diff(map[string]int{"1": 200, "2": 403, "3": 400}, a.statuses(t)); diff != "" {
		t.Error(diff, a.body)
	}
	if diff := cmp.Diff([]string{"1 GET /beta/users"}, r.ran()); diff != "" {
		t.Error(diff)
	}
}

func TestABatchWithNothingLeftToSendNeverReachesGraph(t *testing.T) {
	r := newRig(t, batchPolicy)
	r.entra.Revoke()
	a := r.do(t, "POST", "/v1.0/$batch",
		`{"requests":[{"id":"a","method":"DELETE","url":"/users/1"},{"id":"b","method":"GET","url":"/users",`+
			`"dependsOn":["A"]}]}`, asJSON, "client-request-id: mine")
	statuses := map[string]int{"a": 403, "b": 424}
	if diff := cmp.Diff(statuses, a.statuses(t)); diff != "" {
		t.Error(diff)
	}
	if a.header.Get("client-request-id") != "mine" || a.header.Get("request-id") == "" {
		t.Errorf("%v", a.header)
	}
	r.sawNothing(t)
	r.checkItemRecords(t, a, statuses)
}

func TestABatchThatCannotBeReadIsRefusedAsAWhole(t *testing.T) {
	r := newRig(t, batchPolicy)
	good := `{"requests":[{"id":"1","method":"GET","url":"/users"}]}`
	var many []string
	for i := range 21 {
		many = append(many, fmt.Sprintf(`{"id":"%d","method":"GET","url":"/users"}`, i))
	}
	for _, tt := range []struct {
		name, method, target, body string
		header                     []string
		status                     int
		code                       string
	}{
		{"no body", "POST", "/v1.0/$batch", "", nil, 400, "badBatch"},
		{"no JSON", "POST", "/v1.0/$batch", "{", nil, 400, "badJSON"},
		{"two byte order marks", "POST", "/v1.0/$batch", "\ufeff\ufeff" + good, nil, 400, "badBatch"},
		{"UTF-16", "POST", "/v1.0/$batch", "{\x00\"\x00", nil, 400, "badJSON"},
		{
			"UTF-16 by its type",
			"POST",
			"/v1.0/$batch",
			good,
			[]string{"Content-Type: application/json; charset=utf-16"},
			415,
			"unsupportedMediaType",
		},
		{
			"multipart",
			"POST",
			"/v1.0/$batch",
			good,
			[]string{"Content-Type: multipart/mixed; boundary=x"},
			415,
			"unsupportedMediaType",
		},
		{
			"a type that is none",
			"POST",
			"/v1.0/$batch",
			good,
			[]string{"Content-Type: application/json; charset"},
			415,
			"unsupportedMediaType",
		},
		{
			"a form, as curl sends by itself",
			"POST",
			"/v1.0/$batch",
			good,
			[]string{"Content-Type: application/x-www-form-urlencoded"},
			415,
			"unsupportedMediaType",
		},
		{"more after the end", "POST", "/v1.0/$batch", good + good, nil, 400, "badJSON"},
		{
			"an unknown key",
			"POST",
			"/v1.0/$batch",
			`{"requests":[{"id":"1","method":"GET","url":"/users"}],"atomicityGroup":"g"}`,
			nil,
			400,
			"badBatch",
		},
		{
			"an integer and a string that are one id",
			"POST",
			"/v1.0/$batch",
			`{"requests":[{"id":"1","method":"GET","url":"/users"},{"id":1,"method":"GET","url":"/users"}]}`,
			nil,
			400,
			"badBatch",
		},
		{
			"an id that is a number and no integer",
			"POST",
			"/v1.0/$batch",
			`{"requests":[{"id":1.0,"method":"GET","url":"/users"}]}`,
			nil,
			400,
			"badBatch",
		},
		{
			"a key in capitals",
			"POST",
			"/v1.0/$batch",
			`{"requests":[{"id":"1","method":"GET","url":"/users","URL":"/groups"}]}`,
			nil,
			400,
			"badBatch",
		},
		{
			"a doubled key",
			"POST",
			"/v1.0/$batch",
			`{"requests":[{"id":"1","method":"GET","url":"/users","url":"/groups"}]}`,
			nil,
			400,
			"badBatch",
		},
		{
			"an escaped key",
			"POST",
			"/v1.0/$batch",
			`{"requests":[{"id":"1","method":"GET","url":"/users","\u0075rl":"/groups"}]}`,
			nil,
			400,
			"badBatch",
		},
		{
			"ids that differ in letter case",
			"POST",
			"/v1.0/$batch",
			`{"requests":[{"id":"a","method":"GET","url":"/users"},{"id":"A","method":"GET","url":"/users"}]}`,
			nil,
			400,
			"badBatch",
		},
		{
			"a body that is no base64",
			"POST",
			"/v1.0/$batch",
			`{"requests":[{"id":"1","method":"PUT","url":"/users/1/photo/$value","headers":{"Content-Type":"image/png"},` +
				`"body":"?"}]}`,
			nil,
			400,
			"badBatch",
		},
		{"21 items", "POST", "/v1.0/$batch", `{"requests":[` + strings.Join(many, ",") + `]}`, nil, 400, "badBatch"},
		{"no items", "POST", "/v1.0/$batch", `{"requests":[]}`, nil, 400, "badBatch"},
		{"a query", "POST", "/v1.0/$batch?$select=id", good, nil, 400, "badBatch"},
		{"GET", "GET", "/v1.0/$batch", "", nil, 405, "methodNotAllowed"},
		{"PATCH", "PATCH", "/v1.0/$batch", good, nil, 405, "methodNotAllowed"},
		{"brotli", "POST", "/v1.0/$batch", good, []string{"Content-Encoding: br"}, 415, "unsupportedEncoding"},
		{"gzip twice", "POST", "/v1.0/$batch", good, []string{"Content-Encoding: gzip, gzip"}, 415, "unsupportedEncoding"},
		{"gzip that is none", "POST", "/v1.0/$batch", good, []string{"Content-Encoding: gzip"}, 400, "malformedBody"},
		{
			"gzip cut off",
			"POST",
			"/v1.0/$batch",
			zipped(t, good)[:30],
			[]string{"Content-Encoding: gzip"},
			400,
			"malformedBody",
		},
		{"too long", "POST", "/v1.0/$batch", strings.Repeat(" ", 4<<20) + good, nil, 413, "bodyTooLarge"},
		{
			"too long when inflated",
			"POST",
			"/v1.0/$batch",
			zipped(t, strings.Repeat(" ", 4<<20)+good),
			[]string{"Content-Encoding: gzip"},
			413,
			"bodyTooLarge",
		},
		{"a batch below something", "POST", "/v1.0/users/$batch", good, nil, 400, "unsupportedTarget"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r.audit.reset()
			a := r.do(t, tt.method, tt.target, tt.body, tt.header...)
			code := "invalidRequest"
			if inner := a.refusal(t, tt.status, code); inner != tt.code {
				t.Errorf("inner code %q, want %q; %s", inner, tt.code, a.body)
			}
			if rec := r.one(t); rec["decision"] != "refuse" || rec["reason"] != tt.code || rec["caller"] != "app" {
				t.Errorf("%v", rec)
			}
			r.sawNothing(t)
		})
	}
}

func zipped(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write([]byte(text))
	must(t, err)
	must(t, z.Close())
	return b.String()
}

func TestABatchMayBeCompressed(t *testing.T) {
	r := newRig(t, batchPolicy)
	text := zipped(t, `{"requests":[{"id":"1","method":"GET","url":"/users/adele@contoso.com"}]}`)
	for _, encoding := range []string{"gzip", "GZIP", "x-gzip"} {
		a := r.do(t, "POST", "/v1.0/$batch", text, asJSON, "Content-Encoding: "+encoding, "Accept-Encoding: gzip")
		if got := a.statuses(t); got["1"] != 200 {
			t.Errorf("%s: %v", encoding, got)
		}
	}
	for _, q := range r.graph.Requests() {
		if q.Item == "" && (q.Header.Get("Content-Encoding") != "" || !bytes.HasPrefix(q.Body, []byte(`{"requests":[`))) {
			t.Errorf("Graph received %v %s", q.Header, q.Body)
		}
	}
}

func TestWhatGraphGetsOfABatchIsWrittenAfresh(t *testing.T) {
	r := newRig(t, batchPolicy)
	a := r.do(t, "POST", "/v1.0/$batch", ` { "requests" : [
		{"url":"`+strings.ToUpper(r.server.URL[:4])+r.server.URL[4:]+
		`/v1.0/Users/adele%40contoso.com?%24select=id","headers":{"consistencyLevel":"eventual","Authorization":"Bearer mine","X-HTTP-Method-Override":"DELETE","Cookie":"a=b","client-request-id":"a b","X-Ms-Other":"x"},"method":"GET","id":"\u0041"},
		{"id":"b","method":"PATCH","url":"users('adele@contoso.com')","headers":{"content-type":"application/json"},"body":{"jobTitle":"\u0041\/b", "x":1.0e2 }} ] } `, asJSON, "X-Evil: 1", "Prefer: respond-async")
	if got := a.statuses(t); len(got) != 2 || got["A"] != 200 {
		t.Fatal(a.body)
	}
	all := r.graph.Requests()
	want := `{"requests":[{"id":"A","method":"GET","url":"/Users/adele@contoso.com?$select=id",` +
		`"headers":{"consistencyLevel":"eventual"}},` +
		`{"id":"b","method":"PATCH","url":"/users('adele@contoso.com')","headers":{"content-type":"application/json"},` +
		`"body":{"jobTitle":"\u0041\/b", "x":1.0e2 }}]}`
	if diff := cmp.Diff(want, string(all[0].Body)); diff != "" {
		t.Error(diff)
	}
	if all[0].Header.Get("Content-Type") != "application/json" || all[0].Header.Get("X-Evil") != "" ||
		r.graph.ItemTokens() != 0 {
		t.Errorf("%v", all[0].Header)
	}
}

func TestABatchIsSentAgainWithANewToken(t *testing.T) {
	r := newRig(t, batchPolicy)
	one := `{"requests":[{"id":"1","method":"GET","url":"/users/adele@contoso.com"}]}`
	r.do(t, "POST", "/v1.0/$batch", one, asJSON).statuses(t)
	r.entra.Revoke()
	a := r.do(t, "POST", "/v1.0/$batch", one, asJSON)
	if got := a.statuses(t); got["1"] != 200 {
		t.Errorf("%v", got)
	}
}

func TestGraphsAnswerToABatchAsAWhole(t *testing.T) {
	t.Parallel()
	one := `{"requests":[{"id":"1","method":"GET","url":"/users"},{"id":"2","method":"DELETE","url":"/users/1"}]}`
	t.Run("429 passes with its headers", func(t *testing.T) {
		r := newRig(t, batchPolicy)
		r.graph.Throttle(graphtest.Throttle{Prefix: "/v1.0/$batch", Status: 429, RetryAfter: "7", Times: 1})
		a := r.do(t, "POST", "/v1.0/$batch", one, asJSON)
		if a.status != 429 || a.header.Get("Retry-After") != "7" || a.header.Get("Proxy-Status") != "" ||
			!strings.Contains(a.body, `"error"`) {
			t.Errorf("%d %v %s", a.status, a.header, a.body)
		}
		statuses := map[string]any{}
		for _, line := range r.audit.wait(t, 3) {
			var rec map[string]any
			must(t, json.Unmarshal([]byte(line), &rec))
			statuses[fmt.Sprint(rec["item"])] = rec["status"]
		}
		if diff := cmp.Diff(map[string]any{"<nil>": 429.0, "1": 429.0, "2": 403.0}, statuses); diff != "" {
			t.Error(diff)
		}
	})
	for _, tt := range []struct {
		name  string
		fault graphtest.BatchFault
	}{
		{"an id twice", graphtest.BatchFault{Repeat: []string{"1"}}},
		{"an id that was not sent", graphtest.BatchFault{Add: []string{"2"}}},
		{"an id of nobody", graphtest.BatchFault{Add: []string{"3"}}},
		{"broken JSON", graphtest.BatchFault{Broken: true}},
	} {
		t.Run(tt.name+" is 502", func(t *testing.T) {
			r := newRig(t, batchPolicy)
			r.graph.BatchFault(tt.fault)
			a := r.do(t, "POST", "/v1.0/$batch", one, asJSON)
			if inner := a.refusal(t, 502, "serviceNotAvailable"); inner != "badAnswer" {
				t.Error(a.body)
			}
			if len(r.audit.wait(t, 3)) != 3 {
				t.Error(r.audit.all())
			}
		})
	}
	t.Run("an item that is left out is 504", func(t *testing.T) {
		r := newRig(t, batchPolicy)
		r.graph.BatchFault(graphtest.BatchFault{Omit: []string{"1"}})
		if got := r.do(t, "POST", "/v1.0/$batch", one, asJSON).statuses(t); got["1"] != 504 || got["2"] != 403 {
			t.Error(got)
		}
	})
	t.Run("items that Graph throttles keep their Retry-After", func(t *testing.T) {
		r := newRig(t, batchPolicy)
		r.graph.Throttle(graphtest.Throttle{Prefix: "/v1.0/users", Status: 429, RetryAfter: "9", Times: 1})
		got := r.do(t, "POST", "/v1.0/$batch", one, asJSON).responses(t)
		if got["1"].Status != 429 || got["1"].Headers["Retry-After"] != "9" || got["1"].Headers["Proxy-Status"] != "" {
			t.Error(got)
		}
	})
	t.Run("headers that are not for callers are taken out of items", func(t *testing.T) {
		r := newRig(t, batchPolicy)
		r.graph.Handle("POST /v1.0/$batch", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(
				[]byte(`{"responses":[{"id":"1","status":403,"headers":{"WWW-Authenticate":"Bearer authorization_uri=x",` +
					`"Set-Cookie":"a=b","Location":"y"},"body":null}]}`),
			)
		})
		got := r.do(t, "POST", "/v1.0/$batch", one, asJSON).responses(t)
		if diff := cmp.Diff(map[string]string{"Location": "y"}, got["1"].Headers); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("no token is 503 as a whole", func(t *testing.T) {
		r := newRig(t, batchPolicy, func(c *proxy.Config, _ *rig) { c.Apps = oneApp(tokenless{}) })
		a := r.do(t, "POST", "/v1.0/$batch", one, asJSON)
		if inner := a.refusal(t, 503, "serviceNotAvailable"); inner != "tokenUnavailable" {
			t.Error(a.body)
		}
		r.sawNothing(t)
	})
}

func TestBatchesCanBeForbidden(t *testing.T) {
	one := `{"requests":[{"id":"1","method":"GET","url":"/users"}]}`
	forbidden := strings.Replace(batchPolicy, "    deny:\n", "    deny:\n      - POST /$batch\n", 1)
	t.Run("by a deny rule", func(t *testing.T) {
		r := newRig(t, forbidden)
		for _, target := range []string{"/v1.0/$batch", "/beta/$batch", "/v1.0/%24Batch/"} {
			r.audit.reset()
			a := r.do(t, "POST", target, one, asJSON)
			if inner := a.refusal(t, 403, "accessDenied"); inner != "policyDenied" {
				t.Error(a.body)
			}
			if rec := r.one(t); rec["decision"] != "deny" || rec["rule"] == nil {
				t.Error(rec)
			}
		}
		r.sawNothing(t)
	})
	t.Run("report mode lets it through", func(t *testing.T) {
		r := newRig(t, strings.Replace(forbidden, "version: 1", "version: 1\nmode: report", 1))
		a := r.do(t, "POST", "/v1.0/$batch", strings.Replace(one, "GET", "DELETE", 1), asJSON)
		if len(a.responses(t)) != 1 || len(r.ran()) != 1 {
			t.Error(a.body)
		}
		for _, line := range r.audit.wait(t, 2) {
			if !strings.Contains(line, `"would_deny":true`) {
				t.Error(line)
			}
		}
	})
}

// Items keep their slots until the whole batch has been answered; then the slots are free.
func TestItemsHoldTheirSlotsUntilTheBatchEnds(t *testing.T) {
	r := newRig(t, strings.Replace(batchPolicy, "    allow:\n", "    limit: {concurrency: 2}\n    allow:\n", 1))
	three := `{"requests":[{"id":"1","method":"GET","url":"/users"},{"id":"2","method":"GET","url":"/users"},{"id":"3",` +
		`"method":"GET","url":"/users"}]}`
	for range 3 {
		got := r.do(t, "POST", "/v1.0/$batch", three, asJSON).responses(t)
		if got["1"].Status != 200 || got["2"].Status != 200 || got["3"].Status != 429 ||
			got["3"].Headers["Retry-After"] != "1" {
			t.Fatal(got)
		}
	}
}
