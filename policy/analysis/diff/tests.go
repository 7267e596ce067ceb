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
				Text:  testText(&r.Case) + " is no longer tested",
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

// testText returns what a test says: "hr: allow GET /users", "evidence {key: laptop} for hr".
func testText(c *policy.Case) string {
	if c.Evidence != nil && c.Request.Target == nil {
		return c.Text + " for " + c.Request.Caller
	}
	return fmt.Sprintf("%s: %s %s", c.Request.Caller, outcome(c.Allow), c.Text)
}

func outcome(allow bool) string {
	if allow {
		return "allow"
	}
	return "deny"
}
