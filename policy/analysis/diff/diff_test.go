package diff_test

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"graphproxy/policy"
	"graphproxy/policy/analysis/diff"
)

type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

func parse(t fataler, file, text string) *policy.Policy {
	t.Helper()
	p, err := policy.Parse(file, []byte(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return p
}

// hr is a policy with one caller, whose first rule is on line 6.
func hr(rules ...string) string {
	return "version: 1\ncallers:\n  hr-sync:\n    identity: [anyone]\n    allow:\n" + list(rules...)
}

// list is rules, one a line. Those that begin with "deny:" or another key of a caller are written as they are.
func list(rules ...string) string {
	var b strings.Builder
	for _, r := range rules {
		if strings.HasSuffix(r, ":") && !strings.Contains(r, "/") {
			b.WriteString("    " + r + "\n")
		} else {
			b.WriteString("      - " + r + "\n")
		}
	}
	return b.String()
}

func written(t *testing.T, write func(io.Writer) error) string {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// facts are the lines of a difference below its summary, without the spaces that align places in a column.
func facts(t *testing.T, d diff.Difference) string {
	t.Helper()
	text := written(t, d.WriteText)
	if d.Empty() {
		return squeezed(text)
	}
	rest, ok := strings.CutPrefix(text, d.Summary()+"\n")
	if !ok {
		t.Errorf("the summary %q is not the first line of\n%s", d.Summary(), text)
	}
	return squeezed(rest)
}

// squeezed removes the spaces that align places in a column.
func squeezed(s string) string {
	lines := strings.Split(strings.TrimSuffix(s, "\n"), "\n")
	for i, l := range lines {
		lines[i] = strings.Join(strings.Fields(l), " ")
	}
	return strings.Join(lines, "\n")
}

func TestWhatCallersGainAndLose(t *testing.T) {
	for _, test := range []struct{ name, old, newer, want string }{
		{"the same policy is no difference", hr("GET /users", "GET /users/{id}"), hr("GET /users", "GET /users/{id}"),
			"no difference"},
		{"order, spelling and the names of variables are no difference", hr("GET /users", "GET /users/{id}"),
			hr("GET /Users/{user}", "GET /users"), "no difference"},
		{"a rule that is split by method is no difference", hr("GET,POST /users"), hr("POST /users", "GET /users"),
			"no difference"},
		{"a rule that came and one that went", hr("GET /users", "DELETE /users/{id}"),
			hr("GET /users", "GET /groups/{id}/owners"),
			"hr-sync\n+ may GET /groups/{id}/owners new.yaml:7\n- may no longer DELETE /users/{id} old.yaml:7"},
		{"a method that came", hr("GET /users"), hr("GET,POST /users"), "hr-sync\n+ may POST /users new.yaml:6"},
		{"a method that went", hr("ANY /users"), hr("GET /users"),
			"hr-sync\n- may no longer POST,PUT,PATCH,DELETE /users old.yaml:6"},
		{"a condition that is wider", hr(`PATCH /users/{id}: {where: {id: ["*@contoso.com"]}}`),
			hr(`PATCH /users/{id}: {where: {id: ["**"]}}`),
			"hr-sync\n" + `~ PATCH /users/{id}: where: {id: ["*@contoso.com"]} is now where: {id: ["**"]} (wider) new.yaml:6`},
		{"a list that gains and loses", hr(`GET /users/{id}: {where: {id: [a, b, c]}, query: {$select: [id, mail]}}`),
			hr(`GET /users/{id}: {where: {id: [a, "d,e", c]}, query: {$select: [id]}}`),
			"hr-sync\n" + `~ GET /users/{id}: where: {id} gains "d,e" and loses b; query: {$select} loses mail ` +
				"(neither is part of the other) new.yaml:6"},
		{"a list and another condition", hr(`GET /users/{id}: {where: {id: [a, b]}}`),
			hr(`GET /users/{id}: {where: {id: [a]}, query: {$top: 5}}`),
			"hr-sync\n~ GET /users/{id}: where: {id} loses b; no further condition is now query: {$top: 5} (narrower) " +
				"new.yaml:6"},
		{"a condition that came", hr(`GET /users`), hr(`GET /users: {query: {$top: 50}}`),
			"hr-sync\n~ GET /users: no further condition is now query: {$top: 50} (narrower) new.yaml:6"},
		{"a condition that went", hr(`GET /users: {query: {$top: 50}}`), hr(`GET /users`),
			"hr-sync\n~ GET /users: query: {$top: 50} is now no further condition (wider) new.yaml:6"},
		{"a condition that is another", hr(`GET /users/{id}: {where: {id: [a]}}`), hr(`GET /users/{id}: {where: {id: [b]}}`),
			"hr-sync\n~ GET /users/{id}: where: {id: [a]} is now where: {id: [b]} (neither is part of the other) new.yaml:6"},
		{"the order of values is no difference", hr(`GET /users/{id}: {where: {id: [a, b]}}`),
			hr(`GET /users/{user}: {where: {user: [b, a]}}`), "no difference"},
		{"a rule that a wider one covers did not go", hr("GET /users", "GET /users/{id}"), hr("GET /users/**"),
			"hr-sync\n+ may GET /users/** new.yaml:6"},
		{"a deny rule that came", hr("GET /users/{id}"),
			hr("GET /users/{id}", "deny:", "ANY /users/{id}: {where: {id: [ceo]}}"),
			"hr-sync\n- is now denied ANY /users/{id}: where: {id: [ceo]} new.yaml:8"},
		{"a deny rule that went", hr("GET /users/{id}", "deny:", "GET /users/ceo"), hr("GET /users/{id}"),
			"hr-sync\n+ is no longer denied GET /users/ceo old.yaml:8"},
		{"a deny rule that denies more", hr("GET /users/**", "deny:", "GET /users/{id}: {where: {id: [ceo]}}"),
			hr("GET /users/**", "deny:", "GET /users/{u}/**: {where: {u: [cfo, ceo]}}"),
			"hr-sync\n- is now denied GET /users/{u}/**: where: {u: [cfo, ceo]} new.yaml:8"},
		{"a deny rule with more values", hr("GET /users/**", "deny:", "GET /users/{id}: {where: {id: [ceo]}}"),
			hr("GET /users/**", "deny:", "GET /users/{u}: {where: {u: [cfo, ceo]}}"),
			"hr-sync\n~ is denied GET /users/{u}: where: {id: [ceo]} is now where: {u: [cfo, ceo]} (denies more) new.yaml:8"},
		{"a deny rule of what is below", hr("GET /users/**", "deny:", "GET /users"),
			hr("GET /users/**", "deny:", "GET /users/{id}"),
			"hr-sync\n- is now denied GET /users/{id} new.yaml:8\n+ is no longer denied GET /users old.yaml:8"},
		{"a deny rule of an alternate key, which with a value is about plain keys, too",
			hr("GET /users/**", "deny:", `"GET /users(userPrincipalName={upn})": {where: {upn: [ceo]}}`),
			hr("GET /users/**", "deny:", `"GET /users(userPrincipalName={upn})"`),
			"hr-sync\n~ is denied GET /users(userPrincipalName={upn}): where: {upn: [ceo]} is now no further condition " +
				"(neither is part of the other) new.yaml:8"},
		{"a rule that is denied whole is no gain", hr("GET /users"), hr("GET /users", "GET /groups", "deny:", "GET /groups"),
			"hr-sync\n- is now denied GET /groups new.yaml:9"},
		{"batching that is denied", hr("GET /users"), hr("GET /users", "deny:", "POST /$batch"),
			"hr-sync\n- is now denied POST /$batch new.yaml:8"},
		{"a call that gives a name beside it another spelling is told", hr("GET /groups/**", "ANY /groups/foo/bar"),
			hr("GET /groups/**", "ANY /groups/foo/bar", "GET /groups/foo()"),
			"hr-sync\n+ may GET /groups/foo() new.yaml:8"},
		{"a rule's limit", hr("GET /users: {limit: 2/s}"), hr("GET /users: {limit: 300/m}"),
			"hr-sync\n~ GET /users: limit: 2/s, burst 2 is now 5/s, burst 5 (looser) new.yaml:6"},
		{"a rule's limit that went with the rule, which a wider one covers", hr("GET /users: {limit: 2/s}"),
			hr("GET /users/**"),
			"hr-sync\n+ may GET /users/** new.yaml:6\n~ GET /users: limit: 2/s, burst 2 is now none (looser) new.yaml:6"},
		{"a limit that lets wait", hr("GET /users: {limit: {rate: 2/s, wait: 500ms}}"),
			hr("GET /users: {limit: {rate: 2/s, wait: 2s}}"),
			"hr-sync\n~ GET /users: limit: 2/s, burst 2, waits up to 500ms is now 2/s, burst 2, waits up to 2s (looser) " +
				"new.yaml:6"},
		{"a limit that counts something else", hr("GET /users: {limit: {rate: 20/s}}"),
			hr("GET /users: {limit: {rate: 20/s, unit: resource-units}}"),
			"hr-sync\n~ GET /users: limit: 20/s, burst 20 is now 20/s, burst 20, in resource-units (looser in one, tighter " +
				"in another) new.yaml:6"},
		{"a rule's priority", hr("GET /users"), hr("GET /users: {priority: low}"),
			"hr-sync\n~ GET /users: priority: the caller's is now low new.yaml:6"},
		{"a rule that came with its priority", hr("GET /users"), hr("GET /users", "GET /groups: {priority: high}"),
			"hr-sync\n+ may GET /groups, priority: high new.yaml:7"},
		{"rules with limits that changed places", hr("GET /users/**", "GET /users/{id}: {limit: 2/s}"),
			hr("GET /users/{id}: {limit: 2/s}", "GET /users/**"),
			"hr-sync\n~ GET /users/{id} comes before GET /users/** now, and its limit and app count for what both allow " +
				"new.yaml:6"},
		{"a new rule with a limit for what was allowed without", hr("GET /users/**"),
			hr("GET /users/{id}: {limit: 2/s}", "GET /users/**"),
			"hr-sync\n~ GET /users/{id}: limit: none is now 2/s, burst 2 (tighter) new.yaml:6"},
		{"a rule that came with its limit and app", hr("GET /users"),
			hr("GET /users", "GET /groups: {limit: {concurrency: 2}, app: hr}"),
			"hr-sync\n+ may GET /groups, limit: 2 at once, app: hr new.yaml:7"},
		{"a rule's app", hr("GET /users"), hr("GET /users: {app: hr}"),
			"hr-sync\n~ GET /users: app: the default one is now hr new.yaml:6"},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := diff.Policies(parse(t, "old.yaml", test.old), parse(t, "new.yaml", test.newer))
			if diff := cmp.Diff(test.want, facts(t, d)); diff != "" {
				t.Error(diff)
			}
			if d.Empty() != (test.want == "no difference") {
				t.Errorf("Empty is %t", d.Empty())
			}
		})
	}
}

const (
	before = `version: 1
limits:
  tenant: {rate: 300/s}
  mailbox: {rate: 10000/10m, per: [id], covers: ["GET /users/{id}/messages"]}
callers:
  hr-sync:
    identity:
      - key: {sha256: 7b51eab7778620007e560bea6a98a68b29390d46d985592fd3426f5824201db8}
      - network: [10.0.0.0/8, 192.168.1.0/24]
      - token: {issuer: "https://oidc.contoso.example", audience: graphproxy, subject: hr}
    limit: {rate: 20/s, burst: 40, concurrency: 16}
    allow: [GET /users]
  mailer:
    mode: report
    identity:
      - unix: {uid: 1000}
    allow: [GET /me]
    deny: [GET /me/messages]
`
	after = `version: 1
limits:
  tenant: {rate: 200/s}
  search: {concurrency: 5, covers: [GET /search/query]}
callers:
  reports:
    mode: report
    identity:
      - unix: {uid: 1000}
    allow: [GET /reports/**]
    deny: [GET /reports/security, PATCH /me]
  hr-sync:
    mode: report
    app: hr
    identity:
      - certificate: {dns: hr.contoso.example}
      - network: [10.1.0.0/16, 192.168.0.0/16]
      - token: {issuer: "https://oidc.contoso.example", audience: graphproxy, claims: {role: [a]}}
    limit: {rate: 10/s, burst: 50, concurrency: 16}
    allow: [GET /users]
`
)

func TestTheWholeText(t *testing.T) {
	d := diff.Policies(parse(t, "old.yaml", before), parse(t, "new.yaml", after))
	want := `limits
  ~ limits.tenant: 300/s, burst 300 is now 200/s, burst 200 (tighter)  new.yaml
  - limits.search is new: 5 at once, covers GET /search/query   new.yaml
  + limits.mailbox is gone: 1000/m, burst 16, covers GET /users/{id}/messages, for each id  old.yaml
reports
  + is a new caller, in report mode: what would be denied is let through and recorded  new.yaml:6
  + is known by unix uid 1000                                   new.yaml:9
  + may GET /reports/**                                         new.yaml:10
  - is now denied GET /reports/security                         new.yaml:11
hr-sync
  + is in report mode now: everything that would be denied is let through and recorded  new.yaml:12
  ~ app: the default one is now hr                              new.yaml:12
  ~ limit: 20/s, burst 40, 16 at once is now 10/s, burst 50, 16 at once (looser in one, tighter in another)  new.yaml:12
  + is known by certificate dns hr.contoso.example              new.yaml:16
  + is known by network 192.168.0.0/16                          new.yaml:17
  + is known by token issuer https://oidc.contoso.example, audience graphproxy, claim role ["a"]  new.yaml:18
  - is no longer known by key sha256:7b51eab77786…              old.yaml:8
  - is no longer known by network 10.0.0.0/8                    old.yaml:9
  - is no longer known by token issuer https://oidc.contoso.example, audience graphproxy, subject hr  old.yaml:10
mailer
  - is no longer a caller                                       old.yaml:13
  - is no longer known by unix uid 1000                         old.yaml:16
  - may no longer GET /me                                       old.yaml:17
`
	if diff := cmp.Diff(want, strings.TrimPrefix(written(t, d.WriteText), d.Summary()+"\n")); diff != "" {
		t.Error(diff)
	}
}

func TestAnotherContactIsADifferenceThatLetsNothingThrough(t *testing.T) {
	with := func(contact string) *policy.Policy {
		return parse(t, "policy.yaml", strings.Replace(hr("GET /users"), "callers:", contact+"callers:", 1))
	}
	for _, test := range []struct{ old, newer, want string }{
		{"", "contact: a@contoso.com\n", "file\n~ contact: none is now a@contoso.com policy.yaml"},
		{"contact: a@contoso.com\n", "contact: b@contoso.com\n",
			"file\n~ contact: a@contoso.com is now b@contoso.com policy.yaml"},
		{"contact: a@contoso.com\n", "contact: 'a@contoso.com'\n", "no difference"},
		{"", "console: [certificate: {dns: ann.contoso.example}]\n",
			"file\n+ the visitor of the console is known by certificate dns ann.contoso.example policy.yaml:2"},
		{"console: [certificate: {dns: ann.contoso.example}, certificate: {dns: bob.contoso.example}]\n",
			"console: [certificate: {dns: ann.contoso.example}]\n", "file\n- the visitor of the console is no longer known " +
				"by certificate dns bob.contoso.example policy.yaml:2"},
	} {
		d := diff.Policies(with(test.old), with(test.newer))
		if diff := cmp.Diff(test.want, facts(t, d)); diff != "" {
			t.Error(diff)
		}
		if d.Empty() != (test.want == "no difference") || len(d.Callers) > 0 {
			t.Errorf("%+v", d)
		}
	}
}

func TestEnforcingIsALoss(t *testing.T) {
	enforced := strings.Replace(after, "    mode: report\n    app", "    app", 1)
	d := diff.Policies(parse(t, "old.yaml", after), parse(t, "new.yaml", enforced))
	if len(d.Callers) != 1 || d.Callers[0].Gains() || !d.Callers[0].Loses() ||
		d.Callers[0].Changes[0].Kind != diff.KindMode {
		t.Errorf("got %+v", d)
	}
}

func TestDifferenceAsJSON(t *testing.T) {
	d := diff.Policies(parse(t, "old.yaml", hr("GET /users")), parse(t, "new.yaml", hr("GET /users", "GET /groups")))
	got, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"old":"old.yaml","new":"new.yaml","callers":[{"name":"hr-sync","changes":[` +
		`{"sign":"+","kind":"allow","gains":true,"loses":false,"text":"may GET /groups","where":"new.yaml:7"}]}]}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
}

func TestAnotherFileOfKeysIsOtherEvidence(t *testing.T) {
	from := strings.Replace(before, "subject: hr}", "subject: hr, jwks_file: keys.json}", 1)
	d := diff.Policies(parse(t, "old.yaml", before), parse(t, "new.yaml", from))
	want := `hr-sync
  + is known by token issuer https://oidc.contoso.example, audience graphproxy, subject hr, jwks_file keys.json  new.yaml:10
  - is no longer known by token issuer https://oidc.contoso.example, audience graphproxy, subject hr  old.yaml:10
`
	if diff := cmp.Diff(want, strings.TrimPrefix(written(t, d.WriteText), d.Summary()+"\n")); diff != "" {
		t.Error(diff)
	}
}

func TestTheSummaryCountsWhatDiffers(t *testing.T) {
	tested := func(text, tests string) string { return text + "tests:\n  - caller: hr-sync\n    " + tests + "\n" }
	two := hr("GET /users") + "  other:\n    identity: [{network: [10.0.0.0/8]}]\n    allow: [GET /me]\n"
	for _, test := range []struct{ name, old, newer, want string }{
		{"nothing", hr("GET /users"), hr("GET /users"), "no difference"},
		{"a gain", hr("GET /users"), hr("GET /users", "GET /groups"), "1 caller may gain"},
		{"a loss", hr("GET /users", "GET /groups"), hr("GET /users"), "1 caller may lose"},
		{"both", hr("GET /users"), hr("GET /groups"), "1 caller may gain, 1 caller may lose"},
		{"two callers", hr("GET /groups"), two, "2 callers may gain, 1 caller may lose"},
		{"the contact", hr("GET /users"), "contact: a@contoso.com\n" + hr("GET /users"), "1 change of the whole file"},
		{"tests that went", tested(hr("GET /users"), "allow: [GET /users]"), hr("GET /users"), "1 test removed"},
		{"a test at another time", tested(hr("GET /users"), "allow: [GET /users]"),
			tested(hr("GET /users"), "at: 2026-01-01\n    allow: [GET /users]"), "1 test removed"},
		{"the order of tests", tested(hr("GET /users", "GET /me"), "allow: [GET /users, GET /me]"),
			tested(hr("GET /users", "GET /me"), "allow: [GET /me, GET /users]"), "no difference"},
		{"a test that came", hr("GET /users"), tested(hr("GET /users"), "allow: [GET /users]"), "no difference"},
		{"the same test in another place", tested(hr("GET /users"), "allow: [GET /users, GET /users]"),
			tested("\n\n"+hr("GET /users"), "allow: [GET /users]"), "1 test removed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := diff.Policies(parse(t, "old.yaml", test.old), parse(t, "new.yaml",
				test.newer)).Summary(); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}
