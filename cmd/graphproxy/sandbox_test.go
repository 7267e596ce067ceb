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

// startSandbox starts a sandbox and returns the curl lines that it prints when it is ready.
func startSandbox(t *testing.T, flags ...string) (*process, []string) {
	t.Helper()
	p := start(t, []string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + t.TempDir(), "GRAPHPROXY_LISTEN=nonsense"},
		append([]string{"sandbox"}, flags...)...)
	until(t, "last line to try", func() bool { return strings.Contains(p.stdout.String(), "/readyz'\n") || p.hasEnded() })
	var curls []string
	for _, line := range p.stdout.all() {
		if strings.HasPrefix(line, "curl ") {
			curls = append(curls, line)
		}
	}
	return p, curls
}

func TestEveryLineOfTheSandboxDoesWhatItsDescriptionAnnounces(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("curl is not installed")
	}
	p, curls := startSandbox(t)
	want := []string{"200", "200", "200", "200", "403", "403", "403", "400", "200", "200 200 429 429 429 429", "202",
		"401", "200", "200", "201", "200"}
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
		if strings.Contains(line, "$batch") &&
			!(strings.Contains(string(out), `"id":"1","status":200`) && strings.Contains(string(out), `"id":"2","status":403`)) {
			t.Errorf("%s\n%s", line, out)
		}
		if diff := cmp.Diff(want[i], strings.Join(got, " ")); diff != "" {
			t.Errorf("%s\n%s\n%s", line, diff, out)
		}
	}
	p.stop(t)
}

func TestTheSandboxDeniesTheRightUserByID(t *testing.T) {
	t.Parallel()
	if id := graphtest.ID("ceo@contoso.com"); !strings.Contains(string(sandboxPolicy), "[ceo@contoso.com, "+id+"]") {
		t.Errorf("sandbox.yaml does not have the id %s of ceo@contoso.com", id)
	}
}

func TestTheSandboxTakesFreePortsAndLeavesNothingBehind(t *testing.T) {
	t.Parallel()
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

func TestTheSandboxReportsAWrongAddress(t *testing.T) {
	t.Parallel()
	one, _ := startSandbox(t, "--listen", "127.0.0.1:0")
	taken := regexp.MustCompile(`http://(\S+) and`).FindStringSubmatch(one.stdout.String())[1]
	two := start(t, one.cmd.Env, "sandbox", "--listen", taken)
	if status := two.wait(t); status != 2 || !strings.Contains(two.stderr.String(), "graphproxy sandbox: --listen: ") {
		t.Errorf("exit status %d: %s", status, two.stderr)
	}
}

// startPolicySandbox starts a sandbox on a copy of the demonstration's policy.
func startPolicySandbox(t *testing.T, policy string) (p *process, file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "mine.yaml")
	must(t, os.WriteFile(file, []byte(policy), 0o600))
	p, _ = startSandbox(t, "--policy", file)
	return p, file
}

func TestTheSandboxTakesAPolicyThatIsEditedInPlaceAndNeverDeleted(t *testing.T) {
	t.Parallel()
	const narrow = "version: 1\ncallers:\n  local:\n    identity: [{network: [127.0.0.0/8]}]\n    allow: [GET /users]\n"
	p, file := startPolicySandbox(t, narrow)
	url := "http://" + regexp.MustCompile(`http://(\S+) and`).FindStringSubmatch(p.stdout.String())[1] +
		"/v1.0/users/adele@contoso.com"
	if a := p.get(t, url); a.status != 403 {
		t.Errorf("status %d", a.status)
	}
	must(t, os.WriteFile(file, []byte(strings.Replace(narrow, "GET /users]", `GET /users, "GET /users/{id}"]`, 1)), 0o600))
	until(t, "the new policy in force", func() bool { return p.get(t, url).status == 200 })
	until(t, "the outcome of the reload", func() bool { return strings.Contains(p.stderr.String(), "policy loaded anew") })
	must(t, os.WriteFile(file, []byte("version: 2\n"), 0o600))
	until(t, "the reload that fails", func() bool {
		return strings.Contains(p.stderr.String(), "the policy from before stays in force") &&
			strings.Contains(p.stderr.String(), "version 2 is not known")
	})
	if a := p.get(t, url); a.status != 200 {
		t.Errorf("status %d", a.status)
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "version: 2\n" {
		t.Errorf("%v: %s", err, text)
	}
	p.stop(t)
	if text, err := os.ReadFile(file); err != nil || string(text) != "version: 2\n" {
		t.Errorf("after its end: %v: %s", err, text)
	}
}

func TestTheSandboxWritesTheDemonstrationsPolicyWhereThereIsNone(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "new.yaml")
	p, curls := startSandbox(t, "--policy", file)
	if len(curls) < 10 {
		t.Errorf("lines to try: %q", curls)
	}
	p.stop(t)
	if text, err := os.ReadFile(file); err != nil || string(text) != string(sandboxPolicy) {
		t.Errorf("%v: %s", err, text)
	}
}

// The format's own example has tokens, certificates and unix users, and a file with every key has apps and tenants.
func TestTheSandboxServesAnyPolicyThatLoads(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"../../docs/policy-example.yaml", "../../policy/testdata/example.yaml"} {
		text, err := os.ReadFile(name)
		must(t, err)
		// this machine has no user mailer
		p, file := startPolicySandbox(t, strings.ReplaceAll(string(text), "user: mailer", "user: root"))
		if !strings.Contains(p.stdout.String(), file) {
			t.Errorf("%s: %s%s", name, p.stdout, p.stderr)
		}
		p.stop(t)
	}
}

// docs/sandbox.md has the sandbox's real flags, callers, roles and users.
func TestTheDocsOfTheSandboxAreTrue(t *testing.T) {
	t.Parallel()
	docs, err := os.ReadFile("../../docs/sandbox.md")
	must(t, err)
	wanted := append(sandboxRoles(), "--policy", "--listen", "--tls-listen", "--admin-listen", "--ca-file", "--audit",
		graphtest.TenantID, "NO_COLOR")
	for _, caller := range regexp.MustCompile(`(?m)^  (\w+):\n    identity:`).FindAllStringSubmatch(string(sandboxPolicy),
		-1) {
		wanted = append(wanted, "| `"+caller[1]+"` |")
	}
	for _, want := range wanted {
		if !strings.Contains(string(docs), want) {
			t.Errorf("docs/sandbox.md lacks %s", want)
		}
	}
	p, _ := startSandbox(t)
	base := "http://" + regexp.MustCompile(`http://(\S+) and`).FindStringSubmatch(p.stdout.String())[1]
	for _, name := range regexp.MustCompile("`([a-z'-]+)@(?:contoso.com)?`").FindAllStringSubmatch(string(docs), -1) {
		want := 200
		if name[1] == "ceo" {
			want = 403
		}
		if a := p.get(t, base+"/v1.0/users/"+name[1]+"@contoso.com"); a.status != want {
			t.Errorf("%s: status %d", name[1], a.status)
		}
	}
	if a := p.get(t, base+"/v1.0/users/worker16@contoso.com"); a.status != 200 {
		t.Errorf("worker16: status %d", a.status)
	}
}
