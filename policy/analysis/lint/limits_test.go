package lint_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"graphproxy/policy/analysis/lint"
)

func TestACallerThatMayHaveEveryRequestInFlightIsReported(t *testing.T) {
	const two = "version: 1\ncallers:\n  a:\n    identity: [{network: 10.1.0.0/16}]\n    in_flight: SHARE\n    allow: " +
		"[GET /users]\n" +
		"  b:\n    identity: [{network: 10.2.0.0/16}]\n    allow: [GET /users]\n"
	for share, want := range map[string][]string{
		"100%": {"3: callers.a.in_flight: this caller may have every request in flight, and the other callers are refused " +
			"meanwhile (503). " +
			"Write a smaller part, such as 75%, or leave it out for a half"},
		"99%":  nil,
		"1000": nil,
	} {
		got := texts(lint.Check(load(t, strings.ReplaceAll(two, "SHARE", share)), lint.Options{}))
		if diff := cmp.Diff(want, slices.Clone(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", share, diff)
		}
	}
	if got := texts(lint.Check(app(t, "in_flight: 100%\nallow: [GET /users]"), lint.Options{})); got != nil {
		t.Errorf("the only caller: %q", got)
	}
}
