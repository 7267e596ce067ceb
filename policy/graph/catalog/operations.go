// Package catalog has lists of Graph's operations: two embedded ones, of v1.0 and beta, with the query options and
// the page of each operation; and lists of a user, with a line for each operation: GET /users/{user-id}/messages.
//
// It reads and writes lists, and finds out their version. Packages lint and suggest use them: they find rules that
// name nothing, and segments that are keys.
package catalog

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"graphproxy/policy/graph/odata"
)

// VersionOf returns the version in the name of a list: "beta" for graph-beta-operations.txt, else "v1.0".
func VersionOf(file string) string {
	if strings.Contains(strings.ToLower(file[strings.LastIndexAny(file, `/\`)+1:]), "beta") {
		return "beta"
	}
	return "v1.0"
}

// Read calls each for every operation of a list, in order. The lines are METHOD /path/{variable}, as in the
// reference of Graph. Empty lines, and lines that begin with "#", are skipped. Paths without a version have the
// given one. The error names the line; each has been called for the operations before it.
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
