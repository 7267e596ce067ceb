package main

import (
	"html"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const watchedPolicy = `version: 1
contact: graph-team@contoso.com
callers:
  local:
    identity: [{network: [127.0.0.0/8]}]
    limit: {rate: 50/s, burst: 100}
    allow:
      - GET /users
    deny:
      - ANY /users/{id}/**:
          where: {id: [ceo@contoso.com]}
  hidden:
    identity: [{key: {sha256: 7b51eab7778620007e560bea6a98a68b29390d46d985592fd3426f5824201db8}}]
    allow: []
`

// watched is a sandbox with its console.
type watched struct {
	*process
	proxy, console, policy string
}

func startWatched(t *testing.T) *watched {
	t.Helper()
	p, file := startPolicySandbox(t, watchedPolicy)
	addresses := regexp.MustCompile(`callers  (http://\S+) (?s:.*)console  (http://\S+)/\n`)
	shown := addresses.FindStringSubmatch(p.stdout.String())
	if shown == nil {
		t.Fatalf("the sandbox prints no addresses:\n%s", p.stdout.String())
	}
	return &watched{p, shown[1], shown[2], file}
}

// page returns a page of the console.
func (w *watched) page(t *testing.T, path string) string {
	t.Helper()
	a := w.get(t, w.console+path)
	if a.status != 200 {
		t.Fatalf("%s: status %d: %s", path, a.status, a.body)
	}
	return a.body
}

// The way from a refusal to a rule: the page has it, the patch fits the policy, the policy loads and allows the
// request.
func TestAProposalOfTheConsoleAllowsTheRequestThatWasRefused(t *testing.T) {
	if _, err := exec.LookPath("patch"); err != nil {
		t.Skip("NOT CHECKED: patch is not installed")
	}
	t.Parallel()
	w := startWatched(t)
	request := w.proxy + "/v1.0/users/adele@contoso.com?$select=id"
	if a := w.get(t, request); a.status != 403 {
		t.Fatalf("status %d before", a.status)
	}
	w.get(t, w.proxy+"/v1.0/users/ceo@contoso.com/messages")
	var page string
	until(t, "both refusals on the page", func() bool {
		page = w.page(t, "/denied")
		return strings.Contains(page, "GET /users/{id}") && strings.Contains(page, "a deny rule applies")
	})
	for _, want := range []string{"may GET /users/{id}", `class="tag allow">the token has`, "- GET /users/{id}\n",
		"GET /v1.0/users/adele@contoso.com", "policy.yaml:10", "the nearest rule is policy.yaml:8"} {
		if !strings.Contains(html.UnescapeString(page), strings.Replace(want, "policy.yaml", filepath.Base(w.policy), 1)) {
			t.Errorf("the page does not have %q:\n%s", want, page)
		}
	}
	address := regexp.MustCompile(`href="(/denied/patch\?[^"]*rule=[^"]*)"`).FindStringSubmatch(page)
	if address == nil {
		t.Fatal("the page has no patch for one rule")
	}
	patch := w.page(t, html.UnescapeString(address[1]))
	before, err := os.ReadFile(w.policy)
	must(t, err)
	if string(before) != watchedPolicy {
		t.Error("the console has written the policy")
	}
	cmd := exec.Command("patch", "-p1", "-s")
	cmd.Dir, cmd.Stdin = filepath.Dir(w.policy), strings.NewReader(patch)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s\n%s", err, out, patch)
	}
	until(t, "the request is allowed", func() bool { return w.get(t, request).status == 200 })
	until(t, "the page has no proposal any more", func() bool {
		return strings.Contains(w.page(t, "/denied"), "the policy allows it by now")
	})
	if a := w.get(t, w.console+html.UnescapeString(address[1])); a.status != 404 {
		t.Errorf("a proposal that there is no more has status %d", a.status)
	}
	w.process.stop(t)
}

func TestThePagesOfTheConsoleAreLinkedAndHoldNothingSecret(t *testing.T) {
	t.Parallel()
	w := startWatched(t)
	w.get(t, w.proxy+"/v1.0/users?$filter=id%20eq%20'query-value'")
	w.get(t, w.proxy+"/v1.0/groups?$search=%22query-value%22")
	w.do(t, "POST", w.proxy+"/v1.0/users/adele@contoso.com/sendMail", `{"subject":"body-value"}`,
		"Content-Type: application/json", "X-Api-Key: key-value-0123456789")
	root := w.page(t, "/")
	for _, path := range []string{"/denied", "/try", "/candidate", "/callers"} {
		if !strings.Contains(root, `href="`+path+`"`) {
			t.Errorf("the first page does not link %s", path)
		}
		page := w.page(t, path)
		for _, secret := range []string{"query-value", "body-value", "key-value", "7b51eab77786"} {
			if strings.Contains(page, secret) {
				t.Errorf("%s has %q", path, secret)
			}
		}
		if !strings.Contains(page, `aria-current="page"`) || strings.Contains(page, " style=") ||
			strings.Contains(page, "<script>") {
			t.Errorf("%s:\n%s", path, page)
		}
	}
	until(t, "the caller's traffic", func() bool {
		return strings.Contains(w.page(t, "/callers"), ">2: 1 allow, 1 deny<")
	})
	callers := w.page(t, "/callers")
	for _, want := range []string{"network: 127.0.0.0/8", "<dd>key</dd>", "callers.local.limit",
		"What it can reach: 1 rule",
		"ANY /users/{id}/**", "No caller was proven"} {
		if !strings.Contains(callers, want) {
			t.Errorf("callers does not have %q:\n%s", want, callers)
		}
	}
	w.process.stop(t)
}

func TestTryDecidesAndSendsNothing(t *testing.T) {
	t.Parallel()
	w := startWatched(t)
	try := func(fields ...string) string {
		t.Helper()
		form := url.Values{}
		for i := 0; i+1 < len(fields); i += 2 {
			form.Set(fields[i], fields[i+1])
		}
		a := w.do(t, "POST", w.console+"/try", form.Encode(), "Content-Type: application/x-www-form-urlencoded")
		if a.status != 200 {
			t.Fatalf("status %d: %s", a.status, a.body)
		}
		return html.UnescapeString(a.body)
	}
	for _, c := range []struct {
		name, caller, request, body string
		want                        []string
	}{
		{"an allowed request, with its limits", "local", "GET /users?$top=5", "",
			[]string{"decision  allow", ".yaml:8 matches: GET /users", `line 8</a>`, "callers.local.limit"}},
		{"a denied request", "local", "DELETE /users/1", "", []string{"decision  deny",
			"answer    the policy does not allow"}},
		{"a deny rule", "local", "GET /users/ceo@contoso.com", "", []string{"decision  deny", `line 10</a>`}},
		{"an address", "local", "https://graph.microsoft.com/v1.0/users", "", []string{"decision  allow"}},
		{"a line of curl, without its headers", "local",
			"curl -H 'Authorization: Bearer secret-of-curl' https://graph.microsoft.com/v1.0/groups", "",
			[]string{"request   GET /v1.0/groups", "decision  deny"}},
		{"a line of curl that reads a file", "local", "curl -d @/etc/passwd http://localhost/v1.0/users", "",
			[]string{"reads its body from a file"}},
		{"two bodies", "local", "curl -d '{}' http://localhost/v1.0/users", "{}", []string{"leave one of them out"}},
		{"a body with two readings", "local", "POST /users", `{"a":1,"a":2}`, []string{"cannot be read as JSON"}},
		{"two readings", "local", "GET /users/../groups", "", []string{"refused with 400"}},
		{"no such caller", "locale", "GET /users", "", []string{`did you mean "local"?`}},
		{"no request", "local", "", "", []string{"Write a request"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			page := try("caller", c.caller, "request", c.request, "body", c.body)
			for _, want := range c.want {
				if !strings.Contains(page, want) {
					t.Errorf("the page does not have %q:\n%s", want, page)
				}
			}
			_, after, _ := strings.Cut(page, "<button>Try</button>") // the form has what was typed
			if strings.Contains(after, "secret-of-curl") {
				t.Error("the page repeats a header of the line")
			}
		})
	}
	if a := w.get(t, w.console+"/try?"+url.Values{"caller": {"local"},
		"request": {"GET /users"}}.Encode()); a.status != 200 ||
		!strings.Contains(a.body, "decision  allow") {
		t.Errorf("by GET: status %d", a.status)
	}
	if a := w.do(t, "POST", w.console+"/try", "caller=local&request=GET+%2Fusers", "Origin: http://attacker.example",
		"Content-Type: application/x-www-form-urlencoded"); a.status != 403 {
		t.Errorf("another site's form has status %d", a.status)
	}
	if a := w.do(t, "POST", w.console+"/try", "body="+strings.Repeat("x", 6<<20),
		"Content-Type: application/x-www-form-urlencoded"); a.status != 413 {
		t.Errorf("a form that is too large has status %d", a.status)
	}
	if records := w.page(t, "/decisions"); !strings.Contains(records, "No record is like this yet") {
		t.Errorf("what was tried is in the records:\n%s", records)
	}
	if said := w.stderr.String() + w.stdout.String(); strings.Contains(said, "secret-of-curl") {
		t.Error("the log has what was typed")
	}
	w.process.stop(t)
}

func TestTheConsoleShowsWhereTheCandidateDecidesOtherwise(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.registerSecret("secret")
	w.write(t, "policy.yaml", onlyUsers)
	w.write(t, "next.yaml", strings.Replace(onlyUsers, "/users", "/groups", 1))
	p := w.serve(t, "AZURE_CLIENT_SECRET=secret", "GRAPHPROXY_CONSOLE_LISTEN=127.0.0.1:0",
		"GRAPHPROXY_POLICY_CANDIDATE="+w.path("next.yaml"))
	p.expect(t, 200)
	until(t, "the console's address", func() bool { return p.listening("console") != "" })
	var page string
	until(t, "the difference on the page", func() bool {
		page = html.UnescapeString(p.get(t, p.listening("console")+"/candidate").body)
		return strings.Contains(page, "1 of the last 10000")
	})
	for _, want := range []string{w.path("next.yaml"), `class="tag allow">loaded`, "may GET /groups", "no longer",
		`<td class="number">1</td><td>local</td>`, `class="tag deny">deny`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not have %q:\n%s", want, page)
		}
	}
	w.write(t, "next.yaml", "version: 2\n")
	until(t, "the candidate that does not load", func() bool {
		return strings.Contains(p.get(t, p.listening("console")+"/candidate").body, "version 2 is not known")
	})
	p.stop(t)
}
