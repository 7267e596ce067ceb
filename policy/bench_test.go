package policy_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"graphproxy/policy"
	"graphproxy/policy/graph/catalog/catalogtest"
	"graphproxy/policy/graph/odata"
)

// graphOperations returns rules for all operations of v1.0, or as many made-up rules where the complete list is
// missing.
func graphOperations(tb testing.TB) []string {
	tb.Helper()
	const all = 14_834
	rules := slices.Collect(strings.Lines(catalogtest.List(tb, "v1.0")))
	for i := range rules {
		rules[i] = strings.TrimSpace(rules[i])
	}
	if len(rules) < all {
		tb.Logf("there are %d operations only; rules are made up", len(rules))
		return madeUp(all)
	}
	return rules
}

func madeUp(n int) []string {
	rules := []string{"GET /users/{user-id}/messages/{message-id}"}
	for i := range n - 1 {
		rules = append(rules, fmt.Sprintf("GET /resource%d/{id}/part%d/{part}", i%500, i/500))
	}
	return rules
}

// typical is the request that the benchmarks decide. Its rule is in every set of rules.
const typical = "GET /users/adele@contoso.com/messages/AAMkAGI2THVSAAA=?$select=subject,from&$top=10"

// withRules is a policy whose caller has n of the rules, and the one for typical among them.
func withRules(tb testing.TB, rules []string, n int) *policy.Policy {
	tb.Helper()
	chosen := append([]string{"GET /users/{user-id}/messages/{message-id}"}, rules[:n-1]...)
	if n == len(rules) {
		chosen = rules
	}
	var b strings.Builder
	b.WriteString("version: 1\ncallers:\n  app:\n    identity: [anyone]\n    allow:\n")
	for _, r := range chosen {
		b.WriteString("      - " + r + "\n")
	}
	b.WriteString("    deny:\n      - ANY /users/{id}/**:\n          where: {id: [ceo@contoso.com, \"*@fabrikam.com\"]}\n")
	return load(tb, b.String())
}

func BenchmarkDecide(b *testing.B) {
	rules := graphOperations(b)
	for _, n := range []int{10, 1000, len(rules)} {
		b.Run(fmt.Sprintf("rules=%d", n), func(b *testing.B) {
			p := withRules(b, rules, n)
			r := request(b, "app", typical)
			b.ReportAllocs()
			for b.Loop() {
				if !p.Decide(r).Allow {
					b.Fatal("denied")
				}
			}
		})
	}
}

func BenchmarkParseAndDecide(b *testing.B) {
	p := withRules(b, madeUp(1000), 1000)
	path, query, _ := strings.Cut(strings.TrimPrefix(typical, "GET "), "?")
	path = "/v1.0" + path
	b.ReportAllocs()
	for b.Loop() {
		target, err := odata.Parse(path, query)
		if err != nil || !p.Decide(policy.Request{Caller: "app", Method: "GET", Target: target}).Allow {
			b.Fatal("denied")
		}
	}
}
