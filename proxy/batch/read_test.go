package batch_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"graphproxy/proxy/batch"
)

func options() batch.Options {
	return batch.Options{
		Version: "v1.0",
		Hosts:   []string{"https://graph.contoso.com", "http://127.0.0.1:8080"},
		Header:  harmless,
	}
}

func mustRead(t *testing.T, body string) *batch.Batch {
	t.Helper()
	b, err := batch.Read([]byte(body), options())
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return b
}

// one is a batch of one item with these members besides its id.
func one(members string) string { return `{"requests":[{"id":"1",` + members + `}]}` }

// list is a batch of items, each with these members besides method and url.
func list(items ...string) string {
	for i := range items {
		items[i] = `{"method":"GET","url":"/users",` + items[i] + `}`
	}
	return `{"requests":[` + strings.Join(items, ",") + `]}`
}

type item struct {
	ID, Method, Path, Query, Body string
	Headers                       []batch.Header
	DependsOn                     []int
}

func itemsOf(t *testing.T, b *batch.Batch) (items []item) {
	t.Helper()
	for _, i := range b.Items {
		if i.Err != nil || i.Target == nil {
			t.Fatalf("item %s: %v", i.ID, i.Err)
		}
		items = append(items, item{
			i.ID,
			i.Method,
			i.Target.EscapedPath(),
			i.Target.RawQuery(),
			string(i.Body),
			i.Headers,
			i.DependsOn,
		})
	}
	return items
}

func TestReadKeepsWhatTheCallerWrote(t *testing.T) {
	b := mustRead(t, ` {
		"requests": [
			{ "id": "Größe", "method": "PATCH", "url": "/users/adele@contoso.com?$select=id&$filter=a eq 'b'", "headers": {
				"content-type": "application/json; charset=utf-8", "Prefer": "return=\u006dinimal", "if-Match": "W/\"1\"" },
			  "body": { "x" : [1.50e+2, "\ud83d\ude00" ] , "x":null } },
			{ "dependsOn": [ "C", "GRÖßE", "größe" ], "url": "users", "method": "GET", "id": "b" },
			{ "id": "c", "method": "HEAD", "url": "/", "headers": {} }
		]
	}
	`)
	want := []item{
		{
			"Größe",
			"PATCH",
			"/v1.0/users/adele@contoso.com",
			"$select=id&$filter=a%20eq%20'b'",
			`{ "x" : [1.50e+2, "\ud83d\ude00" ] , "x":null }`,
			[]batch.Header{
				{Name: "content-type", Value: "application/json; charset=utf-8"},
				{Name: "Prefer", Value: "return=minimal"},
				{Name: "if-Match", Value: `W/"1"`},
			},
			nil,
		},
		{"b", "GET", "/v1.0/users", "", "", nil, []int{2, 0}},
		{"c", "HEAD", "/v1.0", "", "", nil, nil},
	}
	if diff := cmp.Diff(want, itemsOf(t, b)); diff != "" {
		t.Error(diff)
	}
}

func TestReadTakesWhatSDKsWrite(t *testing.T) {
	for _, c := range []struct{ name, members string }{
		{"the SDK for Go, with null for no body",
			`"method":"GET","url":"/users?%24select=id","headers":{},"body":null,"dependsOn":[]`},
		{"an older SDK for Go, with null for no headers",
			`"method":"GET","url":"/v1.0/users","headers":null,"body":null,"dependsOn":[]`},
		{"the SDK for Python, with a whole URL and an empty depends_on",
			`"method":"GET","url":"https://graph.contoso.com/v1.0/users","depends_on":[ ],"headers":{}`},
		{"an action without parameters",
			`"method":"POST","url":"/users/1/revokeSignInSessions","headers":{"Content-Type":"application/json"},"body":{}`},
		{"a list as body", `"method":"POST","url":"/users","headers":{"Content-Type":"application/json"},"body":[]`},
		{"a vendor's JSON",
			`"method":"POST","url":"/users","headers":{"CONTENT-TYPE":"Application/Problem+JSON;v=1"},"body":{}`},
		{"a body without a Content-Type", `"method":"POST","url":"/users","body":{}`},
		{"text as a string",
			`"method":"PUT","url":"/users/1/x","headers":{"Content-Type":"text/html"},"body":"<b>\"é\"</b>"`},
		{"an image as base64url",
			`"method":"PUT","url":"/users/1/photo/$value","headers":{"Content-Type":"image/jpeg"},"body":"_-A"`},
		{"an image as padded base64",
			`"method":"PUT","url":"/users/1/photo/$value","headers":{"Content-Type":"image/jpeg"},"body":"+/A="`},
		{"base64 with escaped slashes",
			`"method":"PUT","url":"/users/1/photo/$value","headers":{"Content-Type":"image/jpeg"},"body":"\/\/8="`},
		{"an empty file", `"method":"PUT","url":"/users/1/photo/$value","headers":{"Content-Type":"image/jpeg"},"body":""`},
	} {
		t.Run(c.name, func(t *testing.T) { itemsOf(t, mustRead(t, one(c.members))) })
	}
}

func TestReadRefusesTheWholeBatch(t *testing.T) {
	get := `"method":"GET","url":"/users"`
	deep := func(n int) string { return one(get + `,"body":` + strings.Repeat("[", n) + strings.Repeat("]", n)) }
	many := func(n int) string {
		var items []string
		for i := range n {
			items = append(items, fmt.Sprintf(`"id":"%d"`, i))
		}
		return list(items...)
	}
	typed := func(contentType, body string) string {
		return one(`"method":"PUT","url":"/x","headers":{"Content-Type":"` + contentType + `"},"body":` + body)
	}
	for _, c := range []struct {
		name, code string
		bodies     []string
	}{
		{"no JSON object", "badBatch",
			[]string{``, ` `, `[]`, `"requests"`, `null`, `[{"id":"1",` + get + `}]`, `requests=1`}},
		{"no requests", "badBatch",
			[]string{`{}`, `{"requests":[]}`, `{"requests":null}`, `{"requests":{}}`, `{"requests":"x"}`, `{"requests":[[]]}`,
				`{"requests":[null]}`, `{"requests":["1"]}`}},
		{"another member beside requests", "badBatch",
			[]string{`{"requests":[{"id":"1",` + get + `}],"x":1}`, `{"x":1,"requests":[{"id":"1",` + get + `}]}`}},
		{"requests that only look like it", "badBatch",
			[]string{`{"requeſts":[{"id":"1",` + get + `}]}`, `{"requests ":[{"id":"1",` + get + `}]}`,
				`{"request":[{"id":"1",` + get + `}]}`}},
		{"requests twice", "badBatch",
			[]string{`{"requests":[{"id":"1",` + get + `}],"REQUESTS":[]}`,
				`{"Requests":[],"requests":[{"id":"1",` + get + `}]}`, `{"requests":[{"id":"1",` + get +
					`}],"requests":[{"id":"1",` + get + `}]}`}},
		{"two byte order marks", "badBatch", []string{"\ufeff\ufeff" + one(get)}},
		{"a byte order mark elsewhere", "badJSON", []string{one(get) + "\ufeff", one(get + `,"body":` + "\ufeff1")}},
		{"another encoding than UTF-8", "badJSON",
			[]string{"\ufeff\xff\xfe{\x00", "\xff\xfe{\x00", "\xfe\xff\x00{", "{\x00\"\x00", "\x00{\x00\"", "\x00\x00\x00{",
				one(get + ",\"body\":\"\xe9\""), one(get + ",\"body\":\"\xed\xa0\x80\""), one(get + ",\"body\":\"\xc0\xaf\"")}},
		{"data after the end", "badJSON",
			[]string{one(get) + `{}`, one(get) + `,`, one(get) + `x`, one(get) + "\x00", one(get) + "\f"}},
		{"broken JSON", "badJSON", []string{`{`, `{"requests"`, `{"requests":[{"id":"1"`, `{"requests":[{"id":"1",}]}`,
			`{"requests":[{"id":"1" "x":1}]}`, `{"requests":[{id:"1"}]}`, `{"requests":[{'id':'1'}]}`, `{,"requests":[]}`,
			one(get + `,"body":[1,]`), one(get + `,"body":[,1]`), one(get + `,"body":[1 2]`), one(get + `,"body":{"a"}`),
			one(get + `,"body":{"a":}`), one(get + `,"body":`)}},
		{"values that JSON does not have", "badJSON",
			[]string{one(get + `,"body":NaN`), one(get + `,"body":Infinity`), one(get + `,"body":-Infinity`),
				one(get + `,"body":True`), one(get + `,"body":nul`), one(get + `,"body":nullx`), one(get + `,"body":undefined`),
				one(get + `,"body":01`), one(get + `,"body":+1`), one(get + `,"body":.5`), one(get + `,"body":1.`),
				one(get + `,"body":1e`), one(get + `,"body":-`), one(get + `,"body":0x1`), one(get + `,"body":1_0`)}},
		{"broken strings", "badJSON",
			[]string{one(get + `,"body":"`), one(get + `,"body":"\`), one(get + `,"body":"\x41"`), one(get + `,"body":"\u12"`),
				one(get + `,"body":"\u12g4"`), one(get + `,"body":"\u+123"`), one(get + ",\"body\":\"a\nb\""),
				one(get + ",\"body\":\"\x00\""), one(get + `,"body":"\'"`)}},
		{"comments", "badJSON", []string{`{/*x*/"requests":[]}`, one(get + "//x\n")}},
		{"nesting deeper than 64", "badJSON",
			[]string{deep(62), deep(100_000),
				one(get + `,"body":` + strings.Repeat(`{"a":`, 70) + "1" + strings.Repeat("}", 70))}},
		{"more than 20 items", "badBatch", []string{many(21), many(40)}},
		{"a member twice in another letter case", "badBatch",
			[]string{one(get + `,"Method":"DELETE"`), one(get + `,"URL":"/x"`), one(get + `,"Id":1`),
				one(get + `,"DependsOn":[],"dependson":[]`), one(get + `,"Body":null,"body":1`),
				one(get + `,"HEADERS":{},"headers":{}`), one(get + `,"x":1,"ID":"2"`)}},
		{"a member twice", "badBatch",
			[]string{one(get + `,"id":"1"`), one(get + `,"method":"GET"`), one(get + `,"url":"/x"`),
				one(`"headers":{},"headers":{},` + get), one(get + `,"body":1,"body":2`),
				one(get + `,"depends_on":[],"depends_on":[]`)}},
		{"a key with escapes", "badBatch",
			[]string{`{"requests":[{"\u0069d":"1",` + get + `}]}`, one(get + `,"ur\u006c":"/x"`), `{"\u0072equests":[]}`,
				one(get + `,"id\u0000":1`), one(get + `,"headers":{"X\u002dA":"1"}`), one(get + `,"\ud800":1`),
				one(get + `,"headers":{"\ud800":"1"}`)}},
		{"a look-alike key", "badBatch",
			[]string{`{"requests":[{"іd":"1",` + get + `}]}`, one(get + `,"headers":{"Authоrization":"x"}`)}},
		{"a missing member", "badBatch",
			[]string{`{"requests":[{` + get + `}]}`, one(`"method":"GET"`), one(`"url":"/users"`), `{"requests":[{}]}`}},
		{"a member of the wrong type", "badBatch",
			[]string{`{"requests":[{"id":true,` + get + `}]}`, `{"requests":[{"id":["1"],` + get + `}]}`,
				`{"requests":[{"id":null,` + get + `}]}`, one(`"method":1,"url":"/x"`), one(`"method":null,"url":"/x"`),
				one(`"method":"GET","url":null`), one(`"method":"GET","url":["/x"]`),
				one(get + `,"headers":[]`), one(get + `,"headers":"A: b"`), one(get + `,"headers":{"A":true}`),
				one(get + `,"headers":{"A":null}`), one(get + `,"headers":{"A":["b"]}`), one(get + `,"dependsOn":"1"`),
				one(get + `,"dependsOn":{}`), one(get + `,"dependsOn":[true]`), one(get + `,"dependsOn":1`),
				one(get + `,"dependsOn":[null]`)}},
		{"numbers that are no integers or that readers round", "badBatch",
			append(numbers(`{"requests":[{"id":%s,`+get+`}]}`),
				append(numbers(one(get+`,"headers":{"A":%s}`)), numbers(list(`"id":"1"`, `"id":"2","dependsOn":[%s]`))...)...)},
		{"an integer and a string that are one id", "badBatch",
			[]string{list(`"id":1`, `"id":"1"`), list(`"id":"7"`, `"id":"x"`, `"id":7`), list(`"id":1`, `"id":1`)}},
		{"an integer in dependsOn that is no item's", "badBatch",
			[]string{list(`"id":1`, `"id":2,"dependsOn":[3]`), list(`"id":"01"`, `"id":2,"dependsOn":[1]`),
				list(`"id":1,"dependsOn":[1]`)}},
		{"half a surrogate pair where the proxy reads", "badBatch",
			[]string{`{"requests":[{"id":"\ud800",` + get + `}]}`, `{"requests":[{"id":"\udc00\ud800",` + get + `}]}`,
				one(`"method":"GET\ud800","url":"/x"`), one(`"method":"GET","url":"/x\udfff"`),
				one(`"method":"GET","url":"/x\ud83dA"`), one(`"method":"GET","url":"/x\ud83d\u0041"`),
				one(get + `,"headers":{"A":"\ud800"}`), one(get + `,"dependsOn":["\ud800"]`)}},
		{"ids that are none", "badBatch",
			[]string{`{"requests":[{"id":"",` + get + `}]}`, `{"requests":[{"id":"a\u0000",` + get + `}]}`,
				`{"requests":[{"id":"a\n",` + get + `}]}`, `{"requests":[{"id":"` + strings.Repeat("x", 257) + `",` + get + `}]}`}},
		{"ids equal without regard to case", "badBatch",
			[]string{list(`"id":"a"`, `"id":"a"`), list(`"id":"a"`, `"id":"A"`), list(`"id":"é"`, `"id":"É"`),
				list(`"id":"k"`, `"id":"K"`), list(`"id":"a"`, `"id":"b"`, `"id":"\u0041"`)}},
		{"headers twice", "badBatch",
			[]string{one(get + `,"headers":{"A":"1","A":"1"}`),
				one(get + `,"headers":{"Content-Type":"a","content-type":"b"}`)}},
		{"headers that HTTP does not have", "badBatch",
			[]string{one(get + `,"headers":{"":"1"}`), one(get + `,"headers":{"A B":"1"}`), one(get + `,"headers":{"A:":"1"}`),
				one(get + `,"headers":{"A":"1\r\nB: 2"}`), one(get + `,"headers":{"A":"\u0000"}`)}},
		{"dependsOn that leads nowhere", "badBatch",
			[]string{list(`"id":"1","dependsOn":["2"]`), list(`"id":"1","dependsOn":[""]`), list(`"id":"1","dependsOn":["1"]`),
				list(`"id":"a","dependsOn":["A"]`)}},
		{"dependsOn in a circle", "badBatch",
			[]string{list(`"id":"1","dependsOn":["2"]`, `"id":"2","dependsOn":["1"]`),
				list(`"id":"0"`, `"id":"1","dependsOn":["0","3"]`, `"id":"2","dependsOn":["1"]`, `"id":"3","dependsOn":["2"]`)}},
		{"depends_on with items, which Graph would ignore", "badBatch",
			[]string{list(`"id":"1"`, `"id":"2","depends_on":["1"]`), list(`"id":"1"`, `"id":"2","depends_on":"1"`)}},
		{"a body that is not what its type asks for", "badBatch",
			[]string{typed("image/jpeg", `{}`), typed("image/jpeg", `1`), typed("text/plain", `{}`),
				typed("text/plain", `["a"]`), typed("application/octet-stream", `true`)}},
		{"bad base64", "badBatch",
			[]string{typed("image/jpeg", `"!"`), typed("image/jpeg", `"A"`), typed("image/jpeg", `"AAAAA"`),
				typed("image/jpeg", `"AA AA"`), typed("image/jpeg", `"+_A="`), typed("image/jpeg", `"AA="`),
				typed("image/jpeg", `"A==="`), typed("image/jpeg", `"AAAA===="`), typed("image/jpeg", `"AA==AA=="`),
				typed("image/jpeg", `"\u0041AAA"`), typed("application/xml", `"<a/>"`)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, body := range c.bodies {
				checkRefused(t, body, c.code)
			}
		})
	}
}

// numbers are texts with each number in it that is not an integer in its only spelling.
func numbers(format string) (texts []string) {
	for _, n := range []string{"1.0", "1e0", "1E+2", "-0", "0.5", "9007199254740992", "-9007199254740992",
		"9223372036854775808", "1" + strings.Repeat("0", 400), "-1.5e-3"} {
		texts = append(texts, fmt.Sprintf(format, n))
	}
	return texts
}

func checkRefused(t *testing.T, body, code string) {
	t.Helper()
	short := body[:min(len(body), 300)]
	b, err := batch.Read([]byte(body), options())
	var e *batch.Error
	switch {
	case !errors.As(err, &e) || b != nil:
		t.Errorf("%s: gives %v, %v", short, b, err)
	case e.Code != code:
		t.Errorf("%s: is %s, not %s: %s", short, e.Code, code, e.Message)
	case e.Message != e.Error() || len(e.Message) < 20 ||
		strings.ContainsFunc(e.Message, func(r rune) bool { return r < ' ' || r > '~' }):
		t.Errorf("%s: the message is %q", short, e.Message)
	}
}

func TestTheErrorsOfReadNameThePlaceAndTheProblem(t *testing.T) {
	for _, c := range []struct{ name, body, want string }{
		{"an unknown key", `{"depends":1,"requests":[]}`, `the batch: unknown key "depends"; known here: requests`},
		{"letter case", list(`"ID":"1","id":"1"`),
			`requests[0]: the key "id" is there twice, letter case does not count; keep one`},
		{"a number", `{"requests":[{"id":1.0,"method":"GET","url":"/users"}]}`,
			`requests[0].id: the value is a number that is no integer or too long; write it as a string`},
		{"ids", list(`"id":"a"`, `"id":"b"`, `"id":"A"`),
			`requests[2].id: "A" is the id of requests[0] too, letter case does not count; give each item its own`},
		{"a dependency", list(`"id":"a"`, `"id":"b","dependsOn":["c"]`),
			`requests[1].dependsOn: no item of the batch has the id "c"`},
		{"a header", list(`"id":"a","headers":{"A":[]}`), `requests[0].headers.A: the value is not a string`},
		{"broken JSON", `{"requests":[{"id":NaN}]}`, `the batch, byte 19: 'N' stands where a JSON value should be`},
		{"JSON that ends early", `{"requests"`, `the batch, byte 11: the text ends where a colon should be`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := batch.Read([]byte(c.body), options())
			if err == nil || err.Error() != c.want {
				t.Errorf("the error is %v\nnot %s", err, c.want)
			}
		})
	}
}

func TestReadTakesTheBounds(t *testing.T) {
	t.Run("20 items", func(t *testing.T) {
		var items []string
		for i := range batch.MaxItems {
			items = append(items, fmt.Sprintf(`"id":"%d"`, i))
		}
		if n := len(mustRead(t, list(items...)).Items); n != 20 {
			t.Errorf("%d items", n)
		}
	})
	t.Run("nesting of 64", func(t *testing.T) {
		body := strings.Repeat("[", 61) + strings.Repeat("]", 61)
		b := mustRead(t, one(`"method":"POST","url":"/users","body":`+body))
		if string(b.Items[0].Body) != body {
			t.Errorf("the body is %s", b.Items[0].Body)
		}
	})
	t.Run("a chain of 20 written backwards", func(t *testing.T) {
		var items []string
		for i := range 19 {
			items = append(items, fmt.Sprintf(`"id":"%d","dependsOn":["%d"]`, i, i+1))
		}
		mustRead(t, list(append(items, `"id":"19"`)...))
	})
	t.Run("surrogate halves in a body, which is the caller's", func(t *testing.T) {
		b := mustRead(t, one(`"method":"POST","url":"/users","body":{"\ud800":"\udc00","\ud800":1}`))
		if string(b.Items[0].Body) != `{"\ud800":"\udc00","\ud800":1}` {
			t.Errorf("the body is %s", b.Items[0].Body)
		}
	})
}

// harmless accepts the headers of the tests below, in any letter case.
func harmless(name, value string) bool {
	switch strings.ToLower(name) {
	case "content-type", "consistencylevel", "prefer", "if-match", "x-a":
		return value != "refused"
	}
	return false
}

func TestReadKeepsOnlyTheHeadersThatMayGoOn(t *testing.T) {
	b := mustRead(t,
		one(`"method":"GET","url":"/users","headers":{"consistencyLevel":"eventual","Authorization":"Bearer x",`+
			`"X-HTTP-Method":"DELETE","if-match":"refused","Prefer":"y"}`))
	want := []batch.Header{{Name: "consistencyLevel", Value: "eventual"}, {Name: "Prefer", Value: "y"}}
	if diff := cmp.Diff(want, b.Items[0].Headers); diff != "" {
		t.Error(diff)
	}
	if text := string(b.Encode([]int{0})); strings.Contains(text, "Bearer") || strings.Contains(text, "DELETE") {
		t.Errorf("sent: %s", text)
	}
	t.Run("without a list none may", func(t *testing.T) {
		b, err := batch.Read([]byte(one(`"method":"GET","url":"/users","headers":{"Prefer":"y"}`)),
			batch.Options{Version: "v1.0"})
		if err != nil || len(b.Items[0].Headers) > 0 {
			t.Errorf("%v, %v", b, err)
		}
	})
}
