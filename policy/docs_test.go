package policy_test

import (
	"os"
	"strings"
	"testing"

	"graphproxy/policy"
)

// Whoever copies an example must get a policy that loads and whose tests pass.
func TestTheExamplesInTheDocumentsLoad(t *testing.T) {
	for file, least := range map[string]int{"../docs/policy.md": 5, "../README.md": 1} {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		blocks := strings.Split(string(data), "```yaml\n")[1:]
		for i, block := range blocks {
			text, _, _ := strings.Cut(block, "```")
			if _, err := policy.Parse("policy.yaml", []byte(text)); err != nil {
				t.Errorf("%s, example %d: %v", file, i, err)
			}
		}
		if len(blocks) < least {
			t.Errorf("%s has %d examples", file, len(blocks))
		}
	}
}
