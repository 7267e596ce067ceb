// Package catalogtest has a list of Graph's operations for tests, in every clone of the repository.
//
// The lists here are short and written by hand. If Microsoft's complete lists are in shared/data beside the
// repository, tests get those. The package is for tests only.
package catalogtest

import (
	_ "embed"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

//go:embed v1.0-operations.txt
var someOfV1 string // never changed

//go:embed beta-operations.txt
var someOfBeta string // never changed

// List returns the complete list of operations of a version, "v1.0" or "beta", if it is there, else the short one.
// It has the format of catalog.Read, without comments and empty lines.
func List(t testing.TB, version string) string {
	t.Helper()
	text, err := os.ReadFile(Beside(t, filepath.Join("data", "graph-"+version+"-operations.txt")))
	if errors.Is(err, fs.ErrNotExist) {
		return Short(version)
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Short returns the list that was written by hand, in the format of List.
func Short(version string) string {
	text := someOfV1
	if version == "beta" {
		text = someOfBeta
	}
	var b strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "#") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// Beside returns the path of a file in shared, the folder beside the repository, if the file exists.
func Beside(t testing.TB, name string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for dir != filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, "..", "shared", name)
		}
		dir = filepath.Dir(dir)
	}
	t.Fatal("no go.mod above the test")
	return ""
}
