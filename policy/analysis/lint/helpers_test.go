package lint_test

import (
	"strings"
	"testing"

	"graphproxy/policy"
	"graphproxy/policy/graph/catalog/catalogtest"
	"graphproxy/policy/operations"
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

// app is a policy with one caller, named app, on lines 2 and after. Rules are the lines of its allow and deny, from
// line 5.
func app(t testing.TB, rules string) *policy.Policy {
	t.Helper()
	return load(t, "version: 1\ncallers:\n  app:\n    identity: [anyone]\n    "+
		strings.ReplaceAll(strings.Trim(rules, "\n"), "\n", "\n    ")+"\n")
}

func texts(problems []*policy.Error) []string {
	var all []string
	for _, p := range problems {
		all = append(all, strings.TrimPrefix(p.Error(), "policy.yaml:"))
	}
	return all
}

// graph returns Graph's operations, all of them where the complete lists are there.
func graph(t testing.TB) *operations.Set {
	t.Helper()
	o := new(operations.Set)
	for _, version := range []string{"v1.0", "beta"} {
		if err := o.Read(strings.NewReader(catalogtest.List(t, version)), version); err != nil {
			t.Fatal(err)
		}
	}
	return o
}
