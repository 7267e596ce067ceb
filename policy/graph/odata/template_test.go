package odata_test

import (
	"reflect"
	"testing"

	"graphproxy/policy/graph/odata"
)

func TestParseTemplate(t *testing.T) {
	for _, test := range []struct{ name, template, segments, text string }{
		{"no version is v1.0", "/users", "users", "/v1.0/users"},
		{"v1.0 may be written", "/v1.0/users", "users", "/v1.0/users"},
		{"beta must be", "/beta/users/{id}", "users {id}", "/beta/users/{id}"},
		{"a variable is a whole segment", "/users/{user-id}/messages/{m_2}", "users {user-id} messages {m_2}",
			"/v1.0/users/{user-id}/messages/{m_2}"},
		{"a variable in parentheses is the same", "/users('{id}')/messages({m})", "users {id} messages {m}",
			"/v1.0/users/{id}/messages/{m}"},
		{"an argument", "/reports/getX(period={period})", "reports getX (period={period})",
			"/v1.0/reports/getX(period={period})"},
		{"an argument in quotes is the same", "/reports/getX(period='{period}',n=3,s='D7')",
			"reports getX (period={period},n=3,s='D7')", "/v1.0/reports/getX(period={period},n=3,s='D7')"},
		{"an argument as Microsoft's operations write it", "/x/f(userId='@userId',at=@startDateTime)",
			"x f (userId={userId},at={startDateTime})", "/v1.0/x/f(userId={userId},at={startDateTime})"},
		{"an alternate key", "/users(userPrincipalName='{upn}')", "users (userPrincipalName={upn})",
			"/v1.0/users(userPrincipalName={upn})"},
		{"a literal key", "/users('ceo@contoso.com')/messages", "users ('ceo@contoso.com') messages",
			"/v1.0/users('ceo@contoso.com')/messages"},
		{"a drive path", "/drives/{drive}/root:/{path}:/children", "drives {drive} root :{path}: children",
			"/v1.0/drives/{drive}/root:/{path}:/children"},
		{"a drive path at the end", "/drives/{drive}/root:/{path}", "drives {drive} root :{path}:",
			"/v1.0/drives/{drive}/root:/{path}"},
		{"a literal drive path", "/drives/{drive}/root:/Reports/2026%20q1:/children",
			"drives {drive} root :Reports/2026 q1: children", "/v1.0/drives/{drive}/root:/Reports/2026%20q1:/children"},
		{"a path below a variable", "/sites/{host}:/{site}:/drive/items/{id}:/{path}:/content",
			"sites {host} :{site}: drive items {id} :{path}: content",
			"/v1.0/sites/{host}:/{site}:/drive/items/{id}:/{path}:/content"},
		{"casts and functions", "/groups/{id}/members/graph.user/microsoft.graph.delta()",
			"groups {id} members ~user=graph.user ~delta=microsoft.graph.delta()",
			"/v1.0/groups/{id}/members/graph.user/microsoft.graph.delta()"},
		{"keywords", "/groups/{id}/members/{member}/$REF", "groups {id} members {member} $ref",
			"/v1.0/groups/{id}/members/{member}/$ref"},
		{"$batch", "/$batch", "$batch", "/v1.0/$batch"},
		{"everything below", "/sites/**", "sites", "/v1.0/sites/**"},
		{"everything below a key", "/beta/users/{id}/**", "users {id}", "/beta/users/{id}/**"},
		{"everything that belongs to an item by path", "/drives/{d}/root:/{path}:/**", "drives {d} root :{path}:",
			"/v1.0/drives/{d}/root:/{path}:/**"},
		{"a trailing slash is dropped", "/users/", "users", "/v1.0/users"},
	} {
		t.Run(test.name, func(t *testing.T) {
			template, err := odata.ParseTemplate(test.template)
			if err != nil {
				t.Fatal(err)
			}
			if got := describe(template.Segments); got != test.segments {
				t.Errorf("segments are\n%s, want\n%s", got, test.segments)
			}
			if template.Text != test.text {
				t.Errorf("text is\n%s, want\n%s", template.Text, test.text)
			}
			again, err := odata.ParseTemplate(template.Text)
			if err != nil || !reflect.DeepEqual(again, template) {
				t.Errorf("the text reads as\n%+v, %v\nand was written from\n%+v", again, err, template)
			}
		})
	}
}

func TestParseTemplateRefuses(t *testing.T) {
	for _, test := range []struct {
		name      string
		code      string
		templates []string
	}{
		{"no resource", "unsupportedTarget", []string{"", "/**", "/", "/v1.0", "/v1.0/", "/beta/**"}},
		{"no slash in front", "ambiguousTarget", []string{"users", "v1.0/users", "users/**", "{id}"}},
		{"another version, a tenant or a variable in front", "unknownVersion",
			[]string{"/V1.0/users", "/Beta.x/users", "/v2.0/users", "/contoso.com/users", "/myOrganization/users",
				"/{tenant}/users", "/{x}/**", "/$count", "/6e7b768e-07e2-4810-8459-485f84f8f204/users"}},
		{"query options", "unsupportedTarget", []string{"/users?$select=id", "/users/**?x", "/users/{id}?"}},
		{"braces that are not one variable", "unsupportedTarget",
			[]string{"/users/{id}x", "/users/x{id}", "/users/{a}{b}", "/users/{}", "/users/{a%20b}", "/users/{id", "/users/id}",
				"/users/{a.b}", "/f(a='x{b}')", "/{x}('y')", "/users/{id}()", "/users('{a}{b}')", "/users/%7Ba"}},
		{"a path that is part variable", "unsupportedTarget",
			[]string{"/d/root:/Reports/{path}:/children", "/d/root:/{a}/{b}", "/d/root:/x*", "/d/root:/*:/children"}},
		{"stars", "unsupportedTarget", []string{"/users/*", "/users/**/messages", "/users/a*", "/users/**/", "/users/***"}},
		{"everything below a path that is open", "ambiguousTarget",
			[]string{"/d/root:/{path}/**", "/d/root:/Reports/**", "/d/root:/**"}},
		{"a variable twice", "ambiguousTarget",
			[]string{"/a/{id}/b/{id}", "/a/{id}/b/{ID}", "/a/{id}/f(x={id})", "/f(a={x},b='{x}')", "/a/{path}/root:/{path}"}},
		{"what no target may hold", "ambiguousTarget",
			[]string{"/users//x", "/users/../x", "/users/%2F", "/users/%252F", "/users/a;b", "/users/a b", `/users\x`,
				"/f(a={x}", "/users('x')y", "/d/root:"}},
		{"unknown keywords", "unsupportedTarget", []string{"/users/$query", "/users/$batch", "/$metadata/x"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, text := range test.templates {
				t.Run(text, func(t *testing.T) {
					template, err := odata.ParseTemplate(text)
					if err == nil {
						t.Fatalf("read as %s", describe(template.Segments))
					}
					checkRefused(t, err, test.code)
				})
			}
		})
	}
}
