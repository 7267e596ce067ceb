package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// companyRepository makes a git repository of docs/example, and returns its folder.
func companyRepository(t *testing.T) string {
	t.Helper()
	dir := repositoryWith(t, committed)
	must(t, os.CopyFS(filepath.Join(dir, "company"), os.DirFS("../../docs/example")))
	must(t, os.Remove(filepath.Join(dir, "policy.yaml")))
	entries, err := os.ReadDir(filepath.Join(dir, "company"))
	must(t, err)
	for _, e := range entries {
		must(t, os.Rename(filepath.Join(dir, "company", e.Name()), filepath.Join(dir, e.Name())))
	}
	runIn(t, dir, nil, "git", "add", "-A")
	runIn(t, dir, nil, "git", "-c", "user.name=a", "-c", "user.email=a@contoso.com", "commit", "-qm", "company")
	runIn(t, dir, nil, "git", "branch", "-f", "main")
	return dir
}

// runIn runs a program in a folder, and returns its output and status.
func runIn(t *testing.T, dir string, environ []string, program string, args ...string) (out string, status int) {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), append(environ, noPause)...)
	text, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return string(text), cmd.ProcessState.ExitCode()
}

// pullRequest is the change of the policy that docs/policy.md shows.
func pullRequest(t *testing.T, dir string) {
	t.Helper()
	for _, c := range [][3]string{
		{"teams/hr.yaml", "      - DELETE /groups/{id}/members/{member}/$ref\n", ""},
		{"teams/hr.yaml", "      - DELETE /groups/7/members/9/$ref\n", ""},
		{"teams/hr.yaml", "department]", "department, mobilePhone]"},
		{"teams/it.yaml", "displayName, userPrincipalName]", "displayName, mail]"},
	} {
		change(t, filepath.Join(dir, c[0]), c[1], c[2])
	}
}

func change(t *testing.T, file, old, replacement string) {
	t.Helper()
	data, err := os.ReadFile(file)
	must(t, err)
	if !strings.Contains(string(data), old) {
		t.Fatalf("%s has no %q", file, old)
	}
	write(t, file, strings.Replace(string(data), old, replacement, 1))
}

// shownInDocs checks that docs/policy.md shows a text.
func shownInDocs(t *testing.T, text string) {
	t.Helper()
	docs, err := os.ReadFile("../../docs/policy.md")
	must(t, err)
	var block strings.Builder
	for line := range strings.Lines(text) {
		if line != "\n" {
			block.WriteString("    ")
		}
		block.WriteString(line)
	}
	if !strings.Contains(string(docs), block.String()) {
		t.Errorf("docs/policy.md does not show this:\n%s", block.String())
	}
}

func TestThePullRequestOfTheCompanyIsAsTheDocumentationShowsIt(t *testing.T) {
	t.Parallel()
	dir := companyRepository(t)
	pullRequest(t, dir)
	for _, command := range []struct {
		line   string
		status int
	}{
		{"graphproxy policy check --strict policy.yaml", 0},
		{"graphproxy policy test --min-coverage 100 policy.yaml", 0},
		{"graphproxy policy diff --format markdown git:main:policy.yaml policy.yaml", 1},
	} {
		words := strings.Fields(command.line)
		out, status := runIn(t, dir, nil, words[0], words[1:]...)
		if status != command.status {
			t.Errorf("%s: status %d: %s", command.line, status, out)
		}
		shownInDocs(t, "$ "+command.line+"\n"+strings.TrimSuffix(out, "\n"))
	}
}

func TestATeamOfTheCompanyCannotGiveItselfMore(t *testing.T) {
	t.Parallel()
	dir := companyRepository(t)
	change(t, filepath.Join(dir, "teams/sales.yaml"), "      - POST /users/{id}/sendMail:",
		"      - GET /users/{id}/messages\n      - POST /users/{id}/sendMail:")
	out, status := runIn(t, dir, nil, "graphproxy", "policy", "check", "policy.yaml")
	if status != 1 {
		t.Errorf("status %d", status)
	}
	shownInDocs(t, "$ graphproxy policy check policy.yaml\n"+out)
}

// The steps of the workflow are run as they stand, but for those that fetch and build.
func TestTheWorkflowOfTheCompany(t *testing.T) {
	t.Parallel()
	var workflow struct {
		Jobs map[string]struct {
			Steps []struct{ Name, Run string }
		}
	}
	text, err := os.ReadFile("../../docs/example/.github/workflows/policy.yml")
	must(t, err)
	must(t, yaml.Unmarshal(text, &workflow))
	for _, test := range []struct {
		name   string
		change func(t *testing.T, dir string)
		status map[string]int
	}{
		{"no change", func(*testing.T, string) {}, map[string]int{"check": 0, "test": 0, "diff": 0}},
		{"a change that a reviewer reads", pullRequest, map[string]int{"check": 0, "test": 0, "diff": 0}},
		{"a condition that is lost", func(t *testing.T, dir string) {
			change(t, filepath.Join(dir, "teams/it.yaml"), "GET /users/{id}:\n          query: {$select: "+
				"[id, displayName, userPrincipalName]}", "GET /users/{id}")
		}, map[string]int{"check": 1, "test": 1, "diff": 2}},
	} {
		dir, ran := companyRepository(t), 0
		test.change(t, dir)
		summary := filepath.Join(t.TempDir(), "summary")
		for _, step := range workflow.Jobs["policy"].Steps {
			want, found := test.status[step.Name]
			if !found {
				continue
			}
			ran++
			out, status := runIn(t, dir, []string{"BASE=main", "GITHUB_STEP_SUMMARY=" + summary}, "bash", "-e", "-c", step.Run)
			if status != want && (want == 0 || status == 0) {
				t.Errorf("%s, %s: status %d, want %d: %s", test.name, step.Name, status, want, out)
			}
		}
		written, err := os.ReadFile(summary)
		if ran != 3 || err != nil || test.name == "a change that a reviewer reads" &&
			!strings.Contains(string(written), "| `hr-sync` | **gains** |") {
			t.Errorf("%s: %d steps, %v, the summary is %q", test.name, ran, err, written)
		}
	}
}
