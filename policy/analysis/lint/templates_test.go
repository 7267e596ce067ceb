package lint_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"graphproxy/policy/analysis/lint"
	"graphproxy/policy/operations"
)

// A few operations in the form of Graph's reference.
const someOfV1 = `
# users
GET /users
POST /users
GET /users/$count
GET /users/delta()
GET /users/{user-id}
PATCH /users/{user-id}
GET /users/{user-id}/drive
GET /users/{user-id}/manager
PUT /users/{user-id}/manager/$ref
DELETE /users/{user-id}/manager/$ref
GET /users/{user-id}/mailFolders
GET /users/{user-id}/mailFolders/{mailFolder-id}
GET /users/{user-id}/mailFolders/{mailFolder-id}/messages
GET /users/{user-id}/messages
POST /users/{user-id}/messages
GET /users/{user-id}/messages/{message-id}
POST /users/{user-id}/sendMail
GET /users/{user-id}/memberOf
GET /users/{user-id}/memberOf/{directoryObject-id}
GET /users/{user-id}/memberOf/graph.group
GET /drives/{drive-id}
GET /drives/{drive-id}/root
GET /drives/{drive-id}/items/{driveItem-id}
DELETE /drives/{drive-id}/items/{driveItem-id}
GET /drives/{drive-id}/items/{driveItem-id}/children
PUT /drives/{drive-id}/items/{driveItem-id}/content
GET /sites/{site-id}
GET /sites/{site-id}/lists
GET /sites/{site-id}/lists/{list-id}
GET /reports/getEmailActivityUserDetail(period='{period}')
GET /reports/security
`

const someOfBeta = `
GET /beta/users/{user-id}
GET /beta/users/{user-id}/profile/names
`

func some(t testing.TB) *operations.Set {
	t.Helper()
	o := new(operations.Set)
	for version, list := range map[string]string{"v1.0": someOfV1, "beta": someOfBeta} {
		if err := o.Read(strings.NewReader(list), version); err != nil {
			t.Fatal(err)
		}
	}
	return o
}

func TestTemplatesThatNameNothingAreReported(t *testing.T) {
	for rule, want := range map[string]string{
		"GET /usres/{id}":         `/ has no "usres"; did you mean "users"?`,
		"GET /users/{id}/mesages": `/users/{user-id} has no "mesages"; did you mean "messages"?`,
		"GET /users/{id}/mail/x": `/users/{user-id} has no "mail"; known here: drive, ` +
			`mailFolders, manager, memberOf, messages, sendMail`,
		"GET /users/{id}/{folder}/messages": "/users/{user-id} has no keys",
		"GET /users/{id}/sendMail":          "no operation there has the method GET; there is POST",
		"PUT,POST /users/{id}/messages":     "no operation there has the method PUT; there is GET,POST",
		"PUT /users/{id}/manager": "no operation there has the method PUT; write PUT " +
			"/users/{id}/manager/$ref",
		"GET /drives/{id}/items/{item}/content": "",
		"PUT /users/{id}/messages/**":           "no operation there or below has the method PUT",
		"GET /users/{id}/profile/names":         "it is in beta; write GET /beta/users/{id}/profile/names",
		"GET /beta/users/{id}/manager":          "it is in v1.0; write GET /users/{id}/manager",
		"GET /drives/{id}/items": "no operation ends there. Write the path of the operation " +
			"that is meant, below it",
		"GET /reports/getEmailActivityUserDetail": "it takes arguments; write " +
			"/reports/getEmailActivityUserDetail(period)",
		"GET /reports/getEmailActivityUserDetail(days={n})": "/reports/getEmailActivityUserDetail takes other arguments; " +
			"write /reports/getEmailActivityUserDetail(period)",
		"GET /users/{id}/memberOf/{group}/graph.groop": "",
		"GET /users/{id}/memberOf/group":               "",
		"GET /reports(x={y})":                          "/reports takes no arguments",
		"GET /drives/{id}/root:/{path}:/childrn": `/drives/{drive-id}/root has no "childrn"; did you mean ` +
			`"children"?`,
		"GET /users/{id}/drive/items/{item}/chldren/**": `/drives/{drive-id}/items/{driveItem-id} has no "chldren"; ` +
			`did you mean "children"?`,
		"PATCH /drives/{drive}/items/{item}:/{path}": "no operation there has the method PATCH; there is GET,DELETE",
		"GET /users/{id}/mailFolders/inbox/message": `/users/{user-id}/mailFolders/{mailFolder-id} has no ` +
			`"message"; did you mean "messages"?`,
		"GET /users/{id}/memberOf/microsoft.graph.group/foo": "",

		"GET /users/{user}": "",
		"GET /users/adele@contoso.com/mailFolders/inbox/messages": "",
		"GET /Users('{id}')/microsoft.graph.user/messages":        "",
		"GET /users(userPrincipalName='{upn}')/messages":          "",
		"GET /users/delta":                                           "",
		"GET /users/microsoft.graph.delta()":                         "",
		"ANY /users/{id}/sendMail":                                   "",
		"POST /users/**":                                             "",
		"DELETE /users/{id}/manager/$ref":                            "",
		"GET /users/{id}/messages/$count":                            "",
		"GET /users/{id}/manager/photo":                              "",
		"GET /users/{id}/drive/root/children":                        "",
		"GET /users/{id}/drive/root:/{path}:/children":               "",
		"DELETE /drives/{drive}/root:/{path}":                        "",
		"PUT /drives/{drive}/items/{item}:/{path}:/content":          "",
		"GET /sites/{host}:/{path}:/lists":                           "",
		"GET /sites/{host}:/{path}:/drive/root":                      `/sites/{site-id} has no "drive"; known here: lists`,
		"GET /reports/getEmailActivityUserDetail(period={p})":        "",
		"GET /reports/microsoft.graph.getEmailActivityUserDetail/**": "",
		"GET /$metadata":                                             "",
	} {
		t.Run(rule, func(t *testing.T) {
			version := "v1.0"
			if strings.Contains(rule, " /beta/") {
				version = "beta"
			}
			p := app(t, "allow:\n  - \""+rule+"\"")
			text := p.Callers()[0].Name
			allow, _ := p.Rules(text)
			var all []string
			if want != "" {
				all = []string{"6: " + allow[0].Text + " names nothing in the " + version + " of Graph: " + want}
			}
			if diff := cmp.Diff(all, texts(lint.Check(p, lint.Options{Operations: some(t)}))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got := lint.Check(p, lint.Options{}); got != nil {
				t.Errorf("without a list: %v", got)
			}
		})
	}
}

// Deny rules and covers may name operations more widely than allow rules.
func TestDenyRulesAndCoversAreLookedUpToo(t *testing.T) {
	p := load(t, `version: 1
limits:
  mail:
    rate: 5/s
    covers:
      - PUT,GET /users/{id}/messages
      - GET /users/{id}/events
callers:
  app:
    identity: [anyone]
    allow: [GET /users/**]
    deny:
      - GET /reports/getEmailActivityUserDetail
      - GET /me/**
      - POST /$batch
      - DELETE,PATCH /users/{id}
      - DELETE /users
`)
	want := []string{
		`7: GET /users/{id}/events names nothing in the v1.0 of Graph: /users/{user-id} has no "events"; known here: ` +
			`drive, mailFolders, manager, memberOf, messages, sendMail`,
		"14: GET /me/** has no effect: /me is the user who has signed in, and a token of an app has none. Name users by " +
			"/users/{id}",
		`17: DELETE /users names nothing in the v1.0 of Graph: no operation there has the method DELETE; there is GET,POST`,
	}
	if diff := cmp.Diff(want, texts(lint.Check(p, lint.Options{Operations: some(t)}))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestARuleForTheSignedInUserIsReported(t *testing.T) {
	p := app(t, "allow:\n  - GET /me/messages\n  - GET /users/me\n")
	want := []string{"6: GET /me/messages can never succeed: /me is the user who has signed in, and a token of an app " +
		"has none. Write /users/{id} with where: for the users that are meant"}
	if diff := cmp.Diff(want, texts(lint.Check(p, lint.Options{}))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAVersionWithoutAListIsNotLookedUp(t *testing.T) {
	var o operations.Set
	if err := o.Read(strings.NewReader("GET /users\n"), "v1.0"); err != nil {
		t.Fatal(err)
	}
	p := app(t, "allow:\n  - GET /beta/nothing\n")
	if got := lint.Check(p, lint.Options{Operations: &o}); got != nil {
		t.Error(got)
	}
}

func TestListsOfOperationsAreReadStrictly(t *testing.T) {
	for text, want := range map[string]string{
		"GET /users\nusers": `line 2: "users" is no operation; a line is METHOD /path`,
		"FETCH /users":      `line 1: "FETCH /users" is no operation; a line is METHOD /path`,
		"\n\nGET /users/{a}b": `line 3: the segment "{a}b" has braces that are not one variable; write {name}, of ` +
			`letters, digits, "-" and "_", for a whole segment, key or argument`,
	} {
		var o operations.Set
		if err := o.Read(strings.NewReader(text), "v1.0"); err == nil || err.Error() != want {
			t.Errorf("%q: %v", text, err)
		}
	}
}
