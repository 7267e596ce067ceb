package permissions_test

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"graphproxy/policy/analysis/permissions"
)

const manyRules = `GET /users
GET /me
PATCH /users/{id}
GET,PUT /users/{id}/manager
POST /places
POST /users/{id}/badges
GET /users/{id}/**`

const manyRoles = "Person.ReadWrite.All,Letter.Send,Team.ReadWrite.All,Leter.Send"

const manyText = `app default: 7 rules, 3 known roles

cannot work:
  policy.yaml:7: GET /me
    /me is the user who has signed in, and a token of an app has none: write /users/{id}
  policy.yaml:11: POST /users/{id}/badges
    needs Badge.Assign.All (level 4) with Person.ReadBasic.All

can work only in part:
  policy.yaml:9: GET,PUT /users/{id}/manager
    1 of 2 documented operations covered
    needs Person.Read.All (level 3) for GET /users/{id}/manager
  policy.yaml:12: GET /users/{id}/**
    1 of 4 documented operations covered
    and 2 operations that only a signed-in user has
    needs Letter.Read.All (level 3) for GET /users/{id}/mailFolders/{id}, GET /users/{id}/mailFolders/{id}/messages
    needs Person.Read.All (level 3) for GET /users/{id}/manager

not documented: the file does not show which role they need:
  policy.yaml:10: POST /places
    the file has no entry for it

to be removed, no rule that is documented needs them:
  Letter.Send (level 3)
  Team.ReadWrite.All (level not known)

unknown:
  Leter.Send: the file has no such permission; is Letter.Send meant?

2 of 7 rules covered, 2 cannot work, 2 in part, 1 not documented; 2 roles unused, 1 unknown
`

func TestTheReportReadsAsText(t *testing.T) {
	r := permissions.Check(policyOf(t, manyRules, ""), data(t), split(manyRoles), "")
	if d := cmp.Diff(manyText, written(t, r, false)); d != "" {
		t.Error(d)
	}
}

func TestAFineReportIsShort(t *testing.T) {
	r := permissions.Check(policyOf(t, "GET /users", ""), data(t), []string{"Person.ReadBasic.All"}, "")
	want := "app default: 1 rule, 1 known role\n\n1 of 1 rule covered, 0 cannot work, 0 in part, 0 not documented; 0 " +
		"roles unused, 0 unknown\n"
	if d := cmp.Diff(want, written(t, r, false)); d != "" || !r.OK() {
		t.Error(d)
	}
}

func TestLongListsAreCutUnlessAllIsSet(t *testing.T) {
	operations := []string{"GET /a", "GET /b", "GET /c", "GET /d"}
	role := func(name string) permissions.Need {
		return permissions.Need{Role: permissions.Role{Name: name, Level: 3}, Operations: operations}
	}
	r := permissions.Report{
		App: "hr",
		Partly: []permissions.Finding{
			{
				Where:      "policy.yaml:7",
				Rule:       "GET /**",
				Documented: 21,
				Covered:    1,
				Needs:      []permissions.Need{role("A"), role("B"), role("C"), role("D"), role("E")},
			},
		},
	}
	short := written(t, r, false)
	for _, want := range []string{"\n    needs A (level 3) for GET /a, GET /b and 2 more\n",
		"\n    and 2 roles more for 8 operations; --all shows them\n"} {
		if !strings.Contains(short, want) {
			t.Errorf("lacks %q:\n%s", want, short)
		}
	}
	if all := written(t, r, true); !strings.Contains(all,
		"\n    needs E (level 3) for GET /a, GET /b, GET /c, GET /d\n") || strings.Contains(all, "more") {
		t.Errorf("not all is shown:\n%s", all)
	}
}

func written(t *testing.T, r permissions.Report, all bool) string {
	t.Helper()
	var b strings.Builder
	if err := r.WriteText(&b, all); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestNoListOfTheReportIsNull(t *testing.T) {
	for _, p := range []string{"GET /users", manyRules} {
		text, err := json.Marshal(permissions.Check(policyOf(t, p, ""), data(t), nil, ""))
		if err != nil || strings.Contains(string(text), "null") {
			t.Errorf("%v: %s", err, text)
		}
	}
}

func TestManyMayCheckAtOnceAndGetTheSame(t *testing.T) {
	p, d := policyOf(t, manyRules, ""), data(t)
	var reports [8]permissions.Report
	var all sync.WaitGroup
	for i := range reports {
		all.Go(func() { reports[i] = permissions.Check(p, d, split(manyRoles), "") })
	}
	all.Wait()
	for i := range reports {
		if d := cmp.Diff(reports[0], reports[i]); d != "" {
			t.Fatal(d)
		}
	}
}
