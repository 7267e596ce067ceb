package policy_test

import (
	"os"
	"strings"
	"testing"

	"graphproxy/policy"
)

func TestTheExamplesOfTheReferenceLoad(t *testing.T) {
	data, err := os.ReadFile("../docs/policy.md")
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for i, block := range strings.Split(string(data), "```yaml\n")[1:] {
		text, _, _ := strings.Cut(block, "```")
		if _, err := policy.Parse("policy.yaml", []byte(text)); err != nil {
			t.Errorf("example %d: %v", i, err)
		}
		count++
	}
	if count < 5 {
		t.Errorf("%d examples", count)
	}
}
