package diff

import (
	"fmt"
	"time"

	"graphproxy/policy"
)

// removedTests returns the tests that the new policy does not have: not as a test of the same caller and request, with
// the same outcome.
func removedTests(old, newer *policy.Policy) []Change {
	left := map[string]int{}
	for _, r := range newer.Test() {
		left[testKey(&r.Case)]++
	}
	var changes []Change
	for _, r := range old.Test() {
		key := testKey(&r.Case)
		if left[key]--; left[key] < 0 {
			changes = append(changes, Change{
				Sign:  "-",
				Kind:  KindTest,
				Text:  fmt.Sprintf("%s: %s %s is no longer tested", r.Request.Caller, outcome(r.Allow), r.Text),
				Where: place(r.File, r.Line),
			})
		}
	}
	return changes
}

func testKey(c *policy.Case) string {
	body, at := "", ""
	if c.Request.Body != nil {
		body = string(c.Request.Body.Text)
	}
	if !c.Request.At.IsZero() {
		at = c.Request.At.Format(time.RFC3339)
	}
	return fmt.Sprintf("%s\n%s\n%t\n%s\n%s", c.Request.Caller, c.Text, c.Allow, at, body)
}

func outcome(allow bool) string {
	if allow {
		return "allow"
	}
	return "deny"
}
