package permissions_test

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"graphproxy/policy/analysis/permissions"
	"graphproxy/policy/graph/catalog/catalogtest"
	"graphproxy/policy/graph/odata"
)

func TestWhatIsNoPermissionsFileIsRefused(t *testing.T) {
	for _, tt := range []struct {
		name string
		file io.Reader
		want string
	}{
		{"nothing", strings.NewReader(""), "it is no permissions.json: unexpected end of JSON input"},
		{"another format", strings.NewReader("version: 1"), "it is no permissions.json: invalid character 'v'"},
		{"other JSON", strings.NewReader(`{"value": []}`), "it has no paths under permissions"},
		{"permissions of another shape", strings.NewReader(`{"permissions": ["User.Read"]}`),
			"it is no permissions.json: json: cannot unmarshal array"},
		{"no path that can be read",
			strings.NewReader(`{"permissions": {"A": {"authorizationType": "oAuth2", "pathSets": [{"paths": {"users": ` +
				`""}}]}}}`), "it has no paths"},
		{"half a file", strings.NewReader(sample[:len(sample)/2]), "unexpected end of JSON input"},
		{"too large a file", io.LimitReader(spaces{}, 17<<20), "it has more than 16 MiB"},
		{"a file that cannot be read", iotest.ErrReader(os.ErrPermission), "permission denied"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, err := permissions.Read(tt.file)
			if d != nil || err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

// spaces is endless white space.
type spaces struct{}

func (spaces) Read(p []byte) (int, error) { return copy(p, strings.Repeat(" ", len(p))), nil }

func TestZeroDataDocumentsNothing(t *testing.T) {
	r := permissions.Check(policyOf(t, "GET /users", ""), new(permissions.Data), []string{"Person.Read.All"}, "")
	if got := verdict(r); got != "undocumented GET" || len(r.Unknown) != 1 {
		t.Errorf("%s, %d unknown", got, len(r.Unknown))
	}
}

// published opens Microsoft's file, if it lies in shared/data beside the repository, or else the sample.
func published(t testing.TB) io.ReadSeeker {
	t.Helper()
	f, err := os.Open(catalogtest.Beside(t, filepath.Join("data", "permissions.json")))
	if err != nil {
		return strings.NewReader(sample)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// Each operation of the file, as a rule, works with all roles. It does not work with none, and works with the roles
// that the report then names.
func TestEveryOperationOfTheFileIsFoundAgain(t *testing.T) {
	f := published(t)
	rules, all := operationsOf(t, f)
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	d, err := permissions.Read(f)
	if err != nil {
		t.Fatal(err)
	}
	p := policyOf(t, strings.Join(rules, "\n"), "")
	if r := permissions.Check(p, d, all, ""); !isFit(r, len(rules)) {
		t.Errorf("with all roles %s of %d rules", verdict(r), len(rules))
	}
	without := permissions.Check(p, d, nil, "")
	if len(without.Cannot) != len(rules) {
		t.Errorf("without a role %d of %d rules cannot work", len(without.Cannot), len(rules))
	}
	var needed []string
	for _, f := range without.Cannot {
		for _, n := range f.Needs {
			needed = append(needed, n.Name)
			if n.With != "" {
				needed = append(needed, n.With)
			}
		}
	}
	if r := permissions.Check(p, d, needed, ""); !isFit(r, len(rules)) {
		t.Errorf("with the roles that are said to be needed %s of %d rules", verdict(r), len(rules))
	}
}

func isFit(r permissions.Report, rules int) bool {
	return r.Work+len(r.Depends) == rules && len(r.Unused)+len(r.Unknown) == 0
}

// operationsOf returns the operations of apps in the file, as rules in quotes, and their roles.
func operationsOf(t *testing.T, r io.Reader) (rules, roles []string) {
	t.Helper()
	var file struct {
		Permissions map[string]struct {
			AuthorizationType string
			PathSets          []struct {
				SchemeKeys, Methods []string
				Paths               map[string]string
			}
		}
	}
	if err := json.NewDecoder(r).Decode(&file); err != nil {
		t.Fatal(err)
	}
	for name, p := range file.Permissions {
		for _, set := range p.PathSets {
			if p.AuthorizationType != "oAuth2" || !slices.Contains(set.SchemeKeys, "Application") {
				continue
			}
			for path := range set.Paths {
				template := templateOf(path)
				if template == "" {
					continue
				}
				roles = append(roles, name)
				for _, m := range set.Methods {
					rules = append(rules, strconv.Quote(m+" "+template))
				}
			}
		}
	}
	slices.Sort(rules)
	return slices.Compact(rules), roles
}

var inBraces = regexp.MustCompile(`\{[^}]*\}`)

// templateOf returns a path in the form of a rule: each variable has its own name. It is "" for a path that cannot
// be a rule: one with a query, one of a signed-in user, and a few broken ones.
func templateOf(path string) string {
	n := 0
	path = inBraces.ReplaceAllStringFunc(strings.ReplaceAll(path, ", ", ","), func(string) string {
		n++
		return fmt.Sprintf("{key%d}", n)
	})
	if _, err := odata.ParseTemplate(path); err != nil || strings.HasPrefix(path, "/me") {
		return ""
	}
	return path
}

func BenchmarkReadingThePublishedFile(b *testing.B) {
	f := published(b)
	for b.Loop() {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			b.Fatal(err)
		}
		if _, err := permissions.Read(f); err != nil {
			b.Fatal(err)
		}
	}
}
