package odata_test

import (
	"net/url"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"graphproxy/policy/graph/odata"
)

// The characters that canonical text may have. Only characters that cannot stand plain are escaped, and never a
// backslash or a control character. A slash, or a percent sign before two hexadecimal digits, is escaped only
// in a text to search for. In a query the escapes are the caller's, except those of unreserved characters and
// of control characters.
var (
	canonicalPath = regexp.MustCompile(
		`^(/([A-Za-z0-9\-._~!$'()*+,=:@]|%(2[0-35689B]|3[BCEF]|5[BDE]|60|7[BCD]|[89A-F][0-9A-F]))+)+$`,
	)
	searched       = regexp.MustCompile(`(?i)\bsearch\([a-z]+='([^']|'')*'(,[a-z]+='([^']|'')*')*\)`)
	secondLayer    = regexp.MustCompile(`%25[0-9A-Fa-f]{2}`)
	canonicalQuery = regexp.MustCompile(
		`^([!-"$&-~]|%(2[0-9A-CFa-cf]|3[A-Fa-f]|40|5[B-Eb-e]|60|7[B-Db-d]|[89A-Fa-f][0-9A-Fa-f]))*$`,
	)
)

func checkCanonical(t *testing.T, target *odata.Target) {
	t.Helper()
	path, query := target.EscapedPath(), target.RawQuery()
	if written := (&odata.Target{Version: target.Version, Segments: target.Segments}).EscapedPath(); written != path {
		t.Errorf("sends %q and not what was read, %q", path, written)
	}
	path = searched.ReplaceAllString(path, "search()")
	if !canonicalPath.MatchString(path) || strings.Contains(path, "//") || strings.Contains(path+"/", "/./") ||
		strings.Contains(path+"/", "/../") {
		t.Errorf("%q is not canonical", path)
	}
	if secondLayer.MatchString(path) && !strings.Contains(path, ":/") {
		t.Errorf("%q has a second layer of escapes outside a drive path", path)
	}
	if !canonicalQuery.MatchString(query) || strings.Contains("&"+query+"&", "&&") && query != "" {
		t.Errorf("%q is not canonical", query)
	}
}

// checkNetURL checks that net/url, which is independent of this package, reads the same path and sends the same
// text.
func checkNetURL(t *testing.T, target *odata.Target) {
	t.Helper()
	u, err := url.ParseRequestURI(target.EscapedPath() + "?" + target.RawQuery())
	if err != nil {
		t.Fatal(err)
	}
	if u.EscapedPath() != target.EscapedPath() || u.RawQuery != target.RawQuery() {
		t.Errorf("net/url sends %q ? %q for %q ? %q", u.EscapedPath(), u.RawQuery, target.EscapedPath(), target.RawQuery())
	}
	if u.Path != target.Path() {
		t.Errorf("net/url reads %q, the target %q", u.Path, target.Path())
	}
	for _, o := range target.Query {
		if strings.Contains(target.RawQuery(), ";") || strings.Contains(o.Value, "+") {
			continue // net/url drops options with ";" and reads "+" as a space
		}
		if got := u.Query().Get(o.Name); got != o.Value {
			t.Errorf("net/url reads %s as %q, the target as %q", o.Name, got, o.Value)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range [][2]string{
		{"/v1.0/users/adele@contoso.com/messages", "$select=id&$top=5"},
		{"/beta/Users('o''brien%40contoso.com')/microsoft.graph.delta()",
			"%24Select=a&expand=manager($levels=max;$select=id)"},
		{"/v1.0/contoso.com/reports/f(period='D7',n=5,at=2026-01-01T00:00:00Z)", "search=a+b%2B"},
		{"/v1.0/contoso.com/fabrikam.com/users", "@x=1"},
		{"/v1.0/drives/d/items/ID:/a%25s/b%20c;d:/content", "format=pdf&&$filter=x eq 'R%26D'"},
		{"/v1.0/sites/contoso.sharepoint.com:/teams/hr:/drive/root:/x", "$search=%2522a%2522"},
		{"/v1.0/users/Adele%23EXT%23@contoso.com/$ref/", "a&b=&c=="},
		{"/v1.0/users/%E2%84%AA/..%2f%5c%00", "%zz=%"},
		{"/v1.0/root:/a:b:/c::/d:/", "a;b=1"},
		{"/v1.0/" + strings.Repeat("`", 4<<10), ""}, // longer than is read once it is escaped
		{"/v1.0/x(('a'))('b'),c=@d", "\xff=\xff"},
		{"/v1.0/drives/d/items/root%3A%2Fa%2Fb%3A/content", ""},
		{"/v1.0/drives('d')/items('root%3a%2fit''s%3a')/children", ""},
		{"/v1.0/sites/h:%2Fa%2F:/drive/root%3A/b/c%3A", ""},
		{"/v1.0/x/f(a=graph.b'c',%20d=[%20\"(e)\",1])", ""},
		{"/v1.0/drives/d/items/i/workbook/tables/$/itemAt(index=1)", ""},
		{"/v1.0/domains/graph.contoso.com/extensions/microsoft.graph.a.b", ""},
		{"/v1.0/users", "$select=id%26$expand=manager"},
		{"/v1.0/users", "a='(';%20%2524b=c&x=R%26D;y=(a;b=c)%23"},
		{"/v1.0/users/delta", "(token='x%26$expand=manager')"},
		{"/v1.0/users", "$skiptoken=Paged%3DTRUE%26p_ID%3D5"},
		{"/v1.0/users", "select=id,@microsoft.graph.downloadUrl,ID&$expand=a(select=b;expand=c,c)"},
		{"/v1.0/d/root/search(q='a/b%2F100%25ab')/$count", ""},
		{"/v1.0/d/workbook/worksheets/Sheet1%20(2)/tables/%20a;b.%E2%80%8C", ""},
		{"/v1.0/drive/root:/Q3%2520F%EF%BC%8Fx.pdf", ""},
		{"/v1.0/users/%EF%BD%83eo@contoso.com", ""},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, path, query string) {
		target, err := odata.Parse(path, query)
		if err != nil {
			if e, ok := err.(*odata.Error); !ok || e.Code == "" || e.Message == "" || target != nil {
				t.Fatalf("the error is %#v, the target %v", err, target)
			}
			return
		}
		checkRoundTrip(t, target)
		checkCanonical(t, target)
		checkNetURL(t, target)
	})
}

func FuzzParseTemplate(f *testing.F) {
	for _, seed := range []string{
		"/users/{id}/messages", "/beta/users('{id}')/**", "/drives/{d}/root:/{path}:/children", "/x/f(a={b},c='@d',e=5)",
		"/sites/{h}:/{p}:/**",
		"/groups/{id}/members/graph.user/$ref", "/$batch", "/**", "/v1.0/{x}", "/a/{b}{c}", "/a/root:/Reports/**",
		"/users('x''y')/%7Bid%7D",
		"/drives/{d}/items/root%3A%2F{p}%3A/**", "/sites/graph.contoso.com%3A%2Fa/f(a=graph.b'{c}')",
		"/a:/" + strings.Repeat(";", 4<<10), strings.Repeat("/a", 64),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		template, err := odata.ParseTemplate(text)
		if err != nil {
			return
		}
		again, err := odata.ParseTemplate(template.Text)
		if err != nil || !reflect.DeepEqual(again, template) {
			t.Fatalf("%q is written %q, which reads as\n%#v, %v\nand not as\n%#v", text, template.Text, again, err, template)
		}
		target, err := odata.Parse((&odata.Target{Version: template.Version, Segments: fill(template, false)}).EscapedPath(),
			"")
		if err != nil {
			t.Fatalf("%q cannot be a target: %v", template.Text, err)
		}
		checkRoundTrip(t, target)
	})
}

func FuzzParseExpand(f *testing.F) {
	for _, seed := range []string{
		"manager", "members($select=id,mail;$expand=manager($levels=max)),owners/$ref", "*/$ref", "*($levels=2)",
		"a($filter=x eq 'b;c,d)(''e';$top=1)",
		`a($search="x y")`, "graph.user/manager", "a($filter=y/any(z:z eq 1);expand=b)", "a(", "a)(b", "a($top=1,$expand=b)",
		nest(8), nest(9),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		items, err := odata.ParseExpand(value)
		if err != nil {
			return
		}
		written := writeExpand(items)
		again, err := odata.ParseExpand(written)
		if err != nil || writeExpand(again) != written {
			t.Fatalf("%q is written %q, which reads as %q, %v", value, written, writeExpand(again), err)
		}
		checkExpand(t, items, 1)
	})
}

// checkExpand checks what a judge of the items relies on.
func checkExpand(t *testing.T, items []odata.Expand, depth int) {
	t.Helper()
	if len(items) == 0 || depth > 8 {
		t.Fatalf("%d items at depth %d", len(items), depth)
	}
	for _, item := range items {
		if !item.Star && len(item.Path) == 0 {
			t.Fatal("an item without a path")
		}
		for _, name := range item.Path {
			if name == "" || name != strings.ToLower(name) || strings.ContainsAny(name, " */'();,=") {
				t.Fatalf("the path has the name %q", name)
			}
		}
		for _, o := range item.Options {
			if o.Name == "$expand" || !strings.HasPrefix(o.Name, "$") || o.Value == "" {
				t.Fatalf("the item has the option %+v", o)
			}
		}
		if item.Nested != nil {
			checkExpand(t, item.Nested, depth+1)
		}
	}
}
