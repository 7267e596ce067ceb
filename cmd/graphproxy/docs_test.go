package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Each promise of docs/security.md has an existing test, and every section of the page has promises.
func TestEachPromiseOfSecurityHasItsTests(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/security.md")
	must(t, err)
	page := string(text)
	_, rest, begins := strings.Cut(page, "<!-- promises: begin")
	table, _, ends := strings.Cut(rest, "<!-- promises: end -->")
	if !begins || !ends {
		t.Fatal("docs/security.md has no table of promises")
	}
	statements := map[string]int{}
	for _, m := range regexp.MustCompile("(?m)^\\*\\*((?:`[^`]*`|[^*`])+?)\\.?\\*\\*").FindAllStringSubmatch(page, -1) {
		statements[m[1]] = 0
	}
	for _, row := range regexp.MustCompile(`(?m)^\| ([^|]+) \| ([^|]+) \| (.+) \|$`).FindAllStringSubmatch(table, -1)[1:] {
		if _, ok := statements[row[1]]; !ok {
			t.Errorf("%q is no statement of the page", row[1])
		}
		statements[row[1]]++
		if !namedTest.MatchString(row[3]) {
			t.Errorf("%q has no test", row[2])
		}
	}
	for statement, promises := range statements {
		if promises == 0 {
			t.Errorf("%q has no row in the table", statement)
		}
	}
	if len(statements) < 15 {
		t.Errorf("the page has %d statements", len(statements))
	}
}

var namedTest = regexp.MustCompile("`((?:Test|Fuzz)[A-Z0-9]\\w*)`")

// The repository has every test that the documentation names.
func TestTestsThatTheDocumentationNamesExist(t *testing.T) {
	t.Parallel()
	known := repositorysTests(t)
	pages, err := filepath.Glob("../../docs/*.md")
	must(t, err)
	found := 0
	for _, page := range pages {
		text, err := os.ReadFile(page)
		must(t, err)
		for _, m := range namedTest.FindAllStringSubmatch(string(text), -1) {
			if found++; !known[m[1]] {
				t.Errorf("%s names %s, which is no test of this repository", filepath.Base(page), m[1])
			}
		}
	}
	if found < 50 {
		t.Errorf("the documentation names %d tests", found)
	}
}

// repositorysTests returns the names of all test functions, as the parser of Go reads them.
func repositorysTests(t *testing.T) map[string]bool {
	t.Helper()
	known := map[string]bool{}
	must(t, filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "node_modules" || d.Name() == ".git"):
			return fs.SkipDir
		case !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, declared := range file.Decls {
			if f, ok := declared.(*ast.FuncDecl); ok && f.Recv == nil {
				known[f.Name.Name] = true
			}
		}
		return nil
	}))
	return known
}
