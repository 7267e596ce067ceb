package main

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"graphproxy/policy"
)

// deployed returns the path of a file of deploy/.
func deployed(name ...string) string {
	return filepath.Join(append([]string{"..", "..", "deploy"}, name...)...)
}

func TestEveryYAMLFileOfDeployIsYAMLAndEveryPolicyLoads(t *testing.T) {
	t.Parallel()
	found := 0
	err := filepath.WalkDir(deployed(), func(file string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && d.Name() == "templates" { // of Helm; deploy/test renders them
			return fs.SkipDir
		}
		if err != nil || d.IsDir() || filepath.Ext(file) != ".yaml" {
			return err
		}
		found++
		text, err := os.ReadFile(file)
		must(t, err)
		for dec := yaml.NewDecoder(bytes.NewReader(text)); ; {
			var document map[string]any // doubled keys are errors
			if err := dec.Decode(&document); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Errorf("%s: %v", file, err)
				break
			}
		}
		if filepath.Base(file) == "policy.yaml" {
			if _, err := policy.Parse(file, text); err != nil {
				t.Error(err)
			}
		}
		return nil
	})
	must(t, err)
	if found < 10 {
		t.Errorf("%d files were looked at", found)
	}
}

// tool runs a program on files of deploy/, or skips the test if the machine lacks it.
func tool(t *testing.T, name string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skipf("this machine has no %s: %v", name, err)
	}
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Errorf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func TestSystemdTakesTheUnit(t *testing.T) {
	t.Parallel()
	unit, err := os.ReadFile(deployed("systemd", "graphproxy.service"))
	must(t, err)
	// The program is not installed here, and its man page is not either.
	text := strings.ReplaceAll(string(unit), "/usr/bin/graphproxy", "/bin/true")
	text = regexp.MustCompile(`(?m)^Documentation=.*\n`).ReplaceAllString(text, "")
	file := filepath.Join(t.TempDir(), "graphproxy.service")
	must(t, os.WriteFile(file, []byte(text), 0o600))
	if out := tool(t, "systemd-analyze", "verify", file); strings.Contains(out, "graphproxy.service") {
		t.Errorf("systemd-analyze verify: %s", out)
	}
	exposure := regexp.MustCompile(`exposure level for graphproxy.service: ([0-9.]+)`)
	if m := exposure.FindStringSubmatch(tool(t, "systemd-analyze", "security", "--offline=true", file)); m == nil ||
		m[1] > "2.0" {
		t.Errorf("exposure level %v", m)
	}
}
