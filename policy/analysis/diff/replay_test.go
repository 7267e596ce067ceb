package diff_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"graphproxy/policy"
	"graphproxy/policy/analysis/diff"
)

// record is a line of an audit log: "GET /v1.0/users $select,$top".
func record(caller, request, decision, hash string, more ...string) string {
	parts := strings.Fields(request)
	line := map[string]any{
		"caller":   caller,
		"evidence": "anyone",
		"method":   parts[0],
		"version":  "v1.0",
		"target":   parts[1],
		"decision": decision,
		"status":   200,
		"policy":   hash,
	}
	if len(parts) > 2 {
		line["query"] = strings.Split(parts[2], ",")
	}
	for _, m := range more {
		name, value, _ := strings.Cut(m, "=")
		line[name] = value
		if value == "true" {
			line[name] = true
		}
	}
	text, _ := json.Marshal(line)
	return string(text) + "\n"
}

// beside is a record with the decision of a candidate.
func beside(line, decision string, wouldDeny bool, hash string) string {
	return fmt.Sprintf(`%s,"candidate":{"decision":%q,"would_deny":%t,"policy":%q}}`+"\n",
		strings.TrimSuffix(line, "}\n"), decision, wouldDeny, hash)
}

func replay(t *testing.T, old, newer *policy.Policy, lines ...string) diff.Replayed {
	t.Helper()
	r, err := diff.Replay(old, newer, strings.NewReader(strings.Join(lines, "")))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestReplay(t *testing.T) {
	const none = "1 request replayed: 1 unchanged, 0 denied now, 0 allowed now, 0 not known\n"
	const bounded, selected = "GET /users: {query: {$top: 50}}", "GET /users: {query: {$select: [id]}}"
	oldHash := func(old string) string { return parse(t, "old.yaml", old).Hash() }
	newHash := func(newer string) string { return parse(t, "new.yaml", newer).Hash() }
	for _, test := range []struct{ name, old, newer, line, want string }{
		{"what both allow is unchanged", hr("GET /users"), hr("GET /users/**", "GET /users"),
			record("hr-sync", "GET /v1.0/users $top", "allow", "x"), none},
		{"what both deny is unchanged", hr("GET /users"), hr("GET /users"), record("hr-sync", "GET /v1.0/me", "deny", "x"),
			none},
		{"what was allowed is denied", hr("GET /users/{id}"), hr("GET /users"),
			record("hr-sync", "GET /v1.0/users/adele", "allow", "x"),
			"1 request replayed: 0 unchanged, 1 denied now, 0 allowed now, 0 not known\n" +
				"  - 1 × hr-sync GET /users/{id}: was allowed by old.yaml:6, is now denied, no rule allows it; such as " +
				"/v1.0/users/adele\n"},
		{"HEAD is judged as GET", hr("GET /users"), hr("POST /users"), record("hr-sync", "HEAD /v1.0/users", "allow", "x"),
			"1 request replayed: 0 unchanged, 1 denied now, 0 allowed now, 0 not known\n" +
				"  - 1 × hr-sync GET /users: was allowed by old.yaml:6, is now denied, no rule allows it; such as /v1.0/users\n"},
		{"a deny rule decides", hr("GET /users/{id}", "deny:", "GET /users/ceo"), hr("GET /users/{id}"),
			record("hr-sync", "GET /v1.0/users/ceo", "deny", "x"),
			"1 request replayed: 0 unchanged, 0 denied now, 1 allowed now, 0 not known\n" +
				"  + 1 × hr-sync GET /users/{id}: was denied by old.yaml:8, is now allowed by new.yaml:6; such as " +
				"/v1.0/users/ceo\n"},
		{"keys are known", hr("GET /users/{id}: {where: {id: [a]}}"), hr("GET /users/{id}: {where: {id: [b]}}"),
			record("hr-sync", "GET /v1.0/users/b", "deny", "x"),
			"1 request replayed: 0 unchanged, 0 denied now, 1 allowed now, 0 not known\n" +
				"  + 1 × hr-sync GET /users/{id}: was denied, no rule allows it, is now allowed by new.yaml:6; such as " +
				"/v1.0/users/b\n"},
		{"an option that is absent meets what bounds it", hr("GET /users"), hr(bounded),
			record("hr-sync", "GET /v1.0/users", "allow", "x"), none},
		{"an option that is present hangs on its value", hr("GET /users"), hr(bounded),
			record("hr-sync", "GET /v1.0/users $top", "allow", "x"),
			"1 request replayed: 0 unchanged, 0 denied now, 0 allowed now, 1 not known\n" +
				"  ? 1 × hr-sync GET /users: depends on the values of $top, which the audit log does not hold: perhaps it was " +
				"allowed by old.yaml:6, and is now denied, no rule allows it; such as /v1.0/users\n"},
		{"the same condition in both is unchanged", hr(bounded), hr("GET /me", bounded),
			record("hr-sync", "GET /v1.0/users $top", "allow", "x"), none},
		{"a $select that is absent and must be there fails", hr("GET /users"), hr(selected),
			record("hr-sync", "GET /v1.0/users", "allow", "x"),
			"1 request replayed: 0 unchanged, 1 denied now, 0 allowed now, 0 not known\n" +
				"  - 1 × hr-sync GET /users: was allowed by old.yaml:6, is now denied, no rule allows it; such as /v1.0/users\n"},
		{"an option that is refused is known to fail", hr("GET /users"), hr("GET /users: {query: {$search: none}}"),
			record("hr-sync", "GET /v1.0/users $search", "allow", "x"),
			"1 request replayed: 0 unchanged, 1 denied now, 0 allowed now, 0 not known\n" +
				"  - 1 × hr-sync GET /users: was allowed by old.yaml:6, is now denied, no rule allows it; such as /v1.0/users\n"},
		{"$expand fails where no rule names it", hr("GET /users"), hr("GET /users"),
			record("hr-sync", "GET /v1.0/users $expand", "deny", "x"), none},
		{"the recorded decision of the old policy counts", hr(bounded), hr("GET /users"),
			record("hr-sync", "GET /v1.0/users $top", "deny", oldHash(hr(bounded))),
			"1 request replayed: 0 unchanged, 0 denied now, 1 allowed now, 0 not known\n" +
				"  + 1 × hr-sync GET /users: was denied, no rule allows it, is now allowed by new.yaml:6; such as /v1.0/users\n"},
		{"what report mode let through was not allowed", hr(bounded), hr("GET /users"),
			record("hr-sync", "GET /v1.0/users $top", "allow", oldHash(hr(bounded)), "would_deny=true"),
			"1 request replayed: 0 unchanged, 0 denied now, 1 allowed now, 0 not known\n" +
				"  + 1 × hr-sync GET /users: was denied, no rule allows it, is now allowed by new.yaml:6; such as /v1.0/users\n"},
		{"a request that was limited was allowed", hr(bounded), hr("GET /users"),
			record("hr-sync", "GET /v1.0/users $top", "limit", oldHash(hr(bounded))), none},
		{"the recorded decision of the candidate counts", hr("GET /users"), hr(bounded),
			beside(record("hr-sync", "GET /v1.0/users $top", "allow", "x"), "deny", false, newHash(hr(bounded))),
			"1 request replayed: 0 unchanged, 1 denied now, 0 allowed now, 0 not known\n" +
				"  - 1 × hr-sync GET /users: was allowed by old.yaml:6, is now denied, no rule allows it; such as /v1.0/users\n"},
		{"what a candidate in report mode would deny is denied", hr("GET /users"), hr(bounded),
			beside(record("hr-sync", "GET /v1.0/users $top", "allow", "x"), "allow", true, newHash(hr(bounded))),
			"1 request replayed: 0 unchanged, 1 denied now, 0 allowed now, 0 not known\n" +
				"  - 1 × hr-sync GET /users: was allowed by old.yaml:6, is now denied, no rule allows it; such as /v1.0/users\n"},
		{"the candidate may have allowed what the policy denied", hr(bounded), hr("GET /users: {query: {$top: 100}}"),
			beside(record("hr-sync", "GET /v1.0/users $top", "deny", oldHash(hr(bounded))), "allow", false,
				newHash(hr("GET /users: {query: {$top: 100}}"))),
			"1 request replayed: 0 unchanged, 0 denied now, 1 allowed now, 0 not known\n" +
				"  + 1 × hr-sync GET /users: was denied, no rule allows it, is now allowed by new.yaml:6; such as /v1.0/users\n"},
		{"the decision of another candidate does not count", hr("GET /users"), hr(bounded),
			beside(record("hr-sync", "GET /v1.0/users $top", "allow", "x"), "deny", false, "y"),
			"1 request replayed: 0 unchanged, 0 denied now, 0 allowed now, 1 not known\n" +
				"  ? 1 × hr-sync GET /users: depends on the values of $top, which the audit log does not hold: perhaps it was " +
				"allowed by old.yaml:6, and is now denied, no rule allows it; such as /v1.0/users\n"},
		{"a candidate that could not tell says nothing", hr("GET /users"), hr(bounded),
			beside(record("hr-sync", "GET /v1.0/users $top", "allow", "x"), "unknown", false, newHash(hr(bounded))),
			"1 request replayed: 0 unchanged, 0 denied now, 0 allowed now, 1 not known\n" +
				"  ? 1 × hr-sync GET /users: depends on the values of $top, which the audit log does not hold: perhaps it was " +
				"allowed by old.yaml:6, and is now denied, no rule allows it; such as /v1.0/users\n"},
		{"an item of a batch is a request", hr("GET /users"), hr("GET /me"),
			record("hr-sync", "GET /v1.0/me", "deny", "x", "batch=r1", "item=1"),
			"1 request replayed: 0 unchanged, 0 denied now, 1 allowed now, 0 not known\n" +
				"  + 1 × hr-sync GET /me: was denied, no rule allows it, is now allowed by new.yaml:6; such as /v1.0/me\n"},
		{"a batch needs no rule", hr("GET /users"), hr("GET /me"), record("hr-sync", "POST /v1.0/$batch", "allow", "x"),
			none},
		{"a batch may be denied as such", hr("GET /users"), hr("GET /me", "deny:", "POST /$batch"),
			record("hr-sync", "POST /beta/$batch", "allow", "x"),
			"1 request replayed: 0 unchanged, 1 denied now, 0 allowed now, 0 not known\n" +
				"  - 1 × hr-sync POST /$batch: was allowed, is now denied by new.yaml:8; such as /beta/$batch\n"},
		{"a caller that is gone", hr("GET /users"), strings.Replace(hr("GET /users"), "hr-sync", "other", 1),
			record("hr-sync", "GET /v1.0/users", "allow", "x"),
			"1 request replayed: 0 unchanged, 1 denied now, 0 allowed now, 0 not known\n" +
				"  - 1 × hr-sync GET /users: was allowed by old.yaml:6, is now refused as of no known caller; such as " +
				"/v1.0/users\n"},
		{"report mode is told", hr("GET /users"), "mode: report\n" + hr("GET /me"),
			record("hr-sync", "GET /v1.0/users", "allow", "x"),
			"1 request replayed: 0 unchanged, 1 denied now, 0 allowed now, 0 not known\n" +
				"  - 1 × hr-sync GET /users: was allowed by old.yaml:6, is now denied, no rule allows it (let through in " +
				"report mode); such as /v1.0/users\n"},
		{"what report mode let through, and the new policy enforces", "mode: report\n" + hr("GET /users"), hr("GET /users"),
			record("hr-sync", "GET /v1.0/me", "allow", "x", "would_deny=true"),
			"1 request replayed: 0 unchanged, 1 denied now, 0 allowed now, 0 not known\n" +
				"  - 1 × hr-sync GET /me: was denied, no rule allows it (let through in report mode), is now denied, " +
				"no rule allows it; such as /v1.0/me\n"},
		{"what report mode let through, by the log alone", hr("GET /users"), hr("GET /users"),
			record("hr-sync", "GET /v1.0/me", "allow", "x", "would_deny=true"),
			"1 request replayed: 0 unchanged, 1 denied now, 0 allowed now, 0 not known\n" +
				"  - 1 × hr-sync GET /me: was denied, no rule allows it (let through in report mode), is now denied, " +
				"no rule allows it; such as /v1.0/me\n"},
		{"what both let through in report mode", "mode: report\n" + hr("GET /users"), "mode: report\n" + hr("GET /users"),
			record("hr-sync", "GET /v1.0/me", "allow", "x", "would_deny=true"), none},
		{"a deny rule about $select counts when it is absent", hr("GET /users"),
			hr("GET /users", "deny:", "GET /users: {query: {$select: [salary]}}"),
			record("hr-sync", "GET /v1.0/users", "allow", "x"),
			"1 request replayed: 0 unchanged, 1 denied now, 0 allowed now, 0 not known\n" +
				"  - 1 × hr-sync GET /users: was allowed by old.yaml:6, is now denied by new.yaml:8; such as /v1.0/users\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := replay(t, parse(t, "old.yaml", test.old), parse(t, "new.yaml", test.newer), test.line)
			if diff := cmp.Diff(test.want, written(t, r.WriteText)); diff != "" {
				t.Error(diff)
			}
			if r.Empty() != (test.want == none) {
				t.Errorf("Empty is %t", r.Empty())
			}
		})
	}
}

func TestReplayCountsAndReportsSkippedLines(t *testing.T) {
	old, newer := parse(t, "old.yaml", hr("GET /users/{id}", "GET /me")), parse(t, "new.yaml",
		hr("GET /users/{user}: {where: {user: [a]}}", "GET /groups"))
	r := replay(t, old, newer,
		record("hr-sync", "GET /v1.0/me", "allow", "x"),
		record("hr-sync", "GET /v1.0/users/b", "allow", "x"),
		record("hr-sync", "GET /v1.0/users/c", "allow", "x"),
		record("hr-sync", "GET /v1.0/users/a", "allow", "x"),
		record("hr-sync", "GET /v1.0/groups", "deny", "x"),
		record("hr-sync", "GET /v1.0/users/../me", "allow", "x"),
		record("", "GET /v1.0/users", "refuse", "x", "reason=callerUnknown"),
		`{"time":"2026-01-02T03:04:05Z","level":"INFO","msg":"ready"}`+"\n",
		`{"caller":`,
	)
	want := `5 requests replayed: 1 unchanged, 3 denied now, 1 allowed now, 0 not known
  - 2 × hr-sync GET /users/{id}: was allowed by old.yaml:6, is now denied, no rule allows it; such as /v1.0/users/b
  - 1 × hr-sync GET /me: was allowed by old.yaml:7, is now denied, no rule allows it; such as /v1.0/me
  + 1 × hr-sync GET /groups: was denied, no rule allows it, is now allowed by new.yaml:7; such as /v1.0/groups
  not replayed: 1 request refused before a judgement, callerUnknown
  not replayed: 1 line whose target cannot be read back
  not replayed: 1 line broken or cut off
  not replayed: 1 line not of the audit log
`
	if diff := cmp.Diff(want, written(t, r.WriteText)); diff != "" {
		t.Error(diff)
	}
}
