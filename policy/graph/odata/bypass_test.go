package odata_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"graphproxy/policy/graph/odata"
)

// TestBypasses lists targets that pass filters which compare text: each is refused, or Graph gets the plain
// spelling that a filter knows.
func TestBypasses(t *testing.T) {
	const refused = ""
	for _, test := range []struct{ trick, target, sent string }{
		{"a dot segment steps out of the allowed collection", "/v1.0/users/x/../../groups", refused},
		{"an escaped dot segment", "/v1.0/users/x/%2e%2e/%2E%2E/groups", refused},
		{"half of it escaped", "/v1.0/users/x/.%2e/y", refused},
		{"a dot segment with a path parameter", "/v1.0/users/..;a=b/groups", refused},
		{"a dot segment with a trailing space", "/v1.0/users/x/..%20/y", refused},
		{"a dot segment behind a backslash", `/v1.0/users/x\..\..\groups`, refused},
		{"a dot segment as a quoted key", "/v1.0/users('..')/groups", refused},
		{"an escaped slash makes two segments of one", "/v1.0/users/x%2Fmessages", refused},
		{"escaped twice", "/v1.0/users/x%252Fmessages", refused},
		{"escaped three times", "/v1.0/users/x%25252Fmessages", refused},
		{"an overlong slash", "/v1.0/users/x%C0%AFmessages", refused},
		{"an escaped backslash", "/v1.0/users/x%5Cmessages", refused},
		{"an empty segment", "/v1.0//users/x", refused},
		{"an empty segment before the version", "//v1.0/users/x", refused},
		{"a host in the path", "//graph.microsoft.com/v1.0/users", refused},
		{"another version", "/V1.0/users", refused},
		{"an undocumented version", "/v2/users", refused},
		{"no version", "/users", refused},
		{"another tenant behind one's own", "/v1.0/contoso.com/fabrikam.com/users", refused},
		{"a NUL ends the text early", "/v1.0/users/x%00.jpg", refused},
		{"a line break makes a header", "/v1.0/users/x%0d%0aX-A:%20b", refused},
		{"an escaped question mark starts the query early", "/v1.0/users/x%3F$expand=manager", refused},
		{"an escaped number sign ends the path early", "/v1.0/users/x%23/messages", "/v1.0/users/x%23/messages"},
		{"a raw number sign", "/v1.0/users/x#/messages", refused},
		{"a matrix parameter", "/v1.0/users;x=y/1", refused},
		{"a trailing dot that Windows drops", "/v1.0/users/x/messages.", refused},
		{"a trailing space that Windows drops", "/v1.0/users/x/messages%20", refused},
		{"an invisible character", "/v1.0/users/x/mess%E2%80%8Bages", refused},
		{"the Kelvin sign for a k", "/v1.0/users/x/boo%E2%84%AAs", refused},
		{"other letter case", "/V1.0/USERS", refused},
		{"letter case in names", "/v1.0/USERS/X/Messages", "/v1.0/USERS/X/Messages"},
		{"escaped letters", "/v1.0/%75%73ers/%78", "/v1.0/users/x"},
		{"escaped parentheses", "/v1.0/users%28%27x%27%29", "/v1.0/users('x')"},
		{"an escaped keyword", "/v1.0/users/x/%24%72ef", "/v1.0/users/x/$ref"},
		{"a keyword that reads the body as a query", "/v1.0/users/$query", refused},
		{"a batch in a batch", "/v1.0/users/$batch", refused},
		{"an entity by its address", "/v1.0/$entity", refused},
		{"a composable cross join", "/v1.0/$crossjoin(users,groups)", refused},
		{"a quote that lets the key run on", "/v1.0/users('x')/messages('y", refused},
		{"a quoted slash that hides segments", "/v1.0/users('x/messages')", refused},
		{"a second key", "/v1.0/users('x')('y')", refused},
		{"a key from an alias", "/v1.0/users(@x)?@x='y'", refused},
		{"an alias in the query", "/v1.0/users?$filter=id eq @x&@x='y'", refused},
		{"an escaped colon that opens a drive path", "/v1.0/drive/root%3A/Salaries", "/v1.0/drive/root:/Salaries"},
		{"an escaped colon that closes one", "/v1.0/drive/root:/a%3A/children", "/v1.0/drive/root:/a:/children"},
		{"a drive path in one segment", "/v1.0/drives/d/items/root%3A%2FSalaries%2Fa%3A/content",
			"/v1.0/drives/d/root:/Salaries/a:/content"},
		{"a site's path in one segment", "/v1.0/sites/contoso.sharepoint.com%3a%2fsites%2Fhr",
			"/v1.0/sites/contoso.sharepoint.com:/sites/hr"},
		{"a path in one segment that goes on behind it", "/v1.0/drives/d/items/root%3A%2Fa/children", refused},
		{"one that steps out", "/v1.0/drives/d/items/root%3A%2Fa%2F..%2FSalaries", refused},
		{"one behind what has no paths", "/v1.0/users/x%3A%2Fmessages", refused},
		{"a dollar that stands for nothing", "/v1.0/drives/d/items/i/workbook/tables/$/add",
			"/v1.0/drives/d/items/i/workbook/tables/add"},
		{"a dot segment in a drive path", "/v1.0/drive/root:/Reports/../Salaries", refused},
		{"one escaped twice", "/v1.0/drive/root:/Reports/%252e%252e/Salaries", refused},
		{"a dot that SharePoint drops", "/v1.0/drive/root:/Salaries./x", refused},
		{"a drive path closed twice", "/v1.0/drive/root:/a::/children", refused},
		{"a bare option", "/v1.0/users?expand=manager", "/v1.0/users?expand=manager"},
		{"a bare option beside the same with a dollar sign", "/v1.0/users?expand=manager&$expand=members", refused},
		{"an escaped option", "/v1.0/users?%24%65xpand=manager", "/v1.0/users?$expand=manager"},
		{"an option in capitals", "/v1.0/users?$EXPAND=manager", "/v1.0/users?$EXPAND=manager"},
		{"the same option in two spellings", "/v1.0/users?$select=id&%24Select=mail", refused},
		{"an option behind a semicolon", "/v1.0/users?$select=id;$expand=manager", refused},
		{"an option name with a semicolon", "/v1.0/users?a;$expand=manager", refused},
		{"an option behind an escaped ampersand", "/v1.0/users?$select=id%26$expand=manager", refused},
		{"an option behind an ampersand that is escaped twice is text", "/v1.0/users?$select=id%2526$expand=manager",
			"/v1.0/users?$select=id%2526$expand=manager"},
		{"a number sign that cuts the options behind it off", "/v1.0/users?foo=%23&$select=id", refused},
		{"a name twice in a list", "/v1.0/users?$select=id,id", refused},
		{"an option name with a NUL", "/v1.0/users?$expand%00=manager", refused},
		{"an option name with a space", "/v1.0/users?%20$expand=manager", refused},
		{"an option name with a plus", "/v1.0/users?+$expand=manager", refused},
		{"an option without an equals sign", "/v1.0/users?$expand", "/v1.0/users?$expand"},
		{"a fragment in the query", "/v1.0/users?$top=1#&$expand=manager", refused},
	} {
		t.Run(test.trick, func(t *testing.T) {
			path, query, _ := strings.Cut(test.target, "?")
			target, err := odata.Parse(path, query)
			if err != nil {
				if test.sent != refused {
					t.Errorf("refused: %v", err)
				}
				return
			}
			sent := target.EscapedPath()
			if target.RawQuery() != "" {
				sent += "?" + target.RawQuery()
			}
			if sent != test.sent {
				t.Errorf("sent is %s, want %q", sent, test.sent)
			}
		})
	}
}

// TestHostileTokens builds targets from tokens with a meaning in the grammar, which random bytes seldom have.
func TestHostileTokens(t *testing.T) {
	pathTokens := []string{
		"users", "graph.", "microsoft.graph.", "delta", "x", "5", "contoso.com", "myOrganization", "root", "items", "$ref",
		"$value", "$batch", "v1.0", "é", "K", "/", "/", "/", "/", ":", ":/", ":/", "(", ")", "()", "'", "''", "('", "')",
		"=", "a=", ",", "@", "%40", "%27", "%28", "%29", "%3D", "%2C", "%24", "$", "&", "+", "*", "!", "~", "-", "%25",
		"%2541", "41", "%3A", "%3A%2F", ":%2F", "/items/", "/sites/", "workbook/tables/$/add", "[\"a\"]", "graph.x'y'", ";",
		"%3B", "%23", "%20", " ", "%2F", "%5C", ".", "..", "%2E", "%3F", "%7B", "{", "}", "%c3%a9", "%00", "%", "[", "%5B",
		"|", "<",
	}
	queryTokens := []string{
		"$select", "select", "%24Select", "$expand", "search", "Format", "x", "y", "z", "@x", "@microsoft.graph.a", "=", "=",
		"=", "&", "&", "&", "$", "%24", "+", "%2B", "%2b", "%20", " ", ";", "%3B", "'", "%27", "(", ")", ",", "/", "?", "%3F",
		"%26", "%3D", "%25", "%2541", "%", "\"", "%22", "#", "%23", "é", "%C3%A9", "%00", "*", "|", "\\",
	}
	accepted, total := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		path := "/v1.0/" + strings.Join(rapid.SliceOfN(rapid.SampledFrom(pathTokens), 0, 9).Draw(rt, "path"), "")
		query := strings.Join(rapid.SliceOfN(rapid.SampledFrom(queryTokens), 0, 7).Draw(rt, "query"), "")
		for _, pair := range [][2]string{{path, ""}, {"/v1.0/x", query}} {
			total++
			target, err := odata.Parse(pair[0], pair[1])
			if err != nil {
				continue
			}
			accepted++
			checkRoundTrip(t, target)
			checkCanonical(t, target)
			checkNetURL(t, target)
			if t.Failed() {
				rt.Fatalf("for %q", pair)
			}
		}
	})
	t.Logf("%d of %d targets were accepted", accepted, total)
}
