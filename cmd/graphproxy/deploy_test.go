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

// Each alert is about metrics that docs/operations.md names, which a test holds against /metrics, and has a runbook
// there.
func TestEachAlertIsAboutMetricsThatExistAndHasARunbook(t *testing.T) {
	text, err := os.ReadFile(deployed("prometheus", "alerts.yaml"))
	must(t, err)
	var rules struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr string
				Annotations struct {
					Summary string `yaml:"summary"`
					Runbook string `yaml:"runbook_url"`
				}
			}
		}
	}
	must(t, yaml.Unmarshal(text, &rules))
	page, err := os.ReadFile("../../docs/operations.md")
	must(t, err)
	alerts := 0
	for _, group := range rules.Groups {
		for _, rule := range group.Rules {
			alerts++
			metrics := regexp.MustCompile(`graphproxy_[a-z_]+`).FindAllString(rule.Expr, -1)
			if len(metrics) == 0 {
				t.Errorf("%s: names no metric", rule.Alert)
			}
			for _, metric := range metrics {
				if !bytes.Contains(page, []byte("`"+metric)) {
					t.Errorf("%s: docs/operations.md knows no metric %s", rule.Alert, metric)
				}
			}
			if want := "docs/operations.md#" + strings.ToLower(rule.Alert); rule.Annotations.Runbook != want {
				t.Errorf("%s: the runbook is %q, want %q", rule.Alert, rule.Annotations.Runbook, want)
			}
			if !bytes.Contains(page, []byte("\n### "+rule.Alert+"\n")) {
				t.Errorf("%s: docs/operations.md has no such heading", rule.Alert)
			}
		}
	}
	if alerts < 5 {
		t.Errorf("%d alerts", alerts)
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

func TestPrometheusTakesTheRules(t *testing.T) {
	tool(t, "promtool", "check", "rules", deployed("prometheus", "alerts.yaml"))
}

func TestSystemdTakesTheUnit(t *testing.T) {
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
