package main

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"graphproxy/auth/filewatch"
)

// auditOf starts a proxy with these settings of the audit log.
func auditOf(t *testing.T, more ...string) *process {
	t.Helper()
	w := newWorld(t)
	w.registerSecret("secret")
	p := w.serve(t, append([]string{"AZURE_CLIENT_SECRET=secret"}, more...)...)
	until(t, "a token", func() bool {
		status, _ := p.ready(t)
		return status != 0 && p.metric(t, `graphproxy_token_ready{app="default",tenant="`+tenantID+`"}`) == "1"
	})
	return p
}

func TestWhenTheDiskOfTheAuditLogIsFull(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skipf("NOT CHECKED: this machine has no /dev/full: %v", err)
	}
	t.Run("requests are served by default, and /readyz has the reason", func(t *testing.T) {
		t.Parallel()
		p := auditOf(t, "GRAPHPROXY_AUDIT_LOG=/dev/full")
		p.expect(t, 200)
		until(t, "the reason in /readyz", func() bool {
			status, r := p.ready(t)
			return status == 200 && r.Audit.Ready && strings.Contains(r.Audit.Error, "no space left on device")
		})
		p.expect(t, 200)
		p.awaitMetric(t, "graphproxy_audit_lines_waiting", "2")
		p.logged(t, "audit lines cannot be written")
		p.stop(t)
		if !strings.Contains(p.stderr.String(), "audit lines are lost") {
			t.Errorf("the log at the end: %s", p.stderr)
		}
	})
	t.Run("requests are refused if that is set, and the replica is not ready", func(t *testing.T) {
		t.Parallel()
		p := auditOf(t, "GRAPHPROXY_AUDIT_LOG=/dev/full", "GRAPHPROXY_AUDIT_FAILURE=refuse")
		p.get(t, p.callers+"/v1.0/users") // its line is the first that cannot be written
		until(t, "not ready", func() bool { status, r := p.ready(t); return status == 503 && !r.Ready && !r.Audit.Ready })
		a := p.get(t, p.callers+"/v1.0/users")
		if a.status != 503 || !strings.Contains(a.body, "auditUnavailable") || a.header.Get("Retry-After") == "" {
			t.Errorf("%d %v %s", a.status, a.header, a.body)
		}
		if a := p.get(t, p.admin+"/healthz"); a.status != 200 {
			t.Errorf("healthz %d", a.status)
		}
	})
}

func TestARemovedAuditFileIsMadeAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := dir + "/audit.log"
	p := auditOf(t, "GRAPHPROXY_AUDIT_LOG="+path)
	p.expect(t, 200)
	until(t, "a line", func() bool { text, _ := os.ReadFile(path); return strings.Count(string(text), "\n") == 1 })
	must(t, os.Remove(path))
	until(t, "a new file", func() bool { _, err := os.Stat(path); return err == nil })
	p.expect(t, 200)
	until(t, "its line", func() bool { text, _ := os.ReadFile(path); return strings.Count(string(text), "\n") == 1 })
}

func TestAFolderOfTheAuditLogThatIsGoneShowsInReadyzAfterSIGHUP(t *testing.T) {
	t.Parallel()
	dir := t.TempDir() + "/logs"
	must(t, os.Mkdir(dir, 0o700))
	p := auditOf(t, "GRAPHPROXY_AUDIT_LOG="+dir+"/audit.log")
	must(t, os.RemoveAll(dir))
	p.signal(t, syscall.SIGHUP)
	until(t, "the reason in /readyz", func() bool {
		_, r := p.ready(t)
		return strings.Contains(r.Audit.Error, "create the directory")
	})
	p.expect(t, 200)
	must(t, os.Mkdir(dir, 0o700))
	until(t, "the line that waited",
		func() bool { text, _ := os.ReadFile(dir + "/audit.log"); return strings.Count(string(text), "\n") == 1 })
	until(t, "no reason in /readyz", func() bool { _, r := p.ready(t); return r.Audit.Error == "" })
}

// stalled is a proxy whose stdout is a pipe that a test reads from.
func stalled(t *testing.T, more ...string) (*process, *os.File) {
	t.Helper()
	w := newWorld(t)
	w.registerSecret("secret")
	read, write, err := os.Pipe()
	must(t, err)
	t.Cleanup(func() { _ = read.Close() })
	p := w.serveTo(t, write, append([]string{"AZURE_CLIENT_SECRET=secret"}, more...)...)
	must(t, write.Close()) // the process has its own
	return p, read
}

func TestAReaderOfStdoutThatStallsStopsNothing(t *testing.T) {
	t.Parallel()
	p, pipe := stalled(t)
	const requests = 400 // more than the pipe takes
	for range requests {
		p.expect(t, 200)
	}
	until(t, "the reason in /readyz",
		func() bool { _, r := p.ready(t); return strings.Contains(r.Audit.Error, "does not read on") })
	if status, _ := p.ready(t); status != 200 {
		t.Errorf("/readyz is %d", status)
	}
	lines := make(chan int)
	go func() {
		n := 0
		for s := bufio.NewScanner(pipe); s.Scan(); n++ {
			if !json.Valid(s.Bytes()) {
				t.Errorf("not a line of JSON: %s", s.Text())
			}
		}
		lines <- n
	}()
	p.stop(t)
	if n := <-lines; n != requests {
		t.Errorf("%d lines for %d requests", n, requests)
	}
}

func TestAReaderOfStdoutThatLeavesStopsNothing(t *testing.T) {
	t.Parallel()
	p, pipe := stalled(t)
	must(t, pipe.Close())
	for range 3 {
		p.expect(t, 200)
	}
	until(t, "the reason in /readyz",
		func() bool { _, r := p.ready(t); return strings.Contains(r.Audit.Error, "broken pipe") })
	p.expect(t, 200)
	p.stop(t)
}

func TestAReaderOfStderrThatLeavesStopsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.registerSecret("secret")
	p := w.serve(t, "AZURE_CLIENT_SECRET=secret", "GRAPHPROXY_LOG_LEVEL=debug")
	p.stderr.leave()
	for range 20 {
		p.expect(t, 200)
	}
	p.stop(t)
}

func TestAPolicyPathThatBecomesAPipeStopsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.registerSecret("secret")
	p := w.serve(t, "AZURE_CLIENT_SECRET=secret")
	must(t, os.Remove(w.policy))
	must(t, syscall.Mkfifo(w.policy, 0o600))
	p.signal(t, syscall.SIGHUP)
	until(t, "the reason in /readyz", func() bool {
		_, r := p.ready(t)
		return len(r.Policy.Errors) > 0 && strings.Contains(r.Policy.Errors[0], "write the path of a regular file")
	})
	p.expect(t, 200)
	p.signal(t, syscall.SIGHUP)
	p.expect(t, 200)
	p.stop(t)
}

// A policy file that is being overwritten in place is never in force in part: the missing end may be a denial.
func TestAPolicyThatIsOverwrittenSlowlyIsNotInForceByHalf(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.registerSecret("secret")
	p := w.serve(t, "AZURE_CLIENT_SECRET=secret")
	_, before := p.ready(t)
	for !p.overwritesSlowly(t, w.policy, before.Policy.Hash) { // this machine was slower than the file may rest
		w.write(t, "policy.yaml", onlyUsers)
		until(t, "the policy from before", func() bool {
			p.signal(t, syscall.SIGHUP)
			_, now := p.ready(t)
			return now.Policy.Hash == before.Policy.Hash && now.Policy.InForce
		})
	}
	until(t, "the whole policy", func() bool { _, now := p.ready(t); return now.Policy.Hash != before.Policy.Hash })
}

// overwritesSlowly writes a policy file piece by piece, and expects that the policy from before stays in force. It
// reports false if a piece took so long that the file had rested in between.
func (p *process) overwritesSlowly(t *testing.T, file, hash string) bool {
	t.Helper()
	f, err := os.Create(file)
	must(t, err)
	defer f.Close()
	half := onlyUsers + "  new:\n    identity: [{network: [10.0.0.0/8]}]\n    allow: [GET /users]\n"
	began := time.Now()
	for _, piece := range []string{half, "    deny: [GET /users]\n", "# the end\n"} {
		_, err := io.WriteString(f, piece)
		must(t, err)
		p.signal(t, syscall.SIGHUP)
		p.signal(t, syscall.SIGHUP)
		_, now := p.ready(t)
		switch took := time.Since(began); {
		case now.Policy.Hash == hash:
		case took >= filewatch.Every-filewatch.Every/10: // as long as it must rest
			return false
		default:
			t.Fatalf("half a policy is in force behind %q, after %v", piece, took)
		}
		began = time.Now()
	}
	return true
}
