package main

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// commandsOf returns the lines of a page that are indented as code and begin with one of these words.
func commandsOf(t *testing.T, page string, words ...string) []string {
	t.Helper()
	text, err := os.ReadFile("../../docs/" + page)
	must(t, err)
	var found []string
	for _, m := range regexp.MustCompile(`(?m)^ {4,7}(`+strings.Join(words, "|")+`)( .*)?$`).FindAllString(string(text),
		-1) {
		found = append(found, strings.TrimSpace(m))
	}
	return found
}

// sh runs a line as a reader pastes it, in the folder of w.
func (w *world) sh(t *testing.T, line string, environ ...string) (string, int) {
	t.Helper()
	cmd := exec.Command("sh", "-c", line)
	cmd.Dir, cmd.Env = w.dir, append(w.environ(environ...), noPause)
	out, _ := cmd.CombinedOutput()
	return string(out), cmd.ProcessState.ExitCode()
}

// withPagesFiles writes the files that the pages for readers name.
func (w *world) withPagesFiles(t *testing.T, key string) {
	t.Helper()
	page, err := os.ReadFile("../../docs/getting-started.md")
	must(t, err)
	_, rest, _ := strings.Cut(string(page), "```yaml\n")
	policy, _, _ := strings.Cut(rest, "```")
	hash := sha256.Sum256([]byte(key))
	policy = regexp.MustCompile(`[0-9a-f]{64}`).ReplaceAllString(policy, hex.EncodeToString(hash[:]))
	w.policy = w.write(t, "policy.yaml", policy)
	w.write(t, "old.yaml", policy)
	w.write(t, "client-secret", "secret\n")
	w.write(t, "permissions.json", somePermissions)
	w.write(t, "audit.log",
		`{"time":"2026-01-01T00:00:00Z","caller":"hr-sync","method":"GET","version":"v1.0","path":"/v1.0/users/{id}",`+
			`"target":"/v1.0/users/a","decision":"allow","status":200,"policy":"d0b56b59bcc6"}`+"\n")
}

func TestTheCommandsOfGettingStartedWork(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.registerSecret("secret")
	w.withPagesFiles(t, "a-key-of-hr-sync")
	commands := commandsOf(t, "getting-started.md", "graphproxy", "curl", "export")
	if len(commands) < 14 {
		t.Fatalf("the page has %q", commands)
	}
	set := []string{"AZURE_CLIENT_SECRET_FILE=" + w.path("client-secret")}
	p := w.serve(t, set...)
	until(t, "ready", func() bool { status, _ := p.ready(t); return status == 200 })
	for _, command := range commands {
		if command == "graphproxy serve" || strings.HasPrefix(command, "export ") {
			continue
		}
		line := strings.NewReplacer("http://127.0.0.1:8080", p.callers, "http://127.0.0.1:8081", p.admin).Replace(command)
		if strings.HasPrefix(line, "curl") {
			if _, err := exec.LookPath("curl"); err != nil {
				t.Skipf("this machine has no curl: %v", err)
			}
		}
		out, status := w.sh(t, line, append(set, "KEY=a-key-of-hr-sync")...)
		if status != 0 {
			t.Errorf("%s: status %d: %s", command, status, out)
		}
		if refused := strings.Contains(command, "-X DELETE"); refused != strings.Contains(out, `"policyDenied"`) {
			t.Errorf("%s: %s", command, out)
		}
	}
}

func TestTheCommandsOfTheFirstPagesWork(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.registerSecret("secret")
	w.withPagesFiles(t, "a-key-of-hr-sync")
	// the page shows a request that is not allowed, or too many roles
	answersNo := regexp.MustCompile(`^graphproxy (policy explain .*ceo@contoso|permissions )`)
	found := 0
	for _, page := range []string{"security-team.md", "operators.md", "upgrading.md"} {
		for _, command := range commandsOf(t, page, "graphproxy") {
			found++
			out, status := w.sh(t, command, "AZURE_CLIENT_SECRET_FILE="+w.path("client-secret"))
			if status != 0 && !(status == 1 && answersNo.MatchString(command)) {
				t.Errorf("%s: %s: status %d: %s", page, command, status, out)
			}
		}
	}
	if found < 9 {
		t.Errorf("the pages have %d commands", found)
	}
}
