package policy_test

import (
	"strings"
	"testing"

	"graphproxy/policy"
)

const aboutFile = `
version: 1
contact: graph-team@contoso.com
lists:
  vips: {values: [ceo@contoso.com], description: the board, ticket: SEC-9}
callers:
  hr:
    identity: [anyone]
    description: nightly sync of HR
    owner: hr-team
    ticket: HR-1
    allow:
      - GET /users
      - GET /users/{id}: {where: {id: {not_list: vips}}, description: profiles, owner: hr-team, ticket: HR-2}
      - GET /groups: {query: {$top: 5}, ticket: HR-3}
    deny:
      - DELETE /users/{id}: {description: people leave by HR alone, ticket: SEC-1}
  plain:
    identity: [{network: [10.0.0.0/8]}]
    allow: [GET /users]
`

func TestTheTicketOfADecisionIsTheRulesBeforeTheCallers(t *testing.T) {
	p := load(t, aboutFile)
	for _, row := range []struct{ caller, request, want string }{
		{"hr", "GET /users", "HR-1"},
		{"hr", "GET /users/a", "HR-2"},
		{"hr", "GET /groups?$top=5", "HR-3"},
		{"hr", "DELETE /users/a", "SEC-1"},
		{"hr", "GET /sites", "HR-1"},
		{"plain", "GET /users", ""},
	} {
		if got := p.Decide(request(t, row.caller, row.request)).Ticket; got != row.want {
			t.Errorf("%s %s: ticket %q, want %q", row.caller, row.request, got, row.want)
		}
	}
}

func TestARefusalSaysWhatTheFileHasAboutTheRuleOrElseTheCaller(t *testing.T) {
	p := load(t, aboutFile)
	for _, row := range []struct{ caller, request, want string }{
		{"hr", "DELETE /users/a",
			"a deny rule forbids it (about the rule: people leave by HR alone, ticket SEC-1); ask graph-team@contoso.com"},
		{"hr", "GET /groups?$top=9", " (about the rule: ticket HR-3); ask graph-team@contoso.com"},
		{"hr", "GET /sites",
			" (about the caller: nightly sync of HR, owner hr-team, ticket HR-1); ask graph-team@contoso.com"},
		{"plain", "GET /sites", "no rule allows it; ask graph-team@contoso.com"},
	} {
		r := request(t, row.caller, row.request)
		if got := p.Denial(r, p.Decide(r)); !strings.HasSuffix(got, row.want) {
			t.Errorf("%s %s: %q, want the end %q", row.caller, row.request, got, row.want)
		}
	}
}

func TestWhatIsForPeopleIsOneLineOfBoundedLength(t *testing.T) {
	for _, row := range []struct{ name, key, want string }{
		{"a description that is too long", "description: " + strings.Repeat("x", 201),
			"it has 201 bytes; at most 200 are read"},
		{"an owner that is too long", "owner: " + strings.Repeat("x", 101), "at most 100 are read"},
		{"a ticket that is too long", "ticket: " + strings.Repeat("x", 65), "at most 64 are read"},
		{"an empty ticket", "ticket: ''", "this is empty; expected the ticket"},
		{"two lines", `description: "a\nb"`, "is not one line of visible characters"},
		{"a mark of direction", `owner: "a\u202eb"`, "is not one line of visible characters"},
		{"a list", "owner: [a]", "owner"},
	} {
		for _, at := range []string{
			"callers:\n  a:\n    identity: [anyone]\n    allow: []\n    " + row.key,
			"callers:\n  a:\n    identity: [anyone]\n    allow:\n      - GET /users:\n          " + row.key,
			"callers:\n  a:\n    identity: [anyone]\n    allow: []\n    deny:\n      - GET /users:\n          " + row.key,
			"lists:\n  l:\n    values: [a]\n    " + row.key + "\ncallers:\n  a:\n    identity: [anyone]\n    allow: []",
		} {
			_, err := policy.Parse("policy.yaml", []byte("version: 1\n"+at+"\n"))
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("%s: %v\nwant %q, of\n%s", row.name, err, row.want, at)
			}
		}
	}
}

func TestWhatIsForPeopleDecidesNothing(t *testing.T) {
	with := load(t, aboutFile)
	var kept []string
	for line := range strings.Lines(aboutFile) {
		if key := strings.TrimSpace(line); !strings.HasPrefix(key, "owner:") && !strings.HasPrefix(key, "ticket:") {
			kept = append(kept, line)
		}
	}
	without := load(t, strings.Join(kept, ""))
	for _, text := range []string{
		"GET /users", "GET /users/a", "GET /users/ceo@contoso.com", "DELETE /users/a", "GET /groups",
	} {
		r := request(t, "hr", text)
		if a, b := with.Decide(r), without.Decide(r); a.Allow != b.Allow || a.Reason != b.Reason {
			t.Errorf("%s: %+v and %+v", text, a, b)
		}
	}
}
