package diff_test

import (
	"strings"
	"testing"

	"graphproxy/policy"
	"graphproxy/policy/analysis/diff"
)

// settingChange is the change of a caller's setting from old to newer, each "" where the file has none.
type settingChange struct {
	name, old, newer, text string
	gains, loses           bool
}

func (tt settingChange) check(t *testing.T, setting string) {
	t.Helper()
	with := func(value string) *policy.Policy {
		t.Helper()
		line := ""
		if value != "" {
			line = "    " + setting + ": " + value + "\n"
		}
		p, err := policy.Parse("policy.yaml",
			[]byte("version: 1\ncallers:\n  app:\n    identity: [anyone]\n"+line+"    allow: [GET /users]\n"))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	var found []string
	for _, c := range diff.Policies(with(tt.old), with(tt.newer)).Callers {
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
}

func TestTheCallersShareOfRequestsInFlight(t *testing.T) {
	for _, tt := range []settingChange{
		{"a larger number gains", "10", "20", "in_flight: 10 is now 20", true, false},
		{"a smaller part loses", "30%", "10%", "in_flight: 30% is now 10%", false, true},
		{"more than half gains", "", "75%", "in_flight: half of all, or all for a caller by itself is now 75%", true, false},
		{"less than half loses", "", "25%", "in_flight: half of all, or all for a caller by itself is now 25%", false, true},
		{
			"what is gone was less than half",
			"25%",
			"",
			"in_flight: 25% is now half of all, or all for a caller by itself",
			true,
			false,
		},
		{"a number and a part cannot be compared", "100", "10%", "in_flight: 100 is now 10%", true, true},
		{
			"a number and none cannot be compared",
			"",
			"100",
			"in_flight: half of all, or all for a caller by itself is now 100",
			true,
			true,
		},
		{"the same is no change", "25%", "25%", "", false, false},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.check(t, "in_flight") })
	}
}
