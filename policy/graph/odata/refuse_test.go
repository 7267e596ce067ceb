package odata_test

import (
	"strings"
	"testing"

	"graphproxy/policy/graph/odata"
)

func TestParseRefusesPaths(t *testing.T) {
	const (
		ambiguous   = "ambiguousTarget"
		version     = "unknownVersion"
		escape      = "badEscape"
		unsupported = "unsupportedTarget"
		tooLong     = "targetTooLong"
	)
	for _, test := range []struct {
		name  string
		code  string
		paths []string
	}{
		{"a path that does not begin with a slash", ambiguous,
			[]string{"", "v1.0/users", "*", "https://graph.microsoft.com/v1.0/users", "%2Fv1.0/users", "\\v1.0/users"}},
		{"a path without a version", version,
			[]string{"/", "/users", "/me", "/%24batch", "/v1.0x/users", "/1.0/users", "/v2.0/users", "/v1/users",
				"/contoso.com/v1.0/users"}},
		{"a version in another spelling", version,
			[]string{"/V1.0/users", "/Beta/users", "/BETA", "/v1%2E0/users", "/%76%31.0/users", "/v1.0;a/users",
				"/v1.0()/users", "/v1.0 /users", "/v1.0%2Fusers"}},
		{"an empty segment", ambiguous,
			[]string{"//v1.0/users", "/v1.0//users", "/v1.0/users//", "/v1.0//", "//", "/v1.0/drive/root:/a//b",
				"/v1.0/drive/root://a", "/v1.0/users//messages"}},
		{"a dot segment in any encoding", ambiguous, []string{"/v1.0/./users", "/v1.0/users/../groups", "/v1.0/users/..",
			"/v1.0/users/.", "/v1.0/users/%2e%2e/groups", "/v1.0/users/%2E%2e", "/v1.0/users/.%2e", "/v1.0/users/..%20",
			"/v1.0/users/%2e%20", "/v1.0/users/...", "/v1.0/users/..;/groups", "/v1.0/users/..%3b", "/v1.0/users/..:",
			"/v1.0/users/..:/a", "/v1.0/users('..')", "/v1.0/users(.)", "/v1.0/f(a='..')", "/v1.0/f(a=..)"}},
		{"a dot segment in a drive path", ambiguous, []string{"/v1.0/drive/root:/..", "/v1.0/drive/root:/a/../b",
			"/v1.0/drive/root:/a/./b:/content", "/v1.0/drive/root:/%2e%2e/b", "/v1.0/drive/root:/.%20/b",
			"/v1.0/drive/root:/a/..:/children", "/v1.0/drive/root:/.../b"}},
		{"names that end in what some servers drop", ambiguous, []string{"/v1.0/users/x/messages.",
			"/v1.0/users/x/messages%20", "/v1.0/users/%20x", "/v1.0/users('x%20')", "/v1.0/users('x.')",
			"/v1.0/drive/root:/Salaries./a", "/v1.0/drive/root:/Salaries%20/a", "/v1.0/drive/root:/%20a",
			"/v1.0/drive/root:/.../b"}},
		{"an escaped slash", ambiguous, []string{"/v1.0/users%2Fx", "/v1.0/users/x%2fmessages", "/v1.0/users('x%2Fy')",
			"/v1.0/users/x:/a%2Fb", "/v1.0/users/x:%2Fa", "/v1.0/users/x%3A%2Fa", "/v1.0/teams/t/channels/19%3A%2Fx",
			"/v1.0/items%3A%2Fa", "/v1.0/drives/d/root%2Fa", "/v1.0/drives/d/items/x%2Fchildren",
			"/v1.0/drives/d/items%2Froot:/a", "/v1.0/drive/root%3A%2Fa%3A%2Fchildren", "/v1.0/drive/root:/a:%2Fchildren",
			"/v1.0/sites/1/getByPath(path='a%2Fb')", "/v1.0/external/connections/c/items/root%3A%2Fa",
			"/v1.0/users('root%3A%2Fa')", "/v1.0/drives/d/root('a%3A%2Fb')", "/v1.0/sites/h%2C%2Fa", "/v1.0/root%3A%2Fa"}},
		{"a path in one segment that is none", ambiguous, []string{"/v1.0/drives/d/items/root%3A%2Fa/children",
			"/v1.0/sites/h%3A%2Fsites%2Fhr/lists", "/v1.0/sites/h:%2Fsites%2Fhr/drive/root:/a",
			"/v1.0/drives/d/items/root%3A%2F", "/v1.0/drives/d/items/root%3A%2F%3A/children",
			"/v1.0/drives/d/items/root%3A%2F%2Fa", "/v1.0/drives/d/items/root%3A%2Fa%2F%2Fb%3A",
			"/v1.0/drives/d/items/root%3A%2Fa%2F..%2Fb", "/v1.0/drives/d/items/root%3A%2F%2E%2E%3A/children",
			"/v1.0/drives/d/items/root%3A%2F.%2Fa", "/v1.0/drives/d/items/root%3A%2Fa%252Fb",
			"/v1.0/drives/d/items/root%253A%252Fa", "/v1.0/drives/d/items/root%3A%2Fa%5Cb",
			"/v1.0/drives/d/items/root%3A%2Fa%00", "/v1.0/drives/d/items/root%3A%2Fa%3Ab",
			"/v1.0/drives/d/items/root%3A%2Fa%3A%3A", "/v1.0/drives/d/items/root%3A%3A%2Fa", "/v1.0/drives/d/items/%3A%2Fa",
			"/v1.0/drives/d/items/root%3A", "/v1.0/drives/d/items/root%3A:/a", "/v1.0/drives/d/items/root:%3A/a",
			"/v1.0/drives/d/items/root()%3A%2Fa", "/v1.0/drives/d/items('')%3A%2Fa", "/v1.0/drives/d/items('root%3A%2Fa'')",
			"/v1.0/drives/d/items('root%3A%2Fa')b", "/v1.0/drives/d/items/root%3A%2FSalaries.%2Fa",
			"/v1.0/drives/d/items/root%3A%2F%20a", "/v1.0/sites/graph.delta%3A%2Fa", "/v1.0/drives/d/items/a%2Froot%3A%2Fb",
			"/v1.0/drives/d/items/root%3A%2Fa%3F"}},
		{"a backslash", ambiguous, []string{`/v1.0/users\x`, "/v1.0/users%5Cx", "/v1.0/users%5cx", `/v1.0/drive/root:/a\b`,
			"/v1.0/drive/root:/a%5Cb", `/v1.0/users('a\b')`, `/v1.0/\..\groups`}},
		{"a control character", ambiguous, []string{"/v1.0/users/%00", "/v1.0/users/x%00y", "/v1.0/users/x%0D%0Ay",
			"/v1.0/users/%7F", "/v1.0/users/%C2%85", "/v1.0/users/x\ny", "/v1.0/users/x\ty", "/v1.0/drive/root:/a%0Ab",
			"/v1.0/drive/root:/a%C2%80", "/v1.0/f(a='%01')"}},
		{"an invisible or shape-shifting character in a name or key", ambiguous,
			[]string{"/v1.0/users/%E2%80%8Bceo@contoso.com",
				"/v1.0/users/%EF%BB%BFx", "/v1.0/users/a%C2%A0b", "/v1.0/users/x%E2%80%AEy", "/v1.0/bac%E2%84%AAup",
				"/v1.0/users('%C4%B0')", "/v1.0/u%C5%BFers", "/v1.0/users/%C4%B1"}},
		{"an escaped question mark", ambiguous, []string{"/v1.0/users/x%3F$select=id", "/v1.0/users%3f", "/v1.0/f(a=%3F)"}},
		{"an escaped question mark with an option behind it, also between quotes", ambiguous,
			[]string{"/v1.0/users('x%3F$expand=manager')", "/v1.0/users('x%3f%24expand%3Dmanager')",
				"/v1.0/users('x%3Fexpand=manager')", "/v1.0/users('x%3Fa=b%26$expand=manager')", "/v1.0/users('x%3Fa=b;$top=1')",
				"/v1.0/users('x%3F%20$expand=manager')", "/v1.0/users(mail='x%3F$select=id')",
				"/v1.0/d/root/delta(token='x%3F$expand=children')", "/v1.0/d/root/search(q='x%3F$expand=children')",
				"/v1.0/d/root/search(q='x%3F%2524expand=children')", "/v1.0/d/root/search(q='x%3F%EF%BC%84top=5')",
				"/v1.0/reports/f(period='D7%3FTop=5')", "/v1.0/f(ids=[\"x%3F$top=1\"])",
				"/v1.0/d/workbook/worksheets('x%3F$expand=charts')"}},
		{"a raw question or number sign or space", ambiguous,
			[]string{"/v1.0/users?$select=id", "/v1.0/users#x", "/v1.0/users/a b", "/v1.0/drive/root:/a b",
				"/v1.0/drive/root:/a#b"}},
		{"a second layer of escapes outside drive paths", ambiguous, []string{"/v1.0/users/x%252Fmessages",
			"/v1.0/users/%2541", "/v1.0/users('100%25ab')", "/v1.0/f(a='%2527')", "/v1.0/%2575sers",
			"/v1.0/sites/s/lists/50%2525", "/v1.0/d/workbook/worksheets('%2541')"}},
		{"an escape within an escape in a drive path", ambiguous,
			[]string{"/v1.0/drive/root:/a%252Fb", "/v1.0/drive/root:/%252e%252e/b", "/v1.0/drive/root:/a%255Cb",
				"/v1.0/drive/root:/a%253Ab", "/v1.0/drive/root:/a%2500", "/v1.0/drive/root:/a%250Ab", "/v1.0/drive/root:/%252E/b",
				"/v1.0/sites/h:/a%252Fb:/lists"}},
		{"a character that a server which normalises reads as syntax", ambiguous,
			[]string{"/v1.0/users/%EF%BC%8E%EF%BC%8E%EF%BC%8Fgroups",
				"/v1.0/users/x%EF%BC%8Fmessages", "/v1.0/users/x%EF%BC%BCy", "/v1.0/users/x%EF%BC%85y", "/v1.0/users/x%EF%BC%9Ay",
				"/v1.0/users/x%EF%BC%9Fy", "/v1.0/users/x%EF%BC%83EXT%EF%BC%83", "/v1.0/users/%E2%80%A4%E2%80%A4",
				"/v1.0/users/%E2%80%A5", "/v1.0/users/%E2%80%A6", "/v1.0/users('a%EF%B9%92b')", "/v1.0/users('%E2%84%80')",
				"/v1.0/users(userPrincipalName='a%EF%BC%8Fb')", "/v1.0/sites/s/lists/a%EF%BC%8Fb",
				"/v1.0/d/workbook/worksheets/a%EF%B9%95b", "/v1.0/d/workbook/worksheets('%EF%BC%8E')",
				"/v1.0/%EF%BC%8E%EF%BC%8E/users", "/v1.0/users/%E2%81%87"}},
		{"a name that is a keyword once something is dropped or folded", ambiguous,
			[]string{"/v1.0/users/%EF%BC%84count", "/v1.0/users/%EF%B9%A9ref", "/v1.0/d/workbook/tables/%20$count"}},
		{"a name of nothing that is displayed", ambiguous,
			[]string{"/v1.0/d/workbook/worksheets/%20", "/v1.0/d/workbook/worksheets/%E2%80%8B", "/v1.0/sites/s/lists/..%C2%A0",
				"/v1.0/sites/s/lists/.%E2%80%8B.", "/v1.0/sites/s/lists('%C2%AD')"}},
		{"the name of a file behind children that may be another path", ambiguous,
			[]string{"/v1.0/drives/d/items/i/children('a%2Fb')", "/v1.0/drives/d/items/i/children('..')",
				"/v1.0/drives/d/items/i/children/%2E%2E", "/v1.0/drives/d/items/i/children('a%5Cb')",
				"/v1.0/drives/d/items/i/children('a%EF%BC%8Fb')", "/v1.0/drives/d/items/i/children/50%25ab"}},
		{"dots of another width in a drive path", ambiguous,
			[]string{"/v1.0/drive/root:/%EF%BC%8E%EF%BC%8E/b", "/v1.0/drive/root:/a/%E2%80%A5/b",
				"/v1.0/drive/root:/a/%EF%BC%8E%EF%BC%8E%EF%BC%8Fb", "/v1.0/drive/root:/.%E2%80%8B./b",
				"/v1.0/drive/root:/%E2%80%8B/b"}},
		{"a slash where nothing is searched for", ambiguous,
			[]string{"/v1.0/drive/root/search('a%2Fb')", "/v1.0/drive/root/search(x='a%2Fb')",
				"/v1.0/drive/root/search(q=a%2Fb)", "/v1.0/drive/root/find(q='a%2Fb')",
				"/v1.0/drive/root/find(q='a/b')", "/v1.0/users('a/b')", "/v1.0/drive/root/search(q='a%2F..%2Fb')",
				"/v1.0/drive/root/search(q='a/../b')", "/v1.0/drive/root/search(q='./a')", "/v1.0/drive/root/search(q='a/b)",
				"/v1.0/drive/root/search%2Fx(q='a')", "/v1.0/drive/root/search(q='a')%2Fb", "/v1.0/drive/root/search(q='a%5Cb')",
				"/v1.0/drive/root/search(q='a//b')"}},
		{"a semicolon outside drive paths", ambiguous,
			[]string{"/v1.0/users;x", "/v1.0/users/x%3By", "/v1.0/users;v=1/x", "/v1.0/users('a;b')", "/v1.0/f(a='x;y')",
				"/v1.0/sites/s/lists;x/1", "/v1.0/sites/s/lists/x/items;y"}},
		{"a broken escape", escape,
			[]string{"/v1.0/users/%", "/v1.0/users/%2", "/v1.0/users/%zz", "/v1.0/users/%2G", "/v1.0/users/x%",
				"/v1.0/users/%u0041", "/v1.0/drive/root:/100%", "/v1.0/drive/root:/a%x:/content"}},
		{"text that is not UTF-8", escape,
			[]string{"/v1.0/users/%FF", "/v1.0/users/%C0%AE%C0%AE", "/v1.0/users/%E0%80%AF", "/v1.0/users/%ED%A0%80",
				"/v1.0/users/\xff", "/v1.0/drive/root:/%C3", "/v1.0/drive/root:/%C3/%A9"}},
		{"a dollar segment that is no keyword", unsupported, []string{"/v1.0/users/$query", "/v1.0/$entity",
			"/v1.0/users/$links", "/v1.0/users/$x@contoso.com", "/v1.0/users/%24filter", "/v1.0/users/$", "/v1.0/users/$count()",
			"/v1.0/users/$ref('x')", "/v1.0/$all", "/v1.0/$crossjoin(a,b)", "/v1.0/$1/x", "/v1.0/users/$each",
			"/v1.0/tables/$/add", "/v1.0/drives/d/items/i/workbook/$/add", "/v1.0/drives/d/items/i/workbook/tables/$",
			"/v1.0/drives/d/items/i/workbook/tables/$/Table1", "/v1.0/drives/d/items/i/workbook/tables/$/$/add",
			"/v1.0/drives/d/items/i/workbook/tables/t/$/add", "/v1.0/drives/d/items/i/workbook/tables()/$/add",
			"/v1.0/drives/d/items/i/workbook/tables/$/rows/add", "/v1.0/drives/d/items/i/workbook/tables/$:/add"}},
		{"$batch and $metadata in another place", unsupported,
			[]string{"/v1.0/users/$batch", "/v1.0/$batch/x", "/v1.0/users/1/$metadata", "/v1.0/$metadata/x",
				"/v1.0/$metadata/$batch"}},
		{"a parameter alias", unsupported, []string{"/v1.0/f(a=@x)", "/v1.0/users(@id)", "/v1.0/f(a='x',b=%40y)"}},
		{"parentheses that do not match", ambiguous,
			[]string{"/v1.0/users(", "/v1.0/users('x'", "/v1.0/users)", "/v1.0/users('x'))", "/v1.0/users(('x'))",
				"/v1.0/users('x)", "/v1.0/users(x')", "/v1.0/users(')", "/v1.0/users%29"}},
		{"text after the closing parenthesis", ambiguous,
			[]string{"/v1.0/users('x')y", "/v1.0/users('x')('y')", "/v1.0/f()()", "/v1.0/f(a='x')&skip=y", "/v1.0/users('x').",
				"/v1.0/delta()%20"}},
		{"a slash between quotes", ambiguous, []string{"/v1.0/sites/1/getByPath(path='/a/b')", "/v1.0/users('a/b')"}},
		{"parentheses after no name", ambiguous,
			[]string{"/v1.0/('x')", "/v1.0/users/()", "/v1.0/a@b('x')", "/v1.0/a.('x')", "/v1.0/1a(2)",
				"/v1.0/users/foo(bar)@contoso.com", "/v1.0/x/d%C3%A9lta()"}},
		{"a key that is none", ambiguous, []string{"/v1.0/users('')", "/v1.0/users(guid'x')",
			"/v1.0/users(adele@contoso.com)", "/v1.0/users('a','b')", "/v1.0/users(a,b)", "/v1.0/users( 'x')",
			"/v1.0/users('x'%20)", "/v1.0/users(AAMk==)", "/v1.0/users({id})", "/v1.0/users(\"x\")"}},
		{"arguments that are none", ambiguous, []string{"/v1.0/f(a=)", "/v1.0/f(=x)", "/v1.0/f(a='x',)", "/v1.0/f(,a='x')",
			"/v1.0/f(a='x'%20,b=1)", "/v1.0/f(%20a='x')", "/v1.0/f(a=%201)", "/v1.0/f(a='x',%20)", "/v1.0/f(a='x'b=1)",
			"/v1.0/f(a='x',b)", "/v1.0/f(a='x','y')", "/v1.0/f(a=[)", "/v1.0/f(a=[1)", "/v1.0/f(a=[1,])", "/v1.0/f(a=[,1])",
			"/v1.0/f(a=[1%202])", "/v1.0/f(a=['x'])", "/v1.0/f(a=[[1]])", "/v1.0/f(a=[{}])", "/v1.0/f(a=[\"x])",
			"/v1.0/f(a=[\"..\"])", "/v1.0/f(a=[1]x)", "/v1.0/f(a=[@x])", "/v1.0/f(a=x.y'z')", "/v1.0/f(a=graph.x'y'z)",
			"/v1.0/f(a=graph.x'y)", "/v1.0/f(a=graph.x'..')", "/v1.0/f(a=graph.'x')", "/v1.0/f(a={})", "/v1.0/f(a='x',%C3%A9=1)",
			"/v1.0/f(a=null,b=duration'PT5M')"}},
		{"an argument twice", ambiguous, []string{"/v1.0/f(a='x',a='y')", "/v1.0/f(a='x',A='y')", "/v1.0/f(a=1,b=2,%61=3)"}},
		{"a colon that opens nothing", ambiguous, []string{"/v1.0/drive/root:", "/v1.0/drive/root:/", "/v1.0/drive/root:/:",
			"/v1.0/drive/root:/:/children", "/v1.0/drive/root%3A", "/v1.0/drive/root::/a", "/v1.0/:/a", "/v1.0/:",
			"/v1.0/drive/root:/%2F:/children", "/v1.0/users/x%3A/a"}},
		{"a key that is an enumeration's literal or a list", unsupported,
			[]string{"/v1.0/f(graph.x'y')", "/v1.0/f([1])", "/v1.0/f([\"a\",\"b\"])"}},
		{"a colon after what cannot open a path", ambiguous,
			[]string{"/v1.0/drive/root():/a", "/v1.0/f(a='x'):/a", "/v1.0/x/$ref:/a", "/v1.0/x/$count:/a:/content"}},
		{"characters that OneDrive has not", ambiguous, []string{"/v1.0/drive/root:/a:b", "/v1.0/drive/root:/a:b:/content",
			"/v1.0/drive/root:/a%3Ab", "/v1.0/drive/root:/a*", "/v1.0/drive/root:/a%3F", "/v1.0/drive/root:/a<b",
			"/v1.0/drive/root:/a%3Eb", "/v1.0/drive/root:/a|b", "/v1.0/drive/root:/%22a%22"}},
		{"three paths", unsupported, []string{"/v1.0/a:/b:/c:/d:/e:/f", "/v1.0/a:/b:/c:/d:/e:/f:/g"}},
		{"too many or too long segments", tooLong, []string{"/v1.0" + strings.Repeat("/a", 64),
			"/v1.0/" + strings.Repeat("a", 8<<10), "/v1.0/" + strings.Repeat("`", 4<<10), "/v1.0/f(" + manyArgs(33) + ")",
			"/v1.0/drives/d/items/root%3A" + strings.Repeat("%2Fa", 64)}},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, path := range test.paths {
				t.Run(path, func(t *testing.T) {
					target, err := odata.Parse(path, "")
					if err == nil {
						t.Fatalf("read as %s", describe(target.Segments))
					}
					checkRefused(t, err, test.code)
				})
			}
		})
	}
}

func manyArgs(n int) string {
	var args []string
	for i := range n {
		args = append(args, string([]byte{'a', byte('a' + i/26), byte('a' + i%26)})+"=1")
	}
	return strings.Join(args, ",")
}

func TestParseTakesTheLongest(t *testing.T) {
	for name, path := range map[string]string{
		"63 segments after the version": "/v1.0" + strings.Repeat("/a", 63),
		"8 KiB":                         "/v1.0/" + strings.Repeat("a", 8<<10-6),
		"32 arguments":                  "/v1.0/f(" + manyArgs(32) + ")",
	} {
		t.Run(name, func(t *testing.T) { checkRoundTrip(t, mustParse(t, path, "")) })
	}
}

// Messages go to callers and to people who must understand them; these are the ones that are met most.
func TestMessagesNameTheCure(t *testing.T) {
	for _, test := range []struct{ name, path, query, want string }{
		{"no version", "/users", "", `the path begins with "/users" and not with a version; write /v1.0/... or /beta/...`},
		{"a UPN with a dollar sign", "/v1.0/users/$x@y.com", "",
			`the segment "$x@y.com" begins with "$" and is none of $ref, $value, $count, $metadata, $batch; write a key that ` +
				`begins with "$" in quotes: users('$x@y')`},
		{"a slash in quotes", "/v1.0/sites/1/getByPath(path='/a')", "",
			"address a file or site by its path as /drives/{id}/root:/{path} or /sites/{host}:/{path}"},
		{"a raw space", "/v1.0/users/a b", "", `the segment "a b" has a raw ' '; write %20`},
		{"an escaped slash", "/v1.0/users/a%2Fb", "",
			`the segment "a%2Fb" has an escaped slash, %2F, which Graph reads as a separator`},
		{"doubled options", "/v1.0/users", "$select=id&Select=mail",
			`the query option $select is there twice, as $select and Select; write it once`},
		{"an option in a value", "/v1.0/users", "$select=id%26$expand=manager",
			`write a plain "&" between options, or %2526 if it is text`},
		{"an option behind a semicolon", "/v1.0/users", "$select=id;$expand=manager",
			`write a plain "&" between options, or %253B if it is text`},
		{"a number sign before another option", "/v1.0/users", "$search=%23&$top=5",
			`the query option $search holds an escaped "#", and some servers drop what follows one; write this option last`},
		{"a doubled name", "/v1.0/users", "select=id,id", `the query option select holds a name twice; write each name once`},
		{"a long segment is cut", "/v1.0/$" + strings.Repeat("x", 500), "",
			`the segment "$` + strings.Repeat("x", 79) + `"... begins`},
		{"hostile text is escaped", "/v1.0/\u202Ex", "", `the segment "\u202ex" holds the invisible character U+202E`},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := odata.Parse(test.path, test.query)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("the message is\n%v\nand lacks\n%s", err, test.want)
			}
		})
	}
}
