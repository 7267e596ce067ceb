package batch_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"graphproxy/proxy/batch"
)

func TestEncodeWritesAfresh(t *testing.T) {
	b := mustRead(t, `{"requests":[
		{"body":{"a" : "\u0041&<"},"headers":{"content-type":"application/json","Authorization":"Bearer x","X-A":"\"\\"},"url":"users?$filter=a eq 'b'&x=%22","method":"POST","id":"a\"\\&<é"},
		{"id":"b","dependsOn":["A\"\\&<É"],"method":"GET","url":"/v1.0/users"},
		{"id":"c","dependsOn":["b","a\"\\&<é"],"method":"GET","url":"https://graph.contoso.com/v1.0/groups"}]}`)
	first := `{"id":"a\"\\&<é","method":"POST","url":"/users?$filter=a%20eq%20'b'&x=%22",` +
		`"headers":{"content-type":"application/json","X-A":"\"\\"},"body":{"a" : "\u0041&<"}}`
	second := `{"id":"b","method":"GET","url":"/users","dependsOn":["a\"\\&<é"]}`
	for _, c := range []struct {
		name    string
		indexes []int
		want    string
	}{
		{"all", []int{0, 1, 2}, `{"requests":[` + first + `,` + second +
			`,{"id":"c","method":"GET","url":"/groups","dependsOn":["b","a\"\\&<é"]}]}`},
		{"in the envelope's order, each once", []int{1, 0, 1}, `{"requests":[` + first + `,` + second + `]}`},
		{"dependsOn only with what is sent", []int{0, 2},
			`{"requests":[` + first + `,{"id":"c","method":"GET","url":"/groups","dependsOn":["a\"\\&<é"]}]}`},
		{"nothing", nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, string(b.Encode(c.indexes))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestEncodeAllocatesWhatItWrites(t *testing.T) {
	b := mustRead(t, list(`"id":"1","headers":{"ConsistencyLevel":"eventual"}`, `"id":"2","dependsOn":["1"]`, `"id":"3"`))
	var text []byte
	if n := testing.AllocsPerRun(20, func() { text = b.Encode([]int{0, 1, 2}) }); n > 1 {
		t.Errorf("%.0f allocations, want that of the text", n)
	}
	if most := 64 * len(b.Items); cap(text)-len(text) > most {
		t.Errorf("%d bytes of memory for %d, want at most %d more", cap(text), len(text), most)
	}
}

func TestOrderPutsItemsAfterWhatTheyDependOn(t *testing.T) {
	for _, c := range []struct {
		name  string
		items []string
		want  []int
	}{
		{"none depends on another", []string{`"id":"0"`, `"id":"1"`, `"id":"2"`}, []int{0, 1, 2}},
		{"written forwards", []string{`"id":"0"`, `"id":"1","dependsOn":["0"]`, `"id":"2","dependsOn":["1","0"]`},
			[]int{0, 1, 2}},
		{"written backwards", []string{`"id":"0","dependsOn":["1"]`, `"id":"1","dependsOn":["2"]`, `"id":"2"`,
			`"id":"3","dependsOn":["4"]`, `"id":"4"`}, []int{2, 1, 0, 4, 3}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, mustRead(t, list(c.items...)).Order()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// account counts the bytes that are held. It must be 0 in the end.
type account struct{ n, most, room int }

func (a *account) hold(n int) bool {
	if a.room > 0 && n > 0 && a.n+n > a.room {
		return false
	}
	a.n += n
	a.most = max(a.most, a.n)
	return true
}

func (a *account) memory() batch.Memory { return batch.Memory{Hold: a.hold} }

// merge handles Graph's text as the proxy does.
func merge(t *testing.T, b *batch.Batch, graph io.Reader, refused map[int]batch.Answer,
	edit batch.Edit) ([]byte, error) {
	t.Helper()
	var held account
	defer func() {
		if held.n != 0 {
			t.Errorf("%d bytes are still accounted for", held.n)
		}
	}()
	m := b.Merger(edit, held.memory())
	defer m.Close()
	var sent []int
	for i := range b.Items {
		if a, found := refused[i]; found {
			m.Answer(i, a)
		} else {
			sent = append(sent, i)
		}
	}
	var out bytes.Buffer
	if graph != nil {
		replies := b.Replies(graph, sent, held.memory())
		defer replies.Close()
		for {
			i, reply, err := replies.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				return nil, err
			}
			if !m.Reply(i, reply) {
				t.Errorf("there is no room for the answer to item %d", i)
			}
			_, _ = out.ReadFrom(io.LimitReader(m, int64(m.Ready())))
		}
	}
	m.Finish()
	_, _ = out.ReadFrom(io.LimitReader(m, int64(m.Ready())))
	return out.Bytes(), nil
}

// pieces are the ways in which a text may arrive.
func pieces(text string) map[string]io.Reader {
	return map[string]io.Reader{
		"whole":        strings.NewReader(text),
		"byte by byte": iotest.OneByteReader(strings.NewReader(text)),
		"with its end": iotest.DataErrReader(strings.NewReader(text)),
	}
}

func answer(status int, body string) batch.Answer {
	return batch.Answer{
		Status: status,
		Header: map[string]string{"Retry-After": "3", "Content-Type": "application/json"},
		Body:   json.RawMessage(body),
	}
}

func TestMergePutsAnswersTogether(t *testing.T) {
	b := mustRead(t, list(`"id":"A"`, `"id":"b"`, `"id":"ç\""`))
	for _, c := range []struct {
		name, graph string
		refused     map[int]batch.Answer
		want        string
	}{
		{"Graph's order is another",
			` {"@odata.context":"x", "responses" : [ {"id":"b","status":204,"body":null} , {"id":"Ç\"","status":302,` +
				`"headers":{"location":"x"}},{ "status":200, "id":"a", "body":{"x": 1.0} } ] } `, nil,
			`{"responses":[{ "status":200, "id":"a", "body":{"x": 1.0} },{"id":"b","status":204,"body":null},{"id":"Ç\"",` +
				`"status":302,"headers":{"location":"x"}}]}`},
		{"some are refused", `{"responses":[{"id":"b","status":200}]}`,
			map[int]batch.Answer{0: answer(429, `{"error":{}}`), 2: {Status: 424}},
			`{"responses":[{"id":"A","status":429,"headers":{"Content-Type":"application/json","Retry-After":"3"},` +
				`"body":{"error":{}}},{"id":"b","status":200},{"id":"ç\"","status":424}]}`},
		{"all are refused", ``, map[int]batch.Answer{0: {Status: 403}, 1: {Status: 403}, 2: {Status: 403}},
			`{"responses":[{"id":"A","status":403},{"id":"b","status":403},{"id":"ç\"","status":403}]}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			for way, graph := range pieces(c.graph) {
				if c.graph == "" {
					graph = nil
				}
				got, err := merge(t, b, graph, c.refused, batch.Edit{})
				if err != nil {
					t.Fatal(way, err)
				}
				if diff := cmp.Diff(c.want, string(got)); diff != "" {
					t.Error(way, diff)
				}
			}
		})
	}
	t.Run("an item that Graph left out is 504", func(t *testing.T) {
		got, err := merge(t, b, strings.NewReader(`{"responses":[{"id":"A","status":200},{"id":"b","status":200}]}`), nil,
			batch.Edit{})
		if err != nil {
			t.Fatal(err)
		}
		var e struct {
			Responses []struct {
				ID     string
				Status int
				Body   struct {
					Error struct {
						Code       string
						InnerError struct{ Code string }
					}
				}
			}
		}
		if err := json.Unmarshal(got, &e); err != nil {
			t.Fatal(err)
		}
		if r := e.Responses[2]; r.ID != `ç"` || r.Status != 504 || r.Body.Error.Code != "serviceNotAvailable" ||
			r.Body.Error.InnerError.Code != "graphTimeout" {
			t.Errorf("%s", got)
		}
	})
}

func TestMergeHidesAndEditsHeaders(t *testing.T) {
	b := mustRead(t, list(`"id":"a"`))
	edit := func(name, value string) (string, bool) {
		if strings.EqualFold(name, "Location") {
			value = strings.ReplaceAll(value, "graph", "\"proxy\"")
		}
		return value, !strings.EqualFold(name, "Set-Cookie")
	}
	for _, c := range []struct{ name, headers, want string }{
		{"the first", `{"Set-Cookie":"x","A":"1"}`, `{"A":"1"}`},
		{"the last, in other letters", `{"A":"1" , "set-cookie" : "x"}`, `{"A":"1"}`},
		{"the middle", `{"A":"1","SET-COOKIE":"x","b":"2"}`, `{"A":"1","b":"2"}`},
		{"with an escape in its name", `{"\u0053et-Cookie":"x"}`, `{}`},
		{"with values in a list", `{"Set-Cookie":["x","y"]}`, `{}`},
		{"none", `{"A":"1","B":2}`, `{"A":"1","B":2}`},
		{"an edited one", `{"Location":"https:\/\/graph\/x\u00e9","A":"1"}`, `{"Location":"https://\"proxy\"/xé","A":"1"}`},
		{"one that an edit leaves as it was written", `{"location":"https:\/\/x"}`, `{"location":"https:\/\/x"}`},
		{"an edited one after a hidden one", `{"Set-Cookie":"x","location":"graph"}`, `{"location":"\"proxy\""}`},
		{"no headers", `null`, `null`},
	} {
		t.Run(c.name, func(t *testing.T) {
			graph := `{"responses":[{"id":"a","headers":` + c.headers +
				`,"status":200,"body":{"headers":{"Set-Cookie":"kept"}}}]}`
			got, err := merge(t, b, strings.NewReader(graph), nil, batch.Edit{Header: edit})
			if err != nil {
				t.Fatal(err)
			}
			want := `{"responses":[{"id":"a","headers":` + c.want + `,"status":200,"body":{"headers":{"Set-Cookie":"kept"}}}]}`
			if diff := cmp.Diff(want, string(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestMergeRefusesWhatIsNotTheAnswer(t *testing.T) {
	b := mustRead(t, list(`"id":"a"`, `"id":"b"`))
	refused := map[int]batch.Answer{1: {Status: 403}}
	for _, c := range []struct{ name, graph string }{
		{"an id that no item has", `{"responses":[{"id":"a","status":200},{"id":"c","status":200}]}`},
		{"an id twice", `{"responses":[{"id":"a","status":200},{"id":"A","status":200}]}`},
		{"an item that was refused", `{"responses":[{"id":"a","status":200},{"id":"B","status":200}]}`},
		{"no id", `{"responses":[{"status":200}]}`},
		{"an id that is no string", `{"responses":[{"id":1,"status":200}]}`},
		{"half a surrogate pair as id", `{"responses":[{"id":"\ud800","status":200}]}`},
		{"two ids", `{"responses":[{"id":"a","id":"a","status":200}]}`},
		{"two ids in other letter case", `{"responses":[{"id":"a","ID":"b","status":200}]}`},
		{"an escaped id beside a plain one", `{"responses":[{"id":"a","\u0069d":"b","status":200}]}`},
		{"no status", `{"responses":[{"id":"a"}]}`},
		{"a status that is none", `{"responses":[{"id":"a","status":0}]}`},
		{"a status that is no number", `{"responses":[{"id":"a","status":"200"}]}`},
		{"an answer that is no object", `{"responses":["a"]}`},
		{"no responses", `{}`},
		{"responses twice", `{"responses":[],"responses":[]}`},
		{"responses that are no array", `{"responses":null}`},
		{"an array", `[]`},
		{"an error page", `<html>`},
		{"a cut text", `{"responses":[{"id":"a","status":200}`},
		{"more after the end", `{"responses":[]}{}`},
		{"a space alone", ` `},
		{"an id in another letter case alone", `{"responses":[{"ID":"a","status":200}]}`},
		{"two words in one", `{"x":truefalse,"responses":[{"id":"a","status":200}]}`},
		{"two numbers in one", `{"x":1-2,"responses":[{"id":"a","status":200}]}`},
		{"a word behind a number", `{"responses":[{"id":"a","status":200}],"x":1null}`},
		{"too deep by one", `{"responses":[{"id":"a","status":200,"body":` + nested(512) + `}]}`},
		{"headers of more than 256 KiB", `{"responses":[{"id":"a","status":200,"headers":{"X":"` +
			strings.Repeat("x", 256<<10) + `"}}]}`},
		{"nesting without end", strings.Repeat("[", 1_000_000)},
		{"nesting within an answer without end",
			`{"responses":[{"id":"a","status":200,"body":` + strings.Repeat("[", 1_000_000)},
	} {
		t.Run(c.name, func(t *testing.T) {
			for way, graph := range pieces(c.graph) {
				if len(c.graph) > 10_000 && way == "byte by byte" {
					continue
				}
				got, err := merge(t, b, graph, refused, batch.Edit{})
				var e *batch.Error
				if got != nil || !errors.As(err, &e) || e.Code != "badAnswer" {
					t.Errorf("%s gives %s, %v", way, got, err)
				}
			}
		})
	}
}

// nested is a value of so many arrays, one in the other.
func nested(depth int) string { return strings.Repeat("[", depth) + strings.Repeat("]", depth) }

func TestADeepAnswerAndLongHeadersPass(t *testing.T) {
	b := mustRead(t, list(`"id":"a"`))
	for name, graph := range map[string]string{
		"the deepest": `{"responses":[{"id":"a","status":200,"body":` + nested(511) + `}]}`,
		"headers of nearly 256 KiB": `{"responses":[{"id":"a","status":200,"headers":{"X":"` +
			strings.Repeat("x", 255<<10) + `"}}]}`,
	} {
		if got, err := merge(t, b, strings.NewReader(graph), nil, batch.Edit{}); err != nil || string(got) != graph {
			t.Errorf("%s: %.200s, %v", name, got, err)
		}
	}
}

// What Close returns to the account is no longer held, though the Replies are.
func TestCloseFreesTheMemoryOfAnAnswer(t *testing.T) {
	const size = 8 << 20
	b := mustRead(t, list(`"id":"a"`))
	graph := `{"responses":[{"id":"a","status":200,"body":"` + strings.Repeat("x", size) + `"}]}`
	used := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := used()
	replies := b.Replies(strings.NewReader(graph), []int{0}, new(account).memory())
	if _, _, err := replies.Next(); err != nil {
		t.Fatal(err)
	}
	replies.Close()
	if more := used() - before; more > size/2 {
		t.Errorf("%d bytes are still in memory", more)
	}
	runtime.KeepAlive(replies)
	runtime.KeepAlive(graph)
}

func TestRepliesAreReadForTheRecord(t *testing.T) {
	b := mustRead(t, list(`"id":"a"`, `"id":"b"`, `"id":"c"`))
	first := `{"id":"C","status":429,"headers":{"Retry-After":"10","x":1,"A":"\u0041"}}`
	second := `{"id":"a","status":200,"headers":null}`
	third := `{"id":"b","status":204,"headers":{"B":"b"}}`
	var held account
	text := `{"responses":[` + first + `,` + second + `,` + third + `]}`
	replies := b.Replies(strings.NewReader(text), []int{0, 1, 2}, held.memory())
	defer replies.Close()
	got := make([]batch.Reply, 3)
	for {
		i, reply, err := replies.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		reply.Raw, reply.Headers = bytes.Clone(reply.Raw), slices.Clone(reply.Headers)
		got[i] = reply
	}
	want := []batch.Reply{
		{Status: 200, Raw: json.RawMessage(second)},
		{Status: 204, Headers: []batch.Header{{Name: "B", Value: "b"}}, Raw: json.RawMessage(third)},
		{Status: 429, Headers: []batch.Header{{Name: "Retry-After", Value: "10"}, {Name: "A", Value: "A"}}, Odd: true,
			Raw: json.RawMessage(first)},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
