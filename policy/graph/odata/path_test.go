package odata_test

import (
	"strings"
	"testing"

	"graphproxy/policy/graph/odata"
)

func TestParsePath(t *testing.T) {
	const guid = "6e7b768e-07e2-4810-8459-485f84f8f204"
	for _, test := range []struct {
		name     string
		path     string
		segments string // as describe writes them
		sent     string // "" if the same as path
		readable string // "" if the same as what is sent
	}{
		{"the service root has no segments", "/v1.0", "", "", ""},
		{"a slash after the version is dropped", "/beta/", "", "/beta", ""},
		{"names are kept as written", "/v1.0/Users", "Users", "", ""},
		{"one trailing slash is dropped", "/v1.0/groups/7/members/", "groups 7 members", "/v1.0/groups/7/members", ""},
		{"a key may be a segment", "/v1.0/users/adele@contoso.com/messages", "users adele@contoso.com messages", "", ""},
		{"a key may stand in parentheses", "/v1.0/users('adele@contoso.com')/messages",
			"users ('adele@contoso.com') messages", "", ""},
		{"a key may be a number", "/v1.0/items(5)", "items (5)", "", ""},
		{"a key may be a GUID without quotes", "/v1.0/users(" + guid + ")", "users (" + guid + ")", "", ""},
		{"a quote in a key is doubled", "/v1.0/users('o''brien@contoso.com')", "users ('o'brien@contoso.com')", "", ""},
		{"a quote in a plain key is not", "/v1.0/users/o'brien@contoso.com", "users o'brien@contoso.com", "", ""},
		{"an escaped quote is a quote", "/v1.0/users/o%27brien@contoso.com", "users o'brien@contoso.com",
			"/v1.0/users/o'brien@contoso.com", ""},
		{"escaped syntax is syntax", "/v1.0/users%28%27x%27%29/%24ref", "users ('x') $ref", "/v1.0/users('x')/$ref", ""},
		{"an escaped at sign is an at sign", "/v1.0/users/adele%40contoso.com", "users adele@contoso.com",
			"/v1.0/users/adele@contoso.com", ""},
		{"escapes of plain letters are taken off", "/v1.0/%75sers/%7Ex", "users ~x", "/v1.0/users/~x", ""},
		{"lower-case hex becomes upper case", "/v1.0/users/a%c3%a9", "users aé", "/v1.0/users/a%C3%A9", "/v1.0/users/aé"},
		{"raw UTF-8 is escaped", "/v1.0/users/aé", "users aé", "/v1.0/users/a%C3%A9", "/v1.0/users/aé"},
		{"a guest's UPN keeps its number signs escaped", "/v1.0/users/Adele_adatum.com%23EXT%23@contoso.com",
			"users Adele_adatum.com#EXT#@contoso.com", "", "/v1.0/users/Adele_adatum.com#EXT#@contoso.com"},
		{"a guest's UPN in parentheses", "/v1.0/users('a%23EXT%23@contoso.com')", "users ('a#EXT#@contoso.com')", "",
			"/v1.0/users('a#EXT#@contoso.com')"},
		{"a UPN with a dollar sign in front stands in quotes", "/v1.0/users('$x@contoso.com')", "users ('$x@contoso.com')",
			"", ""},
		{"base64 ids", "/v1.0/users/1/messages/AAMkAGI-_x+y=", "users 1 messages AAMkAGI-_x+y=", "", ""},
		{"a site id has commas", "/v1.0/sites/contoso.sharepoint.com," + guid + "," + guid,
			"sites contoso.sharepoint.com," + guid + "," + guid, "", ""},
		{"a chat id has a colon", "/v1.0/chats/19:abc@thread.v2", "chats 19:abc@thread.v2", "", ""},
		{"an escaped colon within a key is a colon", "/v1.0/teams/1/channels/19%3aabc@thread.tacv2",
			"teams 1 channels 19:abc@thread.tacv2", "/v1.0/teams/1/channels/19:abc@thread.tacv2", ""},
		{"a sharing token", "/v1.0/shares/u!aHR0cHM6Ly8/driveItem", "shares u!aHR0cHM6Ly8 driveItem", "", ""},
		{"a key with an ampersand is sent escaped", "/v1.0/x/a&b", "x a&b", "/v1.0/x/a%26b", "/v1.0/x/a&b"},
		{"a key with a space", "/v1.0/sites/1/lists/Shared%20Documents", "sites 1 lists Shared Documents", "",
			"/v1.0/sites/1/lists/Shared Documents"},

		{"empty parentheses are a call", "/v1.0/users/delta()", "users delta()", "", ""},
		{"a namespace is recognised", "/v1.0/users/microsoft.graph.delta()", "users ~delta=microsoft.graph.delta()", "", ""},
		{"its alias too", "/v1.0/groups/7/members/Graph.User", "groups 7 members ~user=Graph.User", "", ""},
		{"a namespace below it too", "/beta/x/microsoft.graph.security.applyHold",
			"x ~applyhold=microsoft.graph.security.applyHold", "", ""},
		{"another namespace of Microsoft's", "/v1.0/groups/7/members/Microsoft.DirectoryServices.User",
			"groups 7 members ~user=Microsoft.DirectoryServices.User", "", ""},
		{"a domain is no cast", "/v1.0/domains/graph.contoso.com/verify", "domains graph.contoso.com verify", "", ""},
		{"nor is one of two labels", "/v1.0/domains/microsoft.com", "domains microsoft.com", "", ""},
		{"nor is the id of an open extension", "/v1.0/users/x/extensions/microsoft.graph.openTypeExtension.com.contoso.x",
			"users x extensions microsoft.graph.openTypeExtension.com.contoso.x", "", ""},
		{"its type is one", "/v1.0/users/x/extensions/microsoft.graph.openTypeExtension",
			"users x extensions ~opentypeextension=microsoft.graph.openTypeExtension", "", ""},
		{"nor is the host of a tenant called graph", "/v1.0/sites/graph.sharepoint.com/lists",
			"sites graph.sharepoint.com lists", "", ""},
		{"a function of sites is one", "/v1.0/sites/graph.delta", "sites ~delta=graph.delta", "", ""},
		{"a call is no key", "/v1.0/sites/graph.x.delta()", "sites ~delta=graph.x.delta()", "", ""},
		{"a host that is known as a threat", "/v1.0/security/threatIntelligence/hosts/graph.contoso.com",
			"security threatIntelligence hosts graph.contoso.com", "", ""},
		{"a namespace of permissions", "/v1.0/roleManagement/directory/resourceNamespaces/microsoft.directory",
			"roleManagement directory resourceNamespaces microsoft.directory", "", ""},
		{"a list that is called so", "/v1.0/sites/s/lists/graph.api.calls", "sites s lists graph.api.calls", "", ""},
		{"a UPN may begin like a namespace", "/v1.0/users/graph.x@contoso.com", "users graph.x@contoso.com", "", ""},
		{"named arguments", "/v1.0/reports/f(period='D7',n=-1.5,at=2026-01-01T00:00:00Z)",
			"reports f (period='D7',n=-1.5,at=2026-01-01T00:00:00Z)", "", ""},
		{"an argument may be empty text", "/v1.0/drives/1/root/delta(token='')", "drives 1 root delta (token='')", "", ""},
		{"quoted arguments hold any text", "/v1.0/drives/1/root/search(q='let''s%20(go),a=%3F%26')",
			"drives 1 root search (q='let's (go),a=?&')", "",
			"/v1.0/drives/1/root/search(q='let''s (go),a=?&')"},
		{"a range", "/v1.0/x/range(address='Sheet1!A1:B2')", "x range (address='Sheet1!A1:B2')", "", ""},
		{"an alternate key", "/v1.0/users(userPrincipalName='a@contoso.com')", "users (userPrincipalName='a@contoso.com')",
			"", ""},
		{"a quoted value may begin with an at sign", "/v1.0/f(a='@x')", "f (a='@x')", "", ""},
		{"Turkish and Persian letters in a search", "/v1.0/drives/1/root/search(q='%C4%B1%E2%80%8C')",
			"drives 1 root search (q='ı\u200c')", "",
			"/v1.0/drives/1/root/search(q='ı\u200c')"},

		{"blanks after commas are not sent on", "/v1.0/x/f(a=1,%20b='y',%20%20c=2)", "x f (a=1,b='y',c=2)",
			"/v1.0/x/f(a=1,b='y',c=2)", ""},
		{"an enumeration's literal", "/v1.0/x/f(tz=microsoft.graph.timeZoneStandard'Iana',b=1)", "x f (tz='Iana',b=1)", "",
			""},
		{"one with the alias, and escaped quotes", "/v1.0/x/f(tz=graph.timeZoneStandard%27Iana%27)", "x f (tz='Iana')",
			"/v1.0/x/f(tz=graph.timeZoneStandard'Iana')", ""},
		{"a list", "/v1.0/x/f(ids=[\"1\",\"a%20b\"],n=[1,2],e=[])", "x f (ids=[\"1\",\"a b\"],n=[1,2],e=[])",
			"/v1.0/x/f(ids=%5B%221%22,%22a%20b%22%5D,n=%5B1,2%5D,e=%5B%5D)", "/v1.0/x/f(ids=[\"1\",\"a b\"],n=[1,2],e=[])"},
		{"a list with blanks", "/v1.0/x/f(ids=%5B%20%22(1)%22%20,%20%22'%22%20%5D)", "x f (ids=[\"(1)\",\"'\"])",
			"/v1.0/x/f(ids=%5B%22(1)%22,%22'%22%5D)", "/v1.0/x/f(ids=[\"(1)\",\"'\"])"},

		{"a percent sign in a key", "/v1.0/users/100%25", "users 100%", "", "/v1.0/users/100%"},
		{"a percent sign and a slash in a search", "/v1.0/drives/1/root/search(q='100%25%2F50%25ab')",
			"drives 1 root search (q='100%/50%ab')", "", "/v1.0/drives/1/root/search(q='100%/50%ab')"},
		{"a raw slash in a search", "/v1.0/drives/1/root/search(q='2026/05')", "drives 1 root search (q='2026/05')",
			"/v1.0/drives/1/root/search(q='2026%2F05')", "/v1.0/drives/1/root/search(q='2026/05')"},
		{"slashes and quotes in a search, and what follows",
			"/v1.0/drives/1/root/microsoft.graph.search%28q%3D'it''s%2Fa/b'%29/$count",
			"drives 1 root ~search=microsoft.graph.search (q='it's/a/b') $count",
			"/v1.0/drives/1/root/microsoft.graph.search(q='it''s%2Fa%2Fb')/$count",
			"/v1.0/drives/1/root/microsoft.graph.search(q='it''s/a/b')/$count"},
		{"any text in a search", "/v1.0/drives/1/root/search(q='a%3Bb%EF%BC%8Fc.%20')",
			"drives 1 root search (q='a;b／c. ')", "", "/v1.0/drives/1/root/search(q='a;b／c. ')"},
		{"a worksheet with parentheses", "/v1.0/d/workbook/worksheets/Sheet1%20(2)/charts",
			"d workbook worksheets Sheet1 (2) charts", "/v1.0/d/workbook/worksheets/Sheet1%20%282%29/charts",
			"/v1.0/d/workbook/worksheets/Sheet1 (2)/charts"},
		{"with escaped ones", "/v1.0/d/workbook/worksheets/Sheet1%20%282%29", "d workbook worksheets Sheet1 (2)", "",
			"/v1.0/d/workbook/worksheets/Sheet1 (2)"},
		{"and in quotes", "/v1.0/d/workbook/worksheets('Sheet1%20(2)')", "d workbook worksheets ('Sheet1 (2)')", "",
			"/v1.0/d/workbook/worksheets('Sheet1 (2)')"},
		{"letters that change into ASCII ones in a list", "/v1.0/sites/s/lists/Sat%C4%B1%C5%9F%C4%B0",
			"sites s lists Satışİ", "", "/v1.0/sites/s/lists/Satışİ"},
		{"joiners and a space that does not break in a table", "/v1.0/d/workbook/tables/a%E2%80%8C%E2%80%8D%C2%A0b",
			"d workbook tables a\u200c\u200d\u00a0b", "", "/v1.0/d/workbook/tables/a\u200c\u200d\u00a0b"},
		{"a semicolon, a percent sign and loose ends in a column", "/v1.0/sites/s/lists/x/columns/%20a%3B100%25.%20",
			"sites s lists x columns  a;100%. ", "", "/v1.0/sites/s/lists/x/columns/ a;100%. "},
		{"the name of a file behind children", "/v1.0/drives/d/items/i/children('Q3%20plan;%20final.')/content",
			"drives d items i children ('Q3 plan; final.') content",
			"/v1.0/drives/d/items/i/children('Q3%20plan%3B%20final.')/content",
			"/v1.0/drives/d/items/i/children('Q3 plan; final.')/content"},
		{"one without quotes", "/v1.0/drives/d/root:/a:/children/Sat%C4%B1%C5%9F%3B100%25",
			"drives d root :a: children Satış;100%", "", "/v1.0/drives/d/root:/a:/children/Satış;100%"},
		{"a last dot in quotes", "/v1.0/sites/s/lists('Inc.')/items", "sites s lists ('Inc.') items", "", ""},
		{"system segments are lower case", "/v1.0/users/1/photo/$Value", "users 1 photo $value",
			"/v1.0/users/1/photo/$value", ""},
		{"$count and $ref", "/v1.0/groups/1/members/$count/$REF", "groups 1 members $count $ref",
			"/v1.0/groups/1/members/$count/$ref", ""},
		{"$metadata", "/v1.0/$metadata", "$metadata", "", ""},
		{"$batch", "/beta/$BATCH", "$batch", "/beta/$batch", ""},

		{"a drive path and what follows", "/v1.0/drive/root:/a/b:/children", "drive root :a/b: children", "", ""},
		{"a drive path at the end", "/v1.0/drive/root:/a/b", "drive root :a/b:", "", ""},
		{"a closing colon at the end says nothing", "/v1.0/drive/root:/a/b:", "drive root :a/b:", "/v1.0/drive/root:/a/b",
			""},
		{"nor does one before a trailing slash", "/v1.0/drive/root:/a/b:/", "drive root :a/b:", "/v1.0/drive/root:/a/b", ""},
		{"a trailing slash within a drive path", "/v1.0/drive/root:/a/", "drive root :a:", "/v1.0/drive/root:/a", ""},
		{"a path below an item", "/v1.0/drives/d/items/ID!1:/rel/x:/content", "drives d items ID!1 :rel/x: content", "", ""},
		{"a path below a key in parentheses", "/v1.0/drives('d')/items('ID'):/a:/content",
			"drives ('d') items ('ID') :a: content", "", ""},
		{"a path below a special folder", "/v1.0/users('x')/drive/special/documents:/f.xlsx:/content",
			"users ('x') drive special documents :f.xlsx: content", "", ""},
		{"a site by path", "/v1.0/sites/contoso.sharepoint.com:/teams/hr:/lists",
			"sites contoso.sharepoint.com :teams/hr: lists", "", ""},
		{"a site's path and a drive's", "/v1.0/sites/contoso.sharepoint.com:/teams/hr:/drive/root:/a:/content",
			"sites contoso.sharepoint.com :teams/hr: drive root :a: content", "", ""},
		{"a trailing slash within the path of a folder", "/v1.0/drive/root:/a/:/children", "drive root :a: children",
			"/v1.0/drive/root:/a:/children", ""},
		{"a path in one segment", "/v1.0/drives/d/items/root%3A%2Fa%2Fb.docx%3A/content", "drives d root :a/b.docx: content",
			"/v1.0/drives/d/root:/a/b.docx:/content", ""},
		{"one in lower-case hex", "/v1.0/drives/d/items/root%3a%2fa%2fb.docx%3a/content", "drives d root :a/b.docx: content",
			"/v1.0/drives/d/root:/a/b.docx:/content", ""},
		{"one without its last colon at the end", "/v1.0/drives/d/items/root%3A%2Fa%2Fb.docx", "drives d root :a/b.docx:",
			"/v1.0/drives/d/root:/a/b.docx", ""},
		{"one with its last colon at the end", "/v1.0/drives/d/items/root%3A%2Fa%3A/", "drives d root :a:",
			"/v1.0/drives/d/root:/a", ""},
		{"one with a trailing slash inside", "/v1.0/drives/d/items/root%3A%2Fa%2F%3A/children", "drives d root :a: children",
			"/v1.0/drives/d/root:/a:/children", ""},
		{"one in parentheses", "/v1.0/drives('d')/items('root%3A%2Fit''s%3A')/children", "drives ('d') root :it's: children",
			"/v1.0/drives('d')/root:/it's:/children", ""},
		{"one in parentheses with escaped quotes", "/v1.0/sites(%27h%3A%2Fa%27)", "sites h :a:", "/v1.0/sites/h:/a", ""},
		{"one in parentheses that only the quote ends", "/v1.0/sites('h%3A%2Fa')/lists", "sites h :a: lists",
			"/v1.0/sites/h:/a:/lists", ""},
		{"one behind parentheses", "/v1.0/drives/d/items('ID')%3A%2Fa%3A/content", "drives d items ('ID') :a: content",
			"/v1.0/drives/d/items('ID'):/a:/content", ""},
		{"one below an item", "/v1.0/drives/d/items/ID%211%3A%2Fa", "drives d items ID!1 :a:",
			"/v1.0/drives/d/items/ID!1:/a", ""},
		{"one at the root of a drive", "/v1.0/drives/d/root%3A%2Fa%3A/children", "drives d root :a: children",
			"/v1.0/drives/d/root:/a:/children", ""},
		{"one at the root of a drive in parentheses", "/v1.0/drives('d')/root%3A%2Fa", "drives ('d') root :a:",
			"/v1.0/drives('d')/root:/a", ""},
		{"one at the root of a shared item", "/v1.0/shares/u!x/root%3A%2Fa", "shares u!x root :a:",
			"/v1.0/shares/u!x/root:/a", ""},
		{"one in a special folder", "/v1.0/users/x/drive/special/approot%3A%2Fa.json%3A/content",
			"users x drive special approot :a.json: content", "/v1.0/users/x/drive/special/approot:/a.json:/content", ""},
		{"only the colons escaped", "/v1.0/users/x/drive/root%3A/a/b%3A/children", "users x drive root :a/b: children",
			"/v1.0/users/x/drive/root:/a/b:/children", ""},
		{"only the slashes escaped", "/v1.0/drive/root:%2Fa%2fb:/children", "drive root :a/b: children",
			"/v1.0/drive/root:/a/b:/children", ""},
		{"one slash of it escaped", "/v1.0/drive/root:/a%2Fb/c:/children", "drive root :a/b/c: children",
			"/v1.0/drive/root:/a/b/c:/children", ""},
		{"a site's path in one segment", "/v1.0/sites/contoso.sharepoint.com%3A%2Fteams%2Fhr%3A/lists",
			"sites contoso.sharepoint.com :teams/hr: lists", "/v1.0/sites/contoso.sharepoint.com:/teams/hr:/lists", ""},
		{"a path of a site called graph", "/v1.0/sites/graph.sharepoint.com%3A%2Fa", "sites graph.sharepoint.com :a:",
			"/v1.0/sites/graph.sharepoint.com:/a", ""},
		{"two paths in segments", "/v1.0/sites/root%3A%2Fa%3A/drive/root%3A%2Fb%3A/content",
			"sites root :a: drive root :b: content", "/v1.0/sites/root:/a:/drive/root:/b:/content", ""},
		{"names in a drive path hold almost anything", "/v1.0/drive/root:/Ryan's%20Files/doc%20(1)%23[x]%7B%7D.docx",
			"drive root :Ryan's Files/doc (1)#[x]{}.docx:",
			"/v1.0/drive/root:/Ryan's%20Files/doc%20(1)%23%5Bx%5D%7B%7D.docx",
			"/v1.0/drive/root:/Ryan's Files/doc (1)#[x]{}.docx"},
		{"a percent sign in a drive path", "/v1.0/drive/root:/estimate%25s.docx", "drive root :estimate%s.docx:", "",
			"/v1.0/drive/root:/estimate%s.docx"},
		{"an escape in the name of a file", "/v1.0/drive/root:/Q3%2520Final.pdf:/content",
			"drive root :Q3%20Final.pdf: content", "", "/v1.0/drive/root:/Q3%20Final.pdf:/content"},
		{"a percent sign before two digits in the name of a file", "/v1.0/drive/root:/50%25ab.txt", "drive root :50%ab.txt:",
			"", "/v1.0/drive/root:/50%ab.txt"},
		{"characters that rclone writes for those that OneDrive forbids",
			"/v1.0/drive/root:/a%EF%BC%9Ab%EF%BC%8Fc%EF%BC%9F.txt", "drive root :a：b／c？.txt:", "",
			"/v1.0/drive/root:/a：b／c？.txt"},
		{"a semicolon in a drive path is sent escaped", "/v1.0/drive/root:/a;b%3bc", "drive root :a;b;c:",
			"/v1.0/drive/root:/a%3Bb%3Bc", "/v1.0/drive/root:/a;b;c"},
		{"a drive path may look like other segments", "/v1.0/drive/root:/users('x')/$ref/delta():/content",
			"drive root :users('x')/$ref/delta(): content", "", ""},
		{"UTF-8 in a drive path", "/v1.0/drive/root:/%e6%97%a5/%C4%B0", "drive root :日/İ:",
			"/v1.0/drive/root:/%E6%97%A5/%C4%B0", "/v1.0/drive/root:/日/İ"},
	} {
		t.Run(test.name, func(t *testing.T) {
			target := mustParse(t, test.path, "")
			if got := describe(target.Segments); got != test.segments {
				t.Errorf("segments are\n%s, want\n%s", got, test.segments)
			}
			if test.sent == "" {
				test.sent = test.path
			}
			if got := target.EscapedPath(); got != test.sent {
				t.Errorf("sent is\n%s, want\n%s", got, test.sent)
			}
			if test.readable == "" {
				test.readable = test.sent
			}
			if got := target.Path(); got != test.readable {
				t.Errorf("readable is\n%s, want\n%s", got, test.readable)
			}
			checkRoundTrip(t, target)
		})
	}
}

func TestTenant(t *testing.T) {
	const guid = "6E7B768E-07e2-4810-8459-485f84f8f204"
	for _, test := range []struct{ name, path, tenant, sent string }{
		{"a domain", "/v1.0/contoso.onmicrosoft.com/users", "contoso.onmicrosoft.com", "/v1.0/users"},
		{"a domain as it is written", "/v1.0/Contoso.COM/users/1", "Contoso.COM", "/v1.0/users/1"},
		{"a GUID", "/beta/" + guid + "/groups", guid, "/beta/groups"},
		{"myOrganization in any case", "/v1.0/MYorganization/users", "MYorganization", "/v1.0/users"},
		{"a tenant alone is the service root", "/v1.0/contoso.com/", "contoso.com", "/v1.0"},
		{"$metadata stands alone after it", "/v1.0/contoso.com/$metadata", "contoso.com", "/v1.0/$metadata"},
		{"an escaped one is one", "/v1.0/contoso%2Ecom/users", "contoso.com", "/v1.0/users"},
		{"a cast is none", "/v1.0/microsoft.graph.user", "", "/v1.0/microsoft.graph.user"},
		{"a domain may begin like a namespace", "/v1.0/graph.contoso.com/users", "graph.contoso.com", "/v1.0/users"},
		{"an alias is none", "/v1.0/graph.user", "", "/v1.0/graph.user"},
		{"something like a GUID is none", "/v1.0/6e7b768e-07e2-4810-8459-485f84f8f20x/a", "",
			"/v1.0/6e7b768e-07e2-4810-8459-485f84f8f20x/a"},
		{"nor is it with its hyphens elsewhere", "/v1.0/6e7b768e0-7e2-4810-8459-485f84f8f204/a", "",
			"/v1.0/6e7b768e0-7e2-4810-8459-485f84f8f204/a"},
		{"a domain has no empty label", "/v1.0/contoso..com/a", "", "/v1.0/contoso..com/a"},
		{"and no other characters", "/v1.0/con_toso.com/a", "", "/v1.0/con_toso.com/a"},
		{"a version is none", "/v1.0/v1.0/users", "", "/v1.0/v1.0/users"},
		{"a key in a later place is none", "/v1.0/users/contoso.com", "", "/v1.0/users/contoso.com"},
		{"a name with arguments is none", "/v1.0/contoso.com('x')", "", "/v1.0/contoso.com('x')"},
		{"a name with a path is none", "/v1.0/contoso.com:/x", "", "/v1.0/contoso.com:/x"},
	} {
		t.Run(test.name, func(t *testing.T) {
			target := mustParse(t, test.path, "")
			if target.Tenant != test.tenant || target.EscapedPath() != test.sent {
				t.Errorf("tenant is %q and %q is sent, want %q and %q", target.Tenant, target.EscapedPath(), test.tenant, test.sent)
			}
			checkRoundTrip(t, target)
		})
	}
	t.Run("two tenants are refused, or the second would count at Graph", func(t *testing.T) {
		for _, path := range []string{"/v1.0/contoso.com/fabrikam.com/users", "/v1.0/contoso.com/myorganization",
			"/v1.0/myorganization/" + guid} {
			_, err := odata.Parse(path, "")
			checkRefused(t, err, "ambiguousTarget")
		}
	})
}

func TestSpellingsCompareEqual(t *testing.T) {
	t.Run("a function's spellings have one base", func(t *testing.T) {
		for _, spelling := range []string{"delta", "delta()", "Delta", "microsoft.graph.delta", "microsoft.graph.delta()",
			"graph.delta", "GRAPH.delta()", "%64elta"} {
			last := mustParse(t, "/v1.0/users/"+spelling, "").Segments[1]
			if last.Base != "delta" {
				t.Errorf("%s has the base %q", spelling, last.Base)
			}
			if dotted := strings.Contains(spelling, "."); last.Qualified != dotted {
				t.Errorf("%s: Qualified is %v", spelling, last.Qualified)
			}
			if call := strings.Contains(spelling, "("); last.Call != call {
				t.Errorf("%s: Call is %v", spelling, last.Call)
			}
		}
	})
	t.Run("the namespace and its alias fold to one", func(t *testing.T) {
		for _, spelling := range []string{"graph.user", "microsoft.graph.user", "Microsoft.Graph.User"} {
			if got := mustParse(t, "/v1.0/x/"+spelling, "").Segments[1].Fold; got != "microsoft.graph.user" {
				t.Errorf("%s folds to %q", spelling, got)
			}
		}
	})
	t.Run("letters beyond ASCII fold, but never to ASCII", func(t *testing.T) {
		target := mustParse(t, "/v1.0/drive/root:/%C3%84RGER/%E2%84%AA%C4%B0", "")
		if got, want := target.Segments[2].Fold, "ärger/\u212Aİ"; got != want {
			t.Errorf("folds to %q, want %q", got, want)
		}
	})
	t.Run("keys and arguments fold too", func(t *testing.T) {
		target := mustParse(t, "/v1.0/users('Adele@Contoso.com')/F(Period='D7')", "")
		if got := target.Segments[1].Fold; got != "adele@contoso.com" {
			t.Errorf("the key folds to %q", got)
		}
		if arg := target.Segments[3].Args[0]; arg.Name != "Period" || arg.Fold != "period" || arg.Value != "D7" {
			t.Errorf("the argument is %+v", arg)
		}
	})
}
