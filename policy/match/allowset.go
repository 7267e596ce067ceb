package match

import (
	"math"
	"strings"

	"graphproxy/policy/graph/odata"
)

// AllowSet has the rules of which one must match for a request to be allowed. The zero value has none. After
// the last Add it is safe for concurrent use.
type AllowSet struct{ tree }

// Result is the rule that matches, or the one that comes nearest.
type Result struct {
	Index int // the first rule that matches, as numbered by Add; -1: none

	// Near is, if none matches, the first rule whose template matches, and Reason is what does not match: a
	// condition such as "where: id", or else the method. -1 and "" if no template matches.
	Near   int
	Reason string
}

// Add adds a rule and returns its number, from 0. If several rules match, the one added first is found.
func (t *AllowSet) Add(r *Rule) int {
	n, e := t.add(r)
	for i := range r.Template.Segments {
		n = n.allowChild(r.Template.Segments, i)
	}
	n.end(e)
	return e.index
}

func (n *node) allowChild(segments []odata.Segment, i int) *node {
	s := &segments[i]
	if next := n.common(s); next != nil {
		return next
	}
	operation := s.Call || isOperation(segments, i)
	switch {
	case s.Kind == odata.Key && operation:
		return get(&n.keys, s.Fold) // users('delta') is a user
	case s.Qualified && !(operation && isDefault(s)):
		return get(&n.names, s.Fold)
	case operation:
		return get(&n.operations, s.Base)
	}
	// Only the place decides whether a plain name is a property or a key: mailFolders/inbox is
	// mailFolders('inbox').
	next := get(&n.names, s.Fold)
	only(&n.keys).set(s.Fold, next)
	return next
}

// isDefault reports whether a qualified name is in Graph's main namespace, whose operations may be called
// without it: microsoft.graph.delta, but not microsoft.graph.security.activate.
func isDefault(s *odata.Segment) bool {
	const namespace = "microsoft.graph."
	return s.Qualified && len(s.Fold) == len(namespace)+len(s.Base) && strings.HasPrefix(s.Fold, namespace)
}

// Find finds the first rule that matches a target and method. Its time grows with the target's length. It
// allocates nothing, unless an Expand condition must read options in parentheses. It takes conditions on the
// body as met, and ignores when rules end.
func (t *AllowSet) Find(target *odata.Target, method Methods) Result {
	return t.FindFor(target, method, &Circumstances{})
}

// FindFor is Find with further facts about the request. A body that is not read yet meets every condition.
func (t *AllowSet) FindFor(target *odata.Target, method Methods, c *Circumstances) Result {
	r := Result{Index: -1, Near: -1}
	var f allowFinder
	f.Result, f.Circumstances, f.target, f.segments, f.method = &r, c, target, target.Segments, method
	f.best, f.beyond = math.MaxInt, -1
	f.from(t.root(target.Version), 0)
	return r
}

// allowFinder compares a tree with one target. It lives on the stack, and points at the rest so that the compiler sees
// that the result holds nothing of the target and the circumstances.
type allowFinder struct {
	*Result
	*Circumstances
	target   *odata.Target
	segments []odata.Segment
	method   Methods
	best     int // rules from this number on cannot be the first

	beyond  int   // the first rule whose /** does not include the target; -1: none
	deepest *node // if explain is set: the node of the longest matching beginning of the target
	reach   int   // segments of that beginning
	explain bool
}

// from follows templates from a node, if there is one, with segment i of the target next.
func (f *allowFinder) from(n *node, i int) {
	if n != nil {
		f.at(n, i)
	}
}

func (f *allowFinder) at(n *node, i int) {
	if f.explain && (f.deepest == nil || i > f.reach) {
		f.deepest, f.reach = n, i
	}
	if n.below != nil {
		f.take(n.below, i)
	}
	if i == len(f.segments) {
		f.take(n.here, i)
		return
	}
	s := &f.segments[i]
	switch s.Kind {
	case odata.System:
		f.from(n.system.find(s.Fold), i+1)
	case odata.Path:
		f.from(n.paths.find(s.Fold), i+1)
		f.from(n.path, i+1)
	case odata.Args:
		for j := range n.args {
			if len(n.args[j].args) == len(s.Args) && argsMatch(n.args[j].args, s.Args, false) {
				f.from(n.args[j].next, i+1)
			}
		}
	case odata.Key:
		f.from(n.keys.find(s.Fold), i+1)
		if !hasParentheses(f.segments, i) {
			f.from(n.variable, i+1)
		}
	case odata.Name:
		f.fromName(n, i)
	}
}

func (f *allowFinder) fromName(n *node, i int) {
	s := &f.segments[i]
	f.from(n.names.find(s.Fold), i+1)
	if n.operations != nil && (!s.Qualified || i > 0 && isDefault(s)) {
		f.from(n.operations.find(s.Base), i+1)
	}
	// microsoft.graph.sendMail is sendMail where that cannot be a key or a cast. An entity set has no namespace.
	if i > 0 && isDefault(s) && (n.afterKey || s.Call || hasParentheses(f.segments, i)) {
		f.from(n.names.find(s.Base), i+1)
	}
	if n.variable != nil && isKey(f.segments, i) {
		f.from(n.variable, i+1)
	}
}

// isKey reports whether the name of segment i is certainly a key where a template has a variable.
func isKey(segments []odata.Segment, i int) bool {
	s := &segments[i]
	if s.Call || s.Qualified || hasParentheses(segments, i) {
		return false
	}
	bare := s.BareText()
	if bare == s.Fold && !isWord(bare) {
		return true // most ids: no operation and no type has such characters
	}
	return !mayBeCalled(segments, i, bare) && !isBareCast(segments, i, bare)
}

// take checks rules whose templates match the first n segments of the target.
func (f *allowFinder) take(entries []entry, n int) {
	for i := range entries {
		e := &entries[i]
		if e.index >= f.best {
			return
		}
		if !e.rule.boundary.takesBelow(f.segments, n) {
			if f.beyond < 0 {
				f.beyond = e.index
			}
			continue
		}
		reason := ReasonMethod
		if e.rule.Methods&f.method != 0 {
			if reason = e.rule.unmet(f.target, f.Selection); reason == "" {
				reason = e.rule.unmetBody(f.Body)
			}
			if reason == "" && e.rule.hasEnded(f.At) {
				reason = ReasonUntil
			}
			if reason == "" {
				f.best = e.index
				*f.Result = Result{Index: e.index, Near: -1}
				return
			}
		}
		f.near(e.index, reason)
	}
}

// near keeps the first rule that has ended or needs a proof, else the first rule that fails only for the body, else the
// first with another condition that fails, else the first whose method differs.
func (f *allowFinder) near(index int, reason string) {
	if f.Index >= 0 {
		return
	}
	closer, had := closeness(reason), closeness(f.Reason)
	if f.Near < 0 || closer > had || closer == had && index < f.Near {
		f.Near, f.Reason = index, reason
	}
}

func closeness(reason string) int {
	switch {
	case reason == ReasonMethod:
		return 0
	case reason == ReasonUntil, reason == ReasonSelection:
		return 3
	case strings.HasPrefix(reason, ReasonBody):
		return 2
	}
	return 1
}
