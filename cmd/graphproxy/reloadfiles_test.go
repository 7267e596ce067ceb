package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

const (
	mainFile  = "version: 1\ninclude: [teams/*.yaml]\nrules:\n  read: [GET /users]\n"
	localFile = `version: 1
callers:
  local:
    identity: [{network: [127.0.0.0/8]}]
    allow:
      - include: read
`
)

// A file that comes, changes or goes counts; one that does not load leaves all files as they were.
func TestThePolicyInSeveralFilesIsReadAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.registerSecret("secret")
	must(t, os.Mkdir(filepath.Join(filepath.Dir(w.policy), "teams"), 0o700))
	w.write(t, "policy.yaml", mainFile)
	w.write(t, "teams/local.yaml", localFile)
	p := w.serve(t, "AZURE_CLIENT_SECRET=secret")
	p.expect(t, 200)

	success, failure := 0, 0
	counts := []string{"0", "1", "2", "3", "4", "5"}
	loads := func(status int) {
		t.Helper()
		success++
		p.awaitMetric(t, `graphproxy_policy_reloads_total{result="success"}`, counts[success])
		p.expect(t, status)
	}
	w.write(t, "teams/deny.yaml", "version: 1\ndeny: [GET /users]\n")
	loads(403)

	w.write(t, "teams/deny.yaml", "version: 1\ndeny: [GET /users]\ncallers: {local: {identity: [anyone], allow: []}}\n")
	failure++
	p.awaitMetric(t, `graphproxy_policy_reloads_total{result="failure"}`, counts[failure])
	p.expect(t, 403)
	_, now := p.ready(t)
	if len(now.Policy.Errors) != 1 || !strings.HasPrefix(now.Policy.Errors[0], "teams/local.yaml:3: callers.local: ") {
		t.Errorf("%+v", now.Policy)
	}

	must(t, os.Remove(filepath.Join(filepath.Dir(w.policy), "teams/deny.yaml")))
	p.signal(t, syscall.SIGHUP)
	loads(200)
	w.write(t, "policy.yaml", strings.Replace(mainFile, "GET /users", "GET /groups", 1))
	loads(403)
	p.stop(t)
}
