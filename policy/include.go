package policy

import (
	"path"
	"slices"
	"strings"
	"unicode"

	"graphproxy/policy/yamlfile"
)

// Includes returns the patterns that a main file's include holds, such as "teams/*.yaml". What is wrong with the file
// or with a pattern is left out; ParseFiles reports it.
func Includes(data []byte) []string {
	if !strings.Contains(string(data), "include") {
		return nil
	}
	var report yamlfile.Report
	root, ok := yamlfile.Parse(&report, data)
	if !ok || !root.IsMapping() {
		return nil
	}
	var patterns []string
	for _, f := range root.Fields("") {
		if f.Key != "include" {
			continue
		}
		for _, text := range f.Value.Texts("") {
			if patternProblem(text) == "" {
				patterns = append(patterns, text)
			}
		}
	}
	return patterns
}

// IsIncluded reports whether a file, named as File.Name is, is one that a pattern of include names. A star stands for
// any run of characters in one part of the name, but for a dot at its beginning.
func IsIncluded(pattern, name string) bool {
	patterns, names := strings.Split(pattern, "/"), strings.Split(name, "/")
	if len(patterns) != len(names) {
		return false
	}
	for i := range names {
		if !MatchesPart(patterns[i], names[i]) {
			return false
		}
	}
	return true
}

// MatchesPart is IsIncluded for one part of a name.
func MatchesPart(pattern, name string) bool {
	if strings.HasPrefix(name, ".") {
		return false
	}
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}

// patternProblem says what is wrong with a pattern of include; "" if nothing is.
func patternProblem(text string) string {
	if problem := pathProblem(text); problem != "" {
		return problem
	}
	switch {
	case strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }):
		return "holds a character that is not displayed; take it out"
	case strings.Contains(text, "**"):
		return "has two stars; one star stands for any characters of one directory or file, such as teams/*/*.yaml"
	case strings.ContainsAny(text, `?[]{}\`):
		return "has a character that is not read; only a star stands for other characters, such as teams/*.yaml"
	case !strings.HasSuffix(text, ".yaml"):
		return "does not end in .yaml; write such as teams/*.yaml"
	}
	return ""
}

// pathProblem says what is wrong with a path of a file from a directory; "" if nothing is.
func pathProblem(text string) string {
	switch {
	case path.IsAbs(text):
		return "is absolute; write the path from the directory of this file"
	case slices.Contains(strings.Split(text, "/"), ".."):
		return "leaves the directory by ..; write the path of a file in the directory of this file or below it"
	case path.Clean(text) != text || text == ".":
		return "is not the plain path of a file; write it without ./ and doubled slashes"
	case slices.ContainsFunc(strings.Split(text, "/"), func(s string) bool { return strings.HasPrefix(s, ".") }):
		return "names a hidden file; files that begin with a dot are not read"
	}
	return ""
}

// include reads which other files belong to the policy. They have been read already; here is found out whether all are
// there.
func (l *loader) includes(v yamlfile.Value) {
	if !v.IsSet() {
		return
	}
	const expected = "files from the directory of this file, such as teams/*.yaml"
	for _, item := range v.OneOrMore(expected) {
		text, ok := item.Text(expected)
		if !ok {
			continue
		}
		if problem := patternProblem(text); problem != "" {
			item.Errorf("%.200q %s", text, problem)
			continue
		}
		if !slices.ContainsFunc(l.files[1:], func(d *document) bool { return IsIncluded(text, d.Name) }) {
			item.Errorf("%.200q names no file besides this one; correct it, or take it out", text)
		}
	}
}
