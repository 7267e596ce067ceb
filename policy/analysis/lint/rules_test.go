package lint_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"graphproxy/policy"
	"graphproxy/policy/analysis/lint"
	"graphproxy/policy/match"
)

func TestRulesThatDoNothingAreReported(t *testing.T) {
	for name, c := range map[string]struct {
		rules string // from line 5
		want  []string
	}{
		"an allow rule of which a deny rule leaves nothing": {`
allow:
  - GET /users
  - GET /users/{id}/messages
deny:
  - ANY /users/{user}/**
`, []string{"7: callers.app.allow: GET /users/{id}/messages can never allow anything: ANY /users/{user}/** " +
			"(policy.yaml:9) denies all that it matches. Delete this rule"}},
		"one of which a deny rule leaves something is not odd": {`
allow:
  - GET /users/{id}/messages
deny:
  - ANY /users/{id}/**:
      where: {id: ["*-admin@contoso.com", 11111111-2222-3333-4444-555555555555]}
  - GET /users/{id}/messages:
      query: {$search: "**"}
`, nil},
		"a deny rule narrows to the same value": {`
allow:
  - GET /users/{id}:
      where: {id: "ceo@contoso.com"}
deny:
  - ANY /users/{id}:
      where: {id: "*@contoso.com"}
`, []string{"6: callers.app.allow: GET /users/{id} can never allow anything: ANY /users/{id} (policy.yaml:9) denies " +
			"all that it matches. Delete this rule"}},
		"a narrower rule after a wider one never decides": {`
allow:
  - GET /users/**
  - GET /users/{id}/messages
`, []string{"7: callers.app.allow: GET /users/{id}/messages never decides: GET /users/** (policy.yaml:6) comes " +
			"first and matches all that it does. Delete this rule"}},
		"what it has of its own never applies": {`
allow:
  - GET,PATCH /users/{id}
  - GET /users/{id}:
      limit: 2/s
  - PATCH /users/{user}:
      where: {user: "*@contoso.com"}
      app: writer
  - GET /users/{other}:
      limit: 2/s
      app: writer
`, []string{
			"7: callers.app.allow: GET /users/{id} never decides: GET,PATCH /users/{id} (policy.yaml:6) comes first and " +
				"matches all that it does, and its limit never applies. Move this rule before that one, or delete it",
			"9: callers.app.allow: PATCH /users/{user} never decides: GET,PATCH /users/{id} (policy.yaml:6) comes first and " +
				"matches all that it does, and its app is never used. Move this rule before that one, or delete it",
			"12: callers.app.allow: GET /users/{other} never decides: GET,PATCH /users/{id} (policy.yaml:6) comes first and " +
				"matches all that it does, and its limit and app never apply. Move this rule before that one, or delete it",
		}},
		"a narrower rule before a wider one adds nothing": {`
allow:
  - GET /users/{id}/messages
  - GET /users/**
`, []string{"6: callers.app.allow: GET /users/{id}/messages adds nothing: GET /users/** (policy.yaml:7) after it " +
			"matches all that it does. Delete this rule, or the wider one if that was not meant"}},
		"a narrower rule before a wider one has its own limit or app": {`
allow:
  - GET /users/{id}/messages:
      limit: 2/s
  - GET /users/{id}/photo:
      app: photos
  - GET /users/**
`, nil},
		"a narrower rule is kept from another one's limit": {`
allow:
  - GET /users/adele@contoso.com
  - GET /users/{id}:
      limit: 2/s
  - GET /users/**
`, nil},
		"rules that differ in what they let through": {`
allow:
  - GET /users/{id}:
      query: {$select: [id, mail]}
  - GET /users/{id}:
      where: {id: ["*@contoso.com"]}
      query: {$expand: [manager]}
  - GET /users/delta
  - GET /beta/users/{id}
  - PATCH /users/{id}
  - GET /users(userPrincipalName='{upn}')
`, nil},
		"rules that are equal": {`
allow:
  - GET /users/{id}
  - GET /Users/{user}
  - GET /users('{id}'):
      limit: 1/s
deny:
  - DELETE /users/{id}
  - DELETE /users/{other}
`, []string{
			"7: callers.app.allow: GET /Users/{user} is equal to GET /users/{id} (policy.yaml:6), which comes first and " +
				"decides. Delete this rule",
			"8: callers.app.allow: GET /users/{id} is equal to GET /users/{id} (policy.yaml:6), which comes first and " +
				"decides, and its limit never applies. Keep one of the two",
			"12: callers.app.deny: DELETE /users/{other} is equal to DELETE /users/{id} (policy.yaml:11). Delete one of the two",
		}},
		"a deny rule within another": {`
allow:
  - GET /users/**
deny:
  - GET /users/{id}/messages
  - ANY /users/{id}/messages/**
`, []string{"8: callers.app.deny: GET /users/{id}/messages adds nothing: ANY /users/{id}/messages/** " +
			"(policy.yaml:9) denies all that it does. Delete this rule"}},
		"deny rules that look at different things, and such as deny nothing that is allowed": {`
allow:
  - GET /users/**
deny:
  - GET /users/{id}/messages:
      query: {$search: "**"}
  - ANY /users/{id}/messages:
      query: {$expand: [attachments]}
  - GET /users/{id}/messages:
      where: {id: ["*-admin@contoso.com", 11111111-2222-3333-4444-555555555555]}
  - ANY /directory/**
`, nil},
		"nothing is allowed": {"allow: []", nil},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, texts(lint.Check(app(t, c.rules), lint.Options{}))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestRulesThatCallersShareAreReportedWhenTheyDoNothingForAnyCaller(t *testing.T) {
	const text = `version: 1
rules:
  read:
    - GET /users
    - GET /users/{id}
    - GET /users/{user}
callers:
  first:
    identity: [anyone]
    allow:
      - GET /users
      - include: read
    deny:
      - GET /users/**
  second:
    identity: [{network: 10.0.0.0/24}]
    allow: [{include: read}, {include: read}]
`
	want := []string{
		// For the second caller it is the first rule for /users, and no rule denies /users/{id}.
		"11: callers.first.allow: GET /users can never allow anything: GET /users/** (policy.yaml:14) denies all that it " +
			"matches. Delete this rule",
		"15: callers.second.allow: a set of rules is included twice, the one with GET /users (policy.yaml:4); include " +
			"it once",
	}
	got := texts(lint.Check(load(t, text), lint.Options{}))
	want = append(
		[]string{"6: callers.first.allow: GET /users/{user} can never allow anything: GET /users/** (policy.yaml:14) " +
			"denies all that it matches. Delete this rule"}, want...,
	)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestDenyRulesForOneVersionAreReportedWhereTheOtherIsAllowed(t *testing.T) {
	for name, c := range map[string]struct {
		rules string // from line 5
		want  []string
	}{
		"beta is allowed": {`
allow:
  - GET /users/{id}
  - GET /beta/users/**
deny:
  - ANY /users/{id}/messages/**
`, []string{"9: callers.app.deny: ANY /users/{id}/messages/** denies v1.0 only, and GET /beta/users/** " +
			"(policy.yaml:7) allows the same in beta. Deny it there too: ANY /beta/users/{id}/messages/**"}},
		"v1.0 is allowed": {`
allow:
  - GET /users/{id}
deny:
  - ANY /beta/users/{user}:
      where: {user: [11111111-2222-3333-4444-666666666666]}
`, []string{"8: callers.app.deny: ANY /beta/users/{user} denies beta only, and GET /users/{id} (policy.yaml:6) " +
			"allows the same in v1.0. Deny it there too: ANY /users/{user}"}},
		"both are denied": {`
allow:
  - GET /users/{id}
  - GET /beta/users/{id}/photo
deny:
  - ANY /users/{id}/photo/**
  - ANY /beta/users/{id}/photo/**
`, []string{"7: callers.app.allow: GET /beta/users/{id}/photo can never allow anything: ANY " +
			"/beta/users/{id}/photo/** (policy.yaml:10) denies all that it matches. Delete this rule"}},
		"other requests are allowed in beta": {`
allow:
  - GET /users/{id}
  - GET /beta/users/{id}/messages
  - GET /beta/users/{id}:
      where: {id: adele@contoso.com}
deny:
  - PATCH /users/{id}
  - ANY /users/{id}:
      where: {id: [ceo@contoso.com, 11111111-2222-3333-4444-666666666666]}
  - POST /$batch
`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, texts(lint.Check(app(t, c.rules), lint.Options{}))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestLimitsThatCoverNothingAreReported(t *testing.T) {
	const text = `version: 1
limits:
  everything:
    rate: 5/s
  used:
    rate: 5/s
    covers: [ANY /groups/**, "GET /users/{id}"]
  unused:
    rate: 5/s
    covers:
      - ANY /groups/**
      - PATCH /users/{id}
      - GET /beta/users/{id}
callers:
  app:
    identity: [anyone]
    allow: [GET /users/**]
`
	p := load(t, text)
	want := []string{"11: limits.unused.covers: no allow rule of any caller is covered by this limit, so it never " +
		"counts anything. Write its covers as the allow rules have them, or delete it"}
	if diff := cmp.Diff(want, texts(lint.Check(p, lint.Options{}))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	t.Run("and not where report mode lets everything through", func(t *testing.T) {
		p := load(t, text+"  watched:\n    mode: report\n    identity: [{network: 10.1.0.0/16}]\n    allow: []\n")
		if diff := cmp.Diff([]string(nil), texts(lint.Check(p, lint.Options{}))); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// A warning of the loader occurs once, in its place.
func TestTheLoadersWarningsAreAmongThem(t *testing.T) {
	p := app(t, "allow:\n  - GET /users/**\n  - POST /$batch\n  - GET /users\n")
	want := []string{
		"7: POST /$batch has no effect under allow: a caller may batch what it may send singly; under deny it forbids " +
			"batching",
		"8: callers.app.allow: GET /users never decides: GET /users/** (policy.yaml:6) comes first and matches all that " +
			"it does. Delete this rule",
	}
	for range 2 {
		if diff := cmp.Diff(want, texts(lint.Check(p, lint.Options{}))); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

// The search for rules to compare must find every rule that covers or denies another.
func TestEveryCoveredOrDeniedRuleIsReported(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	segments := []string{"/{x}", "/{y}", "/a@b.c", "/delta", "/delta()", "/microsoft.graph.user", "/members",
		"/mailFolders", "/inbox", "(p={v})", "(p='a@b.c')", "/root:/{path}:", "/root:/Reports:", "/$count"}
	values := []string{"a@b.c", "'*@b.c'", "[a@b.c, A@B.C]", "'**'"}
	rule := func() string {
		text := "GET /users"
		for range r.IntN(4) {
			text += segments[r.IntN(len(segments))]
		}
		if r.IntN(3) == 0 {
			text += "/**"
		}
		text = "  - '" + strings.ReplaceAll(strings.ReplaceAll(text, "::", ":"), "'", "''") + "'"
		if strings.Contains(text, "{x}") && r.IntN(2) == 0 {
			text += ":\n      where: {x: " + values[r.IntN(len(values))] + "}"
		}
		return text + "\n"
	}
	parse := func(rules string) (*policy.Policy, error) {
		return policy.Parse("policy.yaml",
			[]byte("version: 1\ncallers:\n  app:\n    identity: [anyone]\n    "+strings.ReplaceAll(rules, "\n", "\n    ")))
	}
	told := 0
	for range 800 {
		first, second := rule(), rule()
		p, err := parse("allow:\n" + first + second)
		if err != nil {
			continue
		}
		allow, _ := p.Rules("app")
		covers := match.Covers(allow[0].Match(), allow[1].Match()) || match.Covers(allow[1].Match(), allow[0].Match())
		if got := len(lint.Check(p, lint.Options{})) > len(p.Warnings()); got != covers {
			t.Errorf("told: %v, in:\n%s%s", got, first, second)
		}
		p, err = parse("allow:\n" + first + "deny:\n" + second)
		if err != nil {
			continue
		}
		allow, deny := p.Rules("app")
		denies := match.Denies(deny[0].Match(), allow[0].Match())
		if got := len(lint.Check(p, lint.Options{})) > len(p.Warnings()); got != denies {
			t.Errorf("told: %v, in:\n%sdeny:\n%s", got, first, second)
		}
		if covers || denies {
			told++
		}
	}
	if told < 100 {
		t.Errorf("only %d pairs had anything to tell", told)
	}
}
