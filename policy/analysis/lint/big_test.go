package lint_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"graphproxy/policy/analysis/lint"
)

// Rules that differ only in their values are as many as people or mailboxes, and the time must not grow with the
// square.
func TestManyRulesThatDifferInOneValueAreLintedInTime(t *testing.T) {
	for name, rule := range map[string]string{
		"values": "      - %s /users/{id}/messages:\n          where: {id: [user%d@contoso.com, " +
			"11111111-2222-3333-4444-%012d]}\n",
		"patterns": "      - %s /users/{id}/messages:\n          where: {id: [\"*@dept%d.contoso.com\", " +
			"\"*@d%d.fabrikam.com\"]}\n",
	} {
		t.Run(name, func(t *testing.T) {
			const rules = 600
			var b strings.Builder
			b.WriteString("version: 1\ncallers:\n  app:\n    identity: [anyone]\n    allow:\n")
			for i := range rules {
				fmt.Fprintf(&b, rule, "GET", i, i)
			}
			b.WriteString("    deny:\n")
			for i := range rules {
				fmt.Fprintf(&b, rule, "POST", i, i)
			}
			b.WriteString("      - ANY /beta/users/{id}/**\n")
			b.WriteString("      - GET /users/{id}/messages:\n          where: {id: [user7@contoso.com, \"1*\"]}\n")
			p := load(t, b.String())
			start := time.Now()
			got := lint.Check(p, lint.Options{})
			t.Logf("%d rules in %v, %d warnings", 2*rules, time.Since(start), len(got)-len(p.Warnings()))
		})
	}
}
