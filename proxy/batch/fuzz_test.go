package batch_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"graphproxy/proxy/batch"
)

func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		one(`"method":"GET","url":"/users"`),
		one(`"method":"PATCH","url":"users?$filter=a eq 'b'&$search=\u0022c\"",` +
			`"headers":{"Content-Type":"application/json","X":"\ud83d\ude00"},"body":{"a":[1.5e+3,null,{"b":"\\\/"}]}`),
		one(`"method":"PUT","url":"https://graph.contoso.com/v1.0/users/1/photo/$value",` +
			`"headers":{"Content-Type":"image/jpeg"},"body":"_-A"`),
		one(`"method":"get","url":"//x","depends_on":[],"dependsOn":[]`),
		one(`"method":"GET","url":"/contoso.com/users/%41?%24select=a&b","headers":null,"body":null`),
		one(`"method":"POST","url":"/v1.0/users(userPrincipalName='a')/f(x=1)","headers":{"Content-Type":"text/plain"},` +
			`"body":"\u0000é"`),
		one(`"method":"GET","url":"drives/1/root:/a%25 b:/children"`),
		list(`"id":"a","dependsOn":["B"]`, `"id":"b","dependsOn":["ß"]`, `"id":"ẞ"`),
		list(`"id":"a"`, `"id":"A"`),
		`{"Requests":[{"Id":7,"METHOD":"GET","Url":"/users","HEADERS":{"X-A":5},"Body":null,"DependsOn":[8]},{"id":8,` +
			`"method":"GET","url":"/users","extra":{"id":1}}]}`,
		"\ufeff" + list(`"id":-1`, `"id":9007199254740991`, `"id":0`),
		`{"requests":[{"\u0069d":"1"}]}`,
		"\ufeff{}", "{\"requests\":[\x00]}", `{"requests":[],"Requests":[]}`, `{"requests":[{"id":"\ud800"}]} x`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		b, err := batch.Read(body, options())
		if err != nil {
			var e *batch.Error
			if !errors.As(err, &e) || e.Code == "" || e.Message == "" || b != nil {
				t.Fatalf("%#v, %v", err, b)
			}
			return
		}
		checkJSONAgrees(t, body, b)
		checkRoundTrip(t, b)
	})
}

type plainItem struct {
	ID          textOrNumber
	Method, URL string
	Headers     map[string]textOrNumber
	Body        json.RawMessage
	DependsOn   []textOrNumber
}

// textOrNumber is a string, or the digits of a number.
type textOrNumber string

func (s *textOrNumber) UnmarshalJSON(raw []byte) error {
	if raw[0] != '"' {
		*s = textOrNumber(raw)
		return nil
	}
	return json.Unmarshal(raw, (*string)(s))
}

func decodePlain(t *testing.T, text []byte) []plainItem {
	t.Helper()
	var e struct{ Requests []plainItem }
	if err := json.Unmarshal(bytes.TrimPrefix(text, []byte("\ufeff")), &e); err != nil {
		t.Fatalf("encoding/json: %v in %s", err, text)
	}
	return e.Requests
}

// checkJSONAgrees checks that encoding/json, which is independent of this package, reads the same.
func checkJSONAgrees(t *testing.T, body []byte, b *batch.Batch) {
	t.Helper()
	plain := decodePlain(t, body)
	if len(plain) != len(b.Items) || len(plain) == 0 || len(plain) > batch.MaxItems {
		t.Fatalf("encoding/json reads %d items, Read %d", len(plain), len(b.Items))
	}
	for i, p := range plain {
		item := b.Items[i]
		if item.Err != nil && item.Err.Code == "unknownKey" {
			continue // encoding/json takes some unknown keys for known ones
		}
		if string(p.ID) != item.ID || p.Method != item.Method {
			t.Errorf("encoding/json reads %q %q, Read %q %q", p.ID, p.Method, item.ID, item.Method)
		}
		if (item.Target == nil) == (item.Err == nil) {
			t.Errorf("Target %v and Err %v", item.Target, item.Err)
		}
		if item.Body != nil && !bytes.Equal(p.Body, item.Body) {
			t.Errorf("encoding/json reads the body %s, Read %s", p.Body, item.Body)
		}
		for _, h := range item.Headers {
			if v, ok := p.Headers[h.Name]; !ok || string(v) != h.Value {
				t.Errorf("encoding/json reads the header %q as %q, Read %q", h.Name, v, h.Value)
			}
		}
	}
}

// checkRoundTrip checks that the text for Graph is read as what was judged, by us and by others.
func checkRoundTrip(t *testing.T, b *batch.Batch) {
	t.Helper()
	var good []int
	var want []item
	place := make(map[int]int)
	for i := range b.Items {
		if b.Items[i].Err == nil {
			place[i] = len(good)
			good = append(good, i)
		}
	}
	for _, i := range good {
		it := b.Items[i]
		var on []int
		for _, d := range it.DependsOn {
			if p, sent := place[d]; sent {
				on = append(on, p)
			}
		}
		want = append(want, item{
			it.ID,
			it.Method,
			it.Target.EscapedPath(),
			it.Target.RawQuery(),
			string(it.Body),
			it.Headers,
			on,
		})
	}
	text := b.Encode(good)
	if len(good) == 0 {
		if text != nil {
			t.Errorf("nothing to send is %s", text)
		}
		return
	}
	again, err := batch.Read(text, batch.Options{Version: "v1.0", Header: harmless})
	if err != nil {
		t.Fatalf("reading %s again: %v", text, err)
	}
	if diff := cmp.Diff(want, itemsOf(t, again)); diff != "" {
		t.Errorf("reading %s again: %s", text, diff)
	}
	plain := decodePlain(t, text)
	for i, p := range plain {
		it := want[i]
		url := strings.TrimPrefix(it.Path, "/v1.0")
		if url == "" {
			url = "/"
		}
		if it.Query != "" {
			url += "?" + it.Query
		}
		if string(p.ID) != it.ID || p.Method != it.Method || p.URL != url || len(p.Headers) != len(it.Headers) {
			t.Errorf("encoding/json reads %+v in %s", p, text)
		}
	}
	checkNoDoubledKeys(t, text)
}

// checkNoDoubledKeys checks the objects outside bodies.
func checkNoDoubledKeys(t *testing.T, text []byte) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(text))
	if err := walkKeys(d, t, false); err != nil {
		t.Fatalf("walking %s: %v", text, err)
	}
	if _, err := d.Token(); err != io.EOF {
		t.Errorf("more after the end of %s", text)
	}
}

func walkKeys(d *json.Decoder, t *testing.T, within bool) error {
	token, err := d.Token()
	if err != nil {
		return err
	}
	open, _ := token.(json.Delim)
	seen := make(map[string]bool)
	for (open == '{' || open == '[') && d.More() {
		inner := within
		if open == '{' {
			key, err := d.Token()
			if err != nil {
				return err
			}
			name := strings.ToLower(key.(string))
			if seen[name] && !within {
				t.Errorf("the key %q is there twice", name)
			}
			seen[name] = true
			inner = within || name == "body"
		}
		if err := walkKeys(d, t, inner); err != nil {
			return err
		}
	}
	if open != 0 {
		_, err = d.Token()
	}
	return err
}

func FuzzMerge(f *testing.F) {
	f.Add([]byte(`{"responses":[{"id":"B","status":200,"headers":{"a":"b"},"body":{}},{"id":"a","status":429}]}`))
	f.Add([]byte(`{"responses":[{"id":"a","status":204,"body":null}],"x":[1]}`))
	f.Add([]byte(`{"responses":[{"id":"c","status":200}]}`))
	f.Fuzz(func(t *testing.T, graph []byte) {
		b := mustRead(t, list(`"id":"a"`, `"id":"b"`, `"id":"c"`))
		refused := map[int]batch.Answer{2: {Status: 403}}
		edit := batch.Edit{Header: func(name, value string) (string, bool) {
			return strings.TrimPrefix(value, "b"), len(name)%2 == 1
		}}
		got, err := merge(t, b, bytes.NewReader(graph), refused, edit)
		slow, slowErr := merge(t, b, iotest.OneByteReader(bytes.NewReader(graph)), refused, edit)
		if !bytes.Equal(got, slow) || (err == nil) != (slowErr == nil) {
			t.Errorf("whole it is %s, %v, and byte by byte %s, %v", got, err, slow, slowErr)
		}
		if err != nil {
			return
		}
		var e struct {
			Responses []struct {
				ID     string `json:"id"`
				Status int    `json:"status"`
			} `json:"responses"`
		}
		if err := json.Unmarshal(got, &e); err != nil || len(e.Responses) != 3 {
			t.Fatalf("%s: %v", got, err)
		}
		for i, id := range []string{"a", "b", "c"} {
			if !strings.EqualFold(e.Responses[i].ID, id) || e.Responses[i].Status < 100 {
				t.Errorf("item %s is answered by %+v in %s", id, e.Responses[i], got)
			}
		}
	})
}
