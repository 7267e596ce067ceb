package suggest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"graphproxy/policy"
	"graphproxy/policy/analysis/audit"
	"graphproxy/policy/analysis/suggest"
)

// refused is the line of a request that no rule allowed.
func refused(t testing.TB, caller, request string) audit.Line {
	l := line(t, caller, request)
	l.Decision, l.Status, l.Reason = audit.Deny, 403, "no rule allows it"
	return l
}

func one(text string) policy.Files {
	return policy.Files{All: []policy.File{{Name: "policy.yaml", Data: []byte(text)}}}
}

// into adds to files what the lines ask for.
func into(t testing.TB, files policy.Files, lines ...audit.Line) suggest.Merged {
	t.Helper()
	p, err := policy.ParseFilesUntested(files)
	if err != nil {
		t.Fatal(err)
	}
	s := suggest.New(suggest.Options{Denied: true, Into: p, Operations: suggest.Embedded()})
	for _, l := range lines {
		s.Add(l)
	}
	m, err := s.Suggest().Into(time.Time{}, files, p)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestOnlyWhatIsNotAllowedIsAdded(t *testing.T) {
	const head = "version: 1\ncallers:\n  app:\n    identity: [anyone]\n    allow:\n"
	for _, c := range []struct {
		name, rules, request string
		added                string
		notes                []string
	}{
		{"a request that a rule allows", "      - GET /users\n", "GET /users", "", nil},
		{"a request that no rule allows", "      - GET /users\n", "GET /groups",
			"      - GET /groups  # 1 request\n", nil},
		{"another method", "      - GET /users/{id}\n", "PATCH /users/1", "      - PATCH /users/{id}  # 1 request\n",
			nil},
		{"a rule whose list of values does not hold", "      - GET /users/{id}: {where: {id: [\"*@contoso.com\"]}}\n",
			"GET /users/a@fabrikam.com", "      - GET /users/{id}  # 1 request\n", nil},
		{"a rule that decides by a value that the log does not have", "      - GET /users: {query: {$top: 50}}\n",
			"GET /users?$top=5", "", []string{"app: not covered: 1 request that the policy has a rule for, which " +
				"decides by what " +
				"is not in the log: the values of query options, or the body"}},
		{"a rule that decides by the body", "      - PATCH /users/{id}: {body: {only: [jobTitle]}}\n",
			"PATCH /users/1", "",
			[]string{"app: not covered: 1 request that the policy has a rule for, which decides by what is not in " +
				"the log: the " +
				"values of query options, or the body"}},
		{"a rule that does not name $expand", "      - GET /users\n", "GET /users?$expand=manager", "",
			[]string{"app: not covered: 1 request that the policy has a rule for, which denies a query option such " +
				"as $expand; " +
				"add query: to that rule"}},
		{"a deny rule applies", "      - GET /users\n    deny:\n      - GET /groups/**\n", "GET /groups", "",
			[]string{`app: not covered: 1 request that "policy.yaml:8" denies, "/v1.0/groups/**"`}},
		{"a batch", "      - GET /users\n", "POST /$batch", "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := into(t, one(head+c.rules), refused(t, "app", c.request))
			if diff := cmp.Diff(head+c.rules+c.added, string(m.Files.All[0].Data)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.notes, m.Notes); diff != "" {
				t.Errorf("notes (-want +got):\n%s", diff)
			}
			if m.Problem != nil || (len(m.Changed) > 0) != (c.added != "") {
				t.Errorf("changed %v, problem %v", m.Changed, m.Problem)
			}
		})
	}
}

func TestARequestThatThePolicyItselfRefusedIsSuggestedInSpiteOfItsConditions(t *testing.T) {
	files := one("version: 1\ncallers:\n  app:\n    identity: [anyone]\n    allow:\n      - GET /users: {query: " +
		"{$top: 50}}\n")
	p, err := policy.ParseFilesUntested(files)
	if err != nil {
		t.Fatal(err)
	}
	l := refused(t, "app", "GET /users?$top=100")
	l.Policy = p.Hash()
	if m := into(t, files, l); !strings.HasSuffix(string(m.Files.All[0].Data), "      - GET /users  # 1 request\n") {
		t.Errorf("%s", m.Files.All[0].Data)
	}
}

func TestWhatWasAddedIsNotSuggestedAgain(t *testing.T) {
	files := one("version: 1\ncallers:\n  app: {identity: [anyone], allow: []}\n")
	lines := []audit.Line{refused(t, "app", "GET /users/1"), refused(t, "app", "GET /groups?$expand=members"),
		refused(t, "app", "POST /users/2/sendMail")}
	first := into(t, files, lines...)
	if first.Problem != nil || len(first.Changed) != 1 {
		t.Fatalf("changed %v, problem %v", first.Changed, first.Problem)
	}
	if second := into(t, first.Files, lines...); len(second.Changed) > 0 {
		t.Errorf("added again:\n%s", second.Files.All[0].Data)
	}
}

func TestTheFileThatHasTheCallerIsChanged(t *testing.T) {
	files := policy.Files{Prefix: "/etc/graphproxy/", All: []policy.File{
		{Name: "policy.yaml", Data: []byte("version: 1\ninclude: [teams/*.yaml]\nbounds:\n" +
			"  teams/hr.yaml:\n    callers: [hr]\n    allow: [READ /users/**]\n")},
		{Name: "teams/hr.yaml", Data: []byte("version: 1\ncallers:\n  hr: {identity: [anyone], allow: []}\n")},
	}}
	m := into(t, files, refused(t, "hr", "GET /users"))
	if diff := cmp.Diff([]int{1}, m.Changed); diff != "" || m.Problem != nil {
		t.Errorf("%s %v", diff, m.Problem)
	}
	t.Run("beyond its bounds", func(t *testing.T) {
		m := into(t, files, refused(t, "hr", "PATCH /users/1"))
		if m.Problem == nil || !strings.Contains(m.Problem.Error(),
			"/etc/graphproxy/teams/hr.yaml:3: callers.hr.allow: "+
				"PATCH /users/{id} is more than") {
			t.Errorf("the problem is %v", m.Problem)
		}
	})
	t.Run("a caller that no file has", func(t *testing.T) {
		m := into(t, files, refused(t, "new", "GET /users"))
		if diff := cmp.Diff([]int{0}, m.Changed); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]string{"new"}, m.New); diff != "" {
			t.Error(diff)
		}
		if _, err := policy.ParseFilesUntested(m.Files); err == nil {
			t.Error("the policy loads although nothing proves the new caller")
		}
	})
}

func TestATestThatFailsWithTheRulesIsAProblem(t *testing.T) {
	files := one("version: 1\ncallers:\n  app: {identity: [anyone], allow: []}\ntests: [{caller: app, deny: [GET " +
		"/users]}]\n")
	if m := into(t, files, refused(t, "app", "GET /users")); m.Problem == nil {
		t.Error("there is no problem")
	}
}
