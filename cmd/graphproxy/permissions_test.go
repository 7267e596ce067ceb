package main

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// somePermissions has the format of Microsoft's permissions.json.
const somePermissions = `{"permissions": {
  "User.ReadWrite.All": {"authorizationType": "oAuth2", "schemes": {"Application": {"privilegeLevel": 4}}, "pathSets": [
    {"schemeKeys": ["Application"], "methods": ["GET"], "paths": {"/users": "least=Application", "/users/{id}": "least=Application"}}]},
  "Mail.Send": {"authorizationType": "oAuth2", "schemes": {"Application": {"privilegeLevel": 3}}, "pathSets": []}
}}`

func TestPermissionsTakesTheRolesOfAToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.registerSecret(secretValue)
	file := w.write(t, "permissions.json", somePermissions)
	ask := func(args ...string) (int, *process) {
		p := start(t, w.environ("AZURE_CLIENT_SECRET="+secretValue),
			append([]string{"permissions", "--permissions", file}, args...)...)
		return p.wait(t), p
	}
	status, p := ask("--json")
	var got struct {
		App    string
		Rules  int
		Work   int
		Unused []struct{ Name string }
		OK     bool
	}
	must(t, json.Unmarshal([]byte(p.stdout.String()), &got))
	quiet(t, p.stdout.String()+p.stderr.String())
	if status != 1 || got.App != "default" || got.Rules != 2 || got.Work != 2 || got.OK || len(got.Unused) != 1 ||
		got.Unused[0].Name != "Mail.Send" {
		t.Errorf("exit status %d: %+v", status, got)
	}
	w.entra.SetRoles(clientID, "User.ReadWrite.All")
	if status, p := ask(); status != 0 || !strings.Contains(p.stdout.String(), "2 of 2 rules covered") {
		t.Errorf("with the one role that is needed: exit status %d\n%s", status, p.stdout)
	}
	w.entra.SetRoles(clientID)
	if status, p := ask(); status != 1 || !strings.Contains(p.stdout.String(), "0 of 2 rules covered, 2 cannot work") {
		t.Errorf("without a role: exit status %d\n%s", status, p.stdout)
	}
}

func TestPermissionsNeedsAToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.registerSecret("another")
	p := start(t, w.environ("AZURE_CLIENT_SECRET="+secretValue), "permissions", "--permissions",
		w.write(t, "permissions.json", somePermissions))
	const want = `graphproxy permissions: app "default": the client secret is wrong (AADSTS7000215)`
	if status := p.wait(t); status != 2 || p.stdout.String() != "" || !strings.HasPrefix(p.stderr.String(), want) {
		t.Errorf("exit status %d, stderr %s", status, p.stderr)
	}
	quiet(t, p.stderr.String())
}

// docs/permissions.md shows the real output of the command for the policy with every key. With -update the test
// writes it there.
func TestTheDocsOfPermissionsAreTrue(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	data, err := os.ReadFile("../../../shared/data/permissions.json")
	complete := err == nil
	if !complete {
		data = []byte(somePermissions)
	}
	must(t, os.WriteFile(filepath.Join(dir, "permissions.json"), data, 0o600))
	example, err := os.ReadFile("../../policy/testdata/example.yaml")
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "policy.yaml"), example, 0o600))
	example, err = os.ReadFile("../../docs/policy-example.yaml")
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "policy-example.yaml"), example, 0o600))
	const name = "../../docs/permissions.md"
	docs, err := os.ReadFile(name)
	must(t, err)
	want := withOutputs(string(docs), func(command string) string {
		cmd := exec.Command("graphproxy", strings.Fields(command)[1:]...)
		cmd.Dir, cmd.Env = dir, []string{"PATH=" + os.Getenv("PATH"), noPause}
		output, err := cmd.Output()
		var exit *exec.ExitError
		if errors.As(err, &exit) && exit.ExitCode() == no {
			err = nil
		}
		must(t, err)
		return string(output)
	})
	if !complete { // each command has run and answered yes or no; its counts need Microsoft's file
		t.Log("Microsoft's permissions.json is not beside the repository: only the commands of docs/permissions.md are " +
			"checked, not their output")
		return
	}
	if *update {
		must(t, os.WriteFile(name, []byte(want), 0o644))
	}
	if diff := cmp.Diff(want, string(docs)); diff != "" && !*update {
		t.Errorf("docs/permissions.md does not show what the command prints; go test -run TheDocsOfPermissions "+
			"./cmd/graphproxy -update writes it (-want +got):\n%s", diff)
	}
}

// withOutputs adds the output of each command to a text, after the command in its indented block.
func withOutputs(text string, run func(command string) string) string {
	lines := strings.Split(text, "\n")
	var all []string
	for len(lines) > 0 {
		line := lines[0]
		lines, all = lines[1:], append(all, line)
		command, isCommand := strings.CutPrefix(line, "    $ ")
		if !isCommand {
			continue
		}
		for output := range strings.Lines(run(command)) {
			if output = strings.TrimSuffix(output, "\n"); output != "" {
				output = "    " + output
			}
			all = append(all, output)
		}
		for len(lines) > 0 && (lines[0] == "" || strings.HasPrefix(lines[0], "    ")) {
			lines = lines[1:]
		}
		all = append(all, "")
	}
	return strings.Join(all, "\n")
}
