package links_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestInRequestsTheProxysAddressBecomesGraphs(t *testing.T) {
	for _, c := range []struct {
		name, from, to string
		named          []string
	}{
		{"a reference", `{"@odata.id":"<P>/v1.0/directoryObjects/1"}`, `{"@odata.id":"<G>/v1.0/directoryObjects/1"}`,
			[]string{"/v1.0/directoryObjects/1"}},
		{"one that has Graph's address", `{"@odata.id":"<G>/v1.0/directoryObjects/1"}`,
			`{"@odata.id":"<G>/v1.0/directoryObjects/1"}`, []string{"/v1.0/directoryObjects/1"}},
		{"one that is relative", `{"@odata.id":"/communications/calls/1"}`, `{"@odata.id":"/communications/calls/1"}`,
			[]string{"/communications/calls/1"}},
		{"one to another host", `{"@odata.id":"https://fabrikam.example/v1.0/users/1"}`,
			`{"@odata.id":"https://fabrikam.example/v1.0/users/1"}`, []string{"https://fabrikam.example/v1.0/users/1"}},
		{"one to a host that looks like ours", `{"@odata.id":"<P>@fabrikam.example/v1.0"}`,
			`{"@odata.id":"<P>@fabrikam.example/v1.0"}`, []string{"https://graph.contoso.com@fabrikam.example/v1.0"}},
		{"the address alone", `{"@odata.id":"<P>"}`, `{"@odata.id":"<G>"}`, []string{""}},
		{"a binding", `{"manager@odata.bind":"<P>/v1.0/users('1')"}`, `{"manager@odata.bind":"<G>/v1.0/users('1')"}`,
			[]string{"/v1.0/users('1')"}},
		{"bindings", `{"members@odata.bind" : [ "<P>/v1.0/users/1" ,"users/2", "<P>/v1.0/users/3" ]}`,
			`{"members@odata.bind" : [ "<G>/v1.0/users/1" ,"users/2", "<G>/v1.0/users/3" ]}`, []string{"/v1.0/users/1",
				"users/2", "/v1.0/users/3"}},
		{"deep inside", `{"a":[{"b":{"user@odata.bind":"<P>/v1.0/users/1"},"c":[[]],"d":{}}],"e":"<P>/"}`,
			`{"a":[{"b":{"user@odata.bind":"<G>/v1.0/users/1"},"c":[[]],"d":{}}],"e":"<P>/"}`, []string{"/v1.0/users/1", "/"}},
		{"arrays in arrays, as Graph has none", `{"x@odata.bind":[["<P>/v1.0/users/1"],{"y":"<P>/"}]}`,
			`{"x@odata.bind":[["<G>/v1.0/users/1"],{"y":"<P>/"}]}`, []string{"/v1.0/users/1", "/"}},
		{"another letter case", `{"@OData.ID":"<P>/v1.0/a","X@ODATA.BIND":"<P>/v1.0/b"}`,
			`{"@OData.ID":"<G>/v1.0/a","X@ODATA.BIND":"<G>/v1.0/b"}`, []string{"/v1.0/a", "/v1.0/b"}},
		{"the short names of OData 4.01", `{"@id":"<P>/v1.0/a","x@bind":"<P>/v1.0/b"}`,
			`{"@id":"<G>/v1.0/a","x@bind":"<G>/v1.0/b"}`, []string{"/v1.0/a", "/v1.0/b"}},
		{"the same key twice", `{"@odata.id":"<P>/v1.0/a","@odata.id":"/b"}`, `{"@odata.id":"<G>/v1.0/a","@odata.id":"/b"}`,
			[]string{"/v1.0/a", "/b"}},
		{"escapes", `{"\u0040odata.id":"https:\/\/graph.contoso.com\/v1.0\/users\/\u0031\"é\ud83d\ude00"}`,
			`{"\u0040odata.id":"<G>\/v1.0\/users\/\u0031\"é\ud83d\ude00"}`, []string{`/v1.0/users/1"é😀`}},
		{"text that contains the address",
			`{"id":"<P>/","content":"\"@odata.id\":\"<P>/\"","@odata.type":"<P>/","x@odata.bindings":"<P>/"}`,
			`{"id":"<P>/","content":"\"@odata.id\":\"<P>/\"","@odata.type":"<P>/","x@odata.bindings":"<P>/"}`, []string{"/",
				"/", "/"}},
		{"links that an answer brought",
			`{"@odata.context":"<P>/v1.0/$metadata#x","x@odata.nextLink":"<P>/","parentUrl":"<P>/v2/x"}`,
			`{"@odata.context":"<G>/v1.0/$metadata#x","x@odata.nextLink":"<G>/","parentUrl":"<G>/v2/x"}`,
			[]string{"/v1.0/$metadata#x", "/", "/v2/x"}},
		{"other names of addresses",
			`{"contentUrl":"<P>/v1.0/a","self":"<P>/beta/b","webUrl":"<P>/c","location":"<P>/v1.0"}`,
			`{"contentUrl":"<G>/v1.0/a","self":"<G>/beta/b","webUrl":"<P>/c","location":"<P>/v1.0"}`, []string{"/v1.0/a",
				"/beta/b", "/c", "/v1.0"}},
		{"a byte order mark", "\ufeff" + `{"@odata.id":"<P>/v1.0/a"}`, `{"@odata.id":"<G>/v1.0/a"}`, []string{"/v1.0/a"}},
		{"a byte order mark and nothing that changes", "\ufeff" + `{"a":"b"}`, `{"a":"b"}`, nil},
		{"values that are no strings", `{"@odata.id":null,"x@odata.bind":[1,true,{"@odata.id":-1.0E+5}]}`,
			`{"@odata.id":null,"x@odata.bind":[1,true,{"@odata.id":-1.0E+5}]}`, nil},
		{"a body that is no object", ` [ "<P>/" , {"@odata.id":"<P>/v1.0/a"} ] `,
			` [ "<P>/" , {"@odata.id":"<G>/v1.0/a"} ] `, []string{"/", "/v1.0/a"}},
		{"a string", `"<P>/"`, `"<P>/"`, []string{"/"}},
		{"nothing", ``, ``, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			addresses := strings.NewReplacer("<P>", public, "<G>", graph)
			from := addresses.Replace(c.from)
			got, err := rewriter(t).BackBody([]byte(from))
			if err != nil {
				t.Fatal(err)
			}
			equal(t, string(got), addresses.Replace(c.to))
			if from == "" {
				return
			}
			for _, text := range []string{from, string(got)} { // which names are recognised does not depend on the address
				named, err := rewriter(t).Names([]byte(strings.TrimPrefix(text, "\ufeff")))
				if diff := cmp.Diff(c.named, named.Addresses); diff != "" || err != nil {
					t.Error(diff, err)
				}
			}
		})
	}
}

func TestABodyThatGraphMightReadInAnotherWayIsRefused(t *testing.T) {
	for _, c := range []struct{ name, body, message string }{
		{"a comment", `{/*"@odata.id":*/"a":1}`, "not JSON"},
		{"single quotes", `{'@odata.id':'/users/1'}`, "not JSON"},
		{"a comma too many", `{"@odata.id":"/users/1",}`, "not JSON"},
		{"a second value", `{} {"@odata.id":"/users/1"}`, "not JSON"},
		{"a text that ends early", `{"@odata.id":"/users/1"`, "not JSON"},
		{"white space alone", ` `, "not JSON"},
		{"two byte order marks", "\ufeff\ufeff{}", "not JSON"},
		{"a byte order mark alone", "\ufeff", "not JSON"},
		{"a byte order mark at the end", "{}\ufeff", "not JSON"},
		{"UTF-16", "{\x00}\x00", "UTF-16"},
		{"UTF-16 with a byte order mark", "\xff\xfe{\x00}\x00", "UTF-16"},
		{"bytes that are not UTF-8", "{\"a\xff\":1}",
			"not UTF-8 at byte 3; send JSON in UTF-8, with Content-Type: application/json; charset=utf-8"},
		{"Latin-1, as Windows PowerShell sends it", "{\"displayName\":\"Zo\xeb \u00e9\"}", "not UTF-8 at byte 18"},
		{"a character cut in two", "{\"a\":\"\u00e9\xe2\x82\"}", "not UTF-8 at byte 8"},
		{"surrogates written in UTF-8", "{\"a\":\"\xed\xa0\x80\"}", "not UTF-8 at byte 6"},
		{"half a surrogate pair in a reference", `{"@odata.id":"/users/\ud800"}`, "surrogate"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := rewriter(t).BackBody([]byte(c.body))
			if err == nil || !strings.Contains(err.Error(), c.message) || got != nil {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

// encoding/json stops at the same depth, and so do many readers.
func TestADeepBodyIsReadToTheBound(t *testing.T) {
	nested := func(depth int) []byte { return []byte(strings.Repeat("[", depth) + strings.Repeat("]", depth)) }
	if _, err := rewriter(t).BackBody(nested(10_000)); err != nil {
		t.Error(err)
	}
	if _, err := rewriter(t).BackBody(nested(10_001)); err == nil || !strings.Contains(err.Error(), "deeper") {
		t.Errorf("beyond the bound: %v", err)
	}
}
