package server_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"graphproxy/auth"
	"graphproxy/auth/caller"
	"graphproxy/cmd/graphproxy/server"
	"graphproxy/proxy"
	"graphproxy/proxy/graphtest"
)

const narrow = `
version: 1
callers:
  local:
    identity: [{network: [127.0.0.0/8]}]
    allow: [GET /users]
`

// anyToken is a token source that always has one.
type anyToken struct{}

func (anyToken) Token(context.Context) (auth.Token, error)     { return auth.Token{}, nil }
func (anyToken) Refused(auth.Token, auth.Refusal) auth.Renewal { return auth.Renewal{} }

// App returns the one app registration, for every name in the policy.
func (a anyToken) App(string, string) *proxy.App { return &proxy.App{Tokens: a} }

// The policy file changes a thousand times under load, every other time to a file that does not load: no request
// fails, and each is decided by the policy whose hash is in its audit line.
func TestAThousandReloadsNeverFailARequestNorDecideWrongly(t *testing.T) {
	wide := strings.Replace(narrow, "[GET /users]", "[GET /groups, GET /users]", 1)
	good := []string{wide, narrow}
	bad := []string{
		strings.Replace(wide, "allow:", "alow:", 1),
		wide + "tests: [{caller: local, deny: [GET /groups]}]\n",
		"",
		wide[:len(wide)-20],
		strings.Replace(wide, "127.0.0.0/8", "127.0.0.0/99", 1),
		strings.Replace(wide, "allow:", "app: unknown\n    allow:", 1),
	}
	path := filepath.Join(t.TempDir(), "policy.yaml")
	write(t, path, narrow)
	file, err := server.LoadPolicy(path, []auth.App{{Name: "default"}}, caller.Options{}, nil)
	must(t, err)
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
	front := httptest.NewServer(h)
	defer front.Close()

	var answered atomic.Int64
	ask := func(target string, statuses ...int) {
		res, err := front.Client().Get(front.URL + target)
		if err != nil {
			t.Error(err)
			return
		}
		res.Body.Close()
		answered.Add(1)
		if res.StatusCode != statuses[0] && res.StatusCode != statuses[len(statuses)-1] {
			t.Errorf("GET %s: %d", target, res.StatusCode)
		}
	}
	done := make(chan struct{})
	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				ask("/v1.0/users", 200)
				ask("/v1.0/groups", 200, 403)
				ask("/v1.0/sites", 403)
			}
		})
	}
	hashes := make(map[string]string) // by text
	hashes[narrow], _ = file.State()
	inForce := hashes[narrow]
	for i := range 1000 {
		text, loads := bad[i/2%len(bad)], i%2 == 0
		if loads {
			text = good[i/2%2]
		}
		write(t, path, text)
		file.Reload(t.Context())
		hash, problem := file.State()
		if loads {
			if hashes[text] == "" {
				hashes[text] = hash
			}
			inForce = hashes[text]
		}
		if i < 20 { // each caller makes a request of each kind under both policies, however slow this machine is
			enough := answered.Load() + 4*3*2
			eventually(t, "more requests", func() bool { return answered.Load() >= enough })
		}
		if hash != inForce || loads != (problem == nil) {
			t.Fatalf("reload %d: %s in force, want %s; %v", i, hash, inForce, problem)
		}
	}
	close(done)
	callers.Wait()
	checkDecisions(t, audit.text.String(), hashes[wide], hashes[narrow])
}

func answerEmpty(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }

// checkDecisions compares every audit line with the policy that it names: only the wide one allows groups.
func checkDecisions(t *testing.T, audit, wide, narrow string) {
	t.Helper()
	seen := map[string]int{}
	for line := range strings.Lines(audit) {
		var rec struct{ Target, Decision, Policy string }
		must(t, json.Unmarshal([]byte(line), &rec))
		want := map[string]string{"/v1.0/users": "allow", "/v1.0/sites": "deny", "/v1.0/groups": "deny"}[rec.Target]
		if rec.Target == "/v1.0/groups" && rec.Policy == wide {
			want = "allow"
		}
		if rec.Decision != want || rec.Policy != wide && rec.Policy != narrow {
			t.Fatalf("decided wrongly: %s", line)
		}
		seen[rec.Policy+rec.Target]++
	}
	if len(seen) != 6 || wide == narrow {
		t.Errorf("not every kind of request was made under both policies: %v", seen)
	}
	t.Logf("%d requests", strings.Count(audit, "\n"))
}
