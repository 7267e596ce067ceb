package odata_test

import (
	"slices"
	"strings"
	"testing"

	"graphproxy/policy/graph/odata"
)

// writeExpand writes items back in a plain form: folded names, options before the nested $expand.
func writeExpand(items []odata.Expand) string {
	var texts []string
	for _, item := range items {
		path := item.Path
		if item.Star {
			path = append([]string{"*"}, path...)
		}
		text := strings.Join(path, "/")
		var options []string
		for _, o := range item.Options {
			options = append(options, o.Name+"="+o.Value)
		}
		if item.Nested != nil {
			options = append(options, "$expand="+writeExpand(item.Nested))
		}
		if options != nil {
			text += "(" + strings.Join(options, ";") + ")"
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, ",")
}

func TestParseExpand(t *testing.T) {
	for _, test := range []struct{ name, value, want string }{
		{"one item", "manager", "manager"},
		{"several items, with spaces", "members , owners,  manager", "members,owners,manager"},
		{"names fold", "Members($Select=Id,displayName)", "members($select=Id,displayName)"},
		{"casts fold to one spelling", "graph.user/manager,microsoft.graph.eventMessage/event",
			"microsoft.graph.user/manager,microsoft.graph.eventmessage/event"},
		{"options with semicolons", "manager($levels=max;$select=id)", "manager($levels=max;$select=id)"},
		{"options without dollar signs", "manager(levels=2;SELECT=id)", "manager($levels=2;$select=id)"},
		{"spaces around options", "manager( $levels = max ; $select = id , mail )", "manager($levels=max;$select=id , mail)"},
		{"nested items", "a($expand=b($expand=c,d;$select=x);$top=5)", "a($top=5;$expand=b($select=x;$expand=c,d))"},
		{"everything", "*", "*"},
		{"everything, with levels", "*($levels=2)", "*($levels=2)"},
		{"references of everything", "*/$ref", "*/$ref"},
		{"references and counts", "members/$ref,owners/$Count($filter=a eq 1)", "members/$ref,owners/$count($filter=a eq 1)"},
		{"quotes hold any separator", "a($filter=x eq 'b;c,d)(''e';$top=1)", "a($filter=x eq 'b;c,d)(''e';$top=1)"},
		{"parentheses in a filter hold commas", "a($filter=x in ('b','c') and y/any(z:z/w eq 'v'))",
			"a($filter=x in ('b','c') and y/any(z:z/w eq 'v'))"},
		{"a filter by extension name", "extensions($filter=id eq 'com.contoso.x')",
			"extensions($filter=id eq 'com.contoso.x')"},
		{"order", "messages($orderby=receivedDateTime desc,subject;$skip=3;$count=true)",
			"messages($orderby=receivedDateTime desc,subject;$skip=3;$count=true)"},
		{"a phrase to search", `messages($search="hello world")`, `messages($search="hello world")`},
		{"eight levels", nest(8), nest(8)},
	} {
		t.Run(test.name, func(t *testing.T) {
			items, err := odata.ParseExpand(test.value)
			if err != nil {
				t.Fatal(err)
			}
			if got := writeExpand(items); got != test.want {
				t.Errorf("read as\n%s, want\n%s", got, test.want)
			}
		})
	}
	t.Run("the text of an item is its path as written", func(t *testing.T) {
		items, err := odata.ParseExpand("Graph.User/Manager ($select=id)")
		if err != nil || items[0].Text != "Graph.User/Manager" {
			t.Errorf("got %+v, %v", items, err)
		}
	})
}

func nest(levels int) string {
	return strings.Repeat("a($expand=", levels-1) + "a" + strings.Repeat(")", levels-1)
}

func TestParseExpandRefuses(t *testing.T) {
	for _, test := range []struct {
		name   string
		code   string
		values []string
	}{
		{"empty items", "ambiguousTarget", []string{"", " ", ",", "a,", ",a", "a,,b", "()"}},
		{"a path that is none", "ambiguousTarget",
			[]string{"a b", "a/", "/a", "a//b", "a/../b", "..", "a/*", "*/a", "$ref", "$count", "*/$count", "a/$ref/b",
				"a/$value", "$it/a", "a;b", "a=b", "a'b'", "é", "a%2Fb", "a+b", "a&b", "microsoft.graph.", "*a", "-a",
				"@microsoft.graph.downloadUrl"}},
		{"parentheses that do not match", "ambiguousTarget",
			[]string{"a(", "a)", "a($select=id", "a($select=id))", "a($filter=(x)", "(a)", "a)(b"}},
		{"text after the closing parenthesis", "ambiguousTarget",
			[]string{"a($top=1)b", "a($top=1)($top=2)", "a($top=1)/b", "a($top=1)/$ref"}},
		{"options that are none", "unsupportedTarget",
			[]string{"a()", "a(($select=id))", "a(;)", "a($top=1;)", "a(;$top=1)", "a(b)", "a('x')", "a($format=json)",
				"a($apply=x)", "a($compute=x)", "a(@x=1)", "a($$top=1)", "a(=1)", "a($skiptoken=x)"}},
		{"an option twice", "ambiguousTarget",
			[]string{"a($top=1;$top=2)", "a($top=1;top=2)", "a($select=id;$Select=x)", "a($expand=b;$expand=c)",
				"a(expand=b;$expand=c)"}},
		{"values that are not of their kind", "ambiguousTarget",
			[]string{"a($top=)", "a($top)", "a($top=x)", "a($top=-1)", "a($levels=many)", "a($levels=)", "a($count=yes)",
				"a($select=)", "a($select=a b)", "a($select=b($top=1))", "a($expand=)", "a($filter=)", "a($search=)",
				"a($orderby=)", "a($skip=1.5)"}},
		{"commas between nested options", "ambiguousTarget",
			[]string{"a($select=id,$expand=b)", "a($filter=x eq 1,$expand=b)", "a($filter=x eq 1,expand=b)",
				"a($orderby=x,$expand=b)", "a($orderby=x, $expand=b)", "a($orderby=x,expand=b)", "a($top=1,$expand=b)",
				"a($search=x,$expand=b)", "a($levels=1,$expand=b)"}},
		{"semicolons within a filter", "ambiguousTarget",
			[]string{"a($filter=(x;$expand=b))", "a($filter=any(x;$expand=b))"}},
		{"quotes that are not closed", "ambiguousTarget",
			[]string{"a($filter=x eq ')", "a($filter=x eq 'y)", "a($filter='x''y)", `a($search="x)`, "'", `"`}},
		{"double quotes around what separates", "ambiguousTarget",
			[]string{`a($search="x)";$expand=b)`, `a($search="x;y")`, `a($search="x(y")`, `a($search="it's")`,
				`a($search="x\"y")`, `a($search="x,$expand=b")`}},
		{"more than eight levels", "targetTooLong", []string{nest(9), nest(500)}},
		{"control characters", "ambiguousTarget", []string{"a\x00", "a($filter='\x7f')"}},
		{"text that is not UTF-8", "badEscape", []string{"a($filter='\xff')"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, value := range test.values {
				t.Run(value, func(t *testing.T) {
					items, err := odata.ParseExpand(value)
					if err == nil {
						t.Fatalf("read as %s", writeExpand(items))
					}
					checkRefused(t, err, test.code)
				})
			}
		})
	}
}

func TestParseSelect(t *testing.T) {
	for _, test := range []struct {
		name, value string
		want        []string
	}{
		{"names", "id,DisplayName", []string{"id", "displayname"}},
		{"spaces around names", " id , mail ", []string{"id", "mail"}},
		{"everything", "*", []string{"*"}},
		{"everything and more", "*,id", []string{"*", "id"}},
		{"casts and paths", "graph.user/Department,microsoft.graph.user,a/b/c",
			[]string{"microsoft.graph.user/department", "microsoft.graph.user", "a/b/c"}},
		{"annotations", "@microsoft.graph.downloadUrl,content.downloadUrl",
			[]string{"@microsoft.graph.downloadurl", "content.downloadurl"}},
		{"names of extensions", "extension_0a1b_cost-centre,com.contoso.roamingSettings,ext550y59ik_x",
			[]string{"extension_0a1b_cost-centre", "com.contoso.roamingsettings", "ext550y59ik_x"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := odata.ParseSelect(test.value)
			if err != nil || !slices.Equal(got, test.want) {
				t.Errorf("got %q, %v; want %q", got, err, test.want)
			}
		})
	}
	for _, value := range []string{"", " ", ",", "id,", ",id", "id,,mail", "a b", "a(b)", "a;b", "$ref", "a=b", "a/*",
		"*/a", "microsoft.graph.*", "a//b", "/a", "a/", "id'", `"id"`, "é", "a&b", "a+b", "id\x00", ".a", "a..b", "a$b",
		"@", "@x", "@@microsoft.graph.x", "a@b.c", "@.x", "@microsoft.graph.", "@a.b-c"} {
		t.Run("refused is "+value, func(t *testing.T) {
			got, err := odata.ParseSelect(value)
			if err == nil {
				t.Fatalf("read as %q", got)
			}
			checkRefused(t, err, "ambiguousTarget")
		})
	}
}

func TestParseSelectPaths(t *testing.T) {
	for _, test := range []struct{ name, value, want string }{
		{"names reach nothing else", "id,DisplayName,*,@microsoft.graph.downloadUrl", ""},
		{"a property behind casts is one of the resource",
			"microsoft.graph.user/department,graph.fileAttachment/contentBytes,graph.a/microsoft.graph.b.c/d", ""},
		{"a path is an expansion", "id,Manager/Id", "manager($select=Id)"},
		{"a longer path", "a/b/c/d", "a/b/c($select=d)"},
		{"a path behind a cast", "graph.user/manager/id", "microsoft.graph.user/manager($select=id)"},
		{"a path with a cast at its end", "manager/graph.user/id", "manager/microsoft.graph.user($select=id)"},
		{"all below a path", "manager/*", "manager($select=*)"},
		{"references and counts", "members/$ref,owners/$Count", "members/$ref,owners/$count"},
		{"parentheses", "id,manager($expand=directReports;$select=id)", "manager($select=id;$expand=directreports)"},
		{"parentheses around commas", "a($select=b,c/d),e", "a($select=b,c/d)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			items, err := odata.ParseSelectPaths(test.value)
			if got := writeExpand(items); err != nil || got != test.want {
				t.Errorf("read as %q, %v; want %q", got, err, test.want)
			}
		})
	}
	for _, value := range []string{"a/", "/a", "a//b", "a/b/", "a(", "a)", "a(b)", "a()", "a/b($select=c)d", "a;b/c",
		"*/a/b", "a%2Fb", "a%28b%29", "a'b'", "graph.user/'b'", "a/'b'", "a/b c", "a/é", "$ref/a", "a/../b"} {
		t.Run("refused is "+value, func(t *testing.T) {
			if items, err := odata.ParseSelectPaths(value); err == nil {
				t.Errorf("read as %q", writeExpand(items))
			}
		})
	}
}
