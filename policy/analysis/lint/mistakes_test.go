package lint_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"graphproxy/policy"
	"graphproxy/policy/analysis/lint"
	"graphproxy/policy/analysis/schema"
	"graphproxy/policy/operations"
)

var update = flag.Bool("update", false, "write golden files")

// mistake is one mistake in a policy, of a file of testdata/mistakes. The files of a mistake begin with its name:
//
//	NAME/policy.yaml, NAME/teams/hr.yaml, NAME/vips.txt  the policy
//	NAME/want    the messages, exactly
//	NAME/cure    what the messages say to write, followed literally: lines OLD => NEW, for each place in the policy
//	NAME/allows  requests that the cured policy may allow, besides those that the policy itself plainly allows
type mistake struct {
	name   string
	files  []txtar.File
	want   string
	cure   string
	allows []string
}

func mistakes(t testing.TB) []mistake {
	t.Helper()
	files, err := filepath.Glob("testdata/mistakes/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no mistakes: %v", err)
	}
	var all []mistake
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, mistakesOf(t, data)...)
	}
	return all
}

func mistakesOf(t testing.TB, data []byte) []mistake {
	t.Helper()
	var all []mistake
	for _, f := range txtar.Parse(data).Files {
		name, rest, found := strings.Cut(f.Name, "/")
		if !found {
			t.Fatalf("%s belongs to no mistake", f.Name)
		}
		if len(all) == 0 || all[len(all)-1].name != name {
			all = append(all, mistake{name: name})
		}
		m := &all[len(all)-1]
		switch rest {
		case "want":
			m.want = string(f.Data)
		case "cure":
			m.cure = string(f.Data)
		case "allows":
			m.allows = strings.Split(strings.TrimSpace(string(f.Data)), "\n")
		default:
			m.files = append(m.files, txtar.File{Name: rest, Data: f.Data})
		}
	}
	return all
}

// check returns the policy, nil if it does not load, and what is reported of it.
func check(files []txtar.File, known *operations.Set) (*policy.Policy, string) {
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	var parts policy.Files
	o := lint.Options{Operations: known, Now: now}
	for _, f := range files {
		text := unescape(f.Data)
		if bytes.Contains(text, []byte("# open to other machines, without TLS\n")) {
			o.Public, o.Plain = true, true
		}
		parts.All = append(parts.All, policy.File{Name: f.Name, Data: text, IsList: strings.HasSuffix(f.Name, ".txt")})
	}
	p, err := policy.ParseFiles(now, parts)
	var errs policy.Errors
	if errors.As(err, &errs) {
		return nil, lines("error", errs)
	}
	if err != nil {
		return nil, "error: " + err.Error() + "\n"
	}
	return p, lines("warning", lint.Check(p, o))
}

// unescape puts characters in place of <U+200B> and the like: those that a text file should not hold.
func unescape(data []byte) []byte {
	return regexp.MustCompile(`<U\+([0-9A-F]+)>`).ReplaceAllFunc(data, func(m []byte) []byte {
		var r rune
		if _, err := fmt.Sscanf(string(m), "<U+%X>", &r); err != nil {
			return m
		}
		return []byte(string(r))
	})
}

func lines(kind string, problems []*policy.Error) string {
	var b strings.Builder
	for _, p := range problems {
		fmt.Fprintf(&b, "%s: %s\n", kind, p.Error())
	}
	return b.String()
}

func known(t testing.TB) *operations.Set {
	t.Helper()
	o, err := operations.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	return o
}

var (
	place = regexp.MustCompile(`^(error|warning): [A-Za-z0-9./-]+:[0-9]+: `)
	// cure is a word with which a cure begins.
	cure = regexp.MustCompile(`(?i): tests\[|the file is empty|is not one line of|` +
		`\b(such as|at least|at most|stands for|there is|written|by spaces|write|take|keep|delete|begin|call|put|indent|` +
		`copy|type|make|leave|give|set|name|correct|rename|narrow|did you mean|expected|known here|use|listen|move|` +
		`bound|deny|include|end|save|denies everything|without|was the)\b`)
)

func TestEachMistakeIsReportedWithItsPlaceAndCure(t *testing.T) {
	if *update {
		writeMistakes(t)
	}
	all, graph := mistakes(t), known(t)
	names := make(map[string]bool)
	for _, m := range all {
		t.Run(m.name, func(t *testing.T) {
			if names[m.name] {
				t.Error("the name is there twice")
			}
			names[m.name] = true
			_, got := check(m.files, graph)
			if diff := cmp.Diff(m.want, got); diff != "" || got == "" {
				t.Fatalf("(-want +got):\n%s", diff)
			}
			for line := range strings.Lines(got) {
				if !place.MatchString(line) || !cure.MatchString(line) {
					t.Errorf("no line or no cure: %s", line)
				}
			}
		})
	}
	if least := 120; len(all) < least {
		t.Errorf("%d mistakes, and %d are the least", len(all), least)
	}
	t.Logf("%d mistakes", len(all))
}

// plain are the requests that decide what a cure opens. Each is made by each caller, with each body.
var plain = []string{
	"GET /users", "GET /users/1", "GET /users/ceo@contoso.com", "GET /users/adele@contoso.com",
	"GET /users/adele@fabrikam.com", "GET /users/ceo", "GET /users/id",
	"GET /users/0f8fad5b-d9cb-469f-a165-70867728950e", "GET /users/1/messages",
	"GET /users/ceo@contoso.com/messages", "GET /users/1/messages/2", "GET /users/1/mailFolders/inbox/messages",
	"GET /users/1/mailFolders/2/messages", "POST /users/1/sendMail", "POST /users/ceo@contoso.com/sendMail",
	"PATCH /users/1", "PATCH /users/ceo@contoso.com", "DELETE /users/1", "POST /users", "GET /users/delta",
	"GET /users?$select=id", "GET /users?$select=id,mail", "GET /users?$top=5", "GET /users?$top=999",
	"GET /users?$expand=manager", "GET /users?$filter=a eq 'b'", "GET /users?$search=x", "GET /beta/users",
	"GET /beta/users/1", "GET /groups", "GET /groups/1", "GET /groups/1/members",
	"GET /groups/1/members?$expand=manager", "GET /groups/1/owners", "POST /groups/1/members/$ref",
	"DELETE /groups/1/members/2/$ref", "DELETE /groups/1", "GET /devices/1", "GET /directoryObjects/1",
	"GET /communications/presences/1", "GET /me/messages", "GET /drives/1/items/2",
	"GET /drives/1/root:/Reports/a:/children", "GET /drives/1/root:/Reports",
	"GET /drives/1/root:/Salaries:/children", "GET /drives/1/root/children", "GET /sites/1",
	"GET /sites/1/lists/2/items", "POST /subscriptions", "POST /$batch",
	"GET /reports/getEmailActivityUserDetail(period='D7')", "GET /applications/1", "GET /teams/1",
}

var plainBodies = []string{
	``, `{}`, `{"importance":"low"}`, `{"importance":"high"}`, `{"accountEnabled":true}`,
	`{"message":{"toRecipients":[{"emailAddress":{"address":"a@contoso.com"}}]}}`,
	`{"message":{"toRecipients":[{"emailAddress":{"address":"a@example.com"}}]}}`,
	`{"message":{"attachments":[{"name":"x"}]}}`, `{"resource":"/users/1/messages"}`,
	`{"@odata.id":"https://graph.microsoft.com/v1.0/users/1"}`,
}

// allowed returns what the policy allows of the plain requests, without its limits: "app GET /users". A request with a
// body has the number of its body: "app POST /users 3".
func allowed(t testing.TB, p *policy.Policy) map[string]bool {
	t.Helper()
	all := make(map[string]bool)
	if p == nil {
		return all
	}
	for _, c := range p.Callers() {
		for _, text := range plain {
			r, err := policy.ParseRequest(c.Name, text)
			if err != nil {
				t.Fatal(err)
			}
			r.At = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
			if strings.HasPrefix(text, "GET") {
				if d := p.Decide(r); d.Allow && !d.WouldDeny {
					all[c.Name+" "+text] = true
				}
				continue
			}
			for i, body := range plainBodies {
				r.Body = &policy.Body{State: policy.BodyAbsent}
				if body != "" {
					r.Body = &policy.Body{State: policy.BodyJSON, Text: []byte(body)}
				}
				if d := p.Decide(r); d.Allow && !d.WouldDeny {
					all[fmt.Sprintf("%s %s %d", c.Name, text, i)] = true
				}
			}
		}
	}
	return all
}

// cured returns the files with the cure followed literally.
func cured(t testing.TB, m *mistake) []txtar.File {
	t.Helper()
	var files []txtar.File
	for _, f := range m.files {
		files = append(files, txtar.File{Name: f.Name, Data: bytes.Clone(f.Data)})
	}
	for line := range strings.Lines(m.cure) {
		before, after, found := strings.Cut(strings.TrimSuffix(line, "\n"), " =>")
		after = strings.ReplaceAll(strings.TrimPrefix(after, " "), `\n`, "\n")
		before = strings.ReplaceAll(before, `\n`, "\n")
		changed := false
		for i := range files {
			if found && !changed && bytes.Contains(files[i].Data, []byte(before)) {
				files[i].Data = bytes.Replace(files[i].Data, []byte(before), []byte(after), 1)
				changed = true
			}
		}
		if !changed {
			t.Errorf("the cure %q changes nothing", line)
		}
	}
	return files
}

// opens returns what a policy allows after a cure and did not before, or what a file that did not load did not allow
// by the rule that all of them have: GET /users.
func opens(t testing.TB, before, after *policy.Policy) []string {
	t.Helper()
	was := allowed(t, before)
	var all []string
	for _, request := range slices.Sorted(maps.Keys(allowed(t, after))) {
		isPlain := strings.Contains(request, " GET /users?$") && !strings.Contains(request, "expand") ||
			strings.HasSuffix(request, " GET /users")
		if !was[request] && (before != nil || !isPlain) {
			all = append(all, request)
		}
	}
	return all
}

// A message whose cure opens something is worse than none: people follow it without a second thought.
func TestNoCureFollowedLiterallyAllowsMore(t *testing.T) {
	graph, followed := known(t), 0
	for _, m := range mistakes(t) {
		t.Run(m.name, func(t *testing.T) {
			if m.cure == "" {
				return
			}
			followed++
			before, problems := check(m.files, graph)
			after, rest := check(cured(t, &m), graph)
			for line := range strings.Lines(rest) {
				if strings.Contains(problems, line) {
					t.Errorf("it is still reported: %s", line)
				}
			}
			if after == nil {
				t.Fatalf("it does not load after the cure: %s", rest)
			}
			if diff := cmp.Diff(m.allows, opens(t, before, after)); diff != "" {
				t.Errorf("the cure opens something (-want +got):\n%s", diff)
			}
			text := txtar.Format(&txtar.Archive{Files: m.files})
			if provesAnyone(after) && !bytes.Contains(text, []byte("anyone")) {
				t.Error("the cure makes anyone a caller")
			}
		})
	}
	t.Logf("%d cures are followed", followed)
	if least := 90; followed < least {
		t.Errorf("%d cures are followed, and %d are the least", followed, least)
	}
}

// writeMistakes writes what is reported, and what the cures open, into the files of mistakes.
func writeMistakes(t *testing.T) {
	t.Helper()
	files, err := filepath.Glob("testdata/mistakes/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	graph := known(t)
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		out := txtar.Archive{Comment: txtar.Parse(data).Comment}
		add := func(m mistake, name, text string) {
			if text != "" {
				out.Files = append(out.Files, txtar.File{Name: m.name + "/" + name, Data: []byte(text)})
			}
		}
		for _, m := range mistakesOf(t, data) {
			for _, f := range m.files {
				add(m, f.Name, string(f.Data))
			}
			before, want := check(m.files, graph)
			add(m, "want", want)
			add(m, "cure", m.cure)
			if m.cure != "" {
				after, _ := check(cured(t, &m), graph)
				if opened := opens(t, before, after); len(opened) > 0 {
					add(m, "allows", strings.Join(opened, "\n")+"\n")
				}
			}
		}
		if err := os.WriteFile(file, txtar.Format(&out), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// provesAnyone reports whether every request is that of a caller.
func provesAnyone(p *policy.Policy) bool {
	return slices.ContainsFunc(p.Callers(), func(c policy.Caller) bool {
		return slices.ContainsFunc(c.Identities, func(id policy.Identity) bool { return id.Kind == "anyone" })
	})
}

// keysOfTheSchema returns every key of the language.
func keysOfTheSchema(t *testing.T) map[string]bool {
	t.Helper()
	all := make(map[string]bool)
	var root any
	if err := json.Unmarshal(schema.JSON(), &root); err != nil {
		t.Fatal(err)
	}
	var visit func(any)
	visit = func(n any) {
		switch n := n.(type) {
		case map[string]any:
			if properties, ok := n["properties"].(map[string]any); ok {
				for key := range properties {
					all[key] = true
				}
			}
			for _, below := range n {
				visit(below)
			}
		case []any:
			for _, below := range n {
				visit(below)
			}
		}
	}
	visit(root)
	return all
}

func TestEachKeyOfTheLanguageHasAMistake(t *testing.T) {
	var messages strings.Builder
	for _, m := range mistakes(t) {
		messages.WriteString(m.want)
	}
	for key := range keysOfTheSchema(t) {
		if strings.HasPrefix(key, "$") && !slices.Contains([]string{"$select", "$expand", "$top", "$filter"}, key) {
			continue // options that are read alike
		}
		word := regexp.MustCompile(`(^|[^A-Za-z_$])` + regexp.QuoteMeta(key) + `($|[^A-Za-z_])`)
		if !word.MatchString(messages.String()) {
			t.Errorf("no mistake is about the key %q", key)
		}
	}
}
