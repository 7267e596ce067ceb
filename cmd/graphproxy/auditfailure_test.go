package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// modes are the values of GRAPHPROXY_AUDIT_FAILURE.
func modes() []string { return []string{"continue", "refuse"} }

// fails expects what docs/operations.md says of the time in which audit lines cannot be written for a reason.
func (p *process) fails(t *testing.T, mode, reason string) {
	t.Helper()
	ready, answered := 200, 200
	if mode == "refuse" {
		ready, answered = 503, 503
	}
	until(t, "the reason in /readyz", func() bool {
		status, r := p.ready(t)
		return status == ready && r.Ready == (ready == 200) && r.Audit.Ready == r.Ready &&
			strings.Contains(r.Audit.Error, reason)
	})
	a := p.get(t, p.callers+"/v1.0/users?$top=1")
	if a.status != answered || (mode == "refuse") != strings.Contains(a.body, `"auditUnavailable"`) ||
		(mode == "refuse") != (a.header.Get("Retry-After") != "") {
		t.Errorf("%s: %d %v %s", mode, a.status, a.header, a.body)
	}
	if a := p.get(t, p.admin+"/healthz"); a.status != 200 {
		t.Errorf("/healthz is %d", a.status)
	}
	if waiting := p.metric(t, "graphproxy_audit_lines_waiting"); waiting == "0" {
		t.Error("no line waits")
	}
	if n := p.logged(t, "audit lines cannot be written"); n != 1 {
		t.Errorf("it is logged %d times", n)
	}
}

// recovers expects that audit lines are written again, so many since the start, and that none was lost.
func (p *process) recovers(t *testing.T, written int) {
	t.Helper()
	until(t, "readiness", func() bool {
		status, r := p.ready(t)
		return status == 200 && r.Audit.Ready && r.Audit.Error == ""
	})
	p.awaitMetric(t, "graphproxy_audit_lines_written_total", fmt.Sprint(written))
	p.awaitMetric(t, "graphproxy_audit_lines_waiting", "0")
	p.expect(t, 200)
	if lost := p.metric(t, "graphproxy_audit_lines_lost_total"); lost != "0" {
		t.Errorf("%s lines are lost", lost)
	}
	if n := p.logged(t, "audit lines are written again"); n != 1 {
		t.Errorf("the end is logged %d times", n)
	}
}

// count returns the number of audit lines in a file. Each must be whole.
func count(t *testing.T, path string) int {
	t.Helper()
	text, err := os.ReadFile(path)
	must(t, err)
	n := 0
	for line := range strings.Lines(string(text)) {
		if n++; !strings.HasSuffix(line, "\n") || !json.Valid([]byte(line)) {
			t.Errorf("not a line of JSON: %q", line)
		}
	}
	return n
}

func TestWhenTheReaderOfTheAuditLogStalls(t *testing.T) {
	t.Parallel()
	for _, mode := range modes() {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			p, pipe := stalled(t, "GRAPHPROXY_AUDIT_FAILURE="+mode)
			sent, refused := 0, 0
			for ; sent < 400; sent++ { // more than the pipe takes
				switch a := p.get(t, p.callers+"/v1.0/users?$top=1"); {
				case a.status == 503 && mode == "refuse":
					refused++
				case a.status != 200:
					t.Fatalf("%d %s", a.status, a.body)
				}
			}
			p.fails(t, mode, "does not read on")
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
			p.recovers(t, sent+1)
			p.stop(t)
			if n := <-lines; n != sent+2 {
				t.Errorf("%d lines for %d requests, of which %d were refused", n, sent+2, refused)
			}
		})
	}
}

func TestWhenTheReaderOfTheAuditLogLeaves(t *testing.T) {
	t.Parallel()
	for _, mode := range modes() {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			p, pipe := stalled(t, "GRAPHPROXY_AUDIT_FAILURE="+mode)
			until(t, "a token", func() bool { status, _ := p.ready(t); return status == 200 })
			must(t, pipe.Close())
			p.expect(t, 200) // its line is the first that cannot be written
			p.fails(t, mode, "broken pipe")
			p.stop(t)
			if !strings.Contains(p.stderr.String(), "audit lines are lost") {
				t.Errorf("the log at the end: %s", p.stderr)
			}
		})
	}
}

func TestWhenTheAuditFileIsRemoved(t *testing.T) {
	t.Parallel()
	for _, mode := range modes() {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir() + "/logs"
			path := dir + "/audit.log"
			must(t, os.Mkdir(dir, 0o700))
			p := auditOf(t, "GRAPHPROXY_AUDIT_LOG="+path, "GRAPHPROXY_AUDIT_FAILURE="+mode)
			for i := range 5 { // each line is in the file that is made again
				p.expect(t, 200)
				p.awaitMetric(t, "graphproxy_audit_lines_written_total", fmt.Sprint(i+1))
				if n := count(t, path); n != 1 {
					t.Errorf("%d lines", n)
				}
				must(t, os.Remove(path))
			}
			must(t, os.Remove(dir)) // now it cannot be made again
			p.expect(t, 200)
			p.fails(t, mode, "create the directory")
			must(t, os.Mkdir(dir, 0o700))
			p.recovers(t, 7)
			p.stop(t)
			if n := count(t, path); n != 3 {
				t.Errorf("%d lines", n)
			}
		})
	}
}

// onSmallDisk starts a proxy whose audit log is on a disk of 256 KiB, and returns the disk as the test sees it.
func onSmallDisk(t *testing.T, more ...string) (*process, string) {
	t.Helper()
	const disk = "/mnt"
	box := []string{"--dev-bind", "/", "/", "--die-with-parent", "--size", "262144", "--tmpfs", disk}
	if out, err := exec.Command("bwrap", append(box, "true")...).CombinedOutput(); err != nil {
		t.Skipf("NOT CHECKED: this machine has no bwrap that may mount a disk (apt-get install bubblewrap): %v %s", err, out)
	}
	w := newWorld(t)
	w.registerSecret("secret")
	settings := append(more, "AZURE_CLIENT_SECRET=secret", "GRAPHPROXY_AUDIT_LOG="+disk+"/audit.log")
	p := prepare(t, nil, w.environ(settings...), "serve")
	path, err := exec.LookPath("bwrap")
	must(t, err)
	p.cmd.Args = append(append([]string{"bwrap"}, box...), p.cmd.Path, "serve")
	p.cmd.Path = path
	w.start(t, p)
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", p.cmd.Process.Pid))
	must(t, err)
	seen := filepath.Join("/proc", strings.TrimSpace(string(children)), "root", disk)
	if _, err := os.Stat(seen + "/audit.log"); err != nil {
		t.Skipf("NOT CHECKED: this machine does not show the files of another name space: %v", err)
	}
	until(t, "a token", func() bool { status, _ := p.ready(t); return status == 200 })
	return p, seen
}

func TestWhenTheAuditLogFillsARealDisk(t *testing.T) {
	t.Parallel()
	for _, mode := range modes() {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			p, disk := onSmallDisk(t, "GRAPHPROXY_AUDIT_FAILURE="+mode)
			must(t, os.WriteFile(disk+"/other", make([]byte, 224<<10), 0o600))
			sent, refused := 0, 0
			for ; sent < 200 && refused == 0; sent++ { // more than the disk takes now, and less than it takes afterwards
				if a := p.get(t, p.callers+"/v1.0/users?$top=1"); a.status == 503 && mode == "refuse" {
					refused++
				} else if a.status != 200 {
					t.Fatalf("%d %s", a.status, a.body)
				}
			}
			p.fails(t, mode, "no space left on device")
			must(t, os.Remove(disk+"/other"))
			p.recovers(t, sent+1)
			p.awaitMetric(t, "graphproxy_audit_lines_written_total", fmt.Sprint(sent+2))
			if n := count(t, disk+"/audit.log"); n != sent+2 {
				t.Errorf("%d lines for %d requests", n, sent+2)
			}
			p.signal(t, syscall.SIGKILL)
		})
	}
}
