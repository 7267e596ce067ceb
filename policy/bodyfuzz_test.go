package policy_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"graphproxy/policy"
)

// bodyRule is a policy with one rule that has this under body:, on one line.
func bodyRule(conditions string) string {
	return "version: 1\ncallers:\n  app:\n    identity: [anyone]\n    allow:\n      - POST /x: {body: " + conditions +
		"}\n"
}

// Whatever stands under body:, it loads or is an error with a line; and what loads is written as it would load again.
func FuzzConditionsOnBodies(f *testing.F) {
	for _, seed := range []string{
		`{recipients: ["*@contoso.com"], message/attachments: none, message/importance: [low, normal]}`,
		`{only: [jobTitle, department, manager/displayName]}`, `{only: []}`, `{a: {only: [b/c], required: true}}`,
		`{type: [view], scope: {values: [organization, users], required: true}}`, `{n: {max: 5}}`, `{n: {max: -1}}`,
		`{resource: {targets: [/users/{id}/messages], required: true}}`,
		`{r: {targets: [{"/users/{id}": {where: {id: [a]}}}]}}`,
		`{a: null}`, `{a: {}}`, `{a: 5}`, `{a: [true, 1.5, null]}`, `{"a/b/": [x]}`, `{a: [x], A: [y]}`, `[a]`, `x`, `{}`,
		`{"@odata.type": [x], "m@odata.bind": none}`, `{recipients: none}`, `{recipients: []}`,
	} {
		f.Add(seed, `{"a":{"b":[1,"x",null]},"toRecipients":[{"emailAddress":{"address":"a@contoso.com"}}]}`)
	}
	f.Fuzz(func(t *testing.T, conditions, body string) {
		if strings.ContainsAny(conditions, "\r\n") {
			return
		}
		p, err := policy.Parse("policy.yaml", []byte(bodyRule(conditions)))
		if err != nil {
			return
		}
		allow, _ := p.Rules("app")
		if len(allow) != 1 {
			return
		}
		p.Decide(sent(t, "POST /x", body))
		again := checkWritten(t, allow[0].BodyConditions())
		if again == nil {
			return
		}
		if d, e := p.Decide(sent(t, "POST /x", body)), again.Decide(sent(t, "POST /x", body)); d.Allow != e.Allow ||
			d.Reason != e.Reason {
			t.Fatalf("%v %q, and as it is written %v %q: %s", d.Allow, d.Reason, e.Allow, e.Reason, conditions)
		}
	})
}

// checkWritten loads conditions as they are written, and returns the policy; nil if there are none.
func checkWritten(t *testing.T, texts []string) *policy.Policy {
	t.Helper()
	var parts []string
	for _, text := range texts {
		text = strings.TrimSuffix(strings.TrimPrefix(text, "body: {"), "}")
		if strings.Contains(text, "\\") || strings.ContainsFunc(text, func(c rune) bool { return c > '~' }) {
			return nil // shown with escapes of its own
		}
		parts = append(parts, text)
	}
	if parts == nil {
		return nil
	}
	p, err := policy.Parse("policy.yaml", []byte(bodyRule("{"+strings.Join(parts, ", ")+"}")))
	if err != nil {
		t.Fatalf("%v\n%q", err, texts)
	}
	allow, _ := p.Rules("app")
	if diff := cmp.Diff(texts, allow[0].BodyConditions()); diff != "" {
		t.Fatal(diff)
	}
	return p
}
