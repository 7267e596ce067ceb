package match

import (
	"strings"

	"graphproxy/policy/odata"
)

// MaxSegments is the number of segments up to which targets are read widely. It is more than one from odata.Parse can have: 64
// between slashes, each with a key.
const MaxSegments = 132

// Wide holds the rules of which none must match for a request to be allowed, or which all count that match.
// The zero value holds none. After the last Add it is safe for concurrent use.
type Wide struct{ tree }

// positions tell which segment of the target stands for each of the template's. They differ where casts are
// passed over.
type positions [MaxSegments]uint8

// Hit is one rule that matches, and how.
type Hit struct {
	Index int // as numbered by Add
	rule  *Rule
	at    positions
}

// Add adds a rule and returns its number, from 0. A rule for $batch is for both versions, because a batch is a resource of
// neither.
func (t *Wide) Add(r *Rule) int {
	n, e := t.add(r)
	n.addWide(e, 0)
	if r.Template.Segments[0].Fold == "$batch" {
		only(&t.v1).addWide(e, 0)
		only(&t.beta).addWide(e, 0)
	}
	return e.index
}

func (n *node) addWide(e entry, i int) {
	segments := e.rule.Template.Segments
	if i == len(segments) {
		n.end(e)
		return
	}
	s := &segments[i]
	if next := n.common(s); next != nil {
		next.addWide(e, i+1)
	} else {
		next = get(&n.names, s.Base)
		// Below an entity set a name may be that of a function, range(address='A1'), or a key, mailFolders/inbox, after
		// which nobody knows what arguments mean. Those of an entity set are an alternate key.
		next.operation = next.operation || i > 0 || isOperation(segments, i)
		next.addWide(e, i+1)
	}
	if next := n.alternate(e.rule, i); next != nil {
		next.addWide(e, i+1)
	}
}

// alternate returns the child for what an alternate key, users(userPrincipalName='x'), comes to as a plain
// key, for Graph takes the same value in both; nil if the segment is no such key. Without a value there is
// nothing to carry over: then the rule is about the spelling.
func (n *node) alternate(r *Rule, i int) *node {
	s := &r.Template.Segments[i]
	if s.Kind != odata.Args || len(s.Args) != 1 {
		return nil
	}
	a := &s.Args[0]
	if !a.Var {
		return get(&n.names, string(appendLower(nil, a.Value)))
	}
	for j := range r.Keys {
		if r.Keys[j].segment == i {
			return only(&n.variable)
		}
	}
	return nil
}

// First finds the first rule that may match a target and method; false if none may. It allocates nothing.
func (t *Wide) First(target *odata.Target, method Methods) (index int, found bool) {
	f := wideFinder{target: target, segments: target.Segments, method: method, best: len(t.rules)}
	f.from(t.root(target.Version), 0, 0)
	return f.best, f.best < len(t.rules)
}

// All finds every rule that may match a target and method, in no particular order; one may be found in
// several ways. Conditions do not count.
func (t *Wide) All(target *odata.Target, method Methods) []Hit {
	f := wideFinder{target: target, segments: target.Segments, method: method, collect: true}
	f.from(t.root(target.Version), 0, 0)
	return f.hits
}

// Values returns what stands for a variable of the rule's template: one value, or those of an alternate key
// with several parts. A tenant after the key is left out. It is nil if the template has no such variable.
func (h *Hit) Values(target *odata.Target, name string) []string {
	v, found := findVariable(h.rule.Template, name)
	if !found {
		return nil
	}
	s := &target.Segments[h.at[v.segment]]
	if s.Kind != odata.Args {
		return []string{withoutTenant(s.Text)}
	}
	args := s.Args
	if a := argument(args, v.arg); a != nil {
		args = []odata.Arg{*a}
	}
	var values []string
	for i := range args {
		if items := args[i].Items; len(items) > 0 {
			values = append(values, items...)
		} else {
			values = append(values, withoutTenant(args[i].Value))
		}
	}
	return values
}

// wideFinder goes through a tree with one target. It lives on the stack.
type wideFinder struct {
	target   *odata.Target
	segments []odata.Segment
	method   Methods
	at       positions
	best     int // no rule from here on can be the first

	collect bool
	hits    []Hit
}

// from follows templates from a node at depth, with segment i of the target next.
func (f *wideFinder) from(n *node, depth, i int) {
	if n == nil {
		return
	}
	f.take(n.below)
	if i == len(f.segments) {
		f.take(n.here)
		return
	}
	s := &f.segments[i]
	switch s.Kind {
	case odata.System:
		f.to(n.system[s.Fold], depth, i)
	case odata.Path:
		f.to(n.paths[s.Fold], depth, i)
		if plain := withoutInvisible(s.Fold); plain != s.Fold {
			f.to(n.paths[plain], depth, i)
		}
		f.to(n.path, depth, i)
	case odata.Args:
		f.fromArgs(n, depth, i)
	case odata.Key:
		f.toLiteral(n, s.Fold, depth, i)
		f.to(n.variable, depth, i)
	case odata.Name:
		f.toLiteral(n, s.Base, depth, i)
		f.toDotted(n, s, depth, i)
		f.fromName(n, depth, i)
	}
}

// fromName follows a name as a key, also together with parentheses that it may have, and as a cast, which
// leads to the resource that it stands on: /users/x/microsoft.graph.user/messages,
// /users/microsoft.graph.user('x').
func (f *wideFinder) fromName(n *node, depth, i int) {
	s := &f.segments[i]
	switch {
	case n.variable == nil && !s.Qualified && !isBareCast(f.segments, i):
	case i == len(f.segments)-1 && isOperation(f.segments, i): // nothing stands below most operations, so a name in the middle may be a key
	case s.Qualified:
		f.from(n, depth, i+1)
	case i > 0 && isAmongMany(f.segments[i-1].Fold) && isBareCast(f.segments, i):
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

// to goes on at a child, for whose segment of the template segment i of the target stands.
func (f *wideFinder) to(n *node, depth, i int) {
	if n != nil && depth < MaxSegments {
		f.at[depth] = uint8(i)
		f.from(n, depth+1, i+1)
	}
}

func (f *wideFinder) toLiteral(n *node, fold string, depth, i int) {
	if n.names == nil {
		return
	}
	var room [3]string
	for _, reading := range readings(room[:0], fold) {
		f.to(n.names[reading], depth, i)
	}
}

// toDotted follows a dotted name as what it is not read as at its place: a cast as a key, and a key as a cast. Which of them a
// rule means depends on what stands before it there, which may be a variable.
func (f *wideFinder) toDotted(n *node, s *odata.Segment, depth, i int) {
	switch {
	case s.Qualified:
		f.toLiteral(n, s.Fold, depth, i)
		if alias := withoutMicrosoft(s.Fold); alias != s.Fold {
			f.toLiteral(n, alias, depth, i)
		}
	case hasNamespace(s.Fold):
		f.toLiteral(n, lastLabel(s.Fold), depth, i)
	}
}

func hasNamespace(fold string) bool {
	return strings.HasPrefix(fold, "graph.") || strings.HasPrefix(fold, "microsoft.")
}

// withoutMicrosoft spells a name of Graph's namespace with the alias: graph.user.
func withoutMicrosoft(fold string) string {
	if alias, found := strings.CutPrefix(fold, "microsoft."); found && strings.HasPrefix(alias, "graph.") {
		return alias
	}
	return fold
}

func lastLabel(fold string) string { return fold[strings.LastIndexByte(fold, '.')+1:] }

// fromArgs follows arguments: as such, as an alternate key whose value a template writes as a plain one, and
// not at all where they are those of a function that a template names without.
func (f *wideFinder) fromArgs(n *node, depth, i int) {
	args := f.segments[i].Args
	for j := range n.args {
		if argsMatch(n.args[j].args, args, true) {
			f.to(n.args[j].next, depth, i)
		}
	}
	f.to(n.variable, depth, i)
	if n.names != nil {
		var buffer [128]byte
		for j := range args {
			folded := appendLower(buffer[:0], withoutInvisible(withoutTenant(args[j].Value)))
			f.to(n.names[string(folded)], depth, i)
			for _, item := range args[j].Items {
				f.to(n.names[string(appendLower(buffer[:0], withoutInvisible(item)))], depth, i)
			}
		}
	}
	if n.operation {
		f.from(n, depth, i+1)
	}
}

func (f *wideFinder) take(entries []entry) {
	for i := range entries {
		e := &entries[i]
		switch {
		case e.rule.Methods&f.method == 0:
		case f.collect:
			f.hits = append(f.hits, Hit{Index: e.index, rule: e.rule, at: f.at})
		case e.index >= f.best:
			return
		case e.rule.touches(f.target, &f.at):
			f.best = e.index
			return
		}
	}
}
