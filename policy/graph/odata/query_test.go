package odata_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"graphproxy/policy/graph/odata"
)

func TestParseQuery(t *testing.T) {
	for _, test := range []struct {
		name    string
		query   string
		options string // as describeQuery writes them
		sent    string // "=" if the same as query
	}{
		{"no query has no options", "", "", "="},
		{"options in the order written", "$top=5&$select=id,displayName", "$top=5 & $select=id,displayName", "="},
		{"empty pieces are dropped", "&&$top=5&&&$skip=1&", "$top=5 & $skip=1", "$top=5&$skip=1"},
		{"nothing but separators is no query", "&&&", "", ""},
		{"an escaped dollar sign", "%24select=id", "$select=id", "$select=id"},
		{"a name keeps its letter case", "%24Select=id", "$Select[$select]=id", "$Select=id"},
		{"a name without its dollar sign is judged as with it, and sent as written", "select=id&Top=5&orderBy=x",
			"select[$select]=id & Top[$top]=5 & orderBy[$orderby]=x", "="},
		{"escaped letters in a name", "%73elect=id", "select[$select]=id", "select=id"},
		{"every system option is known without it",
			"expand=a&filter=b&skip=1&count=true&skipToken=x&deltatoken=y&apply=z&compute=w",
			"expand[$expand]=a & filter[$filter]=b & skip[$skip]=1 & count[$count]=true & skipToken[$skiptoken]=x & " +
				"deltatoken[$deltatoken]=y & apply[$apply]=z & compute[$compute]=w", "="},
		{"the properties that SharePoint returns only without it",
			"select=id,@microsoft.graph.downloadUrl&expand=fields(select=Name)",
			"select[$select]=id,@microsoft.graph.downloadUrl & expand[$expand]=fields(select=Name)", "="},
		{"bare search and format", "search=hr&Format=pdf", "search[$search]=hr & Format[$format]=pdf", "="},
		{"$search and $format have it", "$search=hr&%24format=pdf", "$search=hr & $format=pdf", "$search=hr&$format=pdf"},
		{"other options stay as they are", "startDateTime=2026-01-01T00:00:00Z&token=latest&$levels=2&index=3",
			"startDateTime[startdatetime]=2026-01-01T00:00:00Z & token=latest & $levels=2 & index=3", "="},
		{"an upload's conflict behaviour", "@microsoft.graph.conflictBehavior=rename",
			"@microsoft.graph.conflictBehavior[@microsoft.graph.conflictbehavior]=rename", "="},
		{"a name without a value", "$count&x=", "$count= & x=", "="},
		{"a value may hold equals signs", "$filter=a=b", "$filter=a=b", "="},
		{"semicolons belong to values", "$expand=manager($levels=max;$select=id)", "$expand=manager($levels=max;$select=id)",
			"="},
		{"what the caller escaped stays escaped", "$expand=manager(%24levels=max%3B%24select=id)",
			"$expand=manager($levels=max;$select=id)", "="},
		{"every reserved character stays as it came",
			"x=%21%22%23%24%25%26%27%28%29%2A%2B%2C%2F%3A%3B%3C%3D%3E%3F%40%5B%5C%5D%5E%60%7B%7C%7D%20",
			"x=!\"#$%&'()*+,/:;<=>?@[\\]^`{|} ", "="},
		{"and in lower-case hexadecimal digits", "x=%2f%3a%3b%3d%2b%c3%a9&y=1", "x=/:;=+é & y=1", "="},
		{"unreserved characters lose their escapes", "x=%41%7a%30%2D%2e%5F%7E", "x=Az0-._~", "x=Az0-._~"},
		{"a skiptoken of SharePoint", "$skiptoken=Paged%3DTRUE%26p_ID%3D5", "$skiptoken=Paged=TRUE&p_ID=5", "="},
		{"a skiptoken of SharePoint with what it is sorted by",
			"$skiptoken=Paged%3DTRUE%26p_SortBehavior%3D0%26p_FileLeafRef%3DQ%2526A.docx%26p_ID%3D20",
			"$skiptoken=Paged=TRUE&p_SortBehavior=0&p_FileLeafRef=Q%26A.docx&p_ID=20", "="},
		{"a skiptoken with semicolons", "$skiptoken=1%3B3%3Bab%2Fc%3D%3D", "$skiptoken=1;3;ab/c==", "="},
		{"a skiptoken in base64", "$skiptoken=RFNwdAIAAQ==&$top=5", "$skiptoken=RFNwdAIAAQ== & $top=5", "="},
		{"a comparison with an ampersand in it", "$filter=department eq 'R%26D = x'&$top=5",
			"$filter=department eq 'R&D = x' & $top=5", "$filter=department%20eq%20'R%26D%20=%20x'&$top=5"},
		{"an address in a comparison", "$filter=webUrl eq 'https://contoso.sharepoint.com/x?id=5%26tenantId=7%26file=a'",
			"$filter=webUrl eq 'https://contoso.sharepoint.com/x?id=5&tenantId=7&file=a'",
			"$filter=webUrl%20eq%20'https://contoso.sharepoint.com/x?id=5%26tenantId=7%26file=a'"},
		{"what looks like an option, as text", "$search=a%2526$expand=manager", "$search=a%26$expand=manager", "="},
		{"semicolons between quotes", `$filter=a eq 'x;$y=1' or b eq "x;top=1"`, `$filter=a eq 'x;$y=1' or b eq "x;top=1"`,
			`$filter=a%20eq%20'x;$y=1'%20or%20b%20eq%20"x;top=1"`},
		{"wide punctuation, as text", "$filter=a eq '产品＆设计；ｘ=1＃'&$top=5",
			"$filter=a eq '产品＆设计；ｘ=1＃' & $top=5",
			"$filter=a%20eq%20'%E4%BA%A7%E5%93%81%EF%BC%86%E8%AE%BE%E8%AE%A1%EF%BC%9B%EF%BD%98=1%EF%BC%83'&$top=5"},
		{"a media type with a parameter", "$format=application/json;odata.metadata=none&$top=1",
			"$format=application/json;odata.metadata=none & $top=1", "="},
		{"an escaped number sign in the last option", "$top=5&$filter=name eq 'C%23'", "$top=5 & $filter=name eq 'C#'",
			"$top=5&$filter=name%20eq%20'C%23'"},
		{"spaces are escaped, also raw ones", "$filter=city eq null&$count=true", "$filter=city eq null & $count=true",
			"$filter=city%20eq%20null&$count=true"},
		{"a plus stays a plus", "$filter=a+eq+1", "$filter=a+eq+1", "="},
		{"an escaped plus stays escaped", "$filter=a%2Beq%2b1+", "$filter=a+eq+1+", "="},
		{"an escaped ampersand is no separator", "$filter=a eq 'R%26D'", "$filter=a eq 'R&D'", "$filter=a%20eq%20'R%26D'"},
		{"a doubly escaped value is decoded once", "$search=%2522%2523x%2522", "$search=%22%23x%22", "="},
		{"percent signs, quotes and brackets", `$search="a"&x=100%25<>[]{}|\^` + "`", `$search="a" & x=100%<>[]{}|\^` + "`",
			"="},
		{"hex in lower case", "startDateTime=2017-01-01T19%3a00%3a00", "startDateTime[startdatetime]=2017-01-01T19:00:00",
			"="},
		{"UTF-8, raw and escaped", "$search=é%c3%a9", "$search=éé", "$search=%C3%A9%c3%a9"},
		{"a question mark in a value", "x=a?b%3Fc", "x=a?b?c", "="},
		{"a reference by address", "$id=https://graph.microsoft.com/v1.0/users/1",
			"$id=https://graph.microsoft.com/v1.0/users/1", "="},
	} {
		t.Run(test.name, func(t *testing.T) {
			target := mustParse(t, "/v1.0/users", test.query)
			if got := describeQuery(target.Query); got != test.options {
				t.Errorf("options are\n%s, want\n%s", got, test.options)
			}
			if test.sent == "=" {
				test.sent = test.query
			}
			if got := target.RawQuery(); got != test.sent {
				t.Errorf("sent is\n%s, want\n%s", got, test.sent)
			}
			checkRoundTrip(t, target)
		})
	}
}

func TestParseRefusesQueries(t *testing.T) {
	for _, test := range []struct {
		name    string
		code    string
		queries []string
	}{
		{"an option twice, in any spelling", "ambiguousTarget",
			[]string{"$select=id&$select=mail", "$select=id&select=mail", "$select=id&%24Select=mail", "$SELECT&$select",
				"search=a&$search=b", "x=1&X=2", "$filter=a&%66ilter=b", "$levels=2&levels=3", "token=a&$token=b", "$Own=1&own=2",
				"id=1&$id=2"}},
		{"a parameter alias", "unsupportedTarget",
			[]string{"@x='a'", "%40x=1", "$filter=id eq @x&@x='y'", "@=1", "@odata.x=1"}},
		{"a name that is none", "ambiguousTarget", []string{"=x", "$=x", "$$select=id", "a b=1", "+select=id", "$sel+ect=id",
			"a%20b=1", "a%00=1", "%0D%0Ax=1", "a;b=1", "a;$select=id", "%26=1", "a%3Db=c", "%C3%A9=1", "é=1", "a#b=1",
			"(token='x')", "a[]=1", "$select%00=id", "a%2541=1", "{x}=1", "a/b=1"}},
		{"a broken escape", "badEscape", []string{"%=1", "%2=1", "%zz=1", "a=%", "a=%2", "a=%zz", "$filter=100%"}},
		{"text that is not UTF-8", "badEscape", []string{"a=%FF", "a=\xff", "a=%C0%AF", "a=%C3"}},
		{"a control character", "ambiguousTarget",
			[]string{"a=%00", "a=%0A", "a=%0d%0aX: y", "a=\n", "a=%7F", "a=%C2%9B", "a=\t"}},
		{"a raw number sign", "ambiguousTarget", []string{"$search=#x", "$top=5#frag"}},
		{"one option in the value of another, behind an ampersand", "ambiguousTarget", []string{
			"$select=id%26$expand=manager", "$select=id%26%24expand%3Dmanager", "$select=id&foo=%26$select=mobilePhone",
			"foo=%26expand=manager", "foo=%26EXPAND=manager", "foo=%26Top=5",
			"$filter=department eq 'a%26$select=mobilePhone%26x='", "$search=%22a%26$expand=manager%22", "x=%26 $expand=a",
			"x=%26%20%20$expand=a", "x=%26+$expand=a", "x=%26%2B$expand=a", "x=%26$$expand=a", "x=%26$ expand=a",
			"x=%26%C2%A0$expand=a", "x=%26%E2%80%83expand=a", "x=%26%EF%BB%BF$expand=a", "x=%26%E2%80%8Bexpand=a",
			"x=%26expand =a", "x=%26$expand+=a", "x=%26%2524expand=a", "x=%26%252524expand=a", "x=%26$%2565xpand=a",
			"x=%26$expand%253Da", "x=%26%2520$expand=a", "x=%26%252520expand=a", "x=%26%2509$expand=a",
			"x=%26%25%2532%2534expand=a", "x=a%26b%26c%26$unknown=d", "x=%26$5=6", "x=%26@p='y'",
			"x=%26@microsoft.graph.conflictBehavior=replace", "$filter=a eq @p%26@p=1", "x=%26y=1&y=2", "y=2&x=%26Y=1",
			"x=%26token=latest", "x=%26startDateTime=2026", "x=%26apply=aggregate(a)", "x=%26compute=b",
			"$skiptoken=Paged%3DTRUE%26$expand%3Dmanager", "x=a%26amp;$expand=manager", "x=(%26$expand=a)", "x='%26$expand=a'"}},
		{"one option in the value of another, behind a semicolon", "ambiguousTarget", []string{
			"a=1;$expand=manager", "a=1%3B$expand=manager", "a=1;expand=manager", "a=1; $expand=manager",
			"a=1;%20expand=manager", "a=1;%2524expand=manager", "$select=id;$expand=manager", "$top=5;$top=999",
			"a='x';$expand=b", "a=';$expand=b", "a='';$expand=b", "a='x;y;$expand=b", "a=\"x;$expand=b", "a=x';$expand=b",
			"a='(';$expand=b", "a=(;$expand=b", "a=);$expand=b", "a=)(;$expand=b)", "a=();$expand=b", "a=(x)y;$expand=b",
			"$expand=a($select=b);$expand=c", "a='%26';$expand=b;'%26'", "a='%26b;$expand=c'", "a=1;b=2;$c=3", "b=1&a=1;b=2"}},
		{"one option in the value of another, for a server that folds characters to those that are compatible",
			"ambiguousTarget", []string{
				"x=a%26%EF%BC%84expand=b", "x=a%26%EF%B9%A9expand=b", "x=a%26%EF%BD%85xpand=b", "x=a%26e%C2%ADxpand=b",
				"x=a%26$e%E2%80%8Bxpand=b", "x=a%26%C3%A9xpand=b", "x=a%26%EF%BC%8524expand=b", "x=a%EF%BC%86$expand=b",
				"x=a%EF%B9%A0expand=b", "x=a＆$expand=b", "x=a%CD%BE$expand=b", "x=a%EF%BC%9B$expand=b", "x=a%EF%B9%94top=5",
				"x=a%EF%B8%94$expand=b", "y=1&x=%EF%BC%86%EF%BD%99=2", "x='%EF%BC%86$expand=b'",
				"$filter=a eq 'é%EF%BC%86$select=mail'", "x=é%EF%BC%9B%EF%BC%84expand=b"}},
		{"an escaped number sign that is not in the last option", "ambiguousTarget",
			[]string{"foo=%23&$select=id", "$search=%22C%23%22&$top=5", "a=1&b=%23&c=2", "$filter=a eq '%23'&x"}},
		{"a name twice in a list", "ambiguousTarget", []string{"$select=id,id", "$select=id,ID", "select=id, id",
			"$select=id,+id", "$select=id,%20id", "$select=*,*", "$select=a,b,a,c",
			"$select=graph.user/a,microsoft.graph.User/a", "$expand=manager,manager", "expand=manager,Manager",
			"$expand=manager,manager($select=id)", "$expand=a($select=id,id)", "$expand=a($expand=b,b)",
			"$expand=a($expand=b($select=c,C))", "$expand=*,*", "$expand=a/$ref,a/$ref", "$select=a($select=b),A",
			"$select=a($select=b,b)", "$select=" + numbered(40) + ",n39", "$select=" + numbered(5000) + ",N1"}},
		{"too much", "targetTooLong",
			[]string{"a=" + strings.Repeat("x", 64<<10), "a=" + strings.Repeat(" ", 32<<10), manyOptions(65)}},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, query := range test.queries {
				t.Run(query, func(t *testing.T) {
					target, err := odata.Parse("/v1.0/users", query)
					if err == nil {
						t.Fatalf("read as %s", describeQuery(target.Query))
					}
					checkRefused(t, err, test.code)
				})
			}
		})
	}
}

func numbered(n int) string {
	var names []string
	for i := range n {
		names = append(names, "n"+strconv.Itoa(i))
	}
	return strings.Join(names, ",")
}

// Every character that a reader which normalises text takes for "&" or ";" separates options for it.
func TestEveryCharacterThatIsCompatibleToASeparatorIsOne(t *testing.T) {
	found := 0
	for r := rune(utf8.RuneSelf); r <= unicode.MaxRune; r++ {
		if !utf8.ValidRune(r) || !strings.ContainsAny(norm.NFKD.String(string(r)), "&;") {
			continue
		}
		found++
		if _, err := odata.Parse("/v1.0/users", "x=a"+string(r)+"$expand=b"); err == nil {
			t.Errorf("%U passes", r)
		}
	}
	if found < 6 {
		t.Errorf("%d characters", found)
	}
}

func TestAListWithoutDoubledNamesPasses(t *testing.T) {
	for _, query := range []string{
		"$select=id,i,d,idx", "$select=" + numbered(5000), "$expand=a,b,a/b,a/$ref,*", "$expand=a($select=id),b($select=id)",
		"$expand=a($expand=b;$select=id,c),b", "$select=", "$orderby=a,a",
		"$select=id,@microsoft.graph.downloadUrl,content.downloadUrl", "x=a,a", "$select=[,{",
		"$select=graph.a,microsoft.graph.b", "$expand=a(b,a(b",
	} {
		mustParse(t, "/v1.0/users", query)
	}
}

func manyOptions(n int) string {
	var pieces []string
	for i := range n {
		pieces = append(pieces, strings.Repeat("x", i+1)+"=1")
	}
	return strings.Join(pieces, "&")
}

// Values can hold what people search for; a message travels further than the query does.
func TestQueryMessagesHoldNoValues(t *testing.T) {
	for _, query := range []string{
		"$filter=canary%26$canary=canary", "x=canary;$canary=canary", "x=canary%23&y=1", "$select=canary,canary",
		"$filter=name eq 'canary%'", "$filter=%00canary", "$filter=canary&$filter=canary", "$search=R&canary one",
		"$search=R&@canary", "$search=#canary", "$filter=canary%FF",
	} {
		_, err := odata.Parse("/v1.0/users", query)
		if err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: the message is %v", query, err)
		}
	}
	for _, value := range []string{"canary one", "a($filter=canary;", "a($filter=canary,$expand=b)", "a($select=can ary)",
		"canary\x00", "a($canary=1)", "a($top=canary)"} {
		_, err := odata.ParseExpand(value)
		if err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: the message is %v", value, err)
		}
	}
}

func TestOptions(t *testing.T) {
	target := mustParse(t, "/v1.0/users", "%24Select=id&search=hr&Top")
	t.Run("an option is found by its fold", func(t *testing.T) {
		for fold, want := range map[string]string{"$select": "id", "$search": "hr", "$top": ""} {
			if got, ok := target.Option(fold); !ok || got != want {
				t.Errorf("%s is %q, %v", fold, got, ok)
			}
		}
		if _, ok := target.Option("$filter"); ok {
			t.Error("$filter is there")
		}
	})
	t.Run("an id behind $ref is judged as $id and sent as written", func(t *testing.T) {
		for path, fold := range map[string]string{"/v1.0/groups/1/members/$ref": "$id", "/v1.0/groups/1/members": "id"} {
			target := mustParse(t, path, "ID=x")
			if got, ok := target.Option(fold); !ok || got != "x" || target.RawQuery() != "ID=x" {
				t.Errorf("%s: %s is %q, %v; sent is %s", path, fold, got, ok, target.RawQuery())
			}
		}
		if _, err := odata.Parse("/v1.0/groups/1/members/$ref", "a=x%26id=y"); err == nil {
			t.Error("an id in another value passes behind $ref")
		}
		mustParse(t, "/v1.0/groups/1/members", "a=x%26id=y")
	})
	t.Run("names come in the order written", func(t *testing.T) {
		if got, want := target.OptionNames(), []string{"$select", "$search", "$top"}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		if got := mustParse(t, "/v1.0/users", "").OptionNames(); got != nil {
			t.Errorf("without options got %q", got)
		}
	})
}
