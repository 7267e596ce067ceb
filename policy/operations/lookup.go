package operations

import (
	"slices"
	"strings"

	"graphproxy/policy/graph/odata"
	"graphproxy/policy/match"
	"graphproxy/policy/yamlfile"
)

// Problem returns why a rule names no operation of Graph, and a proposal; "" if it names one or if that is
// uncertain. A wide rule, of deny or covers, may leave out arguments.
func (o *Set) Problem(r *match.Rule, wide bool) string {
	if o == nil {
		return ""
	}
	if wide {
		r = ofUser(r)
	}
	t := r.Template
	first := &t.Segments[0]
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.versions[t.Version] == nil || first.Kind == odata.System || first.Base == "me" {
		return ""
	}
	w := o.walk(t.Segments, t.Version)
	problem := w.problem(r, wide)
	if problem == "" {
		return ""
	}
	other := *t
	other.Version = "beta"
	if t.Version == "beta" {
		other.Version = "v1.0"
	}
	if o.versions[other.Version] != nil {
		w := o.walk(t.Segments, other.Version)
		if !w.unknown && w.problem(&match.Rule{Methods: r.Methods, Template: &other, Keys: r.Keys}, wide) == "" {
			problem = "it is in " + other.Version + "; write " + r.Methods.String() + " " +
				strings.TrimPrefix(strings.Replace(t.Text, t.Version, other.Version, 1), "/v1.0")
		}
	}
	return problem
}

// IsVoid reports whether a rule certainly names nothing: Graph has no such resource, or has it with other methods only.
// Where the lists may lack an operation, Graph may have it nevertheless, and only Problem reports it.
func (o *Set) IsVoid(r *match.Rule) bool {
	r = ofUser(r)
	if o.Problem(r, true) == "" {
		return false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	w := o.walk(r.Template.Segments, r.Template.Version)
	switch {
	case w.unknown:
		return false
	case len(w.segments) == 0:
		return !w.mayHave(r)
	}
	isCall := w.segments[0].Call || w.segments[0].Kind == odata.Args ||
		len(w.segments) > 1 && w.segments[1].Kind == odata.Args
	return !isCall
}

// ofUser returns a rule about /me as one about a user, which the lists have.
func ofUser(r *match.Rule) *match.Rule {
	rest, isMe := strings.CutPrefix(r.Template.Text, "/"+r.Template.Version+"/me")
	if !isMe || r.Template.Segments[0].Base != "me" {
		return r
	}
	t, err := odata.ParseTemplate("/" + r.Template.Version + "/users/{me}" + rest)
	if err != nil {
		return r
	}
	same := *r
	same.Template = t
	return &same
}

// mayHave reports whether Graph may have an operation at the end of the template that the lists do not have. DELETE of
// a member without /$ref deletes the user, and a word in the place of a key may be a function.
func (w *walk) mayHave(r *match.Rule) bool {
	last := r.Template.Segments[len(r.Template.Segments)-1]
	isWord := last.Kind == odata.Name && !last.Var && strings.Trim(last.Fold, "abcdefghijklmnopqrstuvwxyz") == ""
	asKey := slices.ContainsFunc(w.at, func(n *resource) bool { return strings.HasSuffix(n.text, "}") })
	isLink := slices.ContainsFunc(w.at, func(n *resource) bool { return n.system["$ref"] != nil })
	return isWord && asKey || isLink || w.tail(r.Methods) != ""
}

// IsKey reports whether a segment of a template stands where Graph has a key, and is not the name of something that
// Graph has there, too.
func (o *Set) IsKey(t *odata.Template, segment int) bool {
	if o == nil || segment == 0 {
		return false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.versions[t.Version] == nil {
		return false
	}
	w := o.walk(t.Segments[:segment], t.Version)
	return len(w.segments) == 0 && slices.ContainsFunc(w.at, func(n *resource) bool { return n.key != nil }) &&
		!slices.ContainsFunc(w.at, func(n *resource) bool { return n.names[t.Segments[segment].Base] != nil })
}

// walk is how far a template leads in a list.
type walk struct {
	segments []odata.Segment // the segments that lead nowhere
	at       []*resource     // the resources that the other segments may lead to
	unknown  bool            // the list does not decide it; $count and the like follow most resources
}

// walk follows the segments of a path in the list of a version.
func (o *Set) walk(segments []odata.Segment, version string) walk {
	top := o.versions[version]
	o.root(version, segments[0].Base)
	w := walk{segments: segments, at: []*resource{top}}
	for len(w.segments) > 0 {
		s := &w.segments[0]
		var next []*resource
		for _, n := range w.at {
			next = append(next, n.follow(s)...)
		}
		if len(next) == 0 {
			mayGoOn := func(n *resource) bool { return s.Kind == odata.System || n.mayGoOn(s, o, version) }
			w.unknown = w.at[0] != top && slices.ContainsFunc(w.at, mayGoOn)
			return w
		}
		for _, n := range next {
			if e := n.elsewhere(o, version); e != nil {
				next = append(next, e)
			}
		}
		w.at, w.segments = next, w.segments[1:]
	}
	return w
}

// mayGoOn reports whether Graph may have a segment below the resource that is not in the list: the list does
// not have what is below its ends.
func (n *resource) mayGoOn(s *odata.Segment, o *Set, version string) bool {
	if !n.isEnd() || n.elsewhere(o, version) != nil {
		return false
	}
	if s.Kind == odata.Args {
		return len(n.args) == 0
	}
	return yamlfile.Nearest(s.Text, n.children()) == ""
}

// follow returns the resources that a segment of a template may lead to.
func (n *resource) follow(s *odata.Segment) []*resource {
	var all []*resource
	add := func(next *resource) {
		if next != nil {
			all = append(all, next)
		}
	}
	switch s.Kind {
	case odata.Path: // root:/{path}: is an item as root is, items/{id}:/{path}: as items/{id}
		add(n)
	case odata.System:
		add(n.system[s.Fold])
	case odata.Args:
		if add(n.args[argNames(s)]); len(all) == 0 {
			add(n.key) // an alternate key
		}
	case odata.Key:
		add(n.key)
	default:
		if !s.Var {
			add(n.names[s.Base])
		}
		switch {
		case !s.Qualified && !s.Call && len(all) == 0:
			add(n.key) // a literal stands for a key: mailFolders/inbox
		case s.Qualified && len(all) == 0:
			add(n) // a cast
		}
	}
	return all
}

// problem returns why the template names no operation, and a proposal; "" if it names one.
func (w *walk) problem(m *match.Rule, wide bool) string {
	if w.unknown {
		return ""
	}
	if len(w.segments) > 0 {
		return w.lost()
	}
	var there match.Methods
	for _, n := range w.at {
		there |= n.methods
		if m.Template.Below && (n.isEnd() || m.Methods&n.below != 0) {
			return ""
		}
		for _, next := range n.args {
			if wide || m.Template.Below {
				there |= next.methods
			}
		}
	}
	missing := m.Methods &^ there
	if there != match.Post {
		missing &^= match.Get // if a resource can be changed or deleted it can be read, even where a list lacks that
	}
	switch {
	case m.Template.Below:
		return "no operation there or below has the method " + m.Methods.String()
	case there == 0 && len(w.at[0].args) > 0:
		return "it takes arguments; write " + anyOf(w.at[0].args).text
	case there == 0 && wide:
		return "no operation ends there. Write /** after it to name what is below it"
	case there == 0:
		return "no operation ends there. Write the path of the operation that is meant, below it"
	case missing == 0 || m.Methods == match.Any || wide && missing != m.Methods:
		return ""
	}
	problem := "no operation there has the method " + missing.String()
	if tail := w.tail(missing); tail != "" {
		return problem + "; write " + missing.String() + " " + strings.TrimPrefix(m.Template.Text, "/v1.0") + "/" + tail
	}
	return problem + "; there is " + there.String()
}

// tail returns the segment that was left out at the end of the operations with the methods, such as $ref; "" if
// none was.
func (w *walk) tail(methods match.Methods) string {
	for _, n := range w.at {
		for _, tail := range []string{"$ref", "$value"} {
			if next := n.system[tail]; next != nil && methods&^next.methods == 0 {
				return tail
			}
		}
	}
	return ""
}

// lost returns where the template leaves the list.
func (w *walk) lost() string {
	n, s := w.at[0], &w.segments[0]
	place := n.text
	if place == "" {
		place = "/"
	}
	switch {
	case s.Kind == odata.Args && len(n.args) > 0:
		return place + " takes other arguments; write " + anyOf(n.args).text
	case s.Kind == odata.Args:
		return place + " takes no arguments"
	case s.Var || s.Kind == odata.Key:
		return place + " has no keys"
	}
	var known []string
	for _, n := range w.at {
		known = append(known, n.children()...)
	}
	return place + " has " + strings.Replace(yamlfile.Unknown("segment", s.Text, known), "unknown segment", "no", 1)
}

// anyOf returns the first of several resources.
func anyOf(resources map[string]*resource) *resource {
	var least *resource
	for _, n := range resources {
		if least == nil || n.text < least.text {
			least = n
		}
	}
	return least
}
