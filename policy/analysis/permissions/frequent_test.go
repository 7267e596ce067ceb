package permissions_test

import (
	"strings"
	"testing"

	"graphproxy/policy"
	"graphproxy/policy/analysis/permissions"
)

func TestTheListOfFrequentOperationsKnowsTheRolesOfARule(t *testing.T) {
	data, err := permissions.Frequent()
	if err != nil {
		t.Fatal(err)
	}
	p, err := policy.Parse("policy.yaml", []byte("version: 1\ncallers:\n  app: {identity: [anyone], allow: [GET "+
		"/groups]}\n"))
	if err != nil {
		t.Fatal(err)
	}
	without := permissions.Check(p, data, nil, "")
	if len(without.Cannot) != 1 || len(without.Cannot[0].Needs) != 1 ||
		!strings.HasPrefix(without.Cannot[0].Needs[0].Name, "Group") {
		t.Fatalf("%+v", without)
	}
	if with := permissions.Check(p, data, []string{without.Cannot[0].Needs[0].Name}, ""); len(with.Cannot) > 0 {
		t.Errorf("the role that it needs does not suffice: %+v", with)
	}
}
