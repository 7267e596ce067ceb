package main

import (
	"encoding/json"
	"os"
	"strings"
	"syscall"
	"testing"
)

// The real command judges by the candidate, shows it, and goes on without it when its file does not load.
func TestTheCommandJudgesByACandidate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.registerSecret("secret")
	w.write(t, "policy.yaml", onlyUsers)
	must(t, os.Mkdir(w.path("next"), 0o700))
	w.write(t, "next/policy.yaml", "include: [rules.yaml]\n"+strings.Replace(onlyUsers, "/users", "/groups", 1))
	w.write(t, "next/rules.yaml", "version: 1\n")
	p := w.serve(t, "AZURE_CLIENT_SECRET=secret", "GRAPHPROXY_POLICY_CANDIDATE="+w.path("next"))
	p.expect(t, 200)
	until(t, "a line with the candidate's decision", func() bool {
		return strings.Contains(p.stdout.String(), `"candidate":{"decision":"deny","policy":"`)
	})
	p.awaitMetric(t, `graphproxy_candidate_differences_total{active="allow",caller="local",candidate="deny"}`, "1")
	type candidate struct {
		File, Hash string
		Loaded     bool
		Errors     []string
	}
	shown := func() candidate {
		var ready struct{ Candidate candidate }
		a := p.get(t, p.admin+"/readyz")
		if a.status != 200 {
			t.Errorf("/readyz: %d", a.status)
		}
		must(t, json.Unmarshal([]byte(a.body), &ready))
		return ready.Candidate
	}
	if c := shown(); c.File != w.path("next") || len(c.Hash) != 12 || !c.Loaded || len(c.Errors) > 0 {
		t.Errorf("/readyz has %+v", c)
	}
	w.write(t, "next/rules.yaml", "version: 2\n")
	p.signal(t, syscall.SIGHUP)
	p.awaitMetric(t, "graphproxy_candidate_loaded", "0")
	until(t, "the errors", func() bool { return len(shown().Errors) > 0 })
	if c := shown(); c.Hash != "" || c.Loaded || !strings.HasPrefix(c.Errors[0], "rules.yaml:1: ") {
		t.Errorf("/readyz has %+v", c)
	}
	p.expect(t, 200)
	w.write(t, "next/rules.yaml", "version: 1\n")
	p.signal(t, syscall.SIGHUP)
	p.awaitMetric(t, "graphproxy_candidate_loaded", "1")
	for _, want := range []string{"candidate policy loaded: requests are judged", "the policy in force is not affected"} {
		until(t, want+" in the log", func() bool { return strings.Contains(p.stderr.String(), want) })
	}
	p.stop(t)
}
