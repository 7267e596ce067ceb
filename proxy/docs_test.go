package proxy_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The table of docs/errors.md between its marks names every code that this package answers with, and no other.
func TestTheTableOfErrorsNamesEveryCode(t *testing.T) {
	text, err := os.ReadFile("../docs/errors.md")
	must(t, err)
	_, table, _ := strings.Cut(string(text), "<!-- codes: begin")
	table, _, _ = strings.Cut(table, "<!-- codes: end")
	var documented []string
	for _, row := range regexp.MustCompile(`(?m)^\| \d+ \| \w+ \| (\w+) \|`).FindAllStringSubmatch(table, -1) {
		documented = append(documented, row[1])
	}
	sort.Strings(documented)
	if diff := cmp.Diff(codesInSource(t), documented); diff != "" {
		t.Errorf("docs/errors.md (-code +docs):\n%s", diff)
	}
}

// codesInSource finds innerError codes where they are written: Inner: "…" and badRequest("…"). The two that stand for
// another package's code when it gives none are left out.
func codesInSource(t *testing.T) []string {
	t.Helper()
	found := map[string]bool{}
	files, err := filepath.Glob("*.go")
	must(t, err)
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		must(t, err)
		ast.Inspect(parsed, func(n ast.Node) bool { return collectCodes(found, n) })
	}
	delete(found, "callerUnknown")
	delete(found, "ambiguousTarget")
	var codes []string
	for code := range found {
		codes = append(codes, code)
	}
	sort.Strings(codes)
	return codes
}

func collectCodes(found map[string]bool, n ast.Node) bool {
	switch n := n.(type) {
	case *ast.KeyValueExpr:
		if name, ok := n.Key.(*ast.Ident); ok && name.Name == "Inner" {
			addLiteral(found, n.Value)
		}
	case *ast.CallExpr:
		if name, ok := n.Fun.(*ast.Ident); ok && name.Name == "badRequest" {
			addLiteral(found, n.Args[0])
		}
	case *ast.AssignStmt:
		if len(n.Lhs) == 3 && len(n.Rhs) == 3 {
			if s, ok := n.Lhs[1].(*ast.SelectorExpr); ok && s.Sel.Name == "Inner" {
				addLiteral(found, n.Rhs[1])
			}
		}
	}
	return true
}

func addLiteral(found map[string]bool, e ast.Expr) {
	if lit, ok := e.(*ast.BasicLit); ok && lit.Kind == token.STRING {
		if s, err := strconv.Unquote(lit.Value); err == nil {
			found[s] = true
		}
	}
}
