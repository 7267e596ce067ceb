package match

import (
	"slices"
	"strings"

	"graphproxy/policy/graph/odata"
)

// MaxSegments is the greatest number of segments of a target. It is one more than a target from odata.Parse can
// have: 64 between slashes, each with a key.
const MaxSegments = 132

// DenySet has rules none of which may match for a request to be allowed, or limits all of which count a request
// that matches. The zero value has none. After the last Add it is safe for concurrent use.
type DenySet struct {
	tree
	paths bool // a rule has a path in colons
}

// Add adds a rule and returns its number, from 0. A rule for $batch applies to both versions, because a batch
// is a resource of neither.
func (t *DenySet) Add(r *Rule) int {
	n, e := t.add(r)
	n.addToDeny(e, 0)
	t.paths = t.paths ||
		slices.ContainsFunc(r.Template.Segments, func(s odata.Segment) bool { return s.Kind == odata.Path })
	if r.Template.Segments[0].Fold == "$batch" {
		only(&t.v1).addToDeny(e, 0)
		only(&t.beta).addToDeny(e, 0)
	}
	return e.index
}

func (n *node) addToDeny(e entry, i int) {
	segments := e.rule.Template.Segments
	if i == len(segments) {
		n.end(e)
		return
	}
	s := &segments[i]
	if s.Kind == odata.Path && !s.Var {
		get(&n.paths, s.WideText()).addToDeny(e, i+1)
	} else if next := n.common(s); next != nil {
		next.addToDeny(e, i+1)
	} else {
		next = get(&n.names, denyName(s))
		// Below an entity set a name may be that of a function, range(address='A1'), or a key,
		// mailFolders/inbox. Arguments after a key have no known meaning. Arguments of an entity set are an
		// alternate key.
		next.operation = next.operation || i > 0 || isOperation(segments, i)
		next.addToDeny(e, i+1)
	}
	if next := n.alternate(e.rule, i); next != nil {
		next.addToDeny(e, i+1)
	}
}

// denyName returns the form of a literal name or key for lookup.
func denyName(s *odata.Segment) string {
	if s.Qualified {
		return s.Base
	}
	return s.BareText()
}

// alternate returns the child for an alternate key, users(userPrincipalName='x'), as a plain key, because Graph
// takes the same value in both; nil if the segment is no such key. If the template has a variable as value,
// nothing is returned: the rule is then about the spelling.
func (n *node) alternate(r *Rule, i int) *node {
	s := &r.Template.Segments[i]
	if s.Kind != odata.Args || len(s.Args) != 1 {
		return nil
	}
	a := &s.Args[0]
	if !a.Var {
		return get(&n.names, bareValue(a))
	}
	for j := range r.Keys {
		if r.Keys[j].segment == i {
			return only(&n.variable)
		}
	}
	for j := range r.Nots {
		if r.Nots[j].segment == i {
			return only(&n.variable)
		}
	}
	return nil
}

// First finds the first rule that may match a target and method; false if none may. It allocates nothing,
// unless a rule has a path in colons and the target may have one in another form. Rules with conditions on the
// body match every body.
func (t *DenySet) First(target *odata.Target, method Methods) (index int, found bool) {
	var f denyFinder
	f.Circumstances, f.target, f.segments, f.method, f.anyBody = &Circumstances{}, target, target.Segments, method, true
	t.first(&f)
	return f.best, f.best < len(t.rules)
}

// Denial is what FirstFor finds.
type Denial struct {
	Index int // the first rule that may match; meaningless unless Found
	Found bool
	// Unread reports whether a rule was passed over because the body is not read. Selects reports whether a rule for the
	// target has conditions on options that the token of a delta query can hold.
	Unread, Selects bool
}

// FirstFor is First with what else is known of the request. While its body is not read, rules with conditions on it
// are passed over.
func (t *DenySet) FirstFor(target *odata.Target, method Methods, c *Circumstances) Denial {
	var f denyFinder
	f.Circumstances, f.target, f.segments, f.method = c, target, target.Segments, method
	t.first(&f)
	return Denial{Index: f.best, Found: f.best < len(t.rules), Unread: f.unread, Selects: f.selects}
}

func (t *DenySet) first(f *denyFinder) {
	f.best = len(t.rules)
	f.from(t.root(f.target.Version), 0, 0)
	if t.paths && namesParts(f.segments) {
		t.firstByPath(f)
	}
}

// denyFinder compares a tree with one target. It lives on the stack, and is filled there, because it is large.
type denyFinder struct {
	*Circumstances // nil with hits
	target         *odata.Target
	segments       []odata.Segment
	method         Methods
	at             positions
	unread         bool // a rule with conditions on the body was skipped
	selects        bool // a rule has conditions on options that a token can hold
	anyBody        bool // all conditions on the body are touched
	best           int  // rules from this number on cannot be the first

	hits *Hits // of All; nil: the first rule is wanted
}

// from follows templates from a node at depth, with segment i of the target next.
func (f *denyFinder) from(n *node, depth, i int) {
	if n == nil {
		return
	}
	if n.below != nil {
		f.take(n.below)
	}
	if i == len(f.segments) {
		f.take(n.here)
		return
	}
	s := &f.segments[i]
	switch s.Kind {
	case odata.System:
		f.to(n.system.find(s.Fold), depth, i)
	case odata.Path:
		f.to(n.paths.find(s.WideText()), depth, i)
		f.to(n.path, depth, i)
	case odata.Args:
		f.fromArgs(n, depth, i)
	case odata.Key:
		name := denyName(s)
		f.toLiteral(n, depth, i, name)
		f.to(n.variable, depth, i)
		f.fromRoot(n, depth, i, name)
	case odata.Name:
		name := denyName(s)
		f.toLiteral(n, depth, i, name)
		f.fromName(n, depth, i, name)
		f.fromRoot(n, depth, i, name)
	}
}

// fromName follows a name, whose denyName is given, as a key, also together with its parentheses if it has any, and as
// a cast, which leads to the same resource: /users/x/microsoft.graph.user/messages, /users/microsoft.graph.user('x').
func (f *denyFinder) fromName(n *node, depth, i int, name string) {
	s := &f.segments[i]
	switch {
	case n.variable == nil && !s.Qualified && !isBareCast(f.segments, i, name):
	case i == len(f.segments)-1 && isOperation(f.segments, i):
		// nothing stands below most operations, so a name in the middle may be a key
	case s.Qualified:
		f.from(n, depth, i+1)
	case i > 0 && isAmongMany(f.segments[i-1].Fold) && isBareCast(f.segments, i, name):
		f.from(n, depth, i+1)
		f.to(n.variable, depth, i)
	default:
		f.to(n.variable, depth, i)
		if hasParentheses(f.segments, i) && depth < MaxSegments {
			f.at[depth] = uint8(i)
			f.from(n.variable, depth+1, i+2)
		}
	}
}

// to goes on at a child, if there is one, whose segment of the template matches segment i of the target.
func (f *denyFinder) to(n *node, depth, i int) {
	if n != nil {
		f.enter(n, depth, i)
	}
}

func (f *denyFinder) enter(n *node, depth, i int) {
	if depth < MaxSegments {
		f.at[depth] = uint8(i)
		f.from(n, depth+1, i+1)
	}
}

// toLiteral follows a name or key, whose denyName is given, as a literal of templates, in each way in which it may be
// read: without the characters around it, and up to a semicolon. A dotted name is also followed as what it is not at
// its place: a cast as a key, and a key as a cast. Which one a rule means depends on the segment before it in the rule,
// which may be a variable.
func (f *denyFinder) toLiteral(n *node, depth, i int, name string) {
	if n.names == nil {
		return
	}
	s := &f.segments[i]
	f.to(n.names.find(name), depth, i)
	switch {
	case s.Qualified:
		f.to(n.names.find(s.Fold), depth, i)
		if alias := withoutMicrosoft(s.Fold); alias != s.Fold {
			f.to(n.names.find(alias), depth, i)
		}
	case hasNamespace(name):
		f.to(n.names.find(lastLabel(name)), depth, i)
	}
	if end := strings.IndexByte(name, ';'); end >= 0 {
		f.to(n.names.find(odata.Bare(name[:end])), depth, i)
	}
}

func hasNamespace(fold string) bool {
	return strings.HasPrefix(fold, "graph.") || strings.HasPrefix(fold, "microsoft.")
}

// withoutMicrosoft returns a name of Graph's namespace with the alias: graph.user.
func withoutMicrosoft(fold string) string {
	if alias, found := strings.CutPrefix(fold, "microsoft."); found && strings.HasPrefix(alias, "graph.") {
		return alias
	}
	return fold
}

func lastLabel(fold string) string { return fold[strings.LastIndexByte(fold, '.')+1:] }

// withoutNamespace returns a name without a namespace of Microsoft's, for a name that odata did not read as one with
// a namespace.
func withoutNamespace(name string) (local string, found bool) {
	if local, found = strings.CutPrefix(name, "microsoft."); !found {
		local, found = strings.CutPrefix(name, "graph.")
	}
	if !found || !isDotted(local) {
		return name, false
	}
	return local[strings.LastIndexByte(local, '.')+1:], true
}

// fromRoot follows root as items/root, and items/root as root: Graph reads both as the folder at the top of a
// drive, also when a path in colons follows. The name is the denyName of segment i.
func (f *denyFinder) fromRoot(n *node, depth, i int, name string) {
	switch name {
	case "items":
		if i+1 < len(f.segments) && isNameOrKey(&f.segments[i+1]) && denyName(&f.segments[i+1]) == "root" {
			f.from(n, depth, i+1)
		}
	case "root":
		if items := n.names.find("items"); items != nil && depth < MaxSegments &&
			(i == 0 || denyName(&f.segments[i-1]) != "items") {
			f.at[depth] = uint8(i)
			f.to(items.names.find("root"), depth+1, i)
			f.to(items.variable, depth+1, i)
		}
	}
}

func isNameOrKey(s *odata.Segment) bool { return s.Kind == odata.Name || s.Kind == odata.Key }

// fromArgs follows arguments: as arguments, as an alternate key whose value a template writes as a plain key,
// and not at all for a function that a template names without arguments.
func (f *denyFinder) fromArgs(n *node, depth, i int) {
	args := f.segments[i].Args
	for j := range n.args {
		if argsMatch(n.args[j].args, args, true) {
			f.to(n.args[j].next, depth, i)
		}
	}
	f.to(n.variable, depth, i)
	if n.names != nil {
		for j := range args {
			f.to(n.names.find(bareValue(&args[j])), depth, i)
			for _, item := range bareItems(&args[j]) {
				f.to(n.names.find(item), depth, i)
			}
		}
	}
	if n.operation {
		f.from(n, depth, i+1)
	}
}

func (f *denyFinder) take(entries []entry) {
	for i := range entries {
		e := &entries[i]
		switch {
		case e.rule.Methods&f.method == 0:
		case f.hits != nil:
			f.hits.add(&Hit{Index: e.index, rule: e.rule, at: f.at})
		case e.index >= f.best:
			return
		case e.rule.hasEnded(f.At), !e.rule.touchesKeys(f.target, &f.at):
		case !f.touchesOptions(e.rule):
		case e.rule.Bounds == nil || f.anyBody:
			f.best = e.index
			return
		case f.Body == nil:
			f.unread = true
		case e.rule.Bounds.Touched(f.Body):
			f.best = e.index
			return
		}
	}
}

// touchesOptions is Rule.touchesOptions for the finder's target.
func (f *denyFinder) touchesOptions(r *Rule) bool {
	f.selects = f.selects || r.BoundsSelection()
	return r.touchesOptions(f.target, f.Selection)
}
