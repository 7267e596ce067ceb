package diff_test

import "testing"

func TestTheCallersPriority(t *testing.T) {
	for _, tt := range []settingChange{
		{"a higher one gains", "low", "high", "priority: low is now high", true, false},
		{"one that is gone is normal", "low", "", "priority: low is now normal", true, false},
		{"a lower one loses", "", "low", "priority: normal is now low", false, true},
		{"normal is what it is without", "", "normal", "", false, false},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.check(t, "priority") })
	}
}
