package suggest_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"graphproxy/policy/analysis/suggest"
)

const (
	guid  = "2b3a4c5d-1111-2222-3333-444455556666"
	guid2 = "9b3a4c5d-1111-2222-3333-444455556666"
)

func TestRulesForWhatWasSeen(t *testing.T) {
	for _, test := range []struct {
		name, seen string // requests, one a line
		want       string
	}{
		{"a collection", "GET /users", "GET /users"},
		{"a key that is a GUID", "GET /users/" + guid, "GET /users/{id}"},
		{"a key that is an address", "GET /users/adele@contoso.com", "GET /users/{id}"},
		{"a key in parentheses", "GET /users('adele')", "GET /users/{id}"},
		{"a short key behind an entity set of beta", "GET /beta/devices/d1", "GET /beta/devices/{id}"},
		{"a short key behind any entity set",
			"GET /devices/d1/memberOf\nPATCH /groups/team7\nGET /sites/hr-2\nGET /users/u1/messages/m12",
			"GET /devices/{id}/memberOf\nPATCH /groups/{id}\nGET /sites/{id}\nGET /users/{id}/messages/{message}"},
		{"names with digits behind singletons and keys stay",
			"GET /security/alerts_v2\nGET /security/alerts_v2/a1\nGET /teamwork/x9/y\nGET /users/u1/oauth2PermissionGrants",
			"GET /security/alerts_v2\nGET /security/alerts_v2/{id}\nGET /teamwork/x9/y\nGET /users/{id}/oauth2PermissionGrants"},
		{"a word is a name where nothing proves that it is a key", "GET /users/adele", "GET /users/adele"},
		{"a word is a key where keys were seen", "GET /users/adele\nGET /users/" + guid, "GET /users/{id}"},
		{"a word beside keys is a key below, too", "GET /users/adele/messages\nGET /users/" + guid,
			"GET /users/{id}\nGET /users/{id}/messages"},
		{"names after a key stay names",
			"GET /users/" + guid + "/messages\nGET /users/" + guid + "/events\nGET /users/" + guid2 + "/calendar",
			"GET /users/{id}/calendar\nGET /users/{id}/events\nGET /users/{id}/messages"},
		{"functions and actions beside keys stay",
			"GET /users/" + guid + "\nGET /users/delta\nPOST /users/getByIds\nGET /users/$count",
			"GET /users/$count\nGET /users/delta\nPOST /users/getByIds\nGET /users/{id}"},
		{"two keys have two names", "GET /users/" + guid + "/messages/AAMkAGI=", "GET /users/{id}/messages/{message}"},
		{"three keys in the same collection have three names",
			"GET /users/" + guid + "/mailFolders/AA=/childFolders/BB=/childFolders/CC=",
			"GET /users/{id}/mailFolders/{mailFolder}/childFolders/{childFolder}/childFolders/{childFolder2}"},
		{"plurals of other kinds", "GET /directories/1/addresses/2/boxes/3/children/4/people/5/news/6",
			"GET /directories/{id}/addresses/{address}/boxes/{box}/children/{child}/people/{person}/news/{new}"},
		{"methods come together, HEAD is GET", "PATCH /users/a@b.c\nHEAD /users/d@b.c\nGET /users/a@b.c",
			"GET,PATCH /users/{id}"},
		{"every method is ANY", "GET /users/1\nPOST /users/1\nPUT /users/1\nPATCH /users/1\nDELETE /users/1",
			"ANY /users/{id}"},
		{"spellings of a resource come together",
			"GET /users('1')/Messages\nGET /Users/2/messages\nGET /users/3/messages?$top=5", "GET /users/{id}/messages"},
		{"spellings of a function come together",
			"GET /users/delta()\nGET /users/delta\nGET /users/microsoft.graph.delta()\nGET /users/graph.delta",
			"GET /users/delta"},
		{"a function that is not known keeps its parentheses",
			"GET /users/frobnicate()\nGET /users/frobnicate\nGET /users/1", "GET /users/frobnicate()\nGET /users/{id}"},
		{"an action with its namespace is the action", "POST /users/1/sendMail\nPOST /users/1/microsoft.graph.sendMail",
			"POST /users/{id}/sendMail"},
		{"a cast stays", "GET /groups/1/members/microsoft.graph.user\nGET /groups/1/members/graph.user",
			"GET /groups/{id}/members/microsoft.graph.user"},
		{"$ref stays", "DELETE /groups/" + guid + "/members/" + guid2 + "/$ref", "DELETE /groups/{id}/members/{member}/$ref"},
		{"arguments are variables", "GET /reports/getTeamsUserActivityCounts(period='D7')",
			"GET /reports/getTeamsUserActivityCounts(period={period})"},
		{"arguments in any order", "GET /reports/f(a='1',b=2)\nGET /reports/f(b=3,a='4')", "GET /reports/f(b={b},a={a})"},
		{"functions with other arguments are others", "GET /reports/f(a='1')\nGET /reports/f(b=3)",
			"GET /reports/f(a={a})\nGET /reports/f(b={b})"},
		{"an alternate key", "GET /users(userPrincipalName='a@b.c')/messages/1",
			"GET /users(userPrincipalName={userPrincipalName})/messages/{id}"},
		{"a drive path", "GET /drives/b!1/root:/a b/c.txt:/content\nGET /drives/b!2/root:/d:/content",
			"GET /drives/{id}/root:/{path}:/content"},
		{"a drive path at the end", "GET /drives/b!1/root:/a b/c.txt", "GET /drives/{id}/root:/{path}"},
		{"a drive path below an item", "PUT /drives/b!1/items/01ABC:/x.txt:/content",
			"PUT /drives/{id}/items/{item}:/{path}:/content"},
		{"a site by its path and a drive path", "GET /sites/contoso.sharepoint.com:/teams/x:/drive/root:/y",
			"GET /sites/{id}:/{path}:/drive/root:/{path2}"},
		{"names that stand for keys stay", "GET /me/mailFolders/inbox/messages/AA=\nGET /drives/b!1/items/root",
			"GET /drives/{id}/items/root\nGET /me/mailFolders/inbox/messages/{id}"},
		{"names that stand for keys go where any key does",
			"GET /me/mailFolders/inbox/messages\nGET /me/mailFolders('Drafts')/messages\nGET /me/mailFolders/AA=/messages",
			"GET /me/mailFolders/{id}/messages"},
		{"methods of a name that stands for a key go one by one",
			"GET /me/mailFolders/inbox\nPATCH /me/mailFolders/inbox\nGET /me/mailFolders/AA=",
			"PATCH /me/mailFolders/inbox\nGET /me/mailFolders/{id}"},
		{"nothing below a singleton is a key", "GET /deviceManagement/1-2\nGET /deviceManagement/managedDevices",
			"GET /deviceManagement/1-2\nGET /deviceManagement/managedDevices"},
		{"no key follows a key", "GET /users/1/2-3\nGET /users/1/messages", "GET /users/{id}/2-3\nGET /users/{id}/messages"},
		{"names with a number are names",
			"GET /me/windows10Thing\nGET /me/oauth2PermissionGrants/x-1\nGET /identity/x509AuthenticationContexts",
			"GET /identity/x509AuthenticationContexts\nGET /me/oauth2PermissionGrants/{id}\nGET /me/windows10Thing"},
		{"long ids of letters and digits", "GET /planner/tasks/AbC9defGhi8jklMnoPqr", "GET /planner/tasks/{id}"},
		{"forms of keys", "GET /a/19:x@thread.tacv2\nGET /b/contoso.com\nGET /c/" + guid + "_" + guid2 +
			"\nGET /d/b!AbC\nGET /e/1\nGET /f/a%20b\nGET /g/%C3%A4",
			"GET /a/{id}\nGET /b/{id}\nGET /c/{id}\nGET /d/{id}\nGET /e/{id}\nGET /f/{id}\nGET /g/{id}"},
		{"versions apart", "GET /beta/users/1\nGET /users/1", "GET /users/{id}\nGET /beta/users/{id}"},
		{"$metadata", "GET /$metadata", "GET /$metadata"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := texts(t,
				suggestion(t, suggest.Options{}, strings.Split(strings.ReplaceAll(test.seen, "a b", "a%20b"), "\n")...))
			if diff := cmp.Diff(strings.Split(test.want, "\n"), got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRulesThatArePinned(t *testing.T) {
	for _, test := range []struct{ name, seen, want string }{
		{"the one value stays", "GET /users/adele@contoso.com\nGET /users/ADELE@contoso.com", "GET /users/adele@contoso.com"},
		{"of two, none does", "GET /users/adele@contoso.com\nGET /users/bob@contoso.com", "GET /users/{id}"},
		{"each key for itself", "GET /users/a@b.c/messages/1\nGET /users/a@b.c/messages/2", "GET /users/a@b.c/messages/{id}"},
		{"each method for itself", "GET /users/a@b.c\nGET /users/d@b.c\nPATCH /users/a@b.c",
			"PATCH /users/a@b.c\nGET /users/{id}"},
		{"methods with the same value come together", "GET /users/a@b.c\nPATCH /users/A@b.c", "GET,PATCH /users/A@b.c"},
		{"a key in parentheses becomes a segment", "GET /users('a@b.c')/messages", "GET /users/a@b.c/messages"},
		{"a key that is spelled like a function stays in parentheses", "GET /users('delta')", "GET /users('delta')"},
		{"a key that no segment can hold stays in parentheses", "GET /users('a%3Fb')\nGET /groups('$x')",
			"GET /groups('$x')\nGET /users('a%3Fb')"},
		{"stars are no wildcards", "GET /users/%2A%2A\nGET /groups/a*b-c", "GET /groups('a*b-c')\nGET /users('**')"},
		{"braces cannot be written, so such a key is a variable", "GET /users/%7Bx%7D\nGET /groups('a%7Bb')",
			"GET /groups/{id}\nGET /users/{id}"},
		{"an argument", "GET /reports/f(period='D7')", "GET /reports/f(period='D7')"},
		{"an argument that a rule would take for a variable", "GET /reports/f(period='%40D7',b=1)",
			"GET /reports/f(period={period},b=1)"},
		{"a drive path", "GET /drives/b!1/root:/a b/c%25.txt:/content", "GET /drives/b!1/root:/a%20b/c%25.txt:/content"},
		{"a drive path with braces", "GET /drives/b!1/root:/%7Ba%7D:/content", "GET /drives/b!1/root:/{path}:/content"},
		{"what a name that stands for a key makes superfluous", "GET /me/mailFolders('inbox')\nGET /me/mailFolders/inbox",
			"GET /me/mailFolders/inbox"},
		{"quotes", "GET /users/o'neil@contoso.com", "GET /users/o'neil@contoso.com"},
	} {
		t.Run(test.name, func(t *testing.T) {
			seen := strings.Split(strings.ReplaceAll(test.seen, "a b", "a%20b"), "\n")
			got := texts(t, suggestion(t, suggest.Options{Pin: true}, seen...))
			if diff := cmp.Diff(strings.Split(test.want, "\n"), got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
