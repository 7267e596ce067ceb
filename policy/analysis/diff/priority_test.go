package diff_test

import (
	"strings"
	"testing"

	"graphproxy/policy"
	"graphproxy/policy/analysis/diff"
)

func TestTheCallersPriority(t *testing.T) {
	with := func(line string) *policy.Policy {
		t.Helper()
		p, err := policy.Parse("policy.yaml",
			[]byte("version: 1\ncallers:\n  app:\n    identity: [anyone]\n"+line+"    allow: [GET /users]\n"))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	for _, tt := range []struct {
		name, old, newer, text string
		gains, loses           bool
	}{
		{"a higher one gains", "low", "high", "priority: low is now high", true, false},
		{"one that is gone is normal", "low", "", "priority: low is now normal", true, false},
		{"a lower one loses", "", "low", "priority: normal is now low", false, true},
		{"normal is what it is without", "", "normal", "", false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			line := func(priority string) string {
				if priority == "" {
					return ""
				}
				return "    priority: " + priority + "\n"
			}
			var found []string
			for _, c := range diff.Policies(with(line(tt.old)), with(line(tt.newer))).Callers {
				for _, change := range c.Changes {
					found = append(found, change.Text)
					if change.Gains != tt.gains || change.Loses != tt.loses {
						t.Errorf("gains %v, loses %v", change.Gains, change.Loses)
					}
				}
			}
			if got := strings.Join(found, "\n"); got != tt.text {
				t.Errorf("%q, want %q", got, tt.text)
			}
		})
	}
}
