package main_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// module is the prefix of our own import paths.
const module = "graphproxy/"

// importLaw is the import law of a package and everything below it: which of our packages it may import, which it must
// not reach at all, and why.
type importLaw struct {
	path  string
	ours  []string // import paths, each with everything below it
	never []string // of the standard library, also not by way of other packages
	why   string
}

// importLaws are in the order of the search: the first one that contains a package is used.
func importLaws() []importLaw {
	return []importLaw{
		{"cmd", []string{"cmd", "proxy", "auth", "policy"}, testPackages(),
			"the command wires everything together, nothing imports it, and what is only for tests stays out of it"},
		{"proxy/graphtest", []string{"proxy/graphtest"}, testPackages(),
			"a fake knows nothing of what it is faked for (it takes functions, Options.Verify), and is part of the sandbox, " +
				"so of the binary"},
		{"proxy/redislimit", []string{"policy/limit"}, testPackages(),
			"buckets that replicas share are behind a network; they know limits, and nothing of the policy that charges them"},
		{"proxy", []string{"proxy", "auth", "auth/caller", "policy", "policy/graph", "policy/limit", "policy/match"},
			testPackages(), "a request's way uses the other packages, but neither the command nor the fakes, which are no " +
				"part of a production path"},
		{"auth/entratest", []string{"auth/entratest"}, testPackages(),
			"a fake knows nothing of what it is faked for, or it would repeat its mistakes, and is part of the sandbox, so " +
				"of the binary"},
		{"auth", []string{"auth"}, nil, "what Graph is shown and who is calling do not depend on what callers may do"},
		{"policy/graph", []string{"policy/graph"}, impure(), "what Microsoft Graph is does not depend on what we do with it"},
		{"policy/analysis", []string{"policy"}, impure(),
			"analysis is for people and their files, and the same on every machine"},
		{"policy", []string{"policy"}, impure(),
			"the policy is pure, so that a file and a request give the same decision in a test, on a laptop and in production"},
	}
}

// impure are the packages of the standard library with which a result depends on more than its arguments.
func impure() []string { return []string{"net/http", "net", "log", "log/slog"} }

// testPackages add flags and code for tests to every program that contains them.
func testPackages() []string { return []string{"testing", "net/http/httptest"} }

func TestImportsRunOneWay(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		own := strings.TrimPrefix(p.ImportPath, module)
		i := slices.IndexFunc(importLaws(), func(r importLaw) bool { return under(own, r.path) })
		if i < 0 {
			t.Errorf("%s has no import law: packages belong below cmd, proxy, auth or policy", p.ImportPath)
			continue
		}
		r := importLaws()[i]
		for _, imported := range p.Imports {
			if ours, ok := strings.CutPrefix(imported, module); ok && !r.allows(ours) {
				t.Errorf("%s imports %s: %s", p.ImportPath, imported, r.why)
			}
		}
		for _, dep := range p.Deps {
			if slices.Contains(r.never, dep) {
				t.Errorf("%s depends on %s: %s", p.ImportPath, dep, r.why)
			}
		}
	}
}

// allows reports whether the package may be imported. The fakes must be named themselves: "auth" does not include
// auth/entratest.
func (r importLaw) allows(own string) bool {
	for _, fake := range []string{"auth/entratest", "proxy/graphtest"} {
		if under(own, fake) && r.path != "cmd" {
			return slices.Contains(r.ours, fake)
		}
	}
	if under(own, "policy/graph/catalog") && r.path == "proxy" {
		return false // the lists of operations are for policy files and reports, never for requests
	}
	if under(own, "policy/analysis") && r.path != "cmd" && r.path != "policy/analysis" {
		return false // analysis is for reports, never for requests
	}
	return slices.ContainsFunc(r.ours, func(allowed string) bool { return under(own, allowed) })
}

func under(own, dir string) bool { return own == dir || strings.HasPrefix(own, dir+"/") }

// listed is the output of go list for a package. Deps are direct and indirect.
type listed struct {
	ImportPath    string
	Imports, Deps []string
}

func packages(t *testing.T) []listed {
	t.Helper()
	cmd := exec.Command("go", "list", "-e", "-json=ImportPath,Imports,Deps", "./...")
	cmd.Dir = repository(t)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []listed
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if len(all) < 8 {
		t.Fatalf("go list knows %d packages only", len(all))
	}
	return all
}

func TestNothingElseStandsAtTheTop(t *testing.T) {
	t.Parallel()
	allowed := []string{"cmd", "proxy", "auth", "policy", "docs", "deploy", "go.mod", "go.sum", "README.md", "Dockerfile",
		"LICENSE", "CHANGELOG.md", "CONTRIBUTING.md"}
	top := repository(t)
	ignored := ignoredNames(t, top)
	entries, err := os.ReadDir(top)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		name := e.Name()
		isIgnored := slices.ContainsFunc(ignored, func(pattern string) bool { ok, _ := path.Match(pattern, name); return ok })
		if !isIgnored && !strings.HasPrefix(name, ".") && !slices.Contains(allowed, name) {
			t.Errorf("%s stands at the top: only %s do", name, strings.Join(allowed, ", "))
		}
	}
}

// ignoredNames are the patterns of .gitignore, for names at the top.
func ignoredNames(t *testing.T, top string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(top, ".gitignore"))
	if err != nil {
		t.Fatal(err)
	}
	var patterns []string
	for line := range strings.Lines(string(text)) {
		patterns = append(patterns, strings.Trim(strings.TrimSpace(line), "/"))
	}
	return patterns
}

func TestSourcesKeepToTheImportLaw(t *testing.T) {
	t.Parallel()
	eachGoFile(t, func(own string, _ []byte, set *token.FileSet, parsed *ast.File) {
		if !strings.HasSuffix(own, "_test.go") && !strings.Contains("/"+own, "/testdata/") {
			checkSource(t, own, set, parsed)
		}
	})
}

// isModule reports whether a directory is a module of its own.
func isModule(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil
}

// checkSource checks the calls and declarations of one file.
func checkSource(t *testing.T, own string, set *token.FileSet, parsed *ast.File) {
	t.Helper()
	for _, decl := range parsed.Decls {
		if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
			t.Errorf("%s: func init runs before main can tell what goes wrong in it, and in every program that imports the "+
				"package", set.Position(f.Pos()))
		}
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if pkg, ok := sel.X.(*ast.Ident); ok {
				if why := misplaced(own, pkg.Name+"."+sel.Sel.Name); why != "" {
					t.Errorf("%s: %s", set.Position(sel.Pos()), why)
				}
			}
		}
		return true
	})
}

// isGenerator reports whether a file is a command of its own, which makes the embedded list of a package.
func isGenerator(own string) bool {
	return own == "policy/graph/catalog/generate/main.go" || own == "policy/commonwords/generate/main.go"
}

// misplaced returns why a file may not use a name, or "".
func misplaced(own, name string) string {
	switch name {
	case "os.Exit", "log.Fatal", "log.Fatalf", "log.Fatalln":
		if own != "cmd/graphproxy/main.go" && !isGenerator(own) {
			return name + " ends the process past every defer: only main does"
		}
	case "os.Getenv", "os.LookupEnv", "os.Environ", "os.ExpandEnv", "os.Setenv", "os.Unsetenv":
		if own != "cmd/graphproxy/main.go" {
			return name + ": the environment is read in one place, and what it says is passed on as arguments"
		}
	case "os.Stdin", "os.Stdout", "os.Stderr":
		if own != "cmd/graphproxy/main.go" && !isGenerator(own) {
			return name + ": streams are passed on as arguments"
		}
	case "time.Now", "time.Since", "time.Until":
		if under(own, "policy") {
			return name + ": the policy has no clock; times are arguments"
		}
	}
	return ""
}

// repository is the directory with go.mod.
func repository(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
	}
	t.Fatal(fmt.Errorf("no go.mod above the test"))
	return ""
}
