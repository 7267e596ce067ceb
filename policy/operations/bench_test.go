package operations_test

import (
	"testing"

	"graphproxy/policy/graph/odata"
	"graphproxy/policy/match"
	"graphproxy/policy/operations"
)

// The cost of loading a policy with a deny rule, for a rule that is in the lists and for one that needs a
// closer check.
func BenchmarkEmbedded(b *testing.B) {
	rules := []*match.Rule{rule(b, "GET", "/users/{id}/messages")}
	b.Run("a rule that is listed", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if !operations.AreListed(rules) {
				b.Fatal("it is not listed")
			}
		}
	})
	b.Run("a rule that is looked up", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			known, err := operations.Embedded()
			if err != nil || known.Problem(rules[0], true) != "" {
				b.Fatal(err)
			}
		}
	})
}

func rule(t testing.TB, method, path string) *match.Rule {
	t.Helper()
	template, err := odata.ParseTemplate(path)
	if err != nil {
		t.Fatal(err)
	}
	methods := match.MethodOf(method)
	if method == "ANY" {
		methods = match.Any
	}
	return &match.Rule{Methods: methods, Template: template}
}
