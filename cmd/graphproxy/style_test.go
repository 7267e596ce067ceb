package main_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"
)

// columns is how long a line of Go may be, in characters.
const columns = 120

// A line may be longer only where it cannot be broken: within a raw string of several lines, where a line break is part
// of the text; in a struct tag; in a directive (//go:generate); and where it is one word, such as an address in a
// comment.
func TestStyleLinesHaveAtMost120Columns(t *testing.T) {
	t.Parallel()
	eachGoFile(t, func(name string, text []byte, set *token.FileSet, parsed *ast.File) {
		exempt := make(map[int]bool)
		ast.Inspect(parsed, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.Field:
				if n.Tag != nil {
					exempt[set.Position(n.Tag.Pos()).Line] = true
				}
			case *ast.BasicLit:
				for line := set.Position(n.Pos()).Line; strings.Contains(n.Value, "\n") &&
					line <= set.Position(n.End()).Line; line++ {
					exempt[line] = true
				}
			}
			return true
		})
		number := 0
		for line := range strings.Lines(string(text)) {
			number++
			words := strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "//"))
			if length := utf8.RuneCountInString(strings.TrimRight(line, "\n")); length > columns && len(words) > 1 &&
				!exempt[number] && !strings.HasPrefix(line, "//go:") {
				t.Errorf("%s:%d has %d columns; break the line, %d are the most", name, number, length, columns)
			}
		}
	})
}

// fields is how many fields of a struct may stand on one line of a literal that names them. Lists, maps and the rows of
// test tables, which name no fields, are not meant.
const fields = 5

func TestStyleALiteralOfManyFieldsHasOneOnEachLine(t *testing.T) {
	t.Parallel()
	eachGoFile(t, func(_ string, _ []byte, set *token.FileSet, parsed *ast.File) {
		ast.Inspect(parsed, func(n ast.Node) bool {
			literal, ok := n.(*ast.CompositeLit)
			if !ok || len(literal.Elts) <= fields || !namesFields(literal) {
				return true
			}
			for i, e := range literal.Elts[1:] {
				if at := set.Position(e.Pos()); at.Line == set.Position(literal.Elts[i].End()).Line {
					t.Errorf("%s: a literal of %d fields; write one on each line", at, len(literal.Elts))
					break
				}
			}
			return true
		})
	})
}

// namesFields reports whether a literal is that of a struct with the names of its fields.
func namesFields(literal *ast.CompositeLit) bool {
	switch literal.Type.(type) {
	case *ast.ArrayType, *ast.MapType:
		return false
	}
	return !slices.ContainsFunc(literal.Elts, func(e ast.Expr) bool {
		pair, ok := e.(*ast.KeyValueExpr)
		if !ok {
			return true
		}
		_, named := pair.Key.(*ast.Ident)
		return !named
	})
}

// A name that shadows a builtin confuses the next reader, and the next change may call the wrong function.
func TestStyleNoBuiltinIsShadowed(t *testing.T) {
	t.Parallel()
	eachGoFile(t, func(_ string, _ []byte, set *token.FileSet, parsed *ast.File) {
		for _, id := range declared(parsed) {
			if isBuiltin(id.Name) {
				t.Errorf("%s: %s is a builtin; give this another name", set.Position(id.Pos()), id.Name)
			}
		}
	})
}

// declared returns the names that a file declares: of functions without a receiver, types, constants, variables,
// parameters and results. Fields and methods are not among them: they are never written alone.
func declared(parsed *ast.File) []*ast.Ident {
	var names []*ast.Ident
	add := func(exprs ...ast.Expr) {
		for _, e := range exprs {
			if id, ok := e.(*ast.Ident); ok {
				names = append(names, id)
			}
		}
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			if n.Recv == nil {
				names = append(names, n.Name)
			} else {
				names = append(names, parameters(n.Recv)...)
			}
		case *ast.FuncType:
			names = append(append(append(names, parameters(n.TypeParams)...), parameters(n.Params)...), parameters(n.Results)...)
		case *ast.TypeSpec:
			names = append(names, n.Name)
		case *ast.ValueSpec:
			names = append(names, n.Names...)
		case *ast.AssignStmt:
			if n.Tok == token.DEFINE {
				add(n.Lhs...)
			}
		case *ast.RangeStmt:
			if n.Tok == token.DEFINE {
				add(n.Key, n.Value)
			}
		}
		return true
	})
	return names
}

func parameters(list *ast.FieldList) []*ast.Ident {
	var names []*ast.Ident
	if list != nil {
		for _, f := range list.List {
			names = append(names, f.Names...)
		}
	}
	return names
}

func isBuiltin(name string) bool {
	switch name {
	case "any", "bool", "byte", "comparable", "complex128", "complex64", "error", "float32", "float64", "int", "int16",
		"int32", "int64", "int8", "rune", "string", "uint", "uint16", "uint32", "uint64", "uint8", "uintptr",
		"true", "false", "iota", "nil",
		"append", "cap", "clear", "close", "complex", "copy", "delete", "imag", "len", "make", "max", "min", "new",
		"panic", "print", "println", "real", "recover":
		return true
	}
	return false
}

// goFile is a Go file of the module. Tests only read it.
type goFile struct {
	name   string
	text   []byte
	set    *token.FileSet
	parsed *ast.File
}

// eachGoFile passes every Go file of the module on, tests included.
func eachGoFile(t *testing.T, check func(name string, text []byte, set *token.FileSet, parsed *ast.File)) {
	t.Helper()
	files, err := goFiles()
	if err != nil || len(files) < 300 {
		t.Fatalf("%d files were read: %v", len(files), err)
	}
	for _, f := range files {
		check(f.name, f.text, f.set, f.parsed)
	}
}

// goFiles parses every Go file of the module, once for all tests.
var goFiles = sync.OnceValues(func() (files []goFile, err error) {
	top, err := filepath.Abs("../..")
	if err != nil {
		return nil, err
	}
	err = filepath.WalkDir(top, func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (strings.HasPrefix(d.Name(), ".") || file != top && isModule(file)):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(file, ".go"):
			return nil
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		set := token.NewFileSet()
		parsed, err := parser.ParseFile(set, file, text, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(top, file)
		files = append(files, goFile{filepath.ToSlash(name), text, set, parsed})
		return err
	})
	return files, err
})

// unclear are words that a reader in another language must read twice, or that make an actor out of no one: write the
// caller, the operator, no request, reports, returns.
var unclear = regexp.MustCompile(`(?i)\b(told|tells|whoever|somebody|nobody|anybody)\b`)

func TestStyleCommentsHaveNoUnclearWords(t *testing.T) {
	t.Parallel()
	eachGoFile(t, func(_ string, _ []byte, set *token.FileSet, parsed *ast.File) {
		for _, group := range parsed.Comments {
			for _, c := range group.List {
				if word := unclear.FindString(c.Text); word != "" {
					t.Errorf("%s: the comment has %q; name who does what, see CONTRIBUTING.md, Voice",
						set.Position(c.Pos()), word)
				}
			}
		}
	})
}

// code is what is no prose in a page: fenced blocks, indented blocks and code in a line.
var code = regexp.MustCompile("(?ms)^```.*?^```|^    .*?$|`[^`\n]*`")

func TestStylePagesHaveNoUnclearWords(t *testing.T) {
	t.Parallel()
	top := repository(t)
	pages, err := filepath.Glob(filepath.Join(top, "docs", "*.md"))
	if err != nil || len(pages) < 20 {
		t.Fatalf("%d pages: %v", len(pages), err)
	}
	for _, page := range append(pages, filepath.Join(top, "README.md"), filepath.Join(top, "CHANGELOG.md")) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		if word := unclear.Find(code.ReplaceAll(text, nil)); word != nil {
			t.Errorf("%s has %q; name who does what, see CONTRIBUTING.md, Voice", filepath.Base(page), word)
		}
	}
}
