package caller_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"graphproxy/auth/caller/oidc"
)

// The table of docs/errors.md between its marks names every code of a refused caller, and no other.
func TestTheTableOfRefusedCallersNamesEveryCode(t *testing.T) {
	text, err := os.ReadFile("../../docs/errors.md")
	must(t, err)
	_, table, _ := strings.Cut(string(text), "<!-- callers: begin")
	table, _, _ = strings.Cut(table, "<!-- callers: end")
	var documented []string
	for _, row := range regexp.MustCompile(`(?m)^\| ([a-z]\w+[A-Z]\w+) \|`).FindAllStringSubmatch(table, -1) {
		documented = append(documented, row[1])
	}
	slices.Sort(documented)
	codes := []string{oidc.CodeExpired, oidc.CodeInvalid, oidc.CodeIssuerUnknown, oidc.CodeUnavailable}
	files, err := filepath.Glob("*.go")
	must(t, err)
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		source, err := os.ReadFile(file)
		must(t, err)
		for _, m := range regexp.MustCompile(`\bCode: "(\w+)"`).FindAllStringSubmatch(string(source), -1) {
			codes = append(codes, m[1])
		}
	}
	slices.Sort(codes)
	if diff := cmp.Diff(slices.Compact(codes), documented); diff != "" {
		t.Errorf("docs/errors.md (-code +docs):\n%s", diff)
	}
}
