package odata_test

import (
	"slices"
	"strings"
	"testing"

	"graphproxy/policy/odata"
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
		{"a name without its dollar sign gets one", "select=id&Top=5&orderBy=x", "$select=id & $Top[$top]=5 & $orderBy[$orderby]=x", "$select=id&$Top=5&$orderBy=x"},
		{"escaped letters in a name", "%73elect=id", "$select=id", "$select=id"},
		{"every system option is known without it", "expand=a&filter=b&skip=1&count=true&skipToken=x&deltatoken=y",
			"$expand=a & $filter=b & $skip=1 & $count=true & $skipToken[$skiptoken]=x & $deltatoken=y",
			"$expand=a&$filter=b&$skip=1&$count=true&$skipToken=x&$deltatoken=y"},
		{"bare search and format stay bare, as Graph documents them", "search=hr&Format=pdf", "search[$search]=hr & Format[$format]=pdf", "="},
		{"$search and $format have it", "$search=hr&%24format=pdf", "$search=hr & $format=pdf", "$search=hr&$format=pdf"},
		{"other options stay as they are", "startDateTime=2026-01-01T00:00:00Z&token=latest&$levels=2&levels=3", "startDateTime[startdatetime]=2026-01-01T00:00:00Z & token=latest & $levels=2 & levels=3", "="},
		{"an upload's conflict behaviour", "@microsoft.graph.conflictBehavior=rename", "@microsoft.graph.conflictBehavior[@microsoft.graph.conflictbehavior]=rename", "="},
		{"a name without a value", "$count&x=", "$count= & x=", "="},
		{"a value may hold equals signs", "$filter=a=b", "$filter=a=b", "="},
		{"semicolons belong to values", "$expand=manager($levels=max;$select=id)", "$expand=manager($levels=max;$select=id)", "="},
		{"and escaped ones are written plain", "$expand=manager(%24levels=max%3B%24select=id)", "$expand=manager($levels=max;$select=id)", "$expand=manager($levels=max;$select=id)"},
		{"spaces are escaped, also raw ones", "$filter=city eq null&$count=true", "$filter=city eq null & $count=true", "$filter=city%20eq%20null&$count=true"},
		{"a plus stays a plus", "$filter=a+eq+1", "$filter=a+eq+1", "="},
		{"an escaped plus stays escaped", "$filter=a%2Beq%2b1+", "$filter=a+eq+1+", "$filter=a%2Beq%2B1+"},
		{"an escaped ampersand is no separator", "$filter=a eq 'R%26D'", "$filter=a eq 'R&D'", "$filter=a%20eq%20'R%26D'"},
		{"a doubly escaped value is decoded once", "$search=%2522%2523x%2522", "$search=%22%23x%22", "="},
		{"percent signs, quotes and brackets", `$search="a"&x=100%25<>[]{}|\^` + "`", `$search="a" & x=100%<>[]{}|\^` + "`", "$search=%22a%22&x=100%25%3C%3E%5B%5D%7B%7D%7C%5C%5E%60"},
		{"hex in lower case", "startDateTime=2017-01-01T19%3a00%3a00", "startDateTime[startdatetime]=2017-01-01T19:00:00", "startDateTime=2017-01-01T19:00:00"},
		{"UTF-8, raw and escaped", "$search=é%c3%a9", "$search=éé", "$search=%C3%A9%C3%A9"},
		{"a question mark in a value", "x=a?b", "x=a?b", "x=a%3Fb"},
		{"a reference by address", "$id=https://graph.microsoft.com/v1.0/users/1", "$id=https://graph.microsoft.com/v1.0/users/1", "="},
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
		{"an option twice, in any spelling", "ambiguousTarget", []string{"$select=id&$select=mail", "$select=id&select=mail", "$select=id&%24Select=mail", "$SELECT&$select", "search=a&$search=b", "x=1&X=2", "$filter=a&%66ilter=b"}},
		{"a parameter alias", "unsupportedTarget", []string{"@x='a'", "%40x=1", "$filter=id eq @x&@x='y'", "@=1", "@odata.x=1"}},
		{"a name that is none", "ambiguousTarget", []string{"=x", "$=x", "$$select=id", "a b=1", "+select=id", "$sel+ect=id", "a%20b=1", "a%00=1", "%0D%0Ax=1", "a;b=1", "a;$select=id", "%26=1", "a%3Db=c", "%C3%A9=1", "é=1",
			"a#b=1", "(token='x')", "a[]=1", "$select%00=id", "a%2541=1", "{x}=1", "a/b=1"}},
		{"a broken escape", "badEscape", []string{"%=1", "%2=1", "%zz=1", "a=%", "a=%2", "a=%zz", "$filter=100%"}},
		{"text that is not UTF-8", "badEscape", []string{"a=%FF", "a=\xff", "a=%C0%AF", "a=%C3"}},
		{"a control character", "ambiguousTarget", []string{"a=%00", "a=%0A", "a=%0d%0aX: y", "a=\n", "a=%7F", "a=%C2%9B", "a=\t"}},
		{"a raw number sign", "ambiguousTarget", []string{"$search=#x", "$top=5#frag"}},
		{"too much", "targetTooLong", []string{"a=" + strings.Repeat("x", 64<<10), "a=" + strings.Repeat("`", 32<<10), manyOptions(65)}},
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
		"$filter=name eq 'canary%'", "$filter=%00canary", "$filter=canary&$filter=canary", "$search=R&canary one", "$search=R&@canary", "$search=#canary", "$filter=canary%FF",
	} {
		_, err := odata.Parse("/v1.0/users", query)
		if err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: the message is %v", query, err)
		}
	}
	for _, value := range []string{"canary one", "a($filter=canary;", "a($filter=canary,$expand=b)", "a($select=can ary)", "canary\x00", "a($canary=1)", "a($top=canary)"} {
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
	t.Run("names come in the order written", func(t *testing.T) {
		if got, want := target.OptionNames(), []string{"$select", "$search", "$top"}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		if got := mustParse(t, "/v1.0/users", "").OptionNames(); got != nil {
			t.Errorf("without options got %q", got)
		}
	})
}
