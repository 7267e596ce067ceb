package server_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"graphproxy/auth"
	"graphproxy/auth/caller"
	"graphproxy/cmd/graphproxy/server"
	"graphproxy/proxy"
	"graphproxy/proxy/graphtest"
)

// loadBoth writes and loads a policy and a candidate. A candidate "" is a file that is not there.
func loadBoth(t *testing.T, active, beside string) (*server.PolicyFile, *server.CandidateFile, string, string) {
	t.Helper()
	path, other := filepath.Join(t.TempDir(), "policy.yaml"), filepath.Join(t.TempDir(), "candidate.yaml")
	write(t, path, active)
	if beside != "" {
		write(t, other, beside)
	}
	file, err := server.LoadPolicy(path, []auth.App{{Name: "default"}}, caller.Options{}, nil)
	must(t, err)
	return file, server.LoadCandidate(other, file), path, other
}

// A candidate that does not load is logged with its errors, and no candidate is judged until one does.
func TestACandidateThatDoesNotLoadIsDropped(t *testing.T) {
	t.Parallel()
	_, candidate, _, path := loadBoth(t, narrow, "")
	log := new(logged)
	var used []*proxy.Authorization
	candidate.Start(slog.New(slog.NewTextHandler(log, nil)), func(a *proxy.Authorization) { used = append(used, a) })
	for i, step := range []struct {
		name, text, problem string // problem: part of the error; "": it loads
	}{
		{"it is not there", "", "cannot be opened"},
		{"it loads", narrow, ""},
		{"a key that does not exist", strings.Replace(narrow, "allow:", "alow:", 1), `unknown key "alow"`},
		{"a test that fails", narrow + "tests: [{caller: local, deny: [GET /users]}]\n", "is allowed"},
		{"an app that is not configured", strings.Replace(narrow, "allow:", "app: hr\n    allow:", 1), "hr"},
		{"it loads again", "# again\n" + narrow, ""},
	} {
		if step.text != "" {
			write(t, path, step.text)
			candidate.Reload(t.Context())
		}
		hash, problem := candidate.State()
		loads := step.problem == ""
		isOther := problem != nil && !strings.Contains(problem.Error(), step.problem)
		if loads != (problem == nil) || loads != (hash != "") || isOther {
			t.Errorf("%s: %q, %v", step.name, hash, problem)
		}
		if len(used) != i+1 || (used[i] != nil) != loads {
			t.Errorf("%s: %d were put in use, the last is %t", step.name, len(used), used[len(used)-1] != nil)
		}
		if !loads && !strings.Contains(log.text.String(), strings.ReplaceAll(step.problem, `"`, `\"`)) {
			t.Errorf("%s: not in the log:\n%s", step.name, &log.text)
		}
	}
	candidate.Reload(t.Context())
	if len(used) != 6 {
		t.Error("a file that has not changed is loaded anew")
	}
	for _, want := range []string{
		"the policy in force is not affected", "graphproxy policy check", "candidate policy loaded anew",
	} {
		if !strings.Contains(log.text.String(), want) {
			t.Errorf("the log does not have %q", want)
		}
	}
}

// A proxy without the setting has no candidate, and every method of it takes that.
func TestNoCandidate(t *testing.T) {
	file, _, _, _ := loadBoth(t, narrow, "")
	none := server.LoadCandidate("", file)
	none.Reload(t.Context())
	if none != nil || none.Describe() != "" {
		t.Errorf("%v %q", none, none.Describe())
	}
}

// Both files change under load, the candidate every third time to one that does not load: no request fails, and what
// the lines have about the candidate follows from the two hashes in them.
func TestReloadsOfEitherFileFailNoRequest(t *testing.T) {
	wide := strings.Replace(narrow, "[GET /users]", "[GET /groups, GET /users]", 1)
	file, candidate, path, other := loadBoth(t, narrow, narrow)
	graph, err := graphtest.NewServer(graphtest.Options{})
	must(t, err)
	defer graph.Close()
	graph.Handle("GET /v1.0/users", answerEmpty)
	graph.Handle("GET /v1.0/groups", answerEmpty)
	root, err := url.Parse(graph.URL())
	must(t, err)
	audit := new(logged)
	h, err := proxy.New(proxy.Config{
		Graph:         root,
		Apps:          anyToken{},
		Authorization: file.Authorization(),
		Audit:         audit,
		Log:           slog.New(slog.DiscardHandler),
	})
	must(t, err)
	file.Start(slog.New(slog.DiscardHandler), func(r *proxy.Authorization) error { h.Use(r); return nil })
	candidate.Start(slog.New(slog.DiscardHandler), h.UseCandidate)
	front := httptest.NewServer(h)
	defer front.Close()

	allows := map[string]bool{} // whether the policy with this hash allows groups
	hash, _ := file.State()
	allows[hash] = false
	done := make(chan struct{})
	var callers sync.WaitGroup
	for range 3 {
		callers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				for target, second := range map[string]int{"/v1.0/users": http.StatusOK, "/v1.0/groups": http.StatusForbidden} {
					res, err := front.Client().Get(front.URL + target)
					if err != nil {
						t.Error(err)
						return
					}
					res.Body.Close()
					if res.StatusCode != http.StatusOK && res.StatusCode != second {
						t.Errorf("GET %s: %d", target, res.StatusCode)
					}
				}
			}
		})
	}
	for i := range 300 {
		write(t, path, []string{wide, narrow}[i%2])
		file.Reload(t.Context())
		hash, problem := file.State()
		must(t, problem)
		allows[hash] = i%2 == 0
		write(t, other, []string{narrow, wide[:len(wide)-20], wide}[i%3])
		candidate.Reload(t.Context())
		if hash, problem := candidate.State(); (problem == nil) != (i%3 != 1) || problem != nil && hash != "" {
			t.Fatalf("reload %d: %q, %v", i, hash, problem)
		} else if hash != "" {
			allows[hash] = i%3 == 2
		}
	}
	close(done)
	callers.Wait()
	checkBesides(t, audit.text.String(), allows)
}

// checkBesides compares every audit line with the policies that it names.
func checkBesides(t *testing.T, audit string, allows map[string]bool) {
	t.Helper()
	differing := 0
	for line := range strings.Lines(audit) {
		var rec struct {
			Target, Decision, Policy string
			Candidate                *struct{ Decision, Policy string }
		}
		must(t, json.Unmarshal([]byte(line), &rec))
		c := rec.Candidate
		if c == nil {
			continue
		}
		differing++
		decision := map[bool]string{true: "allow", false: "deny"}
		if rec.Target != "/v1.0/groups" || rec.Decision != decision[allows[rec.Policy]] ||
			c.Decision != decision[allows[c.Policy]] || rec.Decision == c.Decision {
			t.Fatalf("decided wrongly: %s", line)
		}
	}
	if differing == 0 {
		t.Error("no line has a candidate")
	}
	t.Logf("%d requests, %d differ", strings.Count(audit, "\n"), differing)
}
