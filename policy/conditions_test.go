package policy_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"graphproxy/policy"
)

// Analyses of a rule read its typed conditions, and use their text only for display.
func TestEachQueryConditionHasItsText(t *testing.T) {
	const text = "version: 1\ncallers:\n  app:\n    identity: [anyone]\n    allow:\n      - GET /users/{id}:\n" +
		"          where: {id: [\"none: {x: none}\"]}\n          query: {$filter: none, $search: [none], $top: 5, " +
		"$orderby: \"none\"}\n"
	p, err := policy.Parse("policy.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	allow, _ := p.Rules("app")
	m := allow[0].Match()
	if len(m.Keys) != 1 || m.Keys[0].Variable != "id" {
		t.Errorf("keys are %+v", m.Keys)
	}
	got := make(map[string]bool)
	for i, condition := range allow[0].OptionConditions() {
		got[condition] = m.Options[i].IsRefused()
	}
	want := map[string]bool{
		"query: {$filter: none}":      true,
		"query: {$search: [none]}":    false,
		"query: {$top: 5}":            false,
		"query: {$orderby: \"none\"}": true,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
