package suggest

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"

	"graphproxy/policy/match"
	"graphproxy/policy/odata"
)

// Operations are what Graph can do: paths with variables, of one version or both. The zero value holds none. After the last Read it
// is safe for concurrent use.
type Operations struct {
	templates []*odata.Template // those with fewer variables first
	tree      match.Narrow
}

// Read adds a list: lines of METHOD /path/{variable}, as the reference of Graph writes them, empty lines, and lines that begin with
// "#". Paths that name no version are of the given one. The error names the line, and nothing has been added then.
func (o *Operations) Read(r io.Reader, version string) error {
	templates := slices.Clone(o.templates)
	seen := make(map[string]bool)
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		method, path, _ := strings.Cut(line, " ")
		if match.MethodOf(method) == 0 || !strings.HasPrefix(path, "/") {
			return fmt.Errorf("line %d: %.80q is no operation; a line is METHOD /path", n, line)
		}
		if !strings.HasPrefix(path, "/v1.0/") && !strings.HasPrefix(path, "/beta/") {
			path = "/" + version + path
		}
		if seen[path] {
			continue
		}
		seen[path] = true
		t, err := odata.ParseTemplate(path)
		if err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
		templates = append(templates, t)
	}
	if err := lines.Err(); err != nil {
		return err
	}
	o.set(templates)
	return nil
}

// set puts the most exact templates first, so that a name is found before the variable beside it.
func (o *Operations) set(templates []*odata.Template) {
	slices.SortStableFunc(templates, func(a, b *odata.Template) int { return len(match.Variables(a)) - len(match.Variables(b)) })
	o.templates, o.tree = templates, match.Narrow{}
	for _, t := range templates {
		o.tree.Add(&match.Rule{Methods: match.Any, Template: t})
	}
}

// keysOf returns which segments of a target are keys; nil if no operation is known to have such a path.
func (o *Operations) keysOf(t *odata.Target) []bool {
	if o == nil {
		return nil
	}
	found := o.tree.Find(t, match.Get)
	if found.Index < 0 {
		return nil
	}
	segments := o.templates[found.Index].Segments
	if len(segments) != len(t.Segments) {
		return nil // a template that ends in /**
	}
	keys := make([]bool, len(segments))
	for i := range segments {
		keys[i] = segments[i].Var && segments[i].Kind == odata.Name && !isWellKnown(t.Segments[i].Fold)
	}
	return keys
}
