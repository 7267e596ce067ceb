// Package catalog has lists of what Graph can do: two that it embeds, of v1.0 and beta, with the query options and the
// page of each operation; and others that a user gives, a line for each operation: GET /users/{user-id}/messages.
//
// It decides how a list is written and read, and which version it is of. What follows from it (which rules name
// nothing, which segments are keys) it leaves to packages lint and suggest.
package catalog

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"graphproxy/policy/graph/odata"
)

// VersionOf returns the version that the name of a list has: "beta" for graph-beta-operations.txt, else "v1.0".
func VersionOf(file string) string {
	if strings.Contains(strings.ToLower(file[strings.LastIndexAny(file, `/\`)+1:]), "beta") {
		return "beta"
	}
	return "v1.0"
}

// Read passes each operation of a list to each, in order: lines of METHOD /path/{variable}, as the reference of Graph
// writes them. Empty lines, and lines that begin with "#", are passed over. Paths that name no version are of the given
// one. The error names the line; the operations before it have been passed on.
func Read(r io.Reader, version string, each func(method string, path *odata.Template)) error {
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		method, t, err := parse(line, version)
		if err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
		each(method, t)
	}
	return lines.Err()
}

func parse(line, version string) (string, *odata.Template, error) {
	method, path, _ := strings.Cut(line, " ")
	if !isMethod(method) || !strings.HasPrefix(path, "/") {
		return "", nil, fmt.Errorf("%.80q is no operation; a line is METHOD /path", line)
	}
	if !strings.HasPrefix(path, "/v1.0/") && !strings.HasPrefix(path, "/beta/") {
		path = "/" + version + path
	}
	t, err := odata.ParseTemplate(path)
	return method, t, err
}

// isMethod reports whether an operation of Graph has the method.
func isMethod(word string) bool {
	switch word {
	case "GET", "POST", "PUT", "PATCH", "DELETE":
		return true
	}
	return false
}
