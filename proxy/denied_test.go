package proxy_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// withContact lets a caller do little, and names a contact.
const withContact = `
version: 1
contact: the Graph team, graph@contoso.com
callers:
  app:
    identity: [anyone]
    allow:
      - GET /users:
          query: {$top: 50, $select: [id]}
      - GET /users/{id}
    deny: ["POST /$batch"]
  batcher:
    identity: [{key: {sha256: 7b51eab7778620007e560bea6a98a68b29390d46d985592fd3426f5824201db8}}]
    allow: []
`

// messageOf returns error.message of a refusal's body.
func messageOf(t *testing.T, body string) string {
	t.Helper()
	var e graphError
	must(t, json.Unmarshal([]byte(body), &e))
	return e.Error.Message
}

func TestTheRefusalOfADeniedCallerNamesWhatWouldBeAllowedAndTheContact(t *testing.T) {
	r := newRig(t, withContact)
	for _, test := range []struct{ name, method, target, want string }{
		{"a bound", "GET", "/v1.0/users?$select=id&$top=51",
			"GET /v1.0/users for caller \"app\": $top may be a number from 1 to 50"},
		{"a list", "GET", "/v1.0/users", "GET /v1.0/users for caller \"app\": $select must be there, and may hold only id"},
		{"$expand", "GET", "/v1.0/users/a?$expand=manager",
			"GET /v1.0/users/a for caller \"app\": $expand must be named in the rule, query: {$expand: [...]}, because it " +
				"reaches other resources; leave it out"},
		{"/me", "GET", "/beta/me/messages",
			"GET /beta/me/messages for caller \"app\": /me is the user who has signed in, and app-only access has none; " +
				"write /users/{id} with the user's id or name"},
		{"a method", "PATCH", "/v1.0/users/a",
			"PATCH /v1.0/users/a for caller \"app\": no rule allows this method, only GET"},
		{"a batch that is forbidden as such", "POST", "/v1.0/$batch",
			"POST /v1.0/$batch for caller \"app\": a deny rule forbids it"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r.audit.reset()
			a := r.do(t, test.method, test.target, "")
			if inner := a.refusal(t, 403, "accessDenied"); inner != "policyDenied" {
				t.Errorf("innerError.code %q", inner)
			}
			want := "the policy does not allow " + test.want + "; ask the Graph team, graph@contoso.com"
			if diff := cmp.Diff(want, messageOf(t, a.body)); diff != "" {
				t.Error(diff)
			}
			r.one(t)
			r.sawNothing(t)
		})
	}
}

func TestTheRefusalOfADeniedItemNamesWhatWouldBeAllowedAndTheContact(t *testing.T) {
	r := newRig(t, strings.Replace(withContact, `    deny: ["POST /$batch"]`+"\n", "", 1))
	a := r.do(t, "POST", "/v1.0/$batch", `{"requests":[{"id":"1","method":"GET","url":"/users?$select=id&$top=51"}]}`,
		"Content-Type: application/json")
	var answers struct {
		Responses []struct {
			Status int
			Body   graphError
		}
	}
	must(t, json.Unmarshal([]byte(a.body), &answers))
	const want = "the policy does not allow GET /v1.0/users for caller \"app\": $top may be a number from 1 to 50; ask " +
		"the Graph team, graph@contoso.com"
	if len(answers.Responses) != 1 || answers.Responses[0].Status != 403 ||
		answers.Responses[0].Body.Error.Message != want {
		t.Errorf("%s", a.body)
	}
	r.sawNothing(t)
}

// For any request, the body of the refusal stays under 1,500 bytes.
func TestTheBodyOfARefusalIsShort(t *testing.T) {
	r := newRig(t, strings.Replace(withContact, "the Graph team, graph@contoso.com", `"`+strings.Repeat("ä&", 66)+`"`, 1))
	for _, target := range []string{
		"/v1.0/" + strings.Repeat("%22%5B%26", 500), "/v1.0/users/" + strings.Repeat("%3C%C3%A4", 500) + "?$expand=x",
		"/v1.0/me/" + strings.Repeat("x", 6000),
	} {
		a := r.do(t, "GET", target, "", "client-request-id: "+strings.Repeat("a", 128))
		if a.status != 403 || len(a.body) >= 1500 {
			t.Errorf("status %d, %d bytes: %s", a.status, len(a.body), a.body)
		}
	}
	r.sawNothing(t)
}
