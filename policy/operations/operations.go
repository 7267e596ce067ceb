// Package operations finds the operations of Microsoft Graph that a template of a policy names, and explains
// what is wrong with a template that names none.
//
// It uses lists: the embedded ones of policy/graph/catalog, and lists that a user gives. It is certain only of
// what a list has: what lies below the ends of a list may exist or not. The loader and policy/analysis decide
// whether a finding is an error, a warning or a note. The package is used for policy files and reports, never
// while a request is served.
package operations

import (
	"io"
	"path"
	"slices"
	"strings"
	"sync"

	"graphproxy/policy/graph/catalog"
	"graphproxy/policy/graph/odata"
	"graphproxy/policy/match"
)

// Set is a set of Graph's operations: methods and paths, of one version or both. The zero value is empty. It is
// safe for concurrent use.
type Set struct {
	mu       sync.Mutex
	versions map[string]*resource
	embedded map[string]bool // by version and root: whether the embedded list has been read there; nil: it is not to be
}

// resource is a path of Graph's, up to one of its segments.
type resource struct {
	names   map[string]*resource // by name without namespace, functions and casts too
	system  map[string]*resource
	args    map[string]*resource // by the names of the arguments, sorted
	key     *resource
	special bool   // a cast, or a function without arguments
	text    string // "/users/{user-id}"
	methods match.Methods
	below   match.Methods // of the resource itself and all below it
	listed  []catalog.Operation
}

// Read adds a list in the format of catalog.Read. The error names the line; the lines before it have been
// added.
func (o *Set) Read(r io.Reader, version string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return catalog.Read(r, version, o.add)
}

func (o *Set) add(name string, t *odata.Template) { o.at(name, t) }

// at adds an operation, and returns its resource.
func (o *Set) at(name string, t *odata.Template) *resource {
	method := match.MethodOf(name)
	n := o.top(t.Version)
	for i := range t.Segments {
		n = n.child(&t.Segments[i])
		n.below |= method
	}
	n.methods |= method
	return n
}

// top returns the resource above the roots of a version. It creates it if needed.
func (o *Set) top(version string) *resource {
	if o.versions[version] == nil {
		o.versions = set(o.versions, version, new(resource))
	}
	return o.versions[version]
}

// child returns the resource that a segment leads to. It creates it if needed.
func (n *resource) child(s *odata.Segment) *resource {
	at, key, text := &n.names, s.Base, n.text+"/"+s.Text
	switch {
	case s.Kind == odata.Args:
		at, key, text = &n.args, argNames(s), n.text+"("+argNames(s)+")"
	case s.Kind == odata.System:
		at = &n.system
	case s.Var || s.Kind != odata.Name:
		if n.key == nil {
			n.key = &resource{text: n.text + "/{" + s.Text + "}"}
		}
		return n.key
	}
	if *at == nil {
		*at = make(map[string]*resource)
	}
	if (*at)[key] == nil {
		(*at)[key] = &resource{text: text, special: s.Qualified || s.Call}
	}
	return (*at)[key]
}

func argNames(s *odata.Segment) string {
	var names []string
	for _, a := range s.Args {
		names = append(names, a.Fold)
	}
	slices.Sort(names)
	return strings.Join(names, ",")
}

// isEnd reports whether the list has nothing below the resource but casts and operations that can be called on
// it. At such a resource Graph continues with a resource that the list has elsewhere, or with properties.
func (n *resource) isEnd() bool {
	if n.key != nil {
		return false
	}
	for _, next := range n.names {
		if !next.special && len(next.args) == 0 {
			return false
		}
	}
	return true
}

// children returns the names that can follow the resource, as the list spells them.
func (n *resource) children() []string {
	var names []string
	for _, next := range n.names {
		names = append(names, next.text[len(n.text)+1:])
	}
	slices.Sort(names)
	return names
}

// elsewhere returns the resource of the list whose children may also follow n, or nil: the drive of a user is a
// drive.
func (n *resource) elsewhere(o *Set, version string) *resource {
	parent, last := path.Split(n.text)
	name, isKey := strings.ToLower(last), strings.HasPrefix(last, "{")
	if isKey {
		name = strings.ToLower(path.Base(parent))
	}
	switch {
	case name == "drive" && !isKey:
		return o.root(version, "drives").at("")
	case name == "drives" && isKey:
		if drive := o.root(version, "drives").at(""); n != drive {
			return drive
		}
	case name == "driveitem" && !isKey, name == "root" && !isKey,
		isKey && slices.Contains([]string{"children", "special", "bundles", "following"}, name):
		return o.root(version, "drives").at("", "items", "")
	case name == "team" && !isKey, name == "joinedteams" && isKey:
		return o.root(version, "teams").at("")
	}
	return nil
}

// at follows names; "" is a key. It returns nil if there is no such resource.
func (n *resource) at(names ...string) *resource {
	for _, name := range names {
		switch {
		case n == nil:
			return nil
		case name == "":
			n = n.key
		default:
			n = n.names[name]
		}
	}
	return n
}
