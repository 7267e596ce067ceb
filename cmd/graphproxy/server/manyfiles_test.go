package server_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"graphproxy/auth"
	"graphproxy/auth/caller"
	"graphproxy/cmd/graphproxy/server"
	"graphproxy/proxy"
	"graphproxy/proxy/graphtest"
)

// company is a policy of many files. Each generation of it changes all files, and the tests of the main file hold for
// files of one generation only.
type company struct {
	dir                   string
	files, callers, rules int // callers in each file, and rules of each caller
}

// main returns the main file of a generation.
func (c *company) main(generation int) string {
	var b strings.Builder
	b.WriteString("version: 1\ninclude: [teams/*.yaml]\ncallers:\n  local:\n    identity: [{network: [127.0.0.0/8]}]\n" +
		"    allow:\n      - GET /groups\n")
	for file := range c.files {
		fmt.Fprintf(&b, "      - include: part-%d\n", file)
	}
	b.WriteString("tests:\n  - caller: local\n    allow:\n")
	for file := range c.files {
		fmt.Fprintf(&b, "      - GET /users/g%d-%d\n", generation, file)
	}
	return b.String()
}

// team returns a file of a generation.
func (c *company) team(generation, file int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "version: 1\nrules:\n  part-%d: [GET /users/g%d-%d]\ncallers:\n", file, generation, file)
	for n := range c.callers {
		fmt.Fprintf(&b, "  team-%d-%d:\n    identity: [{network: 10.%d.%d.0/24}]\n    allow:\n", file, n, file, n)
		for i := range c.rules {
			fmt.Fprintf(&b, "      - GET /users/{id}/mailFolders/folder%d/messages/**\n", i)
		}
	}
	return b.String()
}

// write writes some of the files of a generation: part of 2 is the first or the second half.
func (c *company) write(t *testing.T, generation, part int) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Join(c.dir, "teams"), 0o700))
	for file := range c.files {
		if file%2 == part {
			write(t, filepath.Join(c.dir, "teams", strconv.Itoa(file)+".yaml"), c.team(generation, file))
		}
	}
	if part == 1 {
		write(t, filepath.Join(c.dir, "policy.yaml"), c.main(generation))
	}
}

// sizeOf returns the size of the company: a small one, or with GRAPHPROXY_TEST_MANY_FILES=1 one of 200 files with 2,000
// callers and 20,000 rules.
func sizeOf(dir string) (c *company, generations int) {
	if os.Getenv("GRAPHPROXY_TEST_MANY_FILES") != "" {
		return &company{dir: dir, files: 200, callers: 10, rules: 10}, 6
	}
	return &company{dir: dir, files: 12, callers: 3, rules: 3}, 6
}

// All files change while requests run, half of them at a time. No request fails, and each is decided by all the files
// of one generation.
func TestAReloadOfManyFilesTakesAllOrNothingUnderLoad(t *testing.T) {
	c, generations := sizeOf(t.TempDir())
	c.write(t, 0, 0)
	c.write(t, 0, 1)
	path := filepath.Join(c.dir, "policy.yaml")
	file, err := server.LoadPolicy(path, []auth.App{{Name: "default"}}, caller.Options{}, nil)
	must(t, err)
	graph, err := graphtest.NewServer(graphtest.Options{})
	must(t, err)
	defer graph.Close()
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
	stop := load(t, front, &answered)
	hash, _ := file.State()
	known := map[string]bool{hash: true}
	var longest time.Duration
	for generation := 1; generation <= generations; generation++ {
		c.write(t, generation, 0)
		file.Reload(t.Context())
		if now, problem := file.State(); now != hash || problem == nil {
			t.Fatalf("generation %d: half of the files are in force: %s, %v", generation, now, problem)
		}
		c.write(t, generation, 1)
		begun := time.Now()
		file.Reload(t.Context())
		longest = max(longest, time.Since(begun))
		now, problem := file.State()
		if now == hash || problem != nil {
			t.Fatalf("generation %d is not in force: %v", generation, problem)
		}
		hash, known[now] = now, true
		enough := answered.Load() + 8
		eventually(t, "more requests", func() bool { return answered.Load() >= enough })
	}
	stop()
	for line := range strings.Lines(audit.text.String()) {
		var rec struct{ Decision, Policy string }
		must(t, json.Unmarshal([]byte(line), &rec))
		if rec.Decision != "allow" || !known[rec.Policy] {
			t.Fatalf("decided by files of no one generation: %s", line)
		}
	}
	t.Logf("%d files, %d callers, %d rules: %d generations, the longest reload took %v; %d requests, none failed", c.files,
		c.files*c.callers, c.files*c.callers*c.rules, generations, longest.Round(time.Millisecond), answered.Load())
}

// load makes requests until stop is called. Each must be allowed.
func load(t *testing.T, front *httptest.Server, answered *atomic.Int64) (stop func()) {
	t.Helper()
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
				res, err := front.Client().Get(front.URL + "/v1.0/groups")
				if err != nil {
					t.Error(err)
					return
				}
				res.Body.Close()
				if res.StatusCode != 200 {
					t.Errorf("%d", res.StatusCode)
				}
				answered.Add(1)
			}
		})
	}
	return func() {
		close(done)
		callers.Wait()
	}
}
