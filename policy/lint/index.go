package lint

import (
	"slices"
	"strings"

	"graphproxy/policy/match"
	"graphproxy/policy/odata"
)

// index finds, among many rules, the few that may cover or deny a given one, so that a policy with a rule for each of
// Graph's operations takes no square of their number. It finds more than those and none less: what it finds is for
// match.Covers and match.Denies to judge.
type index struct{ roots map[string]*indexNode }

type indexNode struct {
	next        map[string]*indexNode
	here, below []int
}

// What a segment that is no literal stands as.
const (
	anyKey  = "{}"
	anyArgs = "()"
	anyPath = ":"
)

func step(s *odata.Segment) string {
	switch {
	case s.Kind == odata.Args:
		return anyArgs
	case s.Kind == odata.Path:
		return anyPath
	case s.Var:
		return anyKey
	}
	return s.Base
}

func (x *index) add(m *match.Rule, number int) {
	if x.roots == nil {
		x.roots = make(map[string]*indexNode)
	}
	n := x.roots[m.Template.Version]
	if n == nil {
		n = new(indexNode)
		x.roots[m.Template.Version] = n
	}
	for i := range m.Template.Segments {
		key := step(&m.Template.Segments[i])
		if n.next == nil {
			n.next = make(map[string]*indexNode)
		}
		if n.next[key] == nil {
			n.next[key] = new(indexNode)
		}
		n = n.next[key]
	}
	if m.Template.Below {
		n.below = append(n.below, number)
	} else {
		n.here = append(n.here, number)
	}
}

// wider returns the numbers of the rules that may match all that a rule does, ascending.
func (x *index) wider(m *match.Rule) []int {
	f := widerFinder{rule: m, seen: make(map[place]bool)}
	f.from(x.roots[m.Template.Version], 0)
	slices.Sort(f.found)
	return slices.Compact(f.found)
}

type place struct {
	node    *indexNode
	segment int
}

type widerFinder struct {
	rule  *match.Rule
	seen  map[place]bool
	found []int
}

func (f *widerFinder) from(n *indexNode, i int) {
	if n == nil || f.seen[place{n, i}] {
		return
	}
	f.seen[place{n, i}] = true
	f.found = append(f.found, n.below...)
	segments := f.rule.Template.Segments
	if i == len(segments) {
		if !f.rule.Template.Below {
			f.found = append(f.found, n.here...)
		}
		return
	}
	s := &segments[i]
	f.from(n.next[step(s)], i+1)
	if s.Kind != odata.System && s.Kind != odata.Path {
		f.from(n.next[anyKey], i+1)
	}
	if s.Kind == odata.Args || s.Qualified {
		f.from(n, i+1)
	}
	for _, value := range f.values(i) {
		f.from(n.next[strings.ToLower(value)], i+1)
	}
}

// values returns the values that the rule narrows segment i to, if they are few and no patterns.
func (f *widerFinder) values(i int) []string {
	var all []string
	for j := range f.rule.Keys {
		if k := &f.rule.Keys[j]; k.Segment() == i && len(k.Values()) == 1 {
			all = append(all, k.Values()...)
		}
	}
	return all
}
