package match

import (
	"math"
	"slices"
	"strconv"

	"graphproxy/policy/graph/odata"
)

// Nearest returns, for a target for which Find finds no rule, the rule that comes nearest, and the difference,
// as a clause: "whose where: id does not hold". It is false if no rule begins like the target. It is slow.
func (t *AllowSet) Nearest(target *odata.Target, method Methods) (index int, clause string, found bool) {
	f := t.explain(target, method)
	switch {
	case f.Near >= 0 && f.Reason == ReasonMethod:
		return f.Near, "which is for other methods", true
	case f.Near >= 0:
		return f.Near, "whose " + f.Reason + " does not hold", true
	case f.beyond >= 0:
		return f.beyond, "whose /** does not reach the other item or site that the path names", true
	}
	other := *target
	other.Version = "beta"
	if target.Version == "beta" {
		other.Version = "v1.0"
	}
	g := t.explain(&other, method)
	switch {
	case g.Index >= 0:
		return g.Index, "which is for " + other.Version, true
	case g.reach > f.reach:
		return g.deepest.first().index, "which is for " + other.Version, true
	case f.reach == 0:
		return 0, "", false
	}
	return f.deepest.first().index, difference(target, f.reach), true
}

// explain is Find, and returns what else it found on its way.
func (t *AllowSet) explain(target *odata.Target, method Methods) *allowFinder {
	f := &allowFinder{
		Result:        &Result{Index: -1, Near: -1},
		Circumstances: &Circumstances{},
		target:        target,
		segments:      target.Segments,
		method:        method,
		best:          math.MaxInt,
		beyond:        -1,
		explain:       true,
	}
	f.from(t.root(target.Version), 0)
	return f
}

// difference describes a rule that matches the first segments of a target but not the next.
func difference(t *odata.Target, reach int) string {
	if reach == len(t.Segments) {
		return "which goes on where the request ends"
	}
	switch s := &t.Segments[reach]; s.Kind {
	case odata.Args:
		return "which takes no such arguments"
	case odata.Path:
		return "which has no such drive path"
	default:
		return "which has no " + strconv.Quote(s.Text) + " there"
	}
}

// first returns the entry with the lowest index at the node and below it.
func (n *node) first() entry {
	entries := slices.Concat(n.here, n.below)
	for _, next := range n.children() {
		entries = append(entries, next.first())
	}
	return slices.MinFunc(entries, func(a, b entry) int { return a.index - b.index })
}

func (n *node) children() []*node {
	var all []*node
	for _, e := range []*edges{n.names, n.keys, n.operations, n.system, n.paths} {
		all = append(all, e.nodes()...)
	}
	for _, next := range []*node{n.variable, n.path} {
		if next != nil {
			all = append(all, next)
		}
	}
	for _, edge := range n.args {
		all = append(all, edge.next)
	}
	return all
}
