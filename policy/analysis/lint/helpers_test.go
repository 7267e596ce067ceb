package lint_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"graphproxy/policy"
	"graphproxy/policy/analysis/lint"
	"graphproxy/policy/graph/catalog"
)

// load parses a policy that must load.
func load(t testing.TB, text string) *policy.Policy {
	t.Helper()
	p, err := policy.Parse("policy.yaml", []byte(text))
	if err != nil {
		t.Fatalf("%v\nin:\n%s", err, text)
	}
	return p
}

// app is a policy with one caller, named app, on lines 2 and after. Rules are the lines of its allow and deny, from
// line 5.
func app(t testing.TB, rules string) *policy.Policy {
	t.Helper()
	return load(t, "version: 1\ncallers:\n  app:\n    identity: [anyone]\n    "+strings.ReplaceAll(strings.Trim(rules, "\n"), "\n", "\n    ")+"\n")
}

func texts(problems []*policy.Error) []string {
	var all []string
	for _, p := range problems {
		all = append(all, strings.TrimPrefix(p.Error(), "policy.yaml:"))
	}
	return all
}

// shared returns the path of what lies beside the repository, or skips the test.
func shared(t testing.TB, name string) string {
	t.Helper()
	file, err := filepath.Abs(filepath.Join("..", "..", "..", "..", "shared", name))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(file); err != nil {
		t.Skipf("what is kept beside the repository is not there: %v", err)
	}
	return file
}

// graph returns all of Graph's operations, or skips the test.
func graph(t testing.TB) *lint.Operations {
	t.Helper()
	o := new(lint.Operations)
	for _, name := range []string{"graph-v1.0-operations.txt", "graph-beta-operations.txt"} {
		f, err := os.Open(shared(t, filepath.Join("data", name)))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := o.Read(f, catalog.VersionOf(name)); err != nil {
			t.Fatal(err)
		}
	}
	return o
}
