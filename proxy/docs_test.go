package proxy_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// errorRow is a row of the table in docs/errors.md.
type errorRow struct{ status, code, inner string }

// documentedErrors reads the table of docs/errors.md between its marks.
func documentedErrors(t *testing.T) []errorRow {
	t.Helper()
	text, err := os.ReadFile("../docs/errors.md")
	must(t, err)
	_, table, _ := strings.Cut(string(text), "<!-- codes: begin")
	table, _, _ = strings.Cut(table, "<!-- codes: end")
	var rows []errorRow
	for _, row := range regexp.MustCompile(`(?m)^\| (\d+) \| (\w+) \| (\w+) \|`).FindAllStringSubmatch(table, -1) {
		rows = append(rows, errorRow{row[1], row[2], row[3]})
	}
	return rows
}

// makers are the packages whose codes this package answers with. The codes of auth/caller have a table of their
// own.
var makers = []string{".", "batch", "links", "../policy/graph/odata"}

// The table of docs/errors.md between its marks names every code that a request can be refused with, and no other.
func TestTheTableOfErrorsNamesEveryCode(t *testing.T) {
	documented, made := map[string]bool{}, map[string]bool{}
	for _, row := range documentedErrors(t) {
		documented[row.inner] = true
	}
	for _, dir := range makers {
		for code := range readSource(t, dir).codes() {
			made[code] = true
		}
	}
	delete(made, "callerUnknown") // it stands in the table of refused callers
	if diff := cmp.Diff(sortedKeys(made), sortedKeys(documented)); diff != "" {
		t.Errorf("docs/errors.md (-code +docs):\n%s", diff)
	}
	for _, code := range []string{"ambiguousTarget", "unknownVersion", "badEscape", "unsupportedTarget", "targetTooLong",
		"badBatch", "foreignURL", "bodyNotAllowed"} {
		if !made[code] {
			t.Errorf("the code %s is made somewhere, and this test does not see where", code)
		}
	}
}

// Where an error is written with its status, code and inner code together, the table has the same row.
func TestTheTableOfErrorsHasTheStatusAndCodeOfEachError(t *testing.T) {
	documented := map[errorRow]bool{}
	for _, row := range documentedErrors(t) {
		documented[row] = true
	}
	rows := readSource(t, ".").rows()
	if len(rows) < 12 {
		t.Fatalf("only %d errors are written with all three", len(rows))
	}
	for row := range rows {
		if row.inner != "callerUnknown" && !documented[row] {
			t.Errorf("docs/errors.md has no row | %s | %s | %s |", row.status, row.code, row.inner)
		}
	}
}

// source is the Go source of a package, without its tests.
type source struct {
	files   []*ast.File
	strings map[string]string // constants by name
}

func readSource(t *testing.T, dir string) *source {
	t.Helper()
	s := &source{strings: map[string]string{}}
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	must(t, err)
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		must(t, err)
		s.files = append(s.files, parsed)
	}
	s.each(func(n ast.Node) {
		if spec, ok := n.(*ast.ValueSpec); ok {
			for i := range min(len(spec.Names), len(spec.Values)) {
				if text, ok := s.text(spec.Values[i]); ok {
					s.strings[spec.Names[i].Name] = text
				}
			}
		}
	})
	return s
}

func (s *source) each(f func(ast.Node)) {
	for _, file := range s.files {
		ast.Inspect(file, func(n ast.Node) bool { f(n); return true })
	}
}

// text returns the value of a string literal or of a constant.
func (s *source) text(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		return text, err == nil && e.Kind == token.STRING
	case *ast.Ident:
		text, found := s.strings[e.Name]
		return text, found
	}
	return "", false
}

// isCode reports whether a field or parameter of this name holds an inner code. In package proxy Code is error.code.
func (s *source) isCode(name string) bool {
	if s.files[0].Name.Name == "proxy" {
		return name == "Inner" || name == "inner"
	}
	return name == "Code" || name == "code"
}

// codes returns each text that is given to a field or parameter that holds a code.
func (s *source) codes() map[string]bool {
	found := map[string]bool{}
	add := func(e ast.Expr) {
		if text, ok := s.text(e); ok {
			found[text] = true
		}
	}
	places := s.places()
	s.each(func(n ast.Node) {
		switch n := n.(type) {
		case *ast.KeyValueExpr:
			if name, ok := n.Key.(*ast.Ident); ok && s.isCode(name.Name) {
				add(n.Value)
			}
		case *ast.CallExpr:
			if name, ok := n.Fun.(*ast.Ident); ok {
				addAt(add, n.Args, places, name.Name)
			}
		case *ast.CompositeLit:
			if name, ok := n.Type.(*ast.Ident); ok {
				addAt(add, n.Elts, places, name.Name)
			}
		case *ast.AssignStmt:
			s.addAssigned(add, n)
		}
	})
	return found
}

func addAt(add func(ast.Expr), values []ast.Expr, places map[string]int, name string) {
	if i, found := places[name]; found && i < len(values) {
		add(values[i])
	}
}

func (s *source) addAssigned(add func(ast.Expr), n *ast.AssignStmt) {
	for i := range min(len(n.Lhs), len(n.Rhs)) {
		if field, ok := n.Lhs[i].(*ast.SelectorExpr); ok && s.isCode(field.Sel.Name) {
			add(n.Rhs[i])
		}
	}
}

// places returns the position of the code among the parameters of each function, and among the fields of each
// struct.
func (s *source) places() map[string]int {
	places := map[string]int{}
	s.each(func(n ast.Node) {
		switch n := n.(type) {
		case *ast.FuncDecl:
			s.place(places, n.Name.Name, n.Type.Params)
		case *ast.TypeSpec:
			if t, ok := n.Type.(*ast.StructType); ok {
				s.place(places, n.Name.Name, t.Fields)
			}
		}
	})
	return places
}

func (s *source) place(places map[string]int, of string, fields *ast.FieldList) {
	at := 0
	for _, field := range fields.List {
		for _, name := range field.Names {
			if s.isCode(name.Name) {
				places[of] = at
			}
			at++
		}
		if len(field.Names) == 0 {
			at++
		}
	}
}

// rows returns the errors that are written with their status, code and inner code in one literal.
func (s *source) rows() map[errorRow]bool {
	rows := map[errorRow]bool{}
	s.each(func(n ast.Node) {
		lit, ok := n.(*ast.CompositeLit)
		if !ok {
			return
		}
		var row errorRow
		for _, e := range lit.Elts {
			kv, _ := e.(*ast.KeyValueExpr)
			if kv == nil {
				return
			}
			switch key, _ := kv.Key.(*ast.Ident); {
			case key == nil:
			case key.Name == "Status":
				row.status = statusOf(kv.Value)
			case key.Name == "Code":
				row.code, _ = s.text(kv.Value)
			case key.Name == "Inner":
				row.inner, _ = s.text(kv.Value)
			}
		}
		if row.status != "" && row.code != "" && row.inner != "" {
			rows[row] = true
		}
	})
	return rows
}

// statusOf returns the number of a constant http.StatusX.
func statusOf(e ast.Expr) string {
	constant, ok := e.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	for status := 400; status < 600; status++ {
		name := regexp.MustCompile("[^A-Za-z]").ReplaceAllString(http.StatusText(status), "")
		if name != "" && constant.Sel.Name == "Status"+name {
			return strconv.Itoa(status)
		}
	}
	return ""
}

func sortedKeys(set map[string]bool) []string {
	return slices.Sorted(maps.Keys(set))
}
