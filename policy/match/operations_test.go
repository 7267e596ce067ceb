package match_test

import (
	"strings"
	"testing"

	"graphproxy/policy/graph/odata"
	"graphproxy/policy/match"
)

// An operation that stands beside the keys of a collection is never read as a key.
func TestNothingThatStandsBesideAKeyIsAKey(t *testing.T) {
	for _, version := range []string{"v1.0", "beta"} {
		t.Run(version, func(t *testing.T) {
			keyed, beside := make(map[string]bool), make(map[string]string)
			for _, o := range operations(t, version) {
				place := ""
				for segment := range strings.SplitSeq(o.path[1:], "/") {
					if strings.HasPrefix(segment, "{") {
						keyed[place] = true
					} else {
						beside[place+"/"+segment] = place
					}
					place += "/" + segment
				}
			}
			checked := 0
			for path, place := range beside {
				if !keyed[place] {
					continue
				}
				checked++
				// The same path without its empty parentheses, and with a key for each variable.
				bare := strings.TrimSuffix(fill(path), "()")
				if matchesKey(t, place, bare) {
					t.Errorf("%s/{key} matches %s", place, bare)
				}
			}
			t.Logf("%d literals beside keys", checked)
		})
	}
}

// fill writes a template's variables as keys and arguments.
func fill(path string) string {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(path, "{")
		b.WriteString(before)
		if !found {
			return strings.ReplaceAll(strings.ReplaceAll(b.String(), "=@", "="), "'@", "'")
		}
		_, path, _ = strings.Cut(after, "}")
		b.WriteString("1")
	}
}

func matchesKey(t *testing.T, place, path string) bool {
	t.Helper()
	template, err := odata.ParseTemplate(place + "/{key}")
	if err != nil {
		t.Fatal(err)
	}
	target, err := odata.Parse(path, "")
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	var tree match.AllowSet
	tree.Add(&match.Rule{Methods: match.Get, Template: template})
	return tree.Find(target, match.Get).Index >= 0
}
