package console_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
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
	"graphproxy/policy"
	"graphproxy/proxy"
)

// watched is a proxy with a fixed policy, and perhaps a candidate.
type watched struct {
	authorization *proxy.Authorization
	state         console.State
}

func (w *watched) Authorization() *proxy.Authorization { return w.authorization }
func (w *watched) State() console.State                { return w.state }

// furtherPages are the pages that these tests are about, served over HTTP.
type furtherPages struct {
	t       *testing.T
	console *console.Console
	source  *watched
	address string
}

// watch serves a console of a policy in files, the first of which is policy.yaml.
func watch(t *testing.T, texts ...string) *furtherPages {
	t.Helper()
	files := filesOf(texts...)
	p, err := policy.ParseFiles(time.Now(), files, proxy.CheckEvidence)
	if err != nil {
		t.Fatal(err)
	}
	authorization, err := proxy.NewAuthorization(p, caller.Options{})
	if err != nil {
		t.Fatal(err)
	}
	source := &watched{authorization: authorization}
	source.state.Policy = console.PolicyState{File: "policy.yaml", Policy: p, Files: files, Since: time.Now()}
	source.state.Tokens = []console.Token{{App: "default", Ready: true, Roles: []string{"User.Read.All"}}}
	hosts, err := proxy.NewHosts("", nil)
	if err != nil {
		t.Fatal(err)
	}
	c, err := console.New(console.Options{Source: source, Hosts: hosts, Open: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	return &furtherPages{t, c, source, server.URL}
}

func filesOf(texts ...string) policy.Files {
	files := policy.Files{}
	for i, text := range texts {
		name := "policy.yaml"
		if i > 0 {
			name = fmt.Sprintf("teams/%d.yaml", i)
		}
		files.All = append(files.All, policy.File{Name: name, Data: []byte(text)})
	}
	return files
}

// recorded adds an audit line of a GET that the policy denied, with some members changed.
func (f *furtherPages) recorded(members map[string]any) {
	f.t.Helper()
	line := map[string]any{
		"time":       time.Now().UTC(),
		"caller":     "app",
		"method":     "GET",
		"version":    "v1.0",
		"target":     "/v1.0/users/adele@contoso.com",
		"decision":   "deny",
		"reason":     "policyDenied",
		"status":     403,
		"request_id": "7a7f2c3e-0000-4000-8000-000000000001",
		"policy":     "0123456789ab",
	}
	for name, value := range members {
		line[name] = value
	}
	text, err := json.Marshal(line)
	if err != nil {
		f.t.Fatal(err)
	}
	if _, err := f.console.Records().Write(append(text, '\n')); err != nil {
		f.t.Fatal(err)
	}
}

// read returns a page, with its entities as characters.
func (f *furtherPages) read(path string) string {
	f.t.Helper()
	return html.UnescapeString(f.raw(path))
}

func (f *furtherPages) raw(path string) string {
	f.t.Helper()
	status, text := f.ask(path)
	if status != http.StatusOK {
		f.t.Fatalf("%s has status %d: %s", path, status, text)
	}
	return text
}

func (f *furtherPages) ask(path string) (status int, text string) {
	f.t.Helper()
	res, err := http.Get(f.address + path)
	if err != nil {
		f.t.Fatal(err)
	}
	defer res.Body.Close()
	var b strings.Builder
	if err := res.Write(&b); err != nil {
		f.t.Fatal(err)
	}
	_, text, _ = strings.Cut(b.String(), "\r\n\r\n")
	return res.StatusCode, text
}

func (f *furtherPages) mustHave(path string, wanted ...string) {
	f.t.Helper()
	text := f.read(path)
	for _, want := range wanted {
		if !strings.Contains(text, want) {
			f.t.Errorf("%s does not have %q:\n%s", path, want, text)
		}
	}
}

const oneApp = `version: 1
callers:
  app:
    identity: [anyone]
    allow:
      - GET /users
      - PATCH /users/{id}:
          where: {id: ["*@contoso.com"]}
`

// elements are the elements of a page with the names of their attributes. An attribute that runs a script, and a link
// that leads elsewhere, are errors.
func elements(t *testing.T, page string) []string {
	t.Helper()
	var all []string
	for z := html.NewTokenizer(strings.NewReader(page)); ; {
		switch z.Next() {
		case html.ErrorToken:
			return all
		case html.CommentToken:
			all = append(all, "comment")
		case html.StartTagToken, html.SelfClosingTagToken:
			token := z.Token()
			text := token.Data
			for _, a := range token.Attr {
				text += " " + a.Key
				if strings.HasPrefix(a.Key, "on") || a.Key == "style" || a.Key == "srcdoc" {
					t.Errorf("an element has %s", a.Key)
				}
				if (a.Key == "href" || a.Key == "src" || a.Key == "action") && !strings.HasPrefix(a.Val, "/") &&
					!strings.HasPrefix(a.Val, "#") || strings.HasPrefix(a.Val, "//") && a.Key != "value" {
					t.Errorf("%s leads to %q", a.Key, a.Val)
				}
			}
			all = append(all, text)
		}
	}
}

// hostile are texts that would be markup, a script or an address if a page did not escape them. Each has several,
// because the pages take long to make.
func hostile() []string {
	return []string{
		`<script>alert(1)</script></script><script>alert(1)</script></pre><b>x</b></textarea><b>x</b>`,
		`"><img src=x onerror=alert(1)>'><svg onload=alert(1)></td></tr></table><h1>x</h1>`,
		`" autofocus onfocus="alert(1)" x="`, `' autofocus onfocus='alert(1)' x='`, `javascript:alert(1)`,
		`//attacker.example/`,
		`<!-- --><script>alert(1)</script>{{.Hash}}&lt;script&gt;%3Cscript%3E<base href=//attacker.example>`,
		"\u202e<script>\u202c\u2028a\nb\r\nc\x00\x01-\n  evil: 1\n# x\n- ANY /**" + strings.Repeat("<", 100),
	}
}

func TestTextsOfCallersAreTextOnTheFurtherPages(t *testing.T) {
	pages := []string{"/denied", "/callers", "/candidate"}
	shapes := func(text string) map[string][]string {
		f := watch(t, oneApp)
		f.source.state.Candidate = &console.CandidateState{File: "next.yaml", Problem: text}
		for i, field := range []string{"caller", "method", "target", "path", "rule", "reason", "request_id", "item", "client",
			"batch", "query"} {
			line := map[string]any{field: text, "candidate": map[string]any{"decision": text, "rule": text}}
			if field == "query" {
				line[field] = []string{text}
			}
			if field == "target" {
				line[field] = "/v1.0/users/" + text
			}
			if i%2 == 0 {
				line["decision"], line["would_deny"] = "allow", true
			}
			f.recorded(line)
		}
		all := make(map[string][]string)
		for _, path := range pages {
			page := f.raw(path)
			all[path] = elements(t, page)
			if strings.Contains(text, "<") && strings.Contains(page, text) {
				t.Errorf("%s has %q as markup", path, text)
			}
		}
		for _, path := range []string{"/denied?caller=", "/try?caller=app&request=", "/try?request=GET+/users&caller=",
			"/try?caller=app&request=GET+/users&body="} {
			_, page := f.ask(path + url.QueryEscape(text))
			elements(t, page)
			if strings.Contains(text, "<") && strings.Contains(page, text) {
				t.Errorf("%s repeats %q as markup", path, text)
			}
		}
		return all
	}
	allowed := make(map[string]bool)
	for _, benign := range []string{"benign", "be nign"} {
		for _, list := range shapes(benign) {
			for _, element := range list {
				allowed[element] = true
			}
		}
	}
	for _, text := range hostile() {
		for path, list := range shapes(text) {
			for _, element := range list {
				if !allowed[element] {
					t.Errorf("%s has the element %q for %q", path, element, text)
				}
			}
		}
	}
}

func TestDeniedGroupsRefusalsByCallerAndTemplate(t *testing.T) {
	f := watch(t, oneApp+"  quiet: {identity: [{network: 10.0.0.0/8}], mode: report, allow: []}\n")
	f.recorded(nil)
	f.recorded(map[string]any{"target": "/v1.0/users/alex@contoso.com"})
	f.recorded(map[string]any{"target": "/v1.0/applications"})
	f.recorded(map[string]any{"caller": "quiet", "target": "/v1.0/groups", "decision": "allow", "would_deny": true,
		"status": 200})
	f.recorded(map[string]any{"caller": "gone", "target": "/v1.0/groups"})
	f.recorded(map[string]any{"caller": "", "target": "/v1.0/groups"})
	f.recorded(map[string]any{"decision": "allow", "status": 200, "target": "/v1.0/users"})
	f.mustHave("/denied", "newest 6 refusals", "2 requests. ", "- GET /users/{id}", "may GET /users/{id}",
		"- GET /applications",
		"Application.Read.All", "the token does not have it", "of which report mode let 1 through",
		"The policy has no such caller",
		`>No caller `)
	f.mustHave("/denied?caller=gone", "- GET /groups")
	if strings.Contains(f.read("/denied?caller=gone"), "GET /applications") {
		t.Error("another caller's refusals are shown")
	}
	for _, c := range []struct{ query, want string }{
		{"caller=app&rule=GET+/applications", "\n+      - GET /applications  # 1 request\n"},
		{"caller=app", "\n+      - GET /users/{id}"},
		{"caller=gone", "\n+    # Write what proves this caller. The policy does not load without its identity"},
	} {
		if patch := f.raw("/denied/patch?" + c.query); !strings.Contains(patch, c.want) ||
			!strings.HasPrefix(patch, "--- a/policy.yaml\n+++ b/policy.yaml\n@@ ") {
			t.Errorf("%s: %s", c.query, patch)
		}
	}
	for _, query := range []string{"", "caller=app&rule=GET+/groups", "caller=nobody", "caller=app&rule=%3Cscript%3E"} {
		if status, _ := f.ask("/denied/patch?" + query); status != http.StatusNotFound {
			t.Errorf("%q has status %d", query, status)
		}
	}
}

func TestAPatchIsForTheFileThatHasTheCaller(t *testing.T) {
	f := watch(t, "version: 1\ninclude: [teams/*.yaml]\nbounds: {teams/1.yaml: {callers: [app], allow: [READ "+
		"/users/**]}}\n", oneApp[:strings.Index(oneApp, "      - PATCH")])
	f.recorded(nil)
	if patch := f.raw("/denied/patch?caller=app"); !strings.HasPrefix(patch, "--- a/teams/1.yaml\n") {
		t.Error(patch)
	}
	f.recorded(map[string]any{"method": "DELETE"})
	f.mustHave("/denied", "With all proposals of this caller, the policy does not load", "is more than READ /users/**")
}

func TestThePageOfRefusalsIsBounded(t *testing.T) {
	f := watch(t, oneApp)
	for i := range 2100 {
		f.recorded(map[string]any{"caller": fmt.Sprintf("c%d", i%40), "target": "/v1.0/groups"})
	}
	for i := range 60 {
		f.recorded(map[string]any{"target": fmt.Sprintf("/v1.0/groups/1/x%d", i)})
	}
	page := f.read("/denied")
	if n := strings.Count(page, `<section aria-labelledby="caller`); n != 20 {
		t.Errorf("%d callers are shown", n)
	}
	f.mustHave("/denied", "newest 2000 refusals", "21 more callers are not shown", "10 more proposals are not shown")
}

func TestWhatOnlyTheCandidateDeniesHidesNoRefusal(t *testing.T) {
	f := watch(t, oneApp)
	f.recorded(map[string]any{"target": "/v1.0/applications"})
	for range 2000 {
		f.recorded(map[string]any{"decision": "allow", "status": 200, "target": "/v1.0/users",
			"candidate": map[string]any{"decision": "deny", "policy": "fedcba987654"}})
	}
	f.mustHave("/denied", "newest 1 refusals", "- GET /applications")
}

func TestCandidateShowsWhatItWouldDecideOtherwise(t *testing.T) {
	f := watch(t, oneApp)
	f.mustHave("/candidate", "There is no candidate policy", "GRAPHPROXY_POLICY_CANDIDATE")
	next := strings.Replace(oneApp, "      - GET /users\n", "      - GET /groups\n", 1)
	p, err := policy.Parse("next.yaml", []byte(next), proxy.CheckEvidence)
	if err != nil {
		t.Fatal(err)
	}
	f.source.state.Candidate = &console.CandidateState{File: "next.yaml", Policy: p, Files: filesOf(next),
		Since: time.Now()}
	for range 5 {
		f.recorded(map[string]any{"decision": "allow", "status": 200, "target": "/v1.0/users", "path": "/v1.0/users",
			"rule": "policy.yaml:6", "candidate": map[string]any{"decision": "deny", "policy": p.Hash()}})
	}
	f.recorded(map[string]any{"target": "/v1.0/groups", "candidate": map[string]any{"decision": "allow",
		"rule": "next.yaml:6", "policy": "fedcba987654"}})
	f.mustHave("/candidate", p.Hash(), "6 of the last 10000", "1 of them by another content", "1 callers, 2 rules",
		`<td class="number">5</td><td>app</td>`, "next.yaml:6: ", "GET /groups", `href="/policy#f0-6"`, "may GET /groups",
		`href="/decisions/7a7f2c3e-0000-4000-8000-000000000001"`)
	if n := len(regexp.MustCompile(`href="/decisions/`).FindAllString(f.raw("/candidate"), -1)); n != 3+1 {
		t.Errorf("%d examples are linked", n)
	}
	f.source.state.Candidate = &console.CandidateState{File: "next.yaml", Problem: "next.yaml:3: unknown key <b>"}
	f.mustHave("/candidate", "The candidate does not load, and is not judged", "next.yaml:3: unknown key <b>")
}

// candidateOf makes another policy the candidate.
func (f *furtherPages) candidateOf(t *testing.T, text string) {
	t.Helper()
	p, err := policy.Parse("next.yaml", []byte(text), proxy.CheckEvidence)
	if err != nil {
		t.Fatal(err)
	}
	f.source.state.Candidate = &console.CandidateState{File: "next.yaml", Policy: p, Files: filesOf(text),
		Since: time.Now()}
}

func TestThePoliciesAreComparedOnceForEachPair(t *testing.T) {
	f := watch(t, oneApp)
	f.candidateOf(t, strings.Replace(oneApp, "      - GET /users\n", "      - GET /groups\n", 1))
	f.mustHave("/candidate", "may GET /groups")
	first := f.console.Compared()
	f.mustHave("/candidate", "may GET /groups")
	if f.console.Compared() != first {
		t.Error("the same two policies were compared again")
	}
	f.candidateOf(t, oneApp)
	f.mustHave("/candidate", "It decides every request as the policy in force does")
	if f.console.Compared() == first {
		t.Error("another candidate was not compared")
	}
}

func TestAComparisonThatTakesLongHoldsNoPage(t *testing.T) {
	f := watch(t, oneApp)
	f.candidateOf(t, oneApp)
	end := f.console.Compare()
	f.mustHave("/candidate", "The two policies are being compared", "Load the page again")
	end()
	f.mustHave("/candidate", "It decides every request as the policy in force does")
}

func TestCallersShowsEvidenceWithoutHashes(t *testing.T) {
	const hash = "7b51eab7778620007e560bea6a98a68b29390d46d985592fd3426f5824201db8"
	f := watch(t, oneApp)
	text := `version: 1
limits: {all: {rate: 1/s}}
callers:
  many:
    description: many kinds
    until: 2999-01-01
    in_flight: 25%
    identity:
      - all: [{key: {sha256: ` + hash + `}}, {network: 10.0.0.0/8}]
        name: server
      - certificate: {uri: spiffe://contoso.example/app}
      - token: {issuer: https://oidc.contoso.example, audience: graphproxy, subject: app,
	claims: {role: [hidden-claim]}}
      - unix: {uid: 1000}
    limit: 20/s
    allow: [GET /users]
`
	p, err := policy.Parse("policy.yaml", []byte(text), proxy.CheckEvidence)
	if err != nil {
		t.Fatal(err)
	}
	f.source.state.Policy.Policy, f.source.state.Policy.Files = p, filesOf(text)
	f.mustHave("/callers", "all of: key, and network: 10.0.0.0/8, named server", "URI spiffe://contoso.example/app",
		"issuer https://oidc.contoso.example, audience graphproxy, subject app, claim role", "user id 1000", "many kinds",
		"2999-01-02 00:00:00", "25%", "callers.many.limit", "not in the records")
	if page := f.read("/callers"); strings.Contains(page, hash[:8]) || strings.Contains(page, "hidden-claim") {
		t.Errorf("the page has a hash, or the value of a claim:\n%s", page)
	}
	if diff := cmp.Diff(1, strings.Count(f.raw("/callers"), "<section")); diff != "" {
		t.Error(diff)
	}
}
