package permissions_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"graphproxy/policy/analysis/permissions"
)

// verdict is a short report about one rule: "works", "cannot: needs A; B with C", "partly 1/2: needs A",
// "undocumented GET".
func verdict(r permissions.Report) string {
	needs := func(f permissions.Finding) string {
		if f.Reason != "" {
			return f.Reason
		}
		var all []string
		for _, n := range f.Needs {
			if n.With != "" {
				n.Name += " with " + n.With
			}
			all = append(all, n.Name)
		}
		return strings.Join(all, "; ")
	}
	var all []string
	if r.Work > 0 {
		all = append(all, "works")
	}
	for _, f := range r.Cannot {
		all = append(all, "cannot: "+needs(f))
	}
	for _, f := range r.Partly {
		all = append(all, "partly: "+needs(f))
	}
	for _, f := range r.Depends {
		all = append(all, "depends: "+f.Reason)
	}
	for _, f := range r.Undocumented {
		all = append(all, "undocumented "+f.Methods)
	}
	if r.Rules == 0 {
		return "needs no role"
	}
	return strings.Join(all, ", ")
}

func TestEachRuleIsComparedWithTheRoles(t *testing.T) {
	const signedIn = "cannot: only a signed-in user can do this: no role covers it"
	for _, tt := range []struct{ name, rule, roles, want string }{
		{"a role in hand covers it", "GET /users", "Person.Read.All", "works"},
		{"names of roles compare without case", "GET /users", "person.read.all", "works"},
		{"paths compare without case, and names of variables do not count", "GET /USERS/{Somebody}", "Person.Read.All",
			"works"},
		{"of the version beta, too, because the file tells none", "GET /beta/users", "Person.Read.All", "works"},
		{"the least privileged role is the one that can do nothing else on the path", "GET /users", "",
			"cannot: Person.ReadBasic.All"},
		{"the role of a method that only one has", "POST /users", "Person.Read.All", "cannot: Person.ReadWrite.All"},
		{"methods are looked up one by one", "GET,PATCH /users/{id}", "Person.Read.All", "partly: Person.ReadWrite.All"},
		{"ANY is what the file has", "ANY /users/{id}", "Person.ReadWrite.All", "works"},
		{"ANY of what it has not", "ANY /places", "Person.ReadWrite.All", "undocumented ANY"},
		{"a method that is not there is not documented", "GET,PUT /users", "Person.Read.All", "undocumented PUT"},
		{"delta is no user", "GET /users/delta", "Person.ReadBasic.All", "cannot: Person.Read.All"},
		{"delta with parentheses", "GET /users/delta()", "Person.Read.All", "works"},
		{"delta with its namespace", "GET /users/microsoft.graph.delta", "Person.Read.All", "works"},
		{"one user is a user", "GET /users/adele@contoso.com", "Person.ReadBasic.All", "works"},
		{"a key that looks like a name", "GET /users/{id}/mailFolders/inbox/messages", "Letter.Read.All", "works"},
		{"a key in parentheses", "GET /users('adele@contoso.com')/manager", "Person.Read.All", "works"},
		{"an alternate key is a key", "GET /users(employeeId='{number}')", "Person.ReadBasic.All", "works"},
		{"conditions do not count", "GET /users/{id}: {where: {id: 'a*'}, query: {$expand: [manager]}}",
			"Person.ReadBasic.All", "works"},
		{"arguments in another order", "GET /reports/getPersonDetail(view={v},period='D7')", "Person.Read.All", "works"},
		{"other arguments", "GET /reports/getPersonDetail(day={d})", "Person.Read.All", "undocumented GET"},
		{"what the file names with its $ref", "POST /groups/{id}/owners/$ref", "Team.ReadWrite.All", "works"},
		{"what it does not", "DELETE /groups/{id}/members/{member}/$ref", "Team.ReadWrite.All", "works"},
		{"adding a member is not there, and listing members does not stand for it", "POST /groups/{id}/members/$ref",
			"Team.ReadWrite.All", "undocumented POST"},
		{"a number of users is read like users", "GET /users/$count", "", "cannot: Person.ReadBasic.All"},
		{"members of one type are members", "GET /groups/{id}/members/microsoft.graph.user", "Team.ReadWrite.All", "works"},
		{"and so is their number", "GET /groups/{id}/members/microsoft.graph.user/$count", "Team.ReadWrite.All", "works"},
		{"a type is no action", "POST /groups/{id}/members/microsoft.graph.archive", "Team.ReadWrite.All",
			"undocumented POST"},
		{"an action with its namespace", "POST /users/{id}/microsoft.graph.sendLetter", "Letter.Send", "works"},
		{"and with a longer one", "POST /security/microsoft.graph.security.runSurvey", "Letter.Send", "works"},
		{"a path in a drive", "GET /drives/{id}/root:/{path}:/children", "Paper.Read.All", "works"},
		{"a path that the file knows by the item's id", "GET /drives/{id}/root:/{path}:/content", "Paper.Read.All", "works"},
		{"a site by its path", "GET /sites/{host}:/{path}:/lists", "Paper.Read.All", "works"},
		{"the more exact entry counts", "GET /sites/root", "Paper.Read.All", "cannot: Site.Home.Read"},
		{"an entry with a query is not what the path needs", "GET /letters", "Letter.Read.All", "undocumented GET"},
		{"an entry that cannot be read is none", "GET /sites/{id}/broken", "Paper.Read.All", "undocumented GET"},
		{"a role that requires another", "POST /users/{id}/badges", "Badge.Assign.All",
			"cannot: Badge.Assign.All with Person.ReadBasic.All"},
		{"with the other", "POST /users/{id}/badges", "Badge.Assign.All,Person.Read.All", "works"},
		{"only the other", "POST /users/{id}/badges", "Person.Read.All", "cannot: Badge.Assign.All"},
		{"what only signed-in users have", "GET /users/{id}/diary", "Person.Read.All", signedIn},
		{"/me", "GET /me", "Person.Read.All",
			"cannot: /me is the user who has signed in, and a token of an app has none: write /users/{id}"},
		{"what is consented to for single resources only", "GET /chats/{id}", "Chat.Read.All", "undocumented GET"},
		{"where only single resources are marked, the mark for users tells", "GET /chats/{id}/messages", "",
			"cannot: Chat.Read.All"},
		{"everything below", "GET /users/{id}/**", "Person.ReadBasic.All", "partly: Letter.Read.All; Person.Read.All"},
		{"everything below, with a key", "GET /users/{id}/mailFolders/inbox/**", "Letter.Read.All", "works"},
		{"everything below, with all", "GET /users/{id}/**", "Person.Read.All,Letter.Read.All", "works"},
		{"a batch", "GET /$metadata", "", "needs no role"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := permissions.Check(policyOf(t, tt.rule, ""), data(t), split(tt.roles), "")
			if got := verdict(r); got != tt.want {
				t.Errorf("%s with %s: %s, want %s", tt.rule, tt.roles, got, tt.want)
			}
		})
	}
}

func split(roles string) []string {
	if roles == "" {
		return nil
	}
	return strings.Split(roles, ",")
}

func TestWhatIsDeniedAsAWholeNeedsNoRole(t *testing.T) {
	for _, tt := range []struct{ name, allow, deny, roles, want string }{
		{"the same", "GET /users", "GET /users", "", "needs no role"},
		{"more", "GET /users/{id}/manager", "ANY /users/**", "", "needs no role"},
		{"one method of two", "GET,POST /users", "POST /users", "Person.Read.All", "works"},
		{"part of what is below", "GET /users/{id}/**", "GET /users/{id}/mailFolders/**", "Person.Read.All", "works"},
		{"only some keys", "GET /users/{id}", "GET /users/{id}: {where: {id: 'ceo@*'}}", "", "cannot: Person.ReadBasic.All"},
		{"all keys that are allowed", "GET /users/{id}: {where: {id: 'a@contoso.com'}}",
			"GET /users/{id}: {where: {id: '*@contoso.com'}}", "", "needs no role"},
		{"other options", "GET /users", "GET /users: {query: {$search: ['**']}}", "", "cannot: Person.ReadBasic.All"},
		{"what is held against another path, by that path", "DELETE /groups/{id}/members/{m}/$ref",
			"DELETE /groups/{id}/members/{m}: {unknown: true}", "", "cannot: Team.ReadWrite.All"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := permissions.Check(policyOf(t, tt.allow, tt.deny), data(t), split(tt.roles), "")
			if got := verdict(r); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}

const severalApps = `version: 1
rules:
  shared: [GET /users]
callers:
  plain:
    identity: [key: {sha256: 7b51eab7778620007e560bea6a98a68b29390d46d985592fd3426f5824201db8}]
    allow:
      - include: shared
      - POST /users: {app: writer}
    deny: [GET /users]
  hr:
    app: hr
    identity: [key: {sha256: 7ca13d52ca70c883e0f0bb101e425a89e8624de51db2d2392593af6a84118090}]
    allow:
      - include: shared
      - GET /users/{id}
      - PATCH /users/{id}: {app: writer}
  sales:
    app: hr
    identity: [key: {sha256: 8ca13d52ca70c883e0f0bb101e425a89e8624de51db2d2392593af6a84118090}]
    allow: [include: shared]
    deny: [GET /users]
`

func TestOnlyTheRulesThatUseTheAppCount(t *testing.T) {
	p := parse(t, severalApps)
	for _, tt := range []struct {
		app, want string
		rules     int
	}{
		{"", "needs no role", 0}, // its one rule is denied
		{"default", "needs no role", 0},
		// the rule is denied to one of its two callers, and counts once
		{"hr", "cannot: Person.ReadBasic.All, cannot: Person.ReadBasic.All", 2},
		{"writer", "cannot: Person.ReadWrite.All, cannot: Person.ReadWrite.All", 2},
		{"other", "needs no role", 0},
	} {
		r := permissions.Check(p, data(t), nil, tt.app)
		if got := verdict(r); got != tt.want || r.Rules != tt.rules {
			t.Errorf("app %q: %d rules, %s; want %d, %s", tt.app, r.Rules, got, tt.rules, tt.want)
		}
	}
}

func TestSuperfluousRolesAreReported(t *testing.T) {
	reasonOther := "it is no permission that an app is granted as a role, but one of signed-in users or for single " +
		"resources"
	for _, tt := range []struct {
		name, rules, roles string
		unused             []string
		unknown            []permissions.Unknown
		advice             []string
	}{
		{"a role that no rule uses", "GET /users", "Person.ReadBasic.All,Letter.Send", []string{"Letter.Send"}, nil, nil},
		{
			"a role that another requires is used",
			"POST /users/{id}/badges",
			"Badge.Assign.All,Person.ReadBasic.All",
			nil,
			nil,
			nil,
		},
		{
			"and is not without that other",
			"POST /users/{id}/badges",
			"Person.ReadBasic.All",
			[]string{"Person.ReadBasic.All"},
			nil,
			nil,
		},
		{
			"a lesser role would do",
			"GET /users",
			"Person.ReadWrite.All",
			nil,
			nil,
			[]string{"Person.ReadWrite.All: Person.ReadBasic.All for 1"},
		},
		{"a lesser role must do for all", "GET /users\nGET /users/delta", "Person.ReadWrite.All,Person.Read.All", nil, nil,
			[]string{"Person.ReadWrite.All: Person.ReadBasic.All for 1"}},
		{
			"the lesser role is in hand",
			"GET /users",
			"Person.ReadBasic.All,Person.Read.All",
			nil,
			nil,
			[]string{"Person.Read.All: Person.ReadBasic.All in hand for 1"},
		},
		{"a role that is needed for one rule of two", "GET /users\nPOST /users", "Person.ReadWrite.All", nil, nil, nil},
		{"a misspelt role", "GET /users", "Person.ReadBasic.All,Leter.Send", nil,
			[]permissions.Unknown{{Name: "Leter.Send", Reason: "the file has no such permission; is Letter.Send meant?"}}, nil},
		{
			"a permission of users",
			"GET /users",
			"Person.ReadBasic.All,Diary.Read,Chat.Read.Single",
			nil,
			[]permissions.Unknown{{Name: "Chat.Read.Single", Reason: reasonOther}, {Name: "Diary.Read", Reason: reasonOther}},
			nil,
		},
		{
			"a role twice is one",
			"GET /users",
			"Person.ReadBasic.All,person.readbasic.all,Person.ReadBasic.All",
			nil,
			nil,
			nil,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := permissions.Check(policyOf(t, tt.rules, ""), data(t), split(tt.roles), "")
			var unused, advice []string
			for _, role := range r.Unused {
				unused = append(unused, role.Name)
			}
			for _, a := range r.Advice {
				inHand := ""
				if a.InHand {
					inHand = " in hand"
				}
				advice = append(advice, a.Role.Name+": "+a.Instead.Name+inHand+" for "+string(rune('0'+a.Rules)))
			}
			if d := cmp.Diff([]any{tt.unused, append([]permissions.Unknown{}, tt.unknown...), tt.advice},
				[]any{unused, r.Unknown, advice}); d != "" {
				t.Error(d)
			}
			if want := len(tt.unused)+len(tt.unknown) == 0 && r.Work == r.Rules; r.OK() != want {
				t.Errorf("OK is %v", r.OK())
			}
		})
	}
}
