package policy_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"graphproxy/policy"
)

const boundedRules = `
allow:
  - GET /users:
      query: {$select: [id, displayName], $top: 50, $skip: 100, $search: none, $filter: ["department eq '*'", accountEnabled eq true]}
  - GET /groups/{id}:
      query: {$expand: [members, "owners($select=id)"]}
  - GET,PATCH /groups/{id}/settings
  - GET /devices/{id}:
      where: {id: [secret-laptop]}
  - GET /beta/reports
  - GET /reports/getX:
      query: {period: [D7, D30]}
  - POST /groups/{id}/members/$ref:
      references: /users/{id}
deny:
  - ANY /users/{id}/**:
      where: {id: [ceo@contoso.com]}`

func TestARefusalNamesWhatWouldBeAllowed(t *testing.T) {
	p := app(t, boundedRules)
	for _, test := range []struct{ name, request, want string }{
		{"the bound of $top", "GET /users?$select=id&$top=51", "$top may be a number from 1 to 50"},
		{"the bound of $top for a number that is none", "GET /users?$select=id&$top=0", "$top may be a number from 1 to 50"},
		{"the bound of another number", "GET /users?$select=id&$skip=101", "$skip may be a number from 0 to 100"},
		{"the list for $select that is missing", "GET /users", "$select must be there, and may hold only id, displayName"},
		{"the list for $select that holds more", "GET /users?$select=id,mobilePhone",
			"$select must be there, and may hold only id, displayName"},
		{"the list for $select without its $", "GET /users?select=mail",
			"$select must be there, and may hold only id, displayName"},
		{"an option that is not allowed", `GET /users?$select=id&$search=%22displayName:x%22`,
			"$search is not allowed here; leave it out"},
		{"the values of an option with stars", "GET /users?$select=id&$filter=surname%20eq%20'x'",
			`$filter may be only "department eq '*'", accountEnabled eq true ("*" stands for any characters)`},
		{"the values of an option of a function", "GET /reports/getX?period=D180", "period may be only D7, D30"},
		{"$expand that the rule does not name", "GET /users?$select=id&$expand=manager",
			"$expand must be named in the rule, query: {$expand: [...]}, because it reaches other resources; leave it out"},
		{"$expand that holds something else", "GET /groups/7?$expand=memberOf",
			"$expand may hold only members, owners($select=id)"},
		{"a value that the policy keeps to itself", "GET /devices/laptop",
			"the rule for this path bounds {id}, and the request's value is not one that it allows"},
		{"another method", "DELETE /groups/7/settings", "no rule allows this method, only GET and PATCH"},
		{"another version", "GET /reports", "no rule allows it in v1.0, only in beta"},
		{"no rule", "GET /planner/plans/1", "no rule allows it"},
		{"a deny rule", "GET /users/ceo@contoso.com", "a deny rule forbids it"},
		{"/me", "GET /me",
			"/me is the user who has signed in, and app-only access has none; write /users/{id} with the user's id or name"},
		{"/me in other letters, and what is below it", "POST /beta/Me/sendMail",
			"/me is the user who has signed in, and app-only access has none; write /users/{id} with the user's id or name"},
		{"a user who is called me", "GET /users/me/messages", "no rule allows it"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := request(t, "app", test.request)
			d := p.Decide(r)
			if d.Allow {
				t.Fatal("it is allowed")
			}
			got := p.Denial(r, d)
			_, reason, _ := strings.Cut(got, `for caller "app": `)
			if diff := cmp.Diff(test.want, reason); diff != "" {
				t.Error(diff)
			}
			if e := p.Explain(r); e.Answer != got {
				t.Errorf("explain says %q, the caller reads %q", e.Answer, got)
			}
			if strings.Contains(got, "secret-laptop") || strings.Contains(got, "mobilePhone") {
				t.Errorf("it holds a value of where, or of the request's query: %s", got)
			}
		})
	}
}

func TestARefusalOfAReferenceNamesIt(t *testing.T) {
	p := app(t, boundedRules)
	r := request(t, "app", "POST /groups/7/members/$ref")
	r.References = []string{"/users/1", "/groups/9"}
	if got := p.Denial(r, p.Decide(r)); !strings.HasSuffix(got, `it may not refer to "/groups/9"`) {
		t.Error(got)
	}
}

func TestEveryRefusalNamesTheContact(t *testing.T) {
	p := load(t, "version: 1\ncontact: the Graph team, graph@contoso.com\ncallers:\n  app:\n    identity: [anyone]\n"+
		indent(boundedRules, "    "))
	if p.Contact() != "the Graph team, graph@contoso.com" {
		t.Errorf("contact %q", p.Contact())
	}
	for _, text := range []string{"GET /users", "GET /me", "GET /users/ceo@contoso.com", "DELETE /groups/1/settings",
		"GET /nothing"} {
		r := request(t, "app", text)
		if got := p.Denial(r, p.Decide(r)); !strings.HasSuffix(got, "; ask the Graph team, graph@contoso.com") {
			t.Error(got)
		}
	}
	r := request(t, "app", "GET /groups/1/settings")
	if e := p.Explain(r); e.Answer != "" {
		t.Errorf("an allowed request is answered %q", e.Answer)
	}
}

func TestAContactIsOneShortLine(t *testing.T) {
	for _, test := range []struct{ name, contact, want string }{
		{"two lines", `"a\nb"`,
			`policy.yaml:2: contact: the contact "a\nb" is not one line of visible characters and spaces`},
		{"a character that changes the direction", `"a\u202Eb"`,
			`policy.yaml:2: contact: the contact "a\u202eb" is not one line of visible characters and spaces`},
		{"too long", strings.Repeat("x", 201), "policy.yaml:2: contact: the contact has 201 bytes; at most 200 are read"},
		{"spaces only", `"  "`, "policy.yaml:2: contact: the contact is empty; write whom to ask, or leave the key out"},
		{"a list", "[a]",
			"policy.yaml:2: contact: this is a list; expected whom a refused caller is to ask, such as graph-team@contoso.com"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := policy.Parse("policy.yaml",
				[]byte("version: 1\ncontact: "+test.contact+"\ncallers:\n  app: {identity: [anyone], allow: []}\n"))
			if err == nil || err.Error() != test.want {
				t.Errorf("got %v", err)
			}
		})
	}
}

// The body of a refusal has less than 1,500 bytes, for every request and file.
func TestARefusalIsShort(t *testing.T) {
	many := strings.Repeat(`"<&>äöü'`+strings.Repeat("n", 30)+`", `, 40)
	p := load(t, "version: 1\ncontact: "+strings.Repeat("ä", 100)+
		"\ncallers:\n  app:\n    identity: [anyone]\n    allow:\n      - GET /users/{id}/{x}/{y}/{z}:\n          query:\n "+
		"           $filter: ["+strings.TrimSuffix(many, ", ")+"]\n"+
		"      - POST /groups/{id}/members/$ref: {references: \"/users/{id}\"}\n")
	long := strings.Repeat("%C3%A4x", 100)
	for _, r := range []policy.Request{
		request(t, "app", "GET /users/"+long+"/"+long+"/"+long+"/"+long+"?$filter=x"),
		request(t, "app", "GET /"+long),
		{Caller: "app", Method: "POST", Target: request(t, "app", "POST /groups/1/members/$ref").Target,
			References: []string{strings.Repeat("\u202e<&>", 1000)}},
	} {
		d := p.Decide(r)
		if text := p.Denial(r, d); d.Allow || len(text) > 1000 {
			t.Errorf("%d bytes: %s", len(text), text)
		}
	}
}

func TestARefusalShowsNoCharacterThatAReaderDoesNotSee(t *testing.T) {
	p := app(t, "allow: [GET /users]")
	r := request(t, "app", "GET /groups/a")
	r.Target.Segments[1].Text = "a\u200Db"
	if got := p.Denial(r, p.Decide(r)); !strings.Contains(got, `a\u200db`) {
		t.Errorf("%+q", got)
	}
}
