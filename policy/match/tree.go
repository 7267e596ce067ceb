package match

import (
	"slices"
	"strings"

	"graphproxy/policy/graph/odata"
)

// tree has rules by their templates, one node for each beginning of a template, and numbers them in the order
// in which they are added.
type tree struct {
	v1, beta *node
	rules    []*Rule
}

// entry is a rule at the end of its template.
type entry struct {
	rule  *Rule
	index int
}

type node struct {
	names      *edges // literal names by Fold; in a DenySet tree by Base, and literal keys too
	keys       *edges // literal keys; not in a DenySet tree
	operations *edges // functions and actions by Base; not in a DenySet tree
	system     *edges
	paths      *edges // literal drive paths
	args       []argsEdge
	variable   *node // {id}
	path       *node // {path}

	operation bool // in a DenySet: arguments after the name may be ignored
	afterKey  bool // the node stands for a key, so no key follows it

	here, below []entry // rules that end here, and that end here in /**; by index
}

// argsEdge leads to a node by arguments: (period={period}).
type argsEdge struct {
	args []odata.Arg // sorted by Fold
	next *node
}

func (t *tree) root(version string) *node {
	switch version {
	case "v1.0":
		return t.v1
	case "beta":
		return t.beta
	}
	return nil
}

// add numbers a rule and returns the node at which its template begins.
func (t *tree) add(r *Rule) (*node, entry) {
	r.boundary = boundaryOf(r)
	r.named = namedBy(r.Options)
	root := &t.v1
	if r.Template.Version == "beta" {
		root = &t.beta
	}
	t.rules = append(t.rules, r)
	return only(root), entry{r, len(t.rules) - 1}
}

// end adds an entry to the node at the end of its template. If a template leads there in two ways the entry is
// added once.
func (n *node) end(e entry) {
	entries := &n.here
	if e.rule.Template.Below {
		entries = &n.below
	}
	if len(*entries) == 0 || (*entries)[len(*entries)-1].index != e.index {
		*entries = append(*entries, e)
	}
}

// common returns the child in the cases that AllowSet and DenySet share, or nil for literal names and keys.
func (n *node) common(s *odata.Segment) *node {
	switch {
	case s.Kind == odata.System:
		return get(&n.system, s.Fold)
	case s.Kind == odata.Args:
		return n.argsChild(s.Args)
	case s.Kind == odata.Path && s.Var:
		return only(&n.path)
	case s.Kind == odata.Path:
		return get(&n.paths, s.Fold)
	case s.Var:
		next := only(&n.variable)
		next.afterKey = true
		return next
	}
	return nil
}

func (n *node) argsChild(args []odata.Arg) *node {
	args = slices.Clone(args)
	slices.SortFunc(args, func(a, b odata.Arg) int { return strings.Compare(a.Fold, b.Fold) })
	for _, edge := range n.args {
		if slices.EqualFunc(edge.args, args, sameArg) {
			return edge.next
		}
	}
	next := &node{afterKey: true}
	n.args = append(n.args, argsEdge{args, next})
	return next
}

// sameArg reports whether two arguments of templates match the same. Names of variables do not matter.
func sameArg(a, b odata.Arg) bool {
	return a.Fold == b.Fold && a.Var == b.Var && (a.Var || a.FoldValue() == b.FoldValue())
}

// argsMatch reports whether a target has the arguments of a template, in any order.
func argsMatch(template, args []odata.Arg, wide bool) bool {
	for i := range template {
		want := &template[i]
		a := argument(args, want.Fold)
		switch {
		case a == nil:
			return false
		case want.Var || want.FoldValue() == a.FoldValue():
		case !wide || bareValue(want) != bareValue(a) && !slices.Contains(bareItems(a), bareValue(want)):
			return false
		}
	}
	return true
}

func only[T any](n **T) *T {
	if *n == nil {
		*n = new(T)
	}
	return *n
}

// hasParentheses reports whether segment i has a key or arguments of its own, and so is no key itself.
func hasParentheses(segments []odata.Segment, i int) bool {
	return i+1 < len(segments) && (segments[i+1].Kind == odata.Key || segments[i+1].Kind == odata.Args)
}
