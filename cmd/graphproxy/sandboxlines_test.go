package main

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
)

// sandboxScreen starts a sandbox in a terminal, and collects its output.
func sandboxScreen(t *testing.T, file string, environ ...string) *lines {
	t.Helper()
	cmd := exec.Command("graphproxy", "sandbox", "--policy", file, "--listen", "127.0.0.1:0", "--tls-listen",
		"127.0.0.1:0", "--admin-listen", "127.0.0.1:0")
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + t.TempDir(), "TERM=xterm", noPause}, environ...)
	screen, err := pty.Start(cmd)
	must(t, err)
	shown, done := new(lines), make(chan struct{})
	go func() {
		defer close(done)
		_, _ = bufio.NewReader(screen).WriteTo(shown) // it ends with an error when the process has ended
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		<-done
		screen.Close()
		if t.Failed() {
			t.Logf("%q", shown)
		}
	})
	until(t, "last line to try", func() bool { return strings.Contains(shown.String(), "/readyz'") })
	return shown
}

func callersAt(shown *lines) string {
	return "http://" + regexp.MustCompile(`http://(\S+) and`).FindStringSubmatch(shown.String())[1]
}

func TestATerminalShowsALineForEachRequestAndReload(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "policy.yaml")
	shown := sandboxScreen(t, file)
	client := &process{client: httpClient()}
	client.get(t, callersAt(shown)+"/v1.0/users/adele@contoso.com?$select=id")
	client.get(t, callersAt(shown)+"/v1.0/planner/plans")
	client.get(t, callersAt(shown)+"/v1.0/users/a%2Fb")
	client.get(t, callersAt(shown)+"/v1.0/users/a", "X-Api-Key: wrong")
	for name, want := range map[string]string{
		"an allowed request": `\x1b\[32m200\x1b\[0m  GET /v1\.0/users/adele@contoso\.com\?\$select  local  ` +
			`\x1b\[32mallowed by policy\.yaml:\d+\x1b\[0m  \x1b\[2m\d+ ms\x1b\[0m\r\n`,
		"a denied one":      `\x1b\[33m403\x1b\[0m  GET /v1\.0/planner/plans  local  \x1b\[33mdenied, policyDenied\x1b\[0m`,
		"a refused one":     `\x1b\[33m400\x1b\[0m  GET .*  local  \x1b\[33mrefused, ambiguousTarget\x1b\[0m`,
		"an unknown caller": `\x1b\[33m401\x1b\[0m  GET .*  \(no caller\)  \x1b\[33mrefused, keyUnknown\x1b\[0m`,
	} {
		line := regexp.MustCompile(want)
		until(t, name, func() bool { return line.MatchString(shown.String()) })
	}
	must(t, os.WriteFile(file, append([]byte("# changed\n"), sandboxPolicy...), 0o600))
	reloaded := regexp.MustCompile(`\x1b\[32mpolicy loaded anew\x1b\[0m  .*policy: [0-9a-f]{12}`)
	until(t, "reload", func() bool { return reloaded.MatchString(shown.String()) })
	must(t, os.WriteFile(file, []byte("version: 2\n"), 0o600))
	failed := regexp.MustCompile(`\x1b\[31mthe policy file does not load, .*\x1b\[0m  .*version 2 is not known`)
	until(t, "reload that fails", func() bool { return failed.MatchString(shown.String()) })
}

func TestATerminalWithNO_COLORShowsLinesWithoutColours(t *testing.T) {
	t.Parallel()
	shown := sandboxScreen(t, filepath.Join(t.TempDir(), "policy.yaml"), "NO_COLOR=1")
	(&process{client: httpClient()}).get(t, callersAt(shown)+"/v1.0/users/adele@contoso.com")
	until(t, "line", func() bool {
		return strings.Contains(shown.String(), "200  GET /v1.0/users/adele@contoso.com  local  allowed by policy.yaml:")
	})
	if strings.Contains(shown.String(), "\x1b") {
		t.Errorf("%q", shown)
	}
}

func TestAPipeShowsNoRequestLines(t *testing.T) {
	t.Parallel()
	p, curls := startSandbox(t)
	before := p.stdout.String()
	if a := p.get(t, strings.Trim(strings.Fields(curls[0])[3], "'")); a.status != 200 {
		t.Fatalf("status %d", a.status)
	}
	p.stop(t)
	if p.stdout.String() != before || p.stderr.String() != "" {
		t.Errorf("stdout %s\nstderr %s", strings.TrimPrefix(p.stdout.String(), before), p.stderr)
	}
}

// Text of a caller must not move the cursor, set the title or change the colours of the operator's terminal.
func TestALineHoldsNothingThatATerminalActsOn(t *testing.T) {
	t.Parallel()
	shown := new(lines)
	l := &requestLines{w: shown}
	must2(t)(
		l.Write(
			[]byte(
				`{"time":"2026-11-30T10:00:00Z","method":"GET","target":"/v1.0/users/a\u001b[2J\u202eb","item":"\u0007\n",` +
					`"query":["$x\u009b"],"caller":"app","decision":"deny","reason":"policyDenied","status":403}` + "\n",
			),
		),
	)
	want := time.Date(2026, 11, 30, 10, 0, 0, 0, time.UTC).Local().Format(time.TimeOnly) +
		`  403  GET item \u0007\u000a: /v1.0/users/a\u001b[2J\u202eb?$x\u009b  app  denied, policyDenied  0 ms` + "\n"
	if got := shown.String(); got != want {
		t.Errorf("%q\nwant %q", got, want)
	}
}
