package catalog_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"graphproxy/policy/graph/catalog"
	"graphproxy/policy/graph/odata"
)

func TestTheNameOfAListHasItsVersion(t *testing.T) {
	for file, want := range map[string]string{
		"graph-v1.0-operations.txt":      "v1.0",
		"/beta/operations.txt":           "v1.0",
		`C:\graph\Beta.txt`:              "beta",
		"data/graph-beta-operations.txt": "beta",
	} {
		if got := catalog.VersionOf(file); got != want {
			t.Errorf("%s: %s", file, got)
		}
	}
}

func TestAListIsReadLineByLine(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       []string
		problem    string
	}{
		{"nothing", "", nil, ""},
		{"operations, comments and empty lines", "# Graph\r\n\nGET /users/{user-id}\r\n  POST /beta/users  \n",
			[]string{"GET /beta/users/{user-id}", "POST /beta/users"}, ""},
		{"a version in the line counts", "GET /v1.0/users", []string{"GET /v1.0/users"}, ""},
		{"a line that is none", "GET /users\nusers\nGET /groups", []string{"GET /beta/users"},
			`line 2: "users" is no operation; a line is METHOD /path`},
		{"a method that Graph has not", "TRACE /users", nil,
			`line 1: "TRACE /users" is no operation; a line is METHOD /path`},
		{"a path that is none", "GET /users//x", nil, "line 1: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			err := catalog.Read(strings.NewReader(c.text), "beta", func(method string, t *odata.Template) {
				got = append(got, method+" "+t.Text)
			})
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			if c.problem == "" && err != nil || c.problem != "" && (err == nil || !strings.HasPrefix(err.Error(), c.problem)) {
				t.Errorf("%v, want %q", err, c.problem)
			}
		})
	}
}
