package catalogtest_test

import (
	"regexp"
	"strings"
	"testing"

	"graphproxy/policy/graph/catalog"
	"graphproxy/policy/graph/catalog/catalogtest"
	"graphproxy/policy/graph/odata"
)

// variable matches the name of a variable, which differs between lists.
var variable = regexp.MustCompile(`\{[^}]*\}`)

func operations(t *testing.T, text, version string) map[string]bool {
	t.Helper()
	all := make(map[string]bool)
	err := catalog.Read(strings.NewReader(text), version, func(method string, path *odata.Template) {
		all[strings.ToLower(method+" "+variable.ReplaceAllString(path.Text, "{}"))] = true
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestTheShortListsHaveOperationsOfGraphOnly(t *testing.T) {
	for version, least := range map[string]int{"v1.0": 300, "beta": 50} {
		short, best := operations(t, catalogtest.Short(version), version), operations(t, catalogtest.List(t, version),
			version)
		if len(short) < least || len(short) != strings.Count(catalogtest.Short(version), "\n") {
			t.Errorf("%s: %d operations, want at least %d and each once", version, len(short), least)
		}
		for o := range short {
			if !best[o] {
				t.Errorf("%s is not in Graph", o)
			}
		}
	}
}
