package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// repositoryWith makes a git repository whose last commit has this policy, and returns its folder.
func repositoryWith(t *testing.T, policy string) string {
	t.Helper()
	for _, program := range []string{"git", "bash", "jq"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("NOT CHECKED: this machine has no %s: %v", program, err)
		}
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "policy.yaml"), policy)
	for _, args := range [][]string{
		{"init", "-q"},
		{"add", "-A"},
		{"-c", "user.name=a", "-c", "user.email=a@contoso.com", "commit", "-qm", "policy"},
	} {
		cmd := exec.Command("git", args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v %s", args, err, out)
		}
	}
	return dir
}

func write(t *testing.T, file, text string) {
	t.Helper()
	must(t, os.WriteFile(file, []byte(text), 0o600))
}

// acted is the result of a run of the GitHub Action's script.
type acted struct {
	status                  int
	said, outputs, overview string
}

// act runs what action.yml runs, with its inputs as variables.
func act(t *testing.T, dir string, inputs ...string) acted {
	t.Helper()
	script, err := filepath.Abs(deployed("github-action", "policy.sh"))
	must(t, err)
	graphproxy, err := exec.LookPath("graphproxy")
	must(t, err)
	temp := t.TempDir()
	output, summary := filepath.Join(temp, "output"), filepath.Join(temp, "summary")
	cmd := exec.Command("bash", script)
	cmd.Dir = dir
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "GRAPHPROXY=" + graphproxy, "GITHUB_OUTPUT=" + output,
		"GITHUB_STEP_SUMMARY=" + summary, noPause}, inputs...)
	said, _ := cmd.CombinedOutput()
	outputs, _ := os.ReadFile(output)
	overview, _ := os.ReadFile(summary)
	return acted{cmd.ProcessState.ExitCode(), string(said), string(outputs), string(overview)}
}

const committed = `version: 1
callers:
  hr-sync:
    identity: [{network: [127.0.0.0/8]}]
    allow:
      - GET /users/{id}
tests:
  - caller: hr-sync
    allow: [GET /users/adele@contoso.com]
`

func TestTheGitHubActionChecksTestsAndCompares(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, policy string
		inputs       []string
		status       int
		said, output string
	}{
		{"no change", committed, []string{"BASE=HEAD"}, 0, "1 tests passed", "changed=false"},
		{
			"a caller gains",
			strings.Replace(committed, "tests:", "      - GET /groups\ntests:", 1),
			[]string{"BASE=HEAD"},
			0,
			"1 tests passed",
			"+ may GET /groups",
		},
		{
			"a caller gains, as an output",
			strings.Replace(committed, "tests:", "      - GET /groups\ntests:", 1),
			[]string{"BASE=HEAD"},
			0,
			"",
			"changed=true",
		},
		{
			"a test fails",
			strings.Replace(committed, "users/adele", "groups/adele", 1),
			[]string{"BASE=HEAD"},
			1,
			"::error file=policy.yaml,line=",
			"changed=",
		},
		{
			"a mistake",
			strings.Replace(committed, "allow:", "alow:", 1),
			[]string{"BASE=HEAD"},
			1,
			`::error file=policy.yaml,line=5::unknown key "alow"; did you mean "allow"?`,
			"changed=",
		},
		{
			"a warning is an error",
			strings.Replace(committed, "tests:", "      - GET /users/{key}\ntests:", 1),
			[]string{"BASE=HEAD"},
			1,
			"::warning file=policy.yaml,line=7::",
			"changed=",
		},
		{
			"unless it is not strict",
			strings.Replace(committed, "tests:", "      - GET /users/{key}\ntests:", 1),
			[]string{"BASE=HEAD", "STRICT=false"},
			0,
			"::warning",
			"changed=",
		},
		{
			"a commit that there is not",
			committed,
			[]string{"BASE=0000000000000000000000000000000000000000"},
			0,
			"1 tests passed",
			"there is nothing to compare with",
		},
		{"no commit", committed, nil, 0, "1 tests passed", "changed=false"},
		{
			"a commit that is an option",
			committed,
			[]string{"BASE=--upload-pack=touch x"},
			0,
			"1 tests passed",
			"changed=false",
		},
		{"a file that there is not", committed, []string{"POLICY=other.yaml", "BASE=HEAD"}, 2, "other.yaml is not there", ""},
		{"a file that is an option", committed, []string{"POLICY=--json", "BASE=HEAD"}, 2, "./--json is not there", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := repositoryWith(t, committed)
			write(t, filepath.Join(dir, "policy.yaml"), test.policy)
			got := act(t, dir, test.inputs...)
			if got.status != test.status || !strings.Contains(got.said, test.said) ||
				!strings.Contains(got.outputs, test.output) {
				t.Errorf("%+v, want status %d, %q and the output %q", got, test.status, test.said, test.output)
			}
			if test.status < 2 && !strings.Contains(got.overview, "### policy.yaml") {
				t.Errorf("the summary is %q", got.overview)
			}
		})
	}
}

// Text that a contributor writes into the policy must not become a command for the runner, or another output.
func TestTheGitHubActionTakesTextForText(t *testing.T) {
	t.Parallel()
	dir := repositoryWith(t, committed)
	evil := "\"a%0A::set-output name=changed::false\\n::error::b\\nchanged=false\""
	write(t, filepath.Join(dir, "policy.yaml"), strings.Replace(committed, "tests:", "      - "+evil+"\ntests:", 1))
	got := act(t, dir, "BASE=HEAD")
	for line := range strings.Lines(got.said + got.outputs) {
		if regexp.MustCompile(`^(::set-output|::error::b|changed=false\n$)`).MatchString(line) && got.status == 0 {
			t.Errorf("a line of the policy's: %q", line)
		}
	}
	if strings.Contains(got.said, "\n::error::b") || strings.Contains(got.said, "\n::set-output") {
		t.Errorf("a command of the policy's: %q", got.said)
	}
}

// The action's steps have no expression in a script: inputs are variables.
func TestTheGitHubActionIsWellFormed(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(deployed("github-action", "action.yml"))
	must(t, err)
	var action struct {
		Name, Description string
		Inputs            map[string]struct{ Description, Default string }
		Outputs           map[string]struct{ Description, Value string }
		Runs              struct {
			Using string
			Steps []struct {
				ID, If, Shell, Uses, Run string
				With, Env                map[string]string
			}
		}
	}
	decoder := yaml.NewDecoder(strings.NewReader(string(text)))
	decoder.KnownFields(true)
	must(t, decoder.Decode(&action))
	if action.Runs.Using != "composite" || len(action.Inputs) != 4 || len(action.Outputs) != 2 {
		t.Errorf("%+v", action)
	}
	for _, step := range action.Runs.Steps {
		if step.Run != "" && step.Shell != "bash" || strings.Contains(step.Run, "${{") {
			t.Errorf("a step runs %q", step.Run)
		}
	}
}

// The hooks are run as pre-commit runs them: words of the entry, then the arguments, in the root of the repository.
func TestTheHooksOfPreCommit(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../.pre-commit-hooks.yaml")
	must(t, err)
	var hooks []struct {
		ID, Name, Description, Language, Entry, Files string
		Args                                          []string
		PassFilenames                                 bool `yaml:"pass_filenames"`
		Verbose                                       bool
	}
	decoder := yaml.NewDecoder(strings.NewReader(string(text)))
	decoder.KnownFields(true)
	must(t, decoder.Decode(&hooks))
	if len(hooks) != 3 {
		t.Fatalf("%d hooks", len(hooks))
	}
	for _, test := range []struct {
		name, policy string
		status       map[string]int
	}{
		{"no change", committed,
			map[string]int{"graphproxy-policy-check": 0, "graphproxy-policy-test": 0, "graphproxy-policy-diff": 0}},
		{"a change that is good", strings.Replace(committed, "tests:", "      - GET /groups\ntests:", 1),
			map[string]int{"graphproxy-policy-check": 0, "graphproxy-policy-test": 0, "graphproxy-policy-diff": 0}},
		{"a test that fails, so that the file does not load", strings.Replace(committed, "users/adele", "groups/adele", 1),
			map[string]int{"graphproxy-policy-check": 1, "graphproxy-policy-test": 1, "graphproxy-policy-diff": 1}},
		{"a mistake", strings.Replace(committed, "allow:", "alow:", 1),
			map[string]int{"graphproxy-policy-check": 1, "graphproxy-policy-test": 2, "graphproxy-policy-diff": 1}},
	} {
		dir := repositoryWith(t, committed)
		write(t, filepath.Join(dir, "policy.yaml"), test.policy)
		for _, hook := range hooks {
			if !regexp.MustCompile(hook.Files).MatchString("policy.yaml") || hook.PassFilenames {
				t.Errorf("%s is not run for policy.yaml alone", hook.ID)
			}
			cmd := exec.Command("sh", "-c", hook.Entry+` "$@"`, "sh", hook.Args[0])
			cmd.Dir, cmd.Env = dir, []string{"PATH=" + os.Getenv("PATH"), noPause}
			out, _ := cmd.CombinedOutput()
			if got := cmd.ProcessState.ExitCode(); got != test.status[hook.ID] {
				t.Errorf("%s with %s: status %d, want %d: %s", hook.ID, test.name, got, test.status[hook.ID], out)
			}
			if test.name == "a change that is good" && hook.ID == "graphproxy-policy-diff" &&
				!strings.Contains(string(out), "+ may GET /groups") {
				t.Errorf("the diff shows %s", out)
			}
		}
	}
}
