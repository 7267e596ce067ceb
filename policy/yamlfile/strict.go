// Package yamlfile reads a YAML file that must have one reading, and reports every problem of it at once.
//
// It allows one document of mappings, lists and scalars, with every key once. Anchors, aliases, merge keys and
// tags are refused, because with them a person and a program may read the file in different ways. The package
// walks the nodes itself: the strictness of yaml.v3 is lost below Node.Decode and after "---". Other packages
// decide what the keys mean. They read a Value with methods for the expected type, and each method reports a
// value of another type.
package yamlfile

import (
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

// Errors are all problems of a file, sorted by line.
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

// Report collects the problems of one file. The zero value with a File is ready to use. Not safe for
// concurrent use.
type Report struct {
	File string
	errs Errors
}

// Add adds a problem.
func (r *Report) Add(line int, where, format string, args ...any) {
	r.errs = append(r.errs, &Error{File: r.File, Line: max(line, 1), Where: where, Message: fmt.Sprintf(format, args...)})
}

// Len returns how many problems were added.
func (r *Report) Len() int { return len(r.errs) }

// Errors returns what was added, sorted by line and otherwise in the order added; nil if nothing was.
func (r *Report) Errors() Errors {
	slices.SortStableFunc(r.errs, func(a, b *Error) int { return a.Line - b.Line })
	return r.errs
}
