package lint_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"graphproxy/policy"
	"graphproxy/policy/analysis/lint"
	"graphproxy/policy/graph/catalog/catalogtest"
)

// A reader who follows the examples must get no warnings.
func TestTheExamplesHaveNothingOdd(t *testing.T) {
	o := lint.Options{Operations: graph(t)}
	examples, shown := make(map[string]string), ""
	for _, file := range []string{"../../../docs/policy-example.yaml", "../../testdata/example.yaml",
		"../../../cmd/graphproxy/sandbox.yaml"} {
		examples[filepath.Base(file)] = read(t, file)
	}
	for _, file := range []string{"../../../docs/policy.md", "../../../README.md"} {
		shown += read(t, file) // with the warnings that it demonstrates
		for i, block := range strings.Split(read(t, file), "```yaml\n")[1:] {
			text, _, _ := strings.Cut(block, "```")
			examples[filepath.Base(file)+strings.Repeat("'", i)] = text
		}
	}
	for name, text := range examples {
		t.Run(name, func(t *testing.T) {
			p, err := policy.Parse("policy.yaml", []byte(text))
			if err != nil {
				t.Skipf("it does not load by itself: %v", err)
			}
			for _, w := range lint.Check(p, o) {
				if !slices.Contains(p.Warnings(), w) && !strings.Contains(shown, w.Message) {
					t.Error(w)
				}
			}
		})
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// A rule for each operation of Graph gives no warning, and a policy of all of them is checked in a short time.
func TestARuleForEachOfGraphsOperationsIsNotOdd(t *testing.T) {
	for prefix, version := range map[string]string{"": "v1.0", "/beta": "beta"} {
		t.Run(version, func(t *testing.T) {
			var text strings.Builder
			text.WriteString("version: 1\ncallers:\n  app:\n    identity: [anyone]\n    allow:\n")
			rules := 0
			for line := range strings.Lines(catalogtest.List(t, version)) {
				method, path, _ := strings.Cut(strings.TrimSpace(line), " ")
				text.WriteString("      - \"" + method + " " + prefix + path + "\"\n")
				rules++
			}
			p := load(t, text.String())
			o := lint.Options{Operations: graph(t)}
			start := time.Now()
			got := texts(lint.Check(p, o))
			t.Logf("%d rules in %v, %d warnings", rules, time.Since(start), len(got))
			for i, w := range got {
				if i < 20 {
					t.Error(w)
				}
			}
		})
	}
}
