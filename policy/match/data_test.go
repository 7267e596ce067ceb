package match_test

import (
	"strings"
	"testing"

	"graphproxy/policy/graph/catalog/catalogtest"
)

// operation is one line of the lists of Graph's operations.
type operation struct {
	method, path string // as in the list, with the version before the path
}

// operations returns the operations of a version.
func operations(t testing.TB, version string) []operation {
	t.Helper()
	var all []operation
	for line := range strings.Lines(catalogtest.List(t, version)) {
		method, path, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		all = append(all, operation{method, "/" + version + path})
	}
	return all
}
