package policy_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"graphproxy/policy"
)

// An editor that writes a byte order mark adds nothing to the first value.
func TestAByteOrderMarkIsNoPartOfAValue(t *testing.T) {
	p, err := policy.ParseFiles(time.Time{}, policy.Files{All: []policy.File{
		{Name: "policy.yaml", Data: []byte("version: 1\nlists:\n  vips: {file: vips.txt}\ncallers:\n  app:\n" +
			"    identity: [anyone]\n    allow:\n      - GET /users/{id}: {where: {id: {list: vips}}}\n")},
		{Name: "vips.txt", IsList: true, Data: []byte("\uFEFFceo@contoso.com\nadele@contoso.com\n")},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"ceo@contoso.com", "adele@contoso.com"}, p.Lists()["vips"]); diff != "" {
		t.Error(diff)
	}
	if d := p.Decide(request(t, "app", "GET /users/ceo@contoso.com")); !d.Allow {
		t.Errorf("%+v", d)
	}
}

// A star does not stand for the dot of a hidden file, such as an editor's copy, nor for that of a hidden directory.
func TestAStarOfIncludeNamesNoHiddenFile(t *testing.T) {
	for name, included := range map[string]bool{
		"teams/hr.yaml":       true,
		"teams/.hr.yaml":      false,
		"teams/.yaml":         false,
		".teams/hr.yaml":      false,
		"teams/hr/hr.yaml":    false,
		"teams/hr.yaml.swp":   false,
		"other/teams/hr.yaml": false,
	} {
		if got := policy.IsIncluded("*/*.yaml", name); got != included {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// A caller that ends in time needs no until in each of its rules.
func TestTheEndOfACallerCountsForItsBounds(t *testing.T) {
	const rule = "allow:\n  - POST /users/{id}/sendMail: {body: {recipients: [adele@contoso.com]}}"
	for settings, within := range map[string]bool{
		rule:                                false,
		"until: 2026-12-31\n" + rule:        true,
		"until: 2027-06-30\n" + rule:        false,
		"until: 2027-01-01\n" + rule + "\n": true,
	} {
		_, err := policy.ParseFiles(time.Time{}, inBounds(boundedMain, strings.TrimSpace(settings), ""))
		if (err == nil) != within {
			t.Errorf("%q: %v", settings, err)
		}
	}
}
