package console_test

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"graphproxy/auth/caller"
	"graphproxy/cmd/graphproxy/console"
	"graphproxy/proxy"
	"graphproxy/proxy/meter"
)

const someID = "7a7f2c3e-0000-4000-8000-000000000001"

// payloads are texts of callers that would be markup, a script or an address if a page did not escape them.
func payloads() []string {
	return []string{
		`<script>alert(1)</script>`,
		`</script><script>alert(1)</script>`,
		`"><img src=x onerror=alert(1)>`,
		`'><svg onload=alert(1)>`,
		`" autofocus onfocus="alert(1)`,
		`' onmouseover='alert(1)`,
		`javascript:alert(1)`,
		`<a href="javascript:alert(1)">x</a>`,
		`</td></tr></table><h1>x</h1>`,
		`</pre><b>x</b>`,
		`</title><script>alert(1)</script>`,
		`<!--`,
		`--><script>alert(1)</script>`,
		`]]><x>`,
		`{{.Hash}}`,
		`${alert(1)}`,
		"`;alert(1)//",
		`&lt;script&gt;`,
		`&#x3c;script&#x3e;`,
		`%3Cscript%3Ealert(1)%3C/script%3E`,
		`<style>*{display:none}</style>`,
		`<base href=//attacker.example>`,
		`<meta http-equiv=refresh content=0>`,
		`<iframe src=//attacker.example>`,
		"\u202e<script>\u202c",
		"\u2028\u2029",
		"a\nb\r\nc",
		"data: x\n\nevent: evil\ndata: y",
		"\x00\x01",
		"\xff\xfe<b>",
		strings.Repeat("<", 300),
	}
}

// fields are the members of an audit line that hold texts of callers, or of a policy.
func fields() []string {
	return []string{"caller", "client", "credential", "app", "tenant", "method", "version", "path", "target", "rule",
		"ticket", "reason", "condition", "request_id", "client_request_id", "trace_id", "batch", "item", "evidence"}
}

// skeleton is the elements of a page with the names of their attributes, and what those that load or run something
// hold.
func skeleton(t *testing.T, page string) []string {
	t.Helper()
	var all []string
	for z := html.NewTokenizer(strings.NewReader(page)); ; {
		switch z.Next() {
		case html.ErrorToken:
			return all
		case html.StartTagToken, html.SelfClosingTagToken:
			token := z.Token()
			text := token.Data
			for _, a := range token.Attr {
				text += " " + a.Key
				if a.Key == "src" || a.Key == "action" || token.Data != "a" && a.Key == "href" {
					text += "=" + a.Val
				}
				if a.Key == "href" && !strings.HasPrefix(a.Val, "/") && !strings.HasPrefix(a.Val, "#") {
					t.Errorf("a link leads to %q", a.Val)
				}
				if strings.HasPrefix(a.Key, "on") || a.Key == "style" || a.Key == "srcdoc" {
					t.Errorf("an element has %s", a.Key)
				}
			}
			all = append(all, text)
		case html.CommentToken:
			all = append(all, "comment")
		}
	}
}

func TestTextsOfCallersAreTextOnEveryPage(t *testing.T) {
	c, _, _ := newConsole(t, base(""), true, caller.Options{})
	status := 100 // each record has another one, by which its page shows it alone
	show := func(texts ...string) (decisions, explanation []string) {
		status++
		id := fmt.Sprintf("record-%d", status)
		line := map[string]any{"would_deny": true, "decision": "deny", "status": status}
		for i, field := range fields() {
			line[field] = texts[i%len(texts)]
		}
		line["request_id"], line["query"] = id, texts
		record(t, c, line)
		return skeleton(t, page(t, c, fmt.Sprintf("/decisions?status=%d", status))),
			skeleton(t, page(t, c, "/decisions/"+id))
	}
	wantDecisions, wantExplanation := show("benign")
	for _, payload := range payloads() {
		decisions, explanation := show(payload, payload)
		if diff := cmp.Diff(wantDecisions, decisions); diff != "" {
			t.Errorf("decisions with %q (-benign +payload):\n%s", payload, diff)
		}
		if diff := cmp.Diff(wantExplanation, explanation); diff != "" {
			t.Errorf("the explanation with %q (-benign +payload):\n%s", payload, diff)
		}
	}
}

func TestTextsOfCallersAreTextInAnExplanation(t *testing.T) {
	c, _, _ := newConsole(t, base(""), true, caller.Options{})
	explain := func(id, target string, query ...string) []string {
		record(t, c, map[string]any{"request_id": id, "target": target, "query": query, "method": "GET"})
		return skeleton(t, page(t, c, "/decisions/"+id))
	}
	known := map[string]bool{}
	benign := []string{"/v1.0/users/adele", "/v1.0/users/ceo@contoso.com/messages", "/v1.0/nothing", "//"}
	for i, target := range benign {
		for _, element := range explain(fmt.Sprintf("benign-%d", i), target, "$top") {
			known[element] = true
		}
	}
	for i, payload := range payloads() {
		for j, before := range []string{"/v1.0/users/", "/v1.0/users/x/drive/root:/", ""} {
			target := before + payload
			for _, element := range explain(fmt.Sprintf("record-%d-%d", i, j), target, payload, "$top") {
				if !known[element] {
					t.Errorf("%q makes %s", payload, element)
				}
			}
		}
	}
}

// page returns the text of a page.
func page(t *testing.T, c *console.Console, path string) string {
	t.Helper()
	w := httptest.NewRecorder()
	c.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://127.0.0.1"+path, nil))
	if w.Code != http.StatusOK {
		t.Fatalf("%s is %d: %s", path, w.Code, w.Body)
	}
	return w.Body.String()
}

func TestWhatAVisitorTypesIsText(t *testing.T) {
	s := open(t)
	s.record(nil)
	want := skeleton(t, s.get("/decisions?caller=benign&path=benign").text)
	for _, payload := range payloads() {
		if len(payload) > 256 || strings.TrimSpace(payload) == "" {
			continue
		}
		query := url.Values{"caller": {payload}, "path": {payload}}.Encode()
		a := s.get("/decisions?" + query)
		if diff := cmp.Diff(want, skeleton(t, a.text)); a.StatusCode != 200 || diff != "" {
			t.Errorf("%q: %s\n%s", payload, a.Status, diff)
		}
		for _, path := range []string{"/decisions?status=" + url.QueryEscape(payload), "/decisions?decision=" +
			url.QueryEscape(payload), "/policy?days=" + url.QueryEscape(payload), "/decisions?before=" +
			url.QueryEscape(payload)} {
			if a := s.get(path); a.StatusCode != 400 || strings.Contains(a.text, "alert(1)") {
				t.Errorf("%s is %s: %s", path, a.Status, a.text)
			}
		}
	}
}

func TestFiltersOfDecisions(t *testing.T) {
	s := open(t)
	for i, members := range []map[string]any{
		{"target": "/v1.0/users/one"},
		{"target": "/v1.0/users/two", "decision": "deny", "status": 403, "reason": "policyDenied"},
		{"target": "/v1.0/Groups/three", "path": "/v1.0/groups/{id}", "caller": "hr-sync"},
		{"target": "/v1.0/users/four", "decision": "limit", "status": 429},
		{"target": "/v1.0/users/five", "decision": "allow", "would_deny": true},
		{"target": `/v1.0/users/"decision":"deny","status":403,`, "caller": "hr-sync"},
		{"target": "", "path": "", "decision": "refuse", "status": 401, "caller": ""},
		{"target": "/v1.0/users/eight", "status": 499, "bytes_out": 403},
	} {
		members["request_id"] = fmt.Sprintf("record-%d", i+1)
		s.record(members)
	}
	for query, want := range map[string]string{
		"":                                 "8 7 6 5 4 3 2 1",
		"decision=deny":                    "2",
		"decision=allow":                   "8 6 5 3 1",
		"decision=would_deny":              "5",
		"status=403":                       "2",
		"status=4xx":                       "8 7 4 2",
		"status=4XX":                       "8 7 4 2",
		"status=40":                        "error",
		"status=200":                       "6 5 3 1",
		"caller=hr-sync":                   "6 3",
		"caller=hr":                        "",
		"caller=-":                         "7",
		"path=users":                       "8 6 5 4 2 1",
		"path=GROUPS":                      "3",
		"path=%7Bid%7D":                    "8 6 5 4 3 2 1",
		"path=/v1.0/users/t":               "2",
		"path=allow":                       "",
		"path=record":                      "",
		"caller=app&decision=limit":        "4",
		"decision=deny&status=2xx":         "",
		"decision=perhaps":                 "error",
		"before=3":                         "2 1",
		"before=3&decision=allow":          "1",
		"before=0":                         "error",
		"before=x":                         "error",
		"before=99999999":                  "8 7 6 5 4 3 2 1",
		"path=" + strings.Repeat("x", 257): "error",
	} {
		a := s.get("/decisions?" + query)
		if want == "error" {
			if a.StatusCode != 400 {
				t.Errorf("%s is %s", query, a.Status)
			}
			continue
		}
		if got := recordsOn(a); got != want {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
}

func TestTheDecisionOfACandidateIsNotThatOfTheRecord(t *testing.T) {
	s := open(t)
	other := func(decision string) map[string]any {
		return map[string]any{"decision": decision, "would_deny": decision == "allow", "rule": "}", "policy": "p"}
	}
	s.record(map[string]any{"request_id": "record-1", "decision": "allow", "candidate": other("deny")})
	s.record(map[string]any{"request_id": "record-2", "decision": "deny", "candidate": other("allow")})
	for query, want := range map[string]string{"deny": "2", "allow": "1", "would_deny": ""} {
		if got := recordsOn(s.get("/decisions?decision=" + query)); got != want {
			t.Errorf("decision=%s: %q, want %q", query, got, want)
		}
	}
	if page := s.get("/policy").text; !regexp.MustCompile(`GET /users/\{id\}<.*<td class="number">1</td></tr>`).
		MatchString(page) {
		t.Error("what the candidate alone denies counts as a refusal near a rule")
	}
}

// recordsOn returns the numbers of the records that a page links to.
func recordsOn(page answer) string {
	var all []string
	for _, part := range strings.Split(page.text, `href="/decisions/record-`)[1:] {
		all = append(all, part[:strings.IndexByte(part, '"')])
	}
	return strings.Join(all, " ")
}

func TestPagesOfOlderRecords(t *testing.T) {
	s := open(t)
	for i := range 450 {
		s.record(map[string]any{"request_id": fmt.Sprintf("record-%d", i+1)})
	}
	path, count := "/decisions", 0
	for range 3 {
		page := s.get(path).text
		count += strings.Count(page, `href="/decisions/record-`)
		_, rest, found := strings.Cut(page, `<a href="/decisions?before=`)
		if !found {
			break
		}
		path = "/decisions?before=" + rest[:strings.IndexByte(rest, '"')]
		if !strings.Contains(path, "=251") && !strings.Contains(path, "=51") {
			t.Error(path)
		}
	}
	if count != 450 {
		t.Errorf("%d records", count)
	}
}

func TestAnExplanation(t *testing.T) {
	s := open(t)
	s.record(map[string]any{"decision": "deny", "target": "/v1.0/users/ceo@contoso.com/messages",
		"query": []string{"$top"}, "status": 403, "rule": "policy.yaml:12"})
	a := s.get("/decisions/" + someID)
	for _, want := range []string{
		"policy.yaml:13 matches: ANY /users/{id}/**",
		`<tr class="it"><td class="line">13</td><td><code>      - ANY /users/{id}/**:</code></td></tr>`,
		`href="/policy#f0-13"`,
		"decision  deny",
		"Another policy than the present one decided it",
	} {
		if !strings.Contains(a.text, want) {
			t.Errorf("%q is not in\n%s", want, a.text)
		}
	}
	if a := s.get("/decisions/other"); a.StatusCode != 404 {
		t.Errorf("an id without a record is %s", a.Status)
	}
	if page := s.get("/policy").text; !strings.Contains(page, `<tr id="f0-13">`) {
		t.Error("the line has no place on the page of the policy")
	}
}

func TestRulesAndTheirUse(t *testing.T) {
	s := open(t)
	allow, deny := s.source.Authorization().Policy().Rules("app")
	count := func(users, ceo uint64) {
		s.source.state.Work = proxy.Work{Counts: meter.Counts{
			Decisions: map[string]uint64{"allow": users, "deny": ceo},
			Rules: []meter.RuleCount{
				{Caller: "app", Rule: allow[0], Decided: users},
				{Caller: "app", Rule: deny[0], Decided: ceo},
			},
		}}
		s.Sample()
	}
	count(0, 0)
	count(7, 0)
	count(9, 1)
	page := s.get("/policy").text
	year := time.Now().UTC().Format("2006-")
	for _, want := range []string{
		`<code>GET /users</code></td><td><a href="/policy#f0-7">policy.yaml:7</a></td><td class="number">9</td><td>` + year,
		`<code>GET /users/{id}</code><br><small><code>query: {$top: 10}</code></small></td><td><a href="/policy#f0-8">` +
			`policy.yaml:8</a></td><td class="number">0</td><td>not yet</td>`,
		`<li>app: <a href="/policy#f0-8"><code>GET /users/{id}</code></a></li>`,
		"All 2 pass.",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is not in\n%s", want, page)
		}
	}
	if strings.Contains(page, `<li>app: <a href="/policy#f0-7">`) {
		t.Error("a rule that was used is among those that were not")
	}
	now := s.get("/").text
	if !strings.Contains(now, `9 in the last hour`) || !strings.Contains(now, "<polyline") {
		t.Error(now)
	}
}

func TestRefusalsNearARule(t *testing.T) {
	s := open(t)
	for _, members := range []map[string]any{
		{"decision": "deny", "target": "/v1.0/users/a", "query": []string{"$expand"}},
		{"decision": "deny", "target": "/v1.0/users/a", "query": []string{"$expand"}},
		{"decision": "deny", "method": "PATCH", "target": "/v1.0/users/b", "query": []string{}},
		{"decision": "deny", "target": "/v1.0/users/ceo@contoso.com", "query": []string{}},           // by a deny rule
		{"decision": "deny", "target": "/v1.0/sites/root", "query": []string{}},                      // near none
		{"decision": "allow", "target": "/v1.0/users/a", "query": []string{"$expand"}},               // no denial
		{"decision": "deny", "target": "/v1.0/users/a", "cut": []string{"target"}, "query": nil},     // not read back
		{"decision": "deny", "caller": "gone", "target": "/v1.0/users/a", "query": []string{"$top"}}, // no such caller
	} {
		s.record(members)
	}
	row := regexp.MustCompile(`<code>(GET /[^<]*)</code>.*<td class="number">(\d+)</td></tr>`)
	got := map[string]string{}
	for _, m := range row.FindAllStringSubmatch(s.get("/policy").text, -1) {
		got[m[1]] = m[2]
	}
	want := map[string]string{"GET /users": "0", "GET /users/{id}": "3", "GET /groups/{id}/members": "0"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestWhatNowShows(t *testing.T) {
	s := open(t)
	s.source.state = console.State{
		Version:     "1.2.3",
		MaxInFlight: 1000,
		Work: proxy.Work{
			InFlight: 17,
			Fill:     map[string]float64{"app GET /groups/{id}/members": 0.25},
			Services: []meter.Service{
				{Name: "outlook", Throttled: 3, Held: 2, Holding: 1, Percentage: 0.8},
				{Name: "teams"},
			},
		},
		Tokens: []console.Token{
			{
				App:     "default",
				Ready:   true,
				Expires: time.Now().Add(44*time.Minute + 30*time.Second),
				Roles:   []string{"User.Read.All"},
			},
			{App: "hr", Problem: "the secret has expired"},
		},
		Certificates: []console.Certificate{{Use: "of the proxy itself", Ends: time.Now().Add(5 * 24 * time.Hour)}},
		Replicas:     &console.Replicas{Shared: true, Count: 3, Since: time.Now()},
	}
	page := s.get("/").text
	for _, want := range []string{"17</span>", "of 1000", "outlook", "80 %", "User.Read.All", "44 min", "no token",
		"the secret has expired", "ends soon", "3 replicas", "1.2.3"} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is not in\n%s", want, page)
		}
	}
	if strings.Contains(page, "teams") {
		t.Error("a service without throttling is shown")
	}
}

func TestNoPageShowsTheHashOfAKey(t *testing.T) {
	s := open(t)
	hash := fmt.Sprintf("%x", sha256.Sum256([]byte(callKey)))
	s.record(map[string]any{"decision": "deny", "target": "/v1.0/users/ceo@contoso.com"})
	form := "caller=app&request=GET+/users"
	for _, path := range []string{"/", "/decisions", "/policy", "/denied", "/candidate", "/callers", "/try?" + form} {
		a := s.get(path)
		if a.StatusCode != 200 || strings.Contains(a.text, hash) {
			t.Errorf("%s: %s: has the hash: %v", path, a.Status, strings.Contains(a.text, hash))
		}
		if shown := strings.Contains(a.text, hash[:8]+"…"); shown != (path == "/policy" || strings.HasPrefix(path, "/try")) {
			t.Errorf("%s: the beginning of the hash: %v", path, shown)
		}
	}
}
