package proxy_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const shapesPolicy = `
version: 1
callers:
  app:
    identity: [{network: [127.0.0.0/8, "::1/128"]}]
    allow: [GET /users, GET /groups, GET /organization, "GET /users/{id}/memberOf", "POST /directoryObjects/getByIds"]
`

// Items that are sent, refused by the policy or refused for their spelling are answered with their original id.
func TestTheIDOfAnItemComesBackWithItsType(t *testing.T) {
	r := newRig(t, shapesPolicy)
	a := r.do(t, "POST", "/v1.0/$batch",
		`{"Requests":[{"Id":1,"Method":"GET","URL":"/users","Body":null,"Headers":{"Prefer":5}},{"id":"2","method":"GET","url":"/groups"},
		{"id":3,"method":"DELETE","url":"/users"},{"id":4,"method":"GET","url":"/users","dependsOn":[3]},{"id":5,"method":"GET","url":"/users","x":1},
		{"id":6,"method":"GET","url":"/groups"}]}`, "Content-Type: application/json; charset=utf8")
	if a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	for _, start := range []string{`"id":1,"status":200`, `"id":"2","status":200`, `"id":3,"status":403`,
		`"id":4,"status":424`, `"id":5,"status":400`, `"id":6,"status":200`} {
		if !strings.Contains(a.body, start) {
			t.Errorf("no %s in %s", start, a.body)
		}
	}
	ran := r.ran()
	slices.Sort(ran)
	if diff := cmp.Diff([]string{"1 GET /v1.0/users", "2 GET /v1.0/groups", "6 GET /v1.0/groups"}, ran); diff != "" {
		t.Error(diff)
	}
	var items []string
	for _, rec := range auditLines(t, r.audit.wait(t, 7)) {
		items = append(items, rec.Item+" "+rec.Decision)
	}
	slices.Sort(items)
	if diff := cmp.Diff([]string{" allow", "1 allow", "2 allow", "3 deny", "4 refuse", "5 refuse", "6 allow"},
		items); diff != "" {
		t.Error(diff)
	}
}

// The original bytes of Microsoft's tools reach Graph as the documented envelope.
func TestTheBatchesOfMicrosoftsToolsPass(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][]string{
		"powershell51.json": {"1 GET /v1.0/users?$select=id,displayName&$filter=startswith(displayName,'A')",
			"2 GET /v1.0/groups?$top=5"},
		"entraexporter.json":     {"0 GET /v1.0/organization?$select=id", "1 GET /v1.0/users/adele@contoso.com/memberOf"},
		"azureadassessment.json": nil, // the policy denies the first item, and the other depends on it
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, shapesPolicy)
			text, err := os.ReadFile("batch/testdata/" + name)
			must(t, err)
			a := r.do(t, "POST", "/v1.0/$batch", string(text), "Content-Type: application/json; charset=utf-8")
			if a.status != 200 || strings.Contains(a.body, `{"id":"`) {
				t.Errorf("%d %s", a.status, a.body)
			}
			ran := r.ran()
			slices.Sort(ran)
			if diff := cmp.Diff(want, ran); diff != "" {
				t.Error(diff, a.body)
			}
		})
	}
}
