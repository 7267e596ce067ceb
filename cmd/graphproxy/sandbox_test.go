package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"graphproxy/proxy/graphtest"
)

// startSandbox starts a sandbox and gives the curl lines that it prints when it is ready.
func startSandbox(t *testing.T, flags ...string) (*process, []string) {
	t.Helper()
	p := start(t, []string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + t.TempDir(), "GRAPHPROXY_LISTEN=nonsense"}, append([]string{"sandbox"}, flags...)...)
	until(t, "last line to try", func() bool { return strings.Contains(p.stdout.String(), "/readyz'\n") || p.hasEnded() })
	var curls []string
	for _, line := range p.stdout.all() {
		if strings.HasPrefix(line, "curl ") {
			curls = append(curls, line)
		}
	}
	return p, curls
}

func TestEveryLineOfTheSandboxDoesWhatItSays(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("curl is not installed")
	}
	p, curls := startSandbox(t)
	want := []string{"200", "200", "200", "200", "403", "403", "403", "400", "200", "200 200 429 429 429 429", "202", "401", "200", "200"}
	if len(curls) != len(want) {
		t.Fatalf("%d lines to try, want %d: %q", len(curls), len(want), curls)
	}
	status := regexp.MustCompile(`(?m)^HTTP/\S+ (\d+)`)
	for i, line := range curls {
		out, err := exec.Command("sh", "-c", line).CombinedOutput()
		must(t, err)
		var got []string
		for _, m := range status.FindAllStringSubmatch(string(out), -1) {
			got = append(got, m[1])
		}
		if strings.Contains(line, "$batch") && !(strings.Contains(string(out), `"id":"1","status":200`) && strings.Contains(string(out), `"id":"2","status":403`)) {
			t.Errorf("%s\n%s", line, out)
		}
		if diff := cmp.Diff(want[i], strings.Join(got, " ")); diff != "" {
			t.Errorf("%s\n%s\n%s", line, diff, out)
		}
	}
	p.stop(t)
}

func TestTheSandboxDeniesTheRightUserByID(t *testing.T) {
	if id := graphtest.ID("ceo@contoso.com"); !strings.Contains(string(sandboxPolicy), "[ceo@contoso.com, "+id+"]") {
		t.Errorf("sandbox.yaml does not have the id %s of ceo@contoso.com", id)
	}
}

func TestTheSandboxTakesFreePortsAndLeavesNothingBehind(t *testing.T) {
	one, first := startSandbox(t)
	two, second := startSandbox(t, "--ca-file", filepath.Join(t.TempDir(), "it's the ca.pem"), "--audit", "-")
	if cmp.Equal(first, second) {
		t.Errorf("two sandboxes have the same addresses: %q", first)
	}
	if a := two.get(t, strings.Trim(strings.Fields(second[0])[3], "'")); a.status != 200 {
		t.Errorf("%+v", a)
	}
	until(t, "audit line", func() bool { return strings.Contains(two.stdout.String(), `"decision":"allow"`) })
	one.stop(t)
	two.signal(t, syscall.SIGINT)
	if status := two.wait(t); status != 0 {
		t.Errorf("exit status %d", status)
	}
	for _, p := range []*process{one, two} {
		dir := strings.TrimPrefix(p.cmd.Env[1], "TMPDIR=")
		if left, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(left) > 0 {
			t.Errorf("left behind: %q, %v", left, err)
		}
		if p.stderr.String() != "" {
			t.Errorf("stderr: %s", p.stderr)
		}
	}
}

func TestTheSandboxSaysWhatIsWrongWithAnAddress(t *testing.T) {
	one, _ := startSandbox(t, "--listen", "127.0.0.1:0")
	taken := regexp.MustCompile(`http://(\S+) and`).FindStringSubmatch(one.stdout.String())[1]
	two := start(t, one.cmd.Env, "sandbox", "--listen", taken)
	if status := two.wait(t); status != 2 || !strings.Contains(two.stderr.String(), "graphproxy sandbox: --listen: ") {
		t.Errorf("exit status %d: %s", status, two.stderr)
	}
}
