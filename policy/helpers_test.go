package policy_test

import (
	"strings"
	"testing"

	"graphproxy/policy"
	"graphproxy/policy/graph/odata"
)

// load parses a policy that must load.
func load(t testing.TB, text string) *policy.Policy {
	t.Helper()
	p, err := policy.Parse("policy.yaml", []byte(text))
	if err != nil {
		t.Fatalf("%v\nin:\n%s", err, text)
	}
	return p
}

// app is a policy with one caller, named app, of kind anyone. Rules are the lines of its allow and deny.
func app(t testing.TB, rules string) *policy.Policy {
	t.Helper()
	return load(t, "version: 1\ncallers:\n  app:\n    identity: [anyone]\n"+indent(rules, "    "))
}

func indent(text, by string) string {
	return by + strings.ReplaceAll(strings.Trim(text, "\n"), "\n", "\n"+by) + "\n"
}

// request reads "GET /users/1?$top=5", of v1.0 if it names no version.
func request(t testing.TB, caller, text string) policy.Request {
	t.Helper()
	method, rest, _ := strings.Cut(text, " ")
	path, query, _ := strings.Cut(rest, "?")
	if !strings.HasPrefix(path, "/beta/") && !strings.HasPrefix(path, "/v1.0/") {
		path = "/v1.0" + path
	}
	target, err := odata.Parse(path, query)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return policy.Request{Caller: caller, Method: method, Target: target}
}
