package operations

import (
	"bytes"
	"slices"
	"strings"

	"graphproxy/policy/graph/catalog"
	"graphproxy/policy/graph/odata"
	"graphproxy/policy/match"
)

// Embedded returns a set of the embedded lists of policy/graph/catalog, of both versions. It reads only the
// parts that are needed, when they are needed. The error means that a list is damaged.
func Embedded() (*Set, error) {
	o := &Set{embedded: make(map[string]bool)}
	for _, version := range catalog.Versions() {
		roots, err := catalog.Roots(version)
		if err != nil {
			return nil, err
		}
		top := o.top(version)
		for _, name := range roots {
			folded := strings.ToLower(name)
			top.names = set(top.names, folded, &resource{text: "/" + name})
		}
	}
	return o, nil
}

func set(m map[string]*resource, key string, n *resource) map[string]*resource {
	if m == nil {
		m = make(map[string]*resource)
	}
	m[key] = n
	return m
}

// root returns the resource of a first segment, in lower case, with all below it; nil if there is none.
func (o *Set) root(version, name string) *resource {
	top := o.versions[version]
	if top == nil {
		return nil
	}
	if key := version + "/" + name; o.embedded != nil && !o.embedded[key] && top.names[name] != nil {
		o.embedded[key] = true
		o.embed(version, name)
	}
	return top.names[name]
}

// embed adds the operations of an embedded list below a root. A test reads every line of the lists.
func (o *Set) embed(version, root string) {
	var last string // path of t
	var t *odata.Template
	_ = catalog.Below(version, root, func(op catalog.Operation) bool {
		if op.Path != last {
			var err error
			if t, err = odata.ParseTemplate("/" + version + op.Path); err != nil {
				return true
			}
			last = op.Path
		}
		n := o.at(op.Method, t)
		n.listed = append(n.listed, op)
		return true
	})
}

// Find returns the operation that a request calls; false if no list has it.
func (o *Set) Find(segments []odata.Segment, version, method string) (found catalog.Operation, ok bool) {
	if o == nil || len(segments) == 0 {
		return catalog.Operation{}, false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.versions[version] == nil {
		return catalog.Operation{}, false
	}
	if method == "HEAD" {
		method = "GET"
	}
	w := o.walk(segments, version)
	if len(w.segments) > 0 {
		return catalog.Operation{}, false
	}
	for _, n := range w.at {
		for _, op := range n.listed {
			if op.Method == method {
				return op, true
			}
		}
	}
	return catalog.Operation{}, false
}

// AreListed reports whether the embedded lists have a path that is spelled as each of the rules, with one of
// its methods. It takes some 50 µs for each rule. When it reports false, Problem may still find the operation.
func AreListed(rules []*match.Rule) bool {
	return !slices.ContainsFunc(rules, func(r *match.Rule) bool { return !isListed(r) })
}

func isListed(r *match.Rule) bool {
	t := ofUser(r).Template
	if t.Segments[0].Kind == odata.System || t.Segments[0].Base == "me" {
		return true
	}
	found := false
	err := catalog.Paths(t.Version, t.Segments[0].Base, func(p catalog.Path) bool {
		if spells(t, p.Text) {
			for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
				found = found || r.Methods&match.MethodOf(method) != 0 && p.Has(method)
			}
		}
		return !found
	})
	return found && err == nil
}

// spells reports whether a path of a list equals a template of plain names and keys, segment by segment.
func spells(t *odata.Template, path []byte) bool {
	for i := range t.Segments {
		s := &t.Segments[i]
		if len(path) == 0 {
			return false
		}
		segment := path[1:]
		end := bytes.IndexByte(segment, '/')
		if end < 0 {
			end = len(segment)
		}
		segment, path = segment[:end], segment[end:]
		isKey := len(segment) > 0 && segment[0] == '{'
		name := bytes.TrimSuffix(segment, []byte("()"))
		name = name[bytes.LastIndexByte(name, '.')+1:] // without its namespace
		switch {
		case isKey && (s.Kind == odata.Key || s.Kind == odata.Name && !s.Call && !s.Qualified):
			// a literal stands for a key, too
		case isKey || s.Var || s.Kind != odata.Name && s.Kind != odata.System:
			return false
		case !bytes.EqualFold(name, []byte(s.Base)):
			return false
		}
	}
	return len(path) == 0 || t.Below
}
