package policy_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"graphproxy/policy"
)

const oneKey = "{key: {sha256: 7b51eab7778620007e560bea6a98a68b29390d46d985592fd3426f5824201db8}}"

// provedBy is a policy whose caller is proved by the items.
func provedBy(items ...string) string {
	return "version: 1\ncallers:\n  app:\n    allow: []\n    identity:\n      - " + strings.Join(
		items,
		"\n      - ",
	) + "\n"
}

func TestEvidenceThatMustHoldTogether(t *testing.T) {
	p, err := policy.Parse("policy.yaml", []byte(provedBy(
		"all: [{network: 10.20.0.0/16}, "+oneKey+"]\n        name: both", "network: 10.30.0.0/16")))
	if err != nil {
		t.Fatal(err)
	}
	both := p.Callers()[0].Identities[0]
	var kinds []string
	for _, id := range both.Each() {
		kinds = append(kinds, id.Kind)
	}
	if diff := cmp.Diff([]string{"key", "network"}, kinds); diff != "" || both.Name != "both" || both.Kind != "all" {
		t.Errorf("%s %s %s", both.Kind, both.Name, diff)
	}
	if alone := p.Callers()[0].Identities[1].Each(); len(alone) != 1 || alone[0].Kind != "network" {
		t.Errorf("%+v", alone)
	}
}

func TestMistakesInAll(t *testing.T) {
	for _, c := range []struct{ name, item, want string }{
		{"one item", "all: [" + oneKey + "]",
			"6: callers.app.identity[0].all: all: has one item, which proves the caller alone; " +
				"write the item without all:, or what must hold besides"},
		{"no item", "all: []", "the list is empty; expected a list of two or more of"},
		{"no list", "all: {key: x}", "this is a mapping; expected a list of two or more of"},
		{"anyone", "all: [" + oneKey + ", anyone]",
			"identity[0].all[1]: anyone adds nothing to other evidence, so all: with it " +
				"proves what the rest proves; take it out"},
		{"all in all", "all: [" + oneKey + ", {all: [{network: 10.0.0.0/8}, {certificate: {dns: a.b}}]}]",
			"all: stands in all:"},
		{"two of one kind", "all: [{network: 10.0.0.0/8}, {network: 10.1.0.0/16}]",
			"a second network, and a request has one"},
		{"a user and a network", "all: [{network: 10.0.0.0/8}, {unix: {uid: 1}}]", "never hold together"},
		{"a name within", "all: [{network: 10.0.0.0/8, name: a}, " + oneKey + "]", "the name stands beside all:"},
		{"two kinds in one item", "all: [{network: 10.0.0.0/8, key: {sha256: x}}, " + oneKey + "]", "stand in one item"},
		{"an unknown kind", "all: [{netwrok: 10.0.0.0/8}, " + oneKey + "]",
			`unknown identity "netwrok"; did you mean "network"?`},
		{"a key and a network in one item", "{network: 10.0.0.0/8, key: {sha256: x}}",
			`"network" and "key" stand in one item. ` +
				"If both must hold, write - all: with a list of the two. Each item proves the caller alone, so as two items " +
				"either would do"},
		{"all and a key in one item", "{all: [{network: 10.0.0.0/8}], key: {sha256: x}}",
			`"all" and "key" stand in one item`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := strings.Join(problemsOf(several(provedBy(c.item))), "\n"); !strings.Contains(got, c.want) {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}
