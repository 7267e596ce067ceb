package graphtest_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"graphproxy/proxy/graphtest"
)

// part is the answer to one item of a batch.
type part struct {
	ID      string            `json:"id"`
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers"`
	Body    json.RawMessage   `json:"body"`
}

// batch sends items, JSON objects, and returns what Graph answers to each.
func batch(t *testing.T, s *graphtest.Server, items ...string) []part {
	t.Helper()
	a := call(t, s, "POST", "/v1.0/$batch", `{"requests":[`+strings.Join(items, ",")+`]}`)
	if a.status != 200 || !strings.HasPrefix(a.header.Get("Content-Type"), "application/json") {
		t.Fatalf("%d %s %s", a.status, a.header.Get("Content-Type"), a.body)
	}
	return partsOf(t, a)
}

func partsOf(t *testing.T, a answer) []part {
	t.Helper()
	var out struct {
		Responses []part `json:"responses"`
	}
	must(t, json.Unmarshal([]byte(a.body), &out))
	return out.Responses
}

// outline is ids and statuses, "1:200 2:404".
func outline(parts []part) string {
	var words []string
	for _, p := range parts {
		words = append(words, fmt.Sprintf("%s:%d", p.ID, p.Status))
	}
	return strings.Join(words, " ")
}

func get(id, url string, dependsOn ...string) string {
	out, _ := json.Marshal(map[string]any{"id": id, "method": "GET", "url": url, "dependsOn": dependsOn})
	return string(out)
}

// sawItems is what Graph ran as items, "1 GET /v1.0/users".
func sawItems(s *graphtest.Server) []string {
	s.WaitIdle()
	out := []string{}
	for _, r := range s.Requests() {
		if r.Item != "" {
			out = append(out, r.Item+" "+r.Method+" "+r.Target)
		}
	}
	return out
}

func TestAnItemIsAnsweredAsIfItHadComeAlone(t *testing.T) {
	s := newGraph(t, graphtest.Options{})
	adele := graphtest.ID("adele@contoso.com")
	tests := []struct {
		name, item string
		status     int
		want       string // in the body
	}{
		{"a URL with a slash", `{"id":"1","method":"GET","url":"/users/adele@contoso.com"}`, 200,
			`"displayName":"Adele Vance"`},
		{"a URL without a slash", `{"id":"1","method":"GET","url":"users/adele@contoso.com"}`, 200,
			`"displayName":"Adele Vance"`},
		{"a URL with raw spaces", `{"id":"1","method":"GET","url":"users?$select=displayName&$filter=department eq 'HR'"}`,
			200, "Diego Siciliani"},
		{"members whose names are in capitals", `{"ID":"1","Method":"get","URL":"/users/adele@contoso.com"}`, 200,
			"Adele Vance"},
		{"headers of its own", `{"id":"1","method":"GET","url":"/users/$count","headers":{"ConsistencyLevel":"eventual"}}`,
			200, `"60"`},
		{"a header's name in lower case",
			`{"id":"1","method":"GET","url":"/users/$count","headers":{"consistencylevel":"eventual"}}`, 200, `"60"`},
		{"an object that is not there", `{"id":"1","method":"GET","url":"/users/nobody"}`, 404, "Request_ResourceNotFound"},
		{"a method that the resource does not have", `{"id":"1","method":"DELETE","url":"/users"}`, 405,
			"Request_BadRequest"},
		{"a version in the URL", `{"id":"1","method":"GET","url":"/v1.0/users"}`, 400,
			"Resource not found for the segment 'v1.0'."},
		{"the other version in the URL", `{"id":"1","method":"GET","url":"beta/users"}`, 400,
			"Resource not found for the segment 'beta'."},
		{"an absolute URL", `{"id":"1","method":"GET","url":"https://graph.microsoft.com/v1.0/users"}`, 400,
			"Resource not found for the segment 'https:'."},
		{"a batch in a batch",
			`{"id":"1","method":"POST","url":"/$batch","headers":{"Content-Type":"application/json"},"body":{"requests":[]}}`,
			400, "BadRequest"},
		{"a batch in a batch by another spelling",
			`{"id":"1","method":"POST","url":"%24BATCH","headers":{"Content-Type":"application/json"},"body":{}}`, 400,
			"BadRequest"},
		{"dot segments are resolved", `{"id":"1","method":"GET","url":"/groups/../users/adele@contoso.com"}`, 200,
			"Adele Vance"},
		{"dot segments lead out of the version", `{"id":"1","method":"GET","url":"../beta/users/adele@contoso.com"}`, 200,
			"/beta/$metadata#users"},
		{"no body",
			`{"id":"1","method":"POST","url":"/users/adele@contoso.com/sendMail",` +
				`"headers":{"Content-Type":"application/json"},"body":{"message":{"subject":"x"}}}`,
			202, "null"},
		{"nothing after a change", `{"id":"1","method":"PATCH","url":"/users/` + adele +
			`","headers":{"content-type":"application/json"},"body":{"jobTitle":"Lead"}}`,
			204, "null"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := batch(t, s, tt.item)
			if len(got) != 1 || got[0].ID != "1" || got[0].Status != tt.status ||
				!strings.Contains(string(got[0].Body), tt.want) {
				t.Errorf("%+v %s", got, got[0].Body)
			}
		})
	}
}

func TestWhatIsNotJSONIsAString(t *testing.T) {
	s := newGraph(t, graphtest.Options{})
	data := []byte{0xff, 0xfe, 0, 0xfb}
	got := batch(t, s,
		fmt.Sprintf(`{"id":"put","method":"PUT","url":"/users/adele@contoso.com/drive/root:/blob.bin:/content",`+
			`"headers":{"Content-Type":"application/octet-stream"},"body":%q}`, base64.URLEncoding.EncodeToString(data)))
	if outline(got) != "put:201" || !strings.Contains(string(got[0].Body), `"size":4`) {
		t.Fatalf("%s %s", outline(got), got[0].Body)
	}
	s.WaitIdle()
	if seen := s.Requests(); !bytes.Equal(seen[1].Body, data) {
		t.Errorf("the item's body is on record as %q", seen[1].Body)
	}
	got = batch(t, s, get("photo", "/users/adele@contoso.com/photo/$value"),
		get("file", "/users/adele@contoso.com/drive/root:/blob.bin:/content"))
	if outline(got) != "file:302 photo:200" {
		t.Fatal(outline(got))
	}
	if got[0].Headers["location"] == "" || got[0].Body != nil {
		t.Errorf("a redirect: %+v", got[0])
	}
	var text string
	must(t, json.Unmarshal(got[1].Body, &text))
	photo, err := base64.URLEncoding.DecodeString(text)
	must(t, err)
	if single := call(t, s, "GET", "/v1.0/users/adele@contoso.com/photo/$value", ""); single.body != string(photo) ||
		single.header.Get("Content-Type") != got[1].Headers["Content-Type"] {
		t.Errorf("the photo of a batch differs from the photo: %s", got[1].Headers)
	}
}

func TestABatchIsRefusedAsAWhole(t *testing.T) {
	s := newGraph(t, graphtest.Options{})
	user := `"method":"GET","url":"/users"`
	many := strings.TrimSuffix(strings.Repeat(`{"id":"%d",`+user+`},`, 21), ",")
	var numbers []any
	for i := range 21 {
		numbers = append(numbers, i)
	}
	tests := []struct{ name, body, want string }{
		{"no JSON", `{"requests":`, "Invalid batch payload format."},
		{"no body", ``, "Invalid batch payload format."},
		{"an array", `[{"id":"1",` + user + `}]`, "Invalid batch payload format."},
		{"more after the JSON", `{"requests":[{"id":"1",` + user + `}]}{}`, "Invalid batch payload format."},
		{"no requests", `{}`, "Invalid batch payload format."},
		{"requests that are empty", `{"requests":[]}`, "Invalid batch payload format."},
		{"21 items", `{"requests":[` + fmt.Sprintf(many, numbers...) + `]}`, "exceeds the limit"},
		{"no id", `{"requests":[{` + user + `}]}`, "Invalid batch payload format."},
		{"an id that is a number", `{"requests":[{"id":1,` + user + `}]}`, "Invalid batch payload format."},
		{"no method", `{"requests":[{"id":"1","url":"/users"}]}`, "Invalid batch payload format."},
		{"no URL", `{"requests":[{"id":"1","method":"GET"}]}`, "Invalid batch payload format."},
		{"an id twice", `{"requests":[{"id":"a",` + user + `},{"id":"a",` + user + `}]}`, "not unique"},
		{"an id twice but for case", `{"requests":[{"id":"a",` + user + `},{"id":"A",` + user + `}]}`, "not unique"},
		{"a body without a type", `{"requests":[{"id":"1","method":"POST","url":"/users","body":{}}]}`,
			"Write request id : 1 does not contain Content-Type header or body."},
		{"a write without a body",
			`{"requests":[{"id":"1","method":"POST","url":"/users","headers":{"Content-Type":"application/json"}}]}`,
			"Write request id : 1"},
		{"a body that is no base64",
			`{"requests":[{"id":"1","method":"PUT","url":"/x","headers":{"Content-Type":"image/png"},"body":"*"}]}`,
			"Invalid batch payload format."},
		{"a dependency that is not there", `{"requests":[` + get("1", "/users", "2") + `]}`, "Invalid dependency"},
		{"a dependency on a later item", `{"requests":[` + get("1", "/users", "2") + `,` + get("2", "/users") + `]}`,
			"Invalid dependency"},
		{"a dependency on itself", `{"requests":[` + get("1", "/users", "1") + `]}`, "Invalid dependency"},
		{"half sequential", `{"requests":[` + get("1", "/users") + `,` + get("3", "/users") + `,` + get("2", "/users", "1") +
			`,` + get("4", "/users", "2") + `]}`,
			"Batch should be either fully sequential or fully parallel."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := call(t, s, "POST", "/v1.0/$batch", tt.body)
			if a.status != 400 || a.code() != "BadRequest" || !strings.Contains(a.body, tt.want) {
				t.Errorf("%d %s, want 400 with %q", a.status, a.body, tt.want)
			}
		})
	}
	if got := sawItems(s); len(got) != 0 {
		t.Errorf("these ran: %q", got)
	}
}

func TestTwentyItemsAreAnsweredInAnotherOrder(t *testing.T) {
	s := newGraph(t, graphtest.Options{})
	var items, want []string
	for i := range 20 {
		id := fmt.Sprintf("Item-%c", 'a'+i)
		items, want = append(items, get(id, "/organization")), append(want, id+":200")
	}
	slices.Reverse(want)
	if got := outline(batch(t, s, items...)); got != strings.Join(want, " ") {
		t.Error(got)
	}
}

func TestTheBatchGivesItsVersionToItsItems(t *testing.T) {
	s := newGraph(t, graphtest.Options{})
	for _, version := range []string{"v1.0", "beta"} {
		a := call(t, s, "POST", "/"+version+"/$batch", `{"requests":[`+get("1", "/users?$top=1")+`]}`)
		if got := partsOf(t, a); !strings.Contains(string(got[0].Body), `"@odata.nextLink":"`+s.URL()+"/"+version+"/users?") {
			t.Errorf("%s: %s", version, got[0].Body)
		}
	}
	if a := call(t, s, "GET", "/v1.0/$batch", ""); a.status != 405 {
		t.Errorf("GET: %d", a.status)
	}
}

func TestAPageOfAnItemIsFollowedByItsLink(t *testing.T) {
	s := newGraph(t, graphtest.Options{})
	got := batch(t, s, get("1", "users?$filter=startswith(userPrincipalName, 'a') or accountEnabled eq true&$top=2"))
	var page map[string]any
	must(t, json.Unmarshal(got[0].Body, &page))
	link, _ := page["@odata.nextLink"].(string)
	if a := call(t, s, "GET", link, ""); a.status != 200 || strings.Contains(link, " ") {
		t.Errorf("%q: %d %s", link, a.status, a.body)
	}
}

func TestADependantOfAFailureDoesNotRun(t *testing.T) {
	tests := []struct {
		name  string
		items []string
		want  string
		ran   []string
	}{
		{"each after the one before",
			[]string{get("1", "/users"), get("2", "/nothing", "1"), get("3", "/groups", "2"), get("4", "/sites", "3")},
			"1:200 2:400 3:424 4:424", []string{"1 GET /v1.0/users", "2 GET /v1.0/nothing"}},
		{"all after the same", []string{get("1", "/nothing"), get("2", "/users", "1"), get("3", "/groups", "1")},
			"1:400 2:424 3:424", []string{"1 GET /v1.0/nothing"}},
		{"after a success", []string{get("a", "/users"), get("B", "/groups", "A")},
			"a:200 B:200", []string{"a GET /v1.0/users", "B GET /v1.0/groups"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newGraph(t, graphtest.Options{})
			got := batch(t, s, tt.items...)
			if outline(got) != tt.want {
				t.Errorf("%s, want %s", outline(got), tt.want)
			}
			if diff := cmp.Diff(tt.ran, sawItems(s)); diff != "" {
				t.Errorf("what ran (-want +got):\n%s", diff)
			}
			for _, p := range got {
				if p.Status == 424 && !strings.Contains(string(p.Body), `"code":"FailedDependency"`) {
					t.Errorf("%s", p.Body)
				}
			}
		})
	}
}

func TestAReferenceStandsForAnEarlierItem(t *testing.T) {
	s := newGraph(t, graphtest.Options{})
	got := batch(t, s, get("1", "/users/adele@contoso.com?$select=id"), get("2", "$1/manager", "1"))
	if outline(got) != "1:200 2:200" || !strings.Contains(string(got[1].Body), "Megan Bowen") {
		t.Errorf("%s %s", outline(got), got[1].Body)
	}
	got = batch(t, s,
		`{"id":"new","method":"POST","url":"/users","headers":{"Content-Type":"application/json"},`+
			`"body":{"accountEnabled":true,`+
			`"displayName":"Grady","mailNickname":"grady","userPrincipalName":"grady@contoso.com",`+
			`"passwordProfile":{"password":"x"}}}`,
		`{"id":"gone","method":"DELETE","url":"/$new","dependsOn":["new"]}`)
	if outline(got) != "new:201 gone:204" {
		t.Errorf("%s %s", outline(got), got[1].Body)
	}
}

func TestAnItemsOwnTokenCountsForNothing(t *testing.T) {
	s := newGraph(t, graphtest.Options{Verify: func(token string) ([]string, error) {
		return map[string][]string{"any": {"User.Read.All"}, "mighty": {"Mail.Read", "User.Read.All"}}[token], nil
	}})
	mail := `{"id":"1","method":"GET","url":"/users/adele@contoso.com/messages","headers":{"authorization":"Bearer ` +
		`mighty"}}`
	if got := outline(batch(t, s, mail, get("2", "/users"))); got != "2:200 1:403" {
		t.Errorf("%s", got)
	}
	s.WaitIdle()
	if n := s.ItemTokens(); n != 1 {
		t.Errorf("%d items brought a token", n)
	}
	s.Reset()
	if n := s.ItemTokens(); n != 0 {
		t.Errorf("%d after Reset", n)
	}
	if a := call(t, s, "POST", "/v1.0/$batch", `{"requests":[`+get("1", "/users")+`]}`,
		"Authorization: Bearer none"); a.status != 403 {
		t.Errorf("a batch with a token without roles: %d", a.status)
	}
}

func TestThrottlesCoverItemsOneByOne(t *testing.T) {
	s := newGraph(t, graphtest.Options{})
	s.Throttle(graphtest.Throttle{Prefix: "/v1.0/users", RetryAfter: "7", Times: 1})
	got := batch(t, s, get("1", "/users"), get("2", "/groups"), get("3", "/users"))
	if outline(got) != "3:200 2:200 1:429" || got[2].Headers["Retry-After"] != "7" ||
		!strings.Contains(string(got[2].Body), "TooManyRequests") {
		t.Errorf("%s %+v", outline(got), got[2])
	}
	s.Throttle(graphtest.Throttle{Prefix: "/v1.0/$batch", RetryAfter: "9"})
	if a := call(t, s, "POST", "/v1.0/$batch", `{"requests":[`+get("1", "/users")+`]}`); a.status != 429 ||
		a.header.Get("Retry-After") != "9" {
		t.Errorf("the batch itself: %d", a.status)
	}
}

func TestFaultsOfBatchesAreOnDemand(t *testing.T) {
	tests := []struct {
		name  string
		fault graphtest.BatchFault
		want  string
	}{
		{"none", graphtest.BatchFault{}, "2:200 1:200"},
		{"an item is left out", graphtest.BatchFault{Omit: []string{"1", "9"}}, "2:200"},
		{"an item is answered twice", graphtest.BatchFault{Repeat: []string{"1"}}, "2:200 1:200 1:200"},
		{"nobody asked for an item", graphtest.BatchFault{Add: []string{"x"}}, "2:200 1:200 x:200"},
		{"every item is left out", graphtest.BatchFault{Omit: []string{"1", "2"}}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newGraph(t, graphtest.Options{})
			s.BatchFault(tt.fault)
			if got := outline(batch(t, s, get("1", "/users"), get("2", "/groups"))); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
			if n := len(sawItems(s)); n != 2 {
				t.Errorf("%d items ran", n)
			}
		})
	}
	t.Run("the JSON breaks off, until Heal", func(t *testing.T) {
		s := newGraph(t, graphtest.Options{})
		s.BatchFault(graphtest.BatchFault{Broken: true})
		for _, want := range []bool{false, true} {
			if a := call(t, s, "POST", "/v1.0/$batch", `{"requests":[`+get("1", "/users")+`]}`); a.status != 200 ||
				json.Valid([]byte(a.body)) != want {
				t.Errorf("%d %s", a.status, a.body)
			}
			s.Heal()
		}
	})
}

func TestItemsThatRanAreOnRecord(t *testing.T) {
	s := newGraph(t, graphtest.Options{})
	batch(t, s,
		`{"id":"Get","method":"get","url":"users?$filter=department eq 'HR'","headers":{"prefer":"odata.maxpagesize=1"}}`,
		`{"id":"Mail","method":"POST","url":"/users/adele@contoso.com/sendMail",`+
			`"headers":{"Content-Type":"application/json"},"body":{"message": {"subject":"x"}}}`)
	s.WaitIdle()
	got := s.Requests()
	if len(got) != 3 || s.Count() != 1 {
		t.Fatalf("%d on record, %d requests", len(got), s.Count())
	}
	if got[0].Item != "" || got[0].Target != "/v1.0/$batch" || got[0].Header.Get("Authorization") == "" {
		t.Errorf("the batch: %+v", got[0])
	}
	want := []string{"Get GET /v1.0/users?$filter=department eq 'HR'", "Mail POST /v1.0/users/adele@contoso.com/sendMail"}
	if diff := cmp.Diff(want, sawItems(s)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string][]string{"Prefer": {"odata.maxpagesize=1"}},
		map[string][]string(got[1].Header)); diff != "" {
		t.Errorf("the first item's headers (-want +got):\n%s", diff)
	}
	if string(got[2].Body) != `{"message": {"subject":"x"}}` || got[2].Size != 28 || s.SentMail() != 1 {
		t.Errorf("the second item: %+v", got[2])
	}
	reading, err := got[1].Reading()
	must(t, err)
	if reading.Version != "v1.0" || reading.Segments[0].Name() != "users" ||
		reading.Options["filter"] != "department eq 'HR'" {
		t.Errorf("%+v", reading)
	}
}

func TestItemURLsAreReadBelowTheVersion(t *testing.T) {
	tests := []struct{ url, version, segments string }{
		{"/users/1", "v1.0", "users 1"},
		{"users/1?$select=id", "v1.0", "users 1"},
		{"//users", "v1.0", "users"},
		{"/v1.0/users", "v1.0", "v1.0 users"},
		{"https://graph.microsoft.com/v1.0/users", "v1.0", "https: graph.microsoft.com v1.0 users"},
		{"../beta/users", "beta", "users"},
		{"/users%2f1#x", "v1.0", "users 1"},
		{"$1/manager", "v1.0", "$1 manager"},
	}
	for _, tt := range tests {
		t.Run(tt.url, func(t *testing.T) {
			got, err := graphtest.ReadItem("v1.0", tt.url)
			must(t, err)
			var texts []string
			for _, seg := range got.Segments {
				texts = append(texts, seg.Text)
			}
			if got.Version != tt.version || strings.Join(texts, " ") != tt.segments {
				t.Errorf("%q %q", got.Version, texts)
			}
		})
	}
}
