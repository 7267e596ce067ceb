package suggest_test

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"graphproxy/policy/analysis/audit"
	"graphproxy/policy/analysis/suggest"
)

// with changes a line.
func with(l audit.Line, change func(*audit.Line)) audit.Line {
	change(&l)
	return l
}

func TestYAMLReadyToPaste(t *testing.T) {
	s := suggest.New(suggest.Options{})
	for range 214 {
		s.Add(line(t, "hr-sync", "GET /users/adele@contoso.com?$select=id"))
	}
	s.Add(line(t, "hr-sync", "PATCH /users/"+guid))
	s.Add(line(t, "hr-sync", "GET /users/"+guid+"/manager?$expand=manager"))
	s.Add(line(t, "hr-sync", "GET /users/"+guid2+"/manager"))
	s.Add(line(t, "hr-sync", "GET /deviceManagement/a-b"))
	s.Add(line(t, "hr-sync", "GET /drives/b!1/root:/Reports/q1.xlsx:/content"))
	s.Add(line(t, "hr-sync", "GET /beta/users"))
	s.Add(line(t, "hr-sync", "GET /beta/users?apply=x"))
	s.Add(line(t, "hr-sync", "GET /beta/users?$compute=x&$apply=y"))
	s.Add(line(t, "hr-sync", "POST /$batch"))
	s.Add(line(t, "hr-sync", "GET /"))
	s.Add(with(line(t, "hr-sync", "GET /me"), func(l *audit.Line) { l.Parsed = nil }))
	s.Add(with(line(t, "hr-sync", "GET /groups"), func(l *audit.Line) { l.Decision = audit.Deny }))
	for _, user := range []string{"ceo@contoso.com", "cfo@contoso.com"} {
		s.Add(with(line(t, "hr-sync", "GET /users/"+user), func(l *audit.Line) {
			l.WouldDeny, l.Reason, l.Rule, l.Path = true, "denied", "policy.yaml:12", "/v1.0/users/{id}"
		}))
	}
	s.Add(line(t, "null", "GET /users"))
	s.Add(line(t, "", "GET /users"))
	s.Add(line(t, "x: {y", "GET /users"))
	s.Add(with(line(t, "quiet", "GET /users"), func(l *audit.Line) { l.Decision = audit.Deny }))
	result := s.Suggest()
	if err := result.Verify(); err != nil {
		t.Fatal(err)
	}
	const want = `# 2 requests of unknown callers are not covered
callers:
  hr-sync:
    # not covered: 1 request denied
    # not covered: 1 request of a target that cannot be read from the log with certainty
    # not covered: 1 request of a target that no rule can name
    # not covered: 2 requests that "policy.yaml:12" denies, "/v1.0/users/{id}"; keep that rule, for those below would allow 2 of them
    allow:
      # "a-b" may be a key; write {name} in its place if any will do
      - GET /deviceManagement/a-b               # 1 request
      - GET /drives/{id}/root:/{path}:/content  # 1 request
      - GET,PATCH /users/{id}                   # 215 requests
      # 1 request used $expand, which this rule denies; add query: {$expand: [what may be expanded]}
      - GET /users/{id}/manager                 # 2 requests
      # 2 requests used $apply, which this rule denies; add query: {$apply: [the values that may be used]}
      # 1 request used $compute, which this rule denies; add query: {$compute: [the values that may be used]}
      - GET /beta/users                         # 3 requests
  "null":
    allow:
      - GET /users  # 1 request
  quiet:
    # not covered: 1 request denied
    allow: []
`
	if diff := cmp.Diff(want, yamlOf(t, result)); diff != "" {
		t.Error(diff)
	}
}

func TestNothingSeen(t *testing.T) {
	s := suggest.New(suggest.Options{}).Suggest()
	if got := yamlOf(t, s); got != "callers: {}\n" {
		t.Errorf("got %q", got)
	}
	if data, err := json.Marshal(s); err != nil || string(data) != `{"callers":[]}` {
		t.Errorf("got %s, %v", data, err)
	}
}

func TestPinnedKeysAreNotDoubted(t *testing.T) {
	const want = "callers:\n  app:\n    allow:\n      - GET /users/adele@contoso.com  # 1 request\n"
	if diff := cmp.Diff(want,
		yamlOf(t, suggestion(t, suggest.Options{Pin: true}, "GET /users/adele@contoso.com"))); diff != "" {
		t.Error(diff)
	}
}

func TestSuggestionAsJSON(t *testing.T) {
	s := suggest.New(suggest.Options{})
	s.Add(line(t, "app", "GET /users/1?$expand=manager&compute=x"))
	s.Add(line(t, "app", "DELETE /users/2"))
	s.Add(with(line(t, "app", "GET /groups/1"), func(l *audit.Line) {
		l.WouldDeny, l.Reason, l.Rule, l.Path = true, "denied", "policy.yaml:12", "/v1.0/groups/{id}"
	}))
	data, err := json.Marshal(s.Suggest())
	const want = `{"callers":[{"name":"app","allow":[{"rule":"GET,DELETE /users/{id}","requests":2,"expand":1,` +
		`"compute":1}],` +
		`"forbidden":[{"rule":"policy.yaml:12","path":"/v1.0/groups/{id}","requests":1}]}]}`
	if err != nil || string(data) != want {
		t.Errorf("got %s, %v", data, err)
	}
}

func TestWhatGraphsAnswerProves(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*audit.Line)
		want   string
	}{
		{"found", func(l *audit.Line) {}, "GET /things/{id}"},
		{"redirected", func(l *audit.Line) { l.Status = 302 }, "GET /things/{id}"},
		{"not there, but it could be", func(l *audit.Line) { l.Status = 404 }, "GET /things/{id}"},
		{"not for us", func(l *audit.Line) { l.Status = 403 }, "GET /things/{id}"},
		{"report mode lets through and Graph answers",
			func(l *audit.Line) { l.WouldDeny, l.Reason = true, "no rule allows it" }, "GET /things/{id}"},
		{"a segment that Graph does not know", func(l *audit.Line) { l.Status = 400 }, "GET /things/a-b"},
		{"Graph throttled", func(l *audit.Line) { l.Status = 429 }, "GET /things/a-b"},
		{"Graph failed", func(l *audit.Line) { l.Status = 503 }, "GET /things/a-b"},
		{"Graph was never asked", func(l *audit.Line) { l.Decision, l.Status = audit.Limit, 429 }, "GET /things/a-b"},
		{"no answer in the log", func(l *audit.Line) { l.Status = 0 }, "GET /things/a-b"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := suggest.New(suggest.Options{})
			s.Add(with(line(t, "app", "GET /things/a-b"), test.change))
			if got := texts(t, s.Suggest()); len(got) != 1 || got[0] != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
	t.Run("what one answer proves holds for all", func(t *testing.T) {
		s := suggest.New(suggest.Options{})
		s.Add(with(line(t, "app", "GET /things/a-b"), func(l *audit.Line) { l.Status = 400 }))
		s.Add(line(t, "app", "GET /things/c-d"))
		if diff := cmp.Diff([]string{"GET /things/{id}"}, texts(t, s.Suggest())); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("what one caller proves does not hold for another", func(t *testing.T) {
		s := suggest.New(suggest.Options{})
		s.Add(line(t, "a", "GET /users/adele"))
		s.Add(line(t, "b", "GET /users/"+guid))
		got := s.Suggest()
		if a, b := got.Callers[0].Rules[0].Text, got.Callers[1].Rules[0].Text; a != "GET /users/adele" ||
			b != "GET /users/{id}" {
			t.Errorf("got %q and %q", a, b)
		}
	})
}

// TestTextOfTheLogStaysInItsPlace reads a log with hostile text, and checks that every line of the YAML is one that
// this package writes.
func TestTextOfTheLogStaysInItsPlace(t *testing.T) {
	for _, test := range []struct{ name, target, rule, caller string }{
		{"a comment in a key", "/v1.0/users/a # b", "policy.yaml:1", "app"},
		{"a mapping in a key", "/v1.0/users/a: b", "policy.yaml:1", "app"},
		{"quotes", `/v1.0/users/a"b'c`, "policy.yaml:1", "app"},
		{"a line end in a key", "/v1.0/users/a\n      - ANY /users/**", "policy.yaml:1", "app"},
		{"a line end in a rule's place", "/v1.0/users/a", "policy.yaml:1\n    allow:\n      - ANY /users/**", "app"},
		{"other line ends in a rule's place", "/v1.0/users/a", "policy.yaml:1\u2028      - ANY /users/**\u0085\r", "app"},
		{"a line end in a caller", "/v1.0/users/a", "policy.yaml:1", "app:\n    allow:\n      - ANY /users/**\n  x"},
		{"a template as a path", "/v1.0/users/{id}", "policy.yaml:1", "app"},
		{"everything below as a path", "/v1.0/users/**", "policy.yaml:1", "app"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := suggest.New(suggest.Options{Pin: true})
			for _, denied := range []bool{false, true} {
				record := map[string]any{
					"caller":     test.caller,
					"method":     "GET",
					"target":     test.target,
					"decision":   "allow",
					"status":     200,
					"policy":     "x",
					"would_deny": denied,
				}
				if denied {
					record["reason"], record["rule"], record["path"] = "denied", test.rule, test.rule
				}
				data, err := json.Marshal(record)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := audit.Read(strings.NewReader(string(data)),
					func(l audit.Line) error { s.Add(l); return nil }); err != nil {
					t.Fatal(err)
				}
			}
			result := s.Suggest()
			if err := result.Verify(); err != nil {
				t.Error(err)
			}
			text := yamlOf(t, result)
			for l := range strings.Lines(text) {
				known := false
				for _, beginning := range []string{"# ", "callers:", "  app:\n", "    # ", "    allow:", "      # ",
					"      - GET /users"} {
					known = known || strings.HasPrefix(l, beginning)
				}
				if !known || strings.Contains(l, "- ANY") && !strings.Contains(l, "#") ||
					strings.ContainsFunc(l[:len(l)-1], func(r rune) bool { return r < ' ' || r > '~' }) {
					t.Errorf("the line %q in:\n%s", l, text)
				}
			}
			if len(result.Callers) > 0 {
				load(t, text)
			}
		})
	}
}

func TestOperationsDistinguishKeysFromNames(t *testing.T) {
	const list = `
# of Graph
GET /users/{user-id}
GET /users/{user-id}/calendar/{odd-id}
PATCH /users/{user-id}
GET /sites/{site-id}/things/{thing-id}/names
GET /sites/{site-id}/things/all
GET /deviceManagement/{thing-id}
GET /reports/f(period='{period}')
GET /v1.0/beta1/{id}
`
	o := new(suggest.Operations)
	if err := o.Read(strings.NewReader(list), "v1.0"); err != nil {
		t.Fatal(err)
	}
	if err := o.Read(strings.NewReader("GET /users/{id}/betaThing/{id2}\n"), "beta"); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ name, seen, want string }{
		{"a word that is a key", "GET /users/adele", "GET /users/{id}"},
		{"a key below what looks like one resource", "GET /users/adele/calendar/word", "GET /users/{id}/calendar/{calendar}"},
		{"the name beside a key", "GET /sites/a/things/all", "GET /sites/{id}/things/all"},
		{"a singleton that the list knows better", "GET /deviceManagement/word", "GET /deviceManagement/{id}"},
		{"a name that stands for a key", "GET /sites/root/things/x/names", "GET /sites/root/things/{id}/names"},
		{"arguments", "GET /reports/f(period='x')", "GET /reports/f(period={period})"},
		{"a path that the list lacks", "GET /users/adele/messages/1-2", "GET /users/adele/messages/{id}"},
		{"a path that the list lacks beside one that it has", "GET /users/adele/messages/1-2\nGET /users/bob",
			"GET /users/{id}\nGET /users/{id}/messages/{message}"},
		{"a drive path", "GET /users/a-b/drive/root:/x:/content", "GET /users/{id}/drive/root:/{path}:/content"},
		{"another version", "GET /beta/users/adele\nGET /beta/users/adele/betaThing/x",
			"GET /beta/users/{id}\nGET /beta/users/{id}/betaThing/{betaThing}"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := texts(t, suggestion(t, suggest.Options{Operations: o}, strings.Split(test.seen, "\n")...))
			if diff := cmp.Diff(strings.Split(test.want, "\n"), got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestListsOfOperationsThatAreNone(t *testing.T) {
	for _, test := range []struct{ name, list, want string }{
		{"no method", "GET /users\n/users/{id}", `line 2: "/users/{id}" is no operation; a line is METHOD /path`},
		{"no path", "GET users", `line 1: "GET users" is no operation; a line is METHOD /path`},
		{"no template", "\nGET /users/{a}/{a}",
			`line 2: the template "/v1.0/users/{a}/{a}" has the variable {a} twice; give each a name of its own`},
	} {
		t.Run(test.name, func(t *testing.T) {
			var o suggest.Operations
			if err := o.Read(strings.NewReader(test.list), "v1.0"); err == nil || err.Error() != test.want {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

// TestABigLog would not end if the time grew with the square of the requests.
func TestABigLog(t *testing.T) {
	s := suggest.New(suggest.Options{})
	folders := []string{"inbox", "drafts", "AAMk=", "sentitems"}
	for i := range bigLog {
		s.Add(
			line(t, "app",
				fmt.Sprintf("GET /users/user%d@contoso.com/mailFolders/%s/messages/AAMk%d=", i%5000, folders[i%4], i)),
		)
	}
	result := s.Suggest()
	if diff := cmp.Diff([]string{"GET /users/{id}/mailFolders/{mailFolder}/messages/{message}"},
		texts(t, result)); diff != "" {
		t.Error(diff)
	}
	if err := result.Verify(); err != nil {
		t.Error(err)
	}
}

func TestAWriterThatFails(t *testing.T) {
	r, w := io.Pipe()
	r.Close()
	if err := suggestion(t, suggest.Options{}, "GET /users").WriteYAML(w); err != io.ErrClosedPipe {
		t.Errorf("got %v", err)
	}
}
