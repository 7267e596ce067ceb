package proxy_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"graphproxy/auth"
	"graphproxy/proxy"
)

// boundDelta lets two callers read what changes of users, in the same bounds, and a third one without any.
const boundDelta = `
version: 1
callers:
  hr:
    identity: [{key: {sha256: HASH-HR}}]
    allow:
      - GET /users/delta: {query: {$select: [id, displayName], $filter: ["id eq '*'"]}}
      - GET /groups/delta: {query: {$expand: [members]}}
      - GET /beta/users/delta: {query: {$select: [id, displayName]}}
      - GET /users
  it:
    identity: [{key: {sha256: HASH-IT}}]
    allow:
      - GET /users/delta: {query: {$select: [id, displayName], $filter: ["id eq '*'"]}}
  wide:
    identity: [{key: {sha256: HASH-WIDE}}]
    allow: [GET /users/delta]
  denied:
    identity: [{key: {sha256: HASH-DENIED}}]
    allow: [GET /users/delta, GET /groups/delta]
    deny:
      - GET /users/delta: {query: {$select: [mail]}}
`

func deltaPolicy() string {
	return strings.NewReplacer(
		"HASH-HR", hashOf("key-of-hr"),
		"HASH-IT", hashOf("key-of-it"),
		"HASH-WIDE", hashOf("key-of-wide"),
		"HASH-DENIED", hashOf("key-of-denied"),
	).Replace(boundDelta)
}

func hashOf(key string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(key))) }

func as(caller string) string { return "X-Api-Key: key-of-" + caller }

// pageLinks are the links of a page.
type pageLinks struct {
	Next  string `json:"@odata.nextLink"`
	Delta string `json:"@odata.deltaLink"`
}

// linkOf returns the one link of a page, without the address of the proxy.
func (r *rig) linkOf(t *testing.T, body string) string {
	t.Helper()
	var page pageLinks
	must(t, json.Unmarshal([]byte(body), &page))
	link := page.Next + page.Delta
	path, ok := strings.CutPrefix(link, r.server.URL)
	if !ok {
		t.Fatalf("the link %q does not lead to the proxy; body %.300s", link, body)
	}
	return path
}

// begin begins a delta query as a caller, and returns the link of its first page.
func (r *rig) begin(t *testing.T, caller, target string) string {
	t.Helper()
	a := r.do(t, "GET", target, "", as(caller))
	if a.status != 200 {
		t.Fatalf("%s for %s: status %d: %s", target, caller, a.status, a.body)
	}
	return r.linkOf(t, a.body)
}

const mark = "graphproxy-mark="

// markOf returns the mark of a link, and the link without it.
func markOf(t *testing.T, link string) (rest, value string) {
	t.Helper()
	rest, value, found := strings.Cut(link, mark)
	if !found || value == "" || strings.ContainsAny(value, "&#?") {
		t.Fatalf("the link %q does not end in a mark", link)
	}
	return strings.TrimRight(rest, "&?"), value
}

const firstPage = "/v1.0/users/delta?$select=id,displayName"

func TestTheLinksOfABoundedDeltaQueryAreFollowedToTheEndAndLater(t *testing.T) {
	for _, zip := range []string{"", "Accept-Encoding: gzip"} {
		r := newRig(t, deltaPolicy())
		link := r.begin(t, "hr", firstPage)
		pages := 1
		for ; !strings.Contains(link, "$deltatoken="); pages++ {
			if pages > 50 {
				t.Fatal("no deltaLink")
			}
			link = r.followed(t, link, zip)
		}
		if pages < 3 {
			t.Fatalf("%d pages, which is too few for a test", pages)
		}
		for range 2 { // what has changed since, twice
			link = r.followed(t, link, zip)
		}
		for _, q := range r.graph.Requests() {
			if strings.Contains(q.Target, "graphproxy") {
				t.Errorf("Graph received a mark: %s", q.Target)
			}
		}
		if lines := strings.Join(r.audit.all(), "\n"); strings.Contains(lines, "graphproxy-mark") {
			t.Error("the audit log has a mark")
		}
	}
}

// followed follows a link as hr, and returns the link of its answer. The answer must hold what was selected and no
// more.
func (r *rig) followed(t *testing.T, link, header string) string {
	t.Helper()
	markOf(t, link)
	headers := []string{as("hr")}
	if header != "" {
		headers = append(headers, header)
	}
	a := r.do(t, "GET", link, "", headers...)
	body := a.body
	if a.header.Get("Content-Encoding") == "gzip" {
		body = unzipped(t, body)
	}
	if a.status != 200 || strings.Contains(body, "jobTitle") {
		t.Fatalf("status %d: %.400s", a.status, body)
	}
	return r.linkOf(t, body)
}

func TestALinkIsMarkedOnlyWhereItsTokenHoldsWhatARuleBounds(t *testing.T) {
	r := newRig(t, deltaPolicy())
	for _, c := range []struct {
		name, caller, target string
		marked               bool
	}{
		{"bounded", "hr", firstPage, true},
		{"bounded, from latest on", "hr", "/v1.0/users/delta?$deltatoken=latest&$select=id", true},
		{"bounded with another option than $select", "hr", "/v1.0/groups/delta?$expand=members", true},
		{"not bounded", "wide", "/v1.0/users/delta?$select=id", false},
		{"bounded by a deny rule", "denied", "/v1.0/users/delta?$select=id", true},
		{"a deny rule for another path", "denied", "/v1.0/groups/delta?$select=id", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if link := r.begin(t, c.caller, c.target); strings.Contains(link, mark) != c.marked {
				t.Error(link)
			} else if a := r.do(t, "GET", link, "", as(c.caller)); a.status != 200 {
				t.Errorf("status %d: %s", a.status, a.body)
			}
		})
	}
}

// Everything that a caller can do to a link but follow it.
func TestALinkIsItsCallersOwnAndStaysAsItWasGiven(t *testing.T) {
	r := newRig(t, deltaPolicy())
	link := r.begin(t, "hr", firstPage)
	other := r.begin(t, "hr", "/v1.0/users/delta?$select=id")
	filtered := r.begin(t, "hr", "/v1.0/users/delta?$select=id&$filter=id%20eq%20'1'")
	foreign := r.begin(t, "wide", "/v1.0/users/delta") // of all properties
	rest, value := markOf(t, link)
	otherRest, otherValue := markOf(t, other)
	_, filteredValue := markOf(t, filtered)
	_, token, _ := strings.Cut(rest, "token=")
	_, foreignToken, _ := strings.Cut(foreign, "token=")
	path, query, _ := strings.Cut(link, "?")
	flipped := []byte(value)
	flipped[10] ^= 1
	for _, c := range []struct{ name, caller, target, inner string }{
		{"another caller with the same bound", "it", link, "policyDenied"},
		{"a token without mark", "hr", rest, "policyDenied"},
		{"a token without mark, and a selection that is allowed beside it", "hr", rest + "&$select=id", "policyDenied"},
		{"a caller's token that is not bounded", "hr", foreign, "policyDenied"},
		{"the same with a selection", "hr", foreign + "&$select=id", "policyDenied"},
		{"a foreign token with a mark of one's own", "hr",
			path + "?$skiptoken=" + foreignToken + "&" + mark + value, "policyDenied"},
		{"the mark of another link", "hr", rest + "&" + mark + otherValue, "policyDenied"},
		{"the mark of a link with another filter", "hr", otherRest + "&" + mark + filteredValue, "policyDenied"},
		{"the beginning of a mark", "hr", link[:len(link)-1], "policyDenied"},
		{"half of a mark", "hr", rest + "&" + mark + value[:len(value)/2], "policyDenied"},
		{"more than a mark", "hr", link + "A", "policyDenied"},
		{"a mark with another character", "hr", rest + "&" + mark + string(flipped), "policyDenied"},
		{"no characters of base64", "hr", rest + "&" + mark + "!!", "policyDenied"},
		{"an empty mark", "hr", rest + "&" + mark, "policyDenied"},
		{"a mark without value", "hr", rest + "&graphproxy-mark", "policyDenied"},
		{"padding", "hr", link + "%3D", "policyDenied"},
		{"two marks", "hr", link + "&" + mark + value, "ambiguousTarget"},
		{"two marks in different letter case", "hr", link + "&GraphProxy-Mark=" + value, "ambiguousTarget"},
		{"two marks, one with $", "hr", link + "&$" + mark + value, "ambiguousTarget"},
		{"two tokens", "hr", link + "&$skiptoken=" + token, "ambiguousTarget"},
		{"two tokens, one without $", "hr", link + "&skiptoken=" + foreignToken, "ambiguousTarget"},
		{"a second token of another kind", "hr", link + "&$deltatoken=" + foreignToken, "policyDenied"},
		{"OneDrive's option beside it", "hr", link + "&token=" + foreignToken, "policyDenied"},
		{"a mark of a nextLink on a deltaLink", "hr", path + "?$deltatoken=" + token + "&" + mark + value, "policyDenied"},
		{"in beta", "hr", strings.Replace(link, "/v1.0/", "/beta/", 1), "policyDenied"},
		{"on another path", "hr", "/v1.0/groups/delta?" + query, "policyDenied"},
		{"on another spelling of the path", "hr", "/v1.0/users/microsoft.graph.delta()?" + query, "policyDenied"},
		{"in another tenant", "hr",
			strings.Replace(link, "/v1.0/", "/v1.0/11111111-2222-3333-4444-555555555555/", 1), "foreignTenant"},
		{"with a selection that is not allowed", "hr", link + "&$select=mail", "policyDenied"},
		{"with one that is allowed", "hr", link + "&$select=id", "policyDenied"},
		{"with $expand", "hr", link + "&$expand=manager", "policyDenied"},
		{"with a filter", "hr", link + "&$filter=id%20eq%20'2'", "policyDenied"},
		{"a mark where there is no token", "hr", "/v1.0/users?" + mark + value, "badLink"},
		{"a mark beside latest", "hr", path + "?$deltatoken=latest&" + mark + value, "badLink"},
		{"a mark on a page of a list", "hr", "/v1.0/users?$skiptoken=" + token + "&" + mark + value, "badLink"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r.graph.Reset()
			r.checkLinkRefused(t, c.caller, c.target, c.inner)
			r.sawNothing(t)
		})
	}
}

// checkLinkRefused sends a target singly and in a batch.
func (r *rig) checkLinkRefused(t *testing.T, caller, target, inner string) {
	t.Helper()
	status, code := 403, "accessDenied"
	if inner != "policyDenied" {
		status, code = 400, "invalidRequest"
	}
	a := r.do(t, "GET", target, "", as(caller))
	if got := a.refusal(t, status, code); got != inner {
		t.Errorf("innerError.code %q, want %q: %s", got, inner, a.body)
	}
	if _, value, _ := strings.Cut(target, mark); len(value) > 20 && strings.Contains(a.body, value[:20]) {
		t.Errorf("the refusal quotes the mark: %s", a.body)
	}
	version := "v1.0"
	if strings.HasPrefix(target, "/beta/") {
		version = "beta"
	}
	item := fmt.Sprintf(
		`{"requests":[{"id":"1","method":"GET","url":%s}]}`,
		quote(strings.TrimPrefix(target, "/"+version)),
	)
	batch := r.do(t, "POST", "/"+version+"/$batch", item, as(caller))
	if got := batch.responses(t)["1"]; got.Status != status || !strings.Contains(string(got.Body), inner) {
		t.Errorf("in a batch: %d %s", got.Status, got.Body)
	}
}

func quote(s string) string {
	text, _ := json.Marshal(s)
	return string(text)
}

// What clients do to a link without meaning to.
func TestALinkIsFollowedInTheSpellingOfAClient(t *testing.T) {
	r := newRig(t, deltaPolicy())
	link := r.begin(t, "hr", firstPage)
	rest, value := markOf(t, link)
	path, query, _ := strings.Cut(rest, "?")
	name, token, _ := strings.Cut(query, "=")
	for _, c := range []struct{ name, target string }{
		{"as it is", link},
		{"the name of the token escaped", path + "?" + url.QueryEscape(name) + "=" + token + "&" + mark + value},
		{"the name of the token in lower case", path + "?" + strings.ToLower(name) + "=" + token + "&" + mark + value},
		{"the mark first", path + "?" + mark + value + "&" + query},
		{"the mark's name in capitals", rest + "&GRAPHPROXY-MARK=" + value},
		{"the mark's name escaped", rest + "&graphproxy%2Dmark=" + value},
		{"the token escaped", path + "?" + name + "=" + url.QueryEscape(token) + "&" + mark + value},
		{"a slash behind the path", path + "/?" + query + "&" + mark + value},
		{"the app's own tenant in the path", strings.Replace(link, "/v1.0/", "/v1.0/"+tenant+"/", 1)},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := r.do(t, "GET", c.target, "", as("hr"))
			if a.status != 200 {
				t.Fatalf("status %d: %s", a.status, a.body)
			}
			markOf(t, r.linkOf(t, a.body))
		})
	}
	t.Run("under another name of the proxy", func(t *testing.T) {
		a := r.raw(t, "GET "+link+" HTTP/1.1\r\nHost: x\r\n"+as("hr")+"\r\nConnection: close\r\n\r\n")
		if a.status != 200 {
			t.Fatalf("status %d: %s", a.status, a.body)
		}
	})
}

func TestLinksInTheAnswersToABatchAreMarkedAndFollowed(t *testing.T) {
	r := newRig(t, deltaPolicy())
	link := strings.TrimPrefix(firstPage, "/v1.0")
	for range 2 {
		item := fmt.Sprintf(
			`{"requests":[{"id":"1","method":"GET","url":%s},{"id":"2","method":"GET","url":"/users?$top=1"}]}`,
			quote(link),
		)
		answers := r.do(t, "POST", "/v1.0/$batch", item, as("hr")).responses(t)
		if answers["1"].Status != 200 || answers["2"].Status != 200 || strings.Contains(string(answers["2"].Body), mark) {
			t.Fatalf("%+v", answers)
		}
		whole := r.linkOf(t, string(answers["1"].Body))
		markOf(t, whole)
		if a := r.do(t, "GET", whole, "", as("hr")); a.status != 200 {
			t.Errorf("singly: %d %s", a.status, a.body)
		}
		link = strings.TrimPrefix(whole, "/v1.0")
	}
	for _, q := range r.graph.Requests() {
		if strings.Contains(q.Target+string(q.Body), "graphproxy-mark") {
			t.Errorf("Graph received a mark: %s %s", q.Target, q.Body)
		}
	}
}

// keyed gives the app these keys of links.
func keyed(secrets ...string) option {
	var keys []auth.LinkKey
	for _, s := range secrets {
		keys = append(keys, auth.NewLinkKey([]byte(s)))
	}
	return func(c *proxy.Config, r *rig) {
		c.Apps = one{&proxy.App{Tenant: tenant, Tokens: r.source, LinkKeys: func() []auth.LinkKey { return keys }}}
	}
}

func TestMarksAreGoodForEveryProcessWithTheKey(t *testing.T) {
	const first, second = "the-first-key-of-32-characters-and-more", "the-second-key-of-32-characters-and-more"
	link := newRig(t, deltaPolicy(), keyed(first)).begin(t, "hr", firstPage)
	for _, c := range []struct {
		name   string
		keys   []string
		status int
	}{
		{"the same key", []string{first}, 200},
		{"the key is the one before", []string{second, first}, 200},
		{"another key", []string{second}, 403},
		{"no key", nil, 403},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, deltaPolicy(), keyed(c.keys...))
			a := r.do(t, "GET", link, "", as("hr"))
			if a.status != c.status {
				t.Fatalf("status %d: %s", a.status, a.body)
			}
			if c.status == 403 && !strings.Contains(a.body, "begin again without the token") {
				t.Error(a.body)
			}
			if names := strings.Contains(a.body, "GRAPHPROXY_LINK_KEY_FILE"); names != (c.keys == nil) {
				t.Error(a.body)
			}
		})
	}
}

func TestALinkIsJudgedByThePolicyOfToday(t *testing.T) {
	r := newRig(t, deltaPolicy())
	link := r.begin(t, "hr", firstPage)
	for _, c := range []struct {
		name, was, is string
		status        int
	}{
		{"the selection is bounded more narrowly", "[id, displayName], $filter", "[id], $filter", 403},
		{"and more widely", "[id, displayName], $filter", "[id, displayName, mail], $filter", 200},
		{"another option is bounded", "$filter: [\"id eq '*'\"]", "$top: 5", 200},
		{"nothing is bounded any more", ": {query: {$select: [id, displayName], $filter: [\"id eq '*'\"]}}", "", 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			changed := strings.Replace(deltaPolicy(), c.was, c.is, 1)
			if changed == deltaPolicy() {
				t.Fatal("nothing was changed")
			}
			r.handler.Use(rules(t, changed))
			if a := r.do(t, "GET", link, "", as("hr")); a.status != c.status {
				t.Errorf("status %d: %s", a.status, a.body)
			}
		})
	}
}

// A user can store what looks like a link. It must not become one that is proven.
func TestOnlyTheLinksOfThePageAreMarked(t *testing.T) {
	r := newRig(t, deltaPolicy())
	foreign := r.begin(t, "wide", "/v1.0/users/delta")
	stored := r.graph.URL() + foreign
	body := fmt.Sprintf(`{"value":[{"id":"1","@odata.nextLink":%[1]s,"x":{"@odata.deltaLink":%[1]s}}],"y":%[1]s,`+
		`"text":"\"@odata.nextLink\":%[2]s","@odata.nextLink":["a",%[1]s],"@odata.context":%[1]s}`,
		quote(stored), strings.Trim(quote(quote(stored)), `"`))
	r.graph.Handle("GET /v1.0/users/delta", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, body)
	})
	a := r.do(t, "GET", firstPage, "", as("hr"))
	if a.status != 200 || strings.Contains(a.body, mark) {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestWhatAMarkHoldsIsBounded(t *testing.T) {
	r := newRig(t, deltaPolicy())
	long := "/v1.0/users/delta?$select=id&$filter=id%20eq%20'" + strings.Repeat("1", 9000) + "'"
	a := r.do(t, "GET", long, "", as("hr"))
	if inner := a.refusal(t, 400, "invalidRequest"); inner != "selectionTooLong" {
		t.Error(inner)
	}
	r.sawNothing(t)
	link := r.begin(t, "hr", "/v1.0/users/delta?$select=id&$filter=id%20eq%20'"+strings.Repeat("1", 4000)+"'")
	_, value := markOf(t, link)
	if len(value) > 4*4200/3+100 {
		t.Errorf("a mark of %d bytes", len(value))
	}
	if diff := cmp.Diff(200, r.do(t, "GET", link, "", as("hr")).status); diff != "" {
		t.Error(diff)
	}
}
