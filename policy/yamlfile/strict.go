// Package yamlfile reads a YAML file that must have one reading, and reports every problem of it at once.
//
// It allows one document of mappings, lists and scalars, with every key once. Anchors, aliases, merge keys and
// tags are refused, because with them a person and a program may read the file in different ways. The package
// walks the nodes itself: the strictness of yaml.v3 is lost below Node.Decode and after "---". Other packages
// decide what the keys mean. They read a Value with methods for the expected type, and each method reports a
// value of another type.
package yamlfile

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Error is one problem of a file.
type Error struct {
	File    string
	Line    int    // from 1
	Where   string // "callers.hr-sync.allow[3]", where lists count from 0; "" for the file as a whole
	Message string // what is wrong, and the cure
}

// Error returns "policy.yaml:12: callers.hr-sync.allow[3]: message".
func (e *Error) Error() string { return e.Place() + ": " + e.Message }

// Place returns "policy.yaml:12: callers.hr-sync.allow[3]".
func (e *Error) Place() string {
	place := e.File + ":" + strconv.Itoa(e.Line)
	if e.Where != "" {
		place += ": " + e.Where
	}
	return place
}

// Errors are all problems of a file, or of several, sorted by file and line.
type Errors []*Error

// Error returns one problem per line.
func (errs Errors) Error() string {
	var b strings.Builder
	for i, e := range errs {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(e.Error())
	}
	return b.String()
}

// Report collects the problems of one file, or of several one after the other. The zero value with a File is ready to
// use. Not safe for concurrent use.
type Report struct {
	File  string // that Add is about
	files []string
	errs  Errors
}

// In makes File the file that Add is about. Errors sorts the files in the order in which In has named them first.
func (r *Report) In(file string) {
	if r.File = file; !slices.Contains(r.files, file) {
		r.files = append(r.files, file)
	}
}

// Add adds a problem in File.
func (r *Report) Add(line int, where, format string, args ...any) {
	r.AddIn(r.File, line, where, format, args...)
}

// AddIn adds a problem in a file.
func (r *Report) AddIn(file string, line int, where, format string, args ...any) {
	r.errs = append(r.errs, &Error{File: file, Line: max(line, 1), Where: where, Message: fmt.Sprintf(format, args...)})
}

// Append adds problems that another Report has.
func (r *Report) Append(errs ...*Error) { r.errs = append(r.errs, errs...) }

// Len returns how many problems were added.
func (r *Report) Len() int { return len(r.errs) }

// Errors returns what was added, sorted by file and line and otherwise in the order added; nil if nothing was.
func (r *Report) Errors() Errors {
	order := make(map[string]int)
	for i, file := range r.files {
		order[file] = i
	}
	slices.SortStableFunc(r.errs, func(a, b *Error) int {
		return cmp.Or(order[a.File]-order[b.File], a.Line-b.Line)
	})
	return r.errs
}
