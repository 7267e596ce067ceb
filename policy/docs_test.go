package policy_test

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"graphproxy/policy"
	"graphproxy/proxy"
)

// A reader who copies an example must get a policy that loads and whose tests pass.
func TestTheExamplesInTheDocumentsLoad(t *testing.T) {
	for file, least := range map[string]int{"../docs/policy.md": 5, "../docs/recipes.md": 7, "../README.md": 1} {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		blocks := strings.Split(string(data), "```yaml\n")[1:]
		for i, block := range blocks {
			text, _, _ := strings.Cut(block, "```")
			if _, err := policy.Parse("policy.yaml", []byte(text), proxy.CheckEvidence); err != nil {
				t.Errorf("%s, example %d: %v", file, i, err)
			}
		}
		if len(blocks) < least {
			t.Errorf("%s has %d examples", file, len(blocks))
		}
	}
}

// A list of hashed words contains the hash of any word, and examples are copied. So a key in an example must be
// random.
func TestNoExampleHasTheHashOfAWord(t *testing.T) {
	words := map[string]bool{}
	for _, word := range []string{"", "secret", "password", "abc123", "changeme", "test", "key", "apikey", "letmein",
		"s3cret", "hunter2"} {
		words[word] = true
	}
	files := examplesOfTheRepository(t)
	for _, text := range files {
		for _, word := range strings.FieldsFunc(text,
			func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '-' && r != '_' }) {
			words[word], words[strings.ToLower(word)] = true, true
		}
	}
	hashes := map[string]string{}
	for word := range words {
		for _, ending := range []string{"", "\n"} {
			hashes[fmt.Sprintf("%x", sha256.Sum256([]byte(word+ending)))] = word
		}
	}
	count := 0
	for file, text := range files {
		for _, hash := range regexp.MustCompile(`[0-9a-f]{64}`).FindAllString(text, -1) {
			count++
			if word, found := hashes[hash]; found {
				t.Errorf("%s holds the hash of %q; write one that graphproxy key has made", file, word)
			}
		}
	}
	if count < 8 {
		t.Errorf("only %d hashes were found", count)
	}
}

// examplesOfTheRepository returns the files that people copy from, by name.
func examplesOfTheRepository(t *testing.T) map[string]string {
	t.Helper()
	files := map[string]string{}
	for _, pattern := range []string{"../README.md", "../docs/*", "../docs/*/*", "../docs/*/*/*", "testdata/example.yaml",
		"../cmd/graphproxy/sandbox.yaml", "../cmd/graphproxy/testdata/script/*"} {
		names, err := filepath.Glob(pattern)
		if err != nil || len(names) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		for _, name := range names {
			if info, err := os.Stat(name); err == nil && info.IsDir() {
				continue // its files fit another pattern
			}
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			files[name] = string(text)
		}
	}
	return files
}

// docs/policy-example.yaml is the example of the format, byte for byte.
func TestTheExampleInTheDocumentsIsTheFormats(t *testing.T) {
	want, err := os.ReadFile("../../shared/policy-example.yaml")
	if err != nil {
		t.Skipf("the format's example is not beside the repository: %v", err)
	}
	got, err := os.ReadFile("../docs/policy-example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Error(diff)
	}
}
