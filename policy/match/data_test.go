package match_test

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// operation is one line of the lists of Graph's operations.
type operation struct {
	method, path string // as the list has it, with the version in front of the path
}

// operations reads a list that lies in shared/data beside the repository, or skips the test.
func operations(t testing.TB, name, version string) []operation {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above the test")
		}
		dir = filepath.Dir(dir)
	}
	f, err := os.Open(filepath.Join(dir, "..", "shared", "data", name))
	if err != nil {
		t.Skipf("the list of Graph's operations is not there: %v", err)
	}
	defer f.Close()
	var all []operation
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		method, path, _ := strings.Cut(lines.Text(), " ")
		all = append(all, operation{method, version + path})
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}
