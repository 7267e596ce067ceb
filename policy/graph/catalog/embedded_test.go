package catalog_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"graphproxy/policy/graph/catalog"
	"graphproxy/policy/graph/odata"
)

// all returns every operation of the embedded list of a version.
func all(t testing.TB, version string) []catalog.Operation {
	t.Helper()
	roots, err := catalog.Roots(version)
	if err != nil {
		t.Fatal(err)
	}
	var operations []catalog.Operation
	for _, root := range roots {
		if err := catalog.Below(version, root, func(o catalog.Operation) bool {
			operations = append(operations, o)
			return true
		}); err != nil {
			t.Fatal(err)
		}
	}
	return operations
}

func TestTheEmbeddedListsAreWhole(t *testing.T) {
	for _, version := range catalog.Versions() {
		about, err := catalog.About(version)
		if err != nil {
			t.Fatal(err)
		}
		operations := all(t, version)
		if about.Version != version || about.Operations != len(operations) || len(operations) < 14_000 {
			t.Errorf("%+v: %d operations", about, len(operations))
		}
		if !slices.IsSortedFunc(operations, catalog.Compare) {
			t.Errorf("%s is not sorted", version)
		}
		seen := make(map[string]bool)
		for _, o := range operations {
			template, err := odata.ParseTemplate("/" + version + o.Path)
			if err != nil || template.Text != "/"+version+o.Path {
				t.Errorf("%s: %v", o.Path, err)
			}
			if seen[o.Method+o.Path] {
				t.Errorf("%s %s is there twice", o.Method, o.Path)
			}
			seen[o.Method+o.Path] = true
		}
	}
}

// The lists grow old: a warning after a year is a reason to generate them anew, see CONTRIBUTING.md. The test does
// not fail, so that an old release can still be built.
func TestTheAgeOfTheEmbeddedListsIsReported(t *testing.T) {
	for _, version := range catalog.Versions() {
		about, err := catalog.About(version)
		if err != nil {
			t.Fatal(err)
		}
		released, err := time.Parse(time.DateOnly, about.Date)
		if err != nil || about.Module == "" || about.Release == "" {
			t.Fatalf("%+v: %v", about, err)
		}
		age := time.Since(released).Hours() / 24
		t.Logf("%s is of %s %s, %s: %.0f days old", version, about.Module, about.Release, about.Date, age)
		if age > 365 {
			t.Logf("WARNING: the list of %s is older than a year; make it anew as CONTRIBUTING.md says", version)
		}
	}
}

func TestAnOperationHasItsKindItsOptionsAndItsPage(t *testing.T) {
	for _, c := range []struct {
		version, method, path string
		kind                  catalog.Kind
		options               []string
		url                   string
	}{
		{
			"v1.0",
			"POST",
			"/users/{user-id}/sendMail",
			catalog.Action,
			nil,
			"https://learn.microsoft.com/graph/api/user-sendmail?view=graph-rest-1.0",
		},
		{
			"v1.0",
			"GET",
			"/users/delta()",
			catalog.Function,
			[]string{"$count", "$expand", "$filter", "$orderby", "$search", "$select", "$skip", "$top"},
			"https://learn.microsoft.com/graph/api/user-delta?view=graph-rest-1.0",
		},
		{"v1.0", "GET", "/users/{user-id}/messages", catalog.Resource,
			[]string{"$count", "$expand", "$filter", "$orderby", "$search", "$select", "$skip", "$top", "includeHiddenMessages"},
			""},
		{"beta", "GET", "/devices/{device-id}", catalog.Resource, []string{"$expand", "$select"},
			"https://learn.microsoft.com/graph/api/device-get?view=graph-rest-beta"},
	} {
		i := slices.IndexFunc(all(t, c.version),
			func(o catalog.Operation) bool { return o.Method == c.method && o.Path == c.path })
		if i < 0 {
			t.Errorf("%s %s is missing", c.method, c.path)
			continue
		}
		o := all(t, c.version)[i]
		if o.Kind != c.kind || !slices.Equal(o.Options, c.options) || o.URL(c.version) != c.url {
			t.Errorf("%+v %s", o, o.URL(c.version))
		}
	}
}

func TestAListIsReadBackAsItWasWritten(t *testing.T) {
	operations := []catalog.Operation{
		{Method: "GET", Path: "/a", Options: []string{"$select", "$top"}, Page: "a-list"},
		{Method: "POST", Path: "/a"},
		{Method: "GET", Path: "/a/{a-id}", Options: []string{"$select"}},
		{Method: "DELETE", Path: "/a/{a-id}"},
		{Method: "POST", Path: "/a/{a-id}/do", Kind: catalog.Action, Page: "a-do"},
		{Method: "GET", Path: "/a1", Options: []string{"$select"}},
		{Method: "GET", Path: "/a1/2"},
		{Method: "GET", Path: "/b/f()", Kind: catalog.Function, Options: []string{"$select"}},
	}
	about := catalog.Source{Version: "v1.0", Module: "m", Release: "v1", Date: "2026-01-02", Operations: len(operations)}
	var text bytes.Buffer
	if err := catalog.Encode(&text, about, operations); err != nil {
		t.Fatal(err)
	}
	got, read, err := catalog.Decode(text.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(operations, read) + cmp.Diff(about, got); diff != "" {
		t.Error(diff)
	}
	slices.Reverse(operations)
	if err := catalog.Encode(&text, about, operations); err == nil {
		t.Error("operations that are not sorted are written")
	}
	for _, damaged := range []string{"", "x\n", strings.Replace(text.String(), "0/a\t", "/a\t", 1),
		strings.Replace(text.String(), "\tG0:", "\tX0:", 1),
		strings.Replace(text.String(), "\tG0:", "\tG7:", 1), strings.TrimSuffix(text.String(), "\n"),
		strings.Replace(text.String(), " 8\n", " 9\n", 1)} {
		if _, _, err := catalog.Decode([]byte(damaged)); err == nil {
			t.Errorf("a damaged list is read: %q", damaged)
		}
	}
}
