package lint

import (
	"slices"
	"strings"
	"unicode/utf8"

	"graphproxy/policy/graph/odata"
	"graphproxy/policy/match"
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
	root := x.roots[m.Template.Version]
	if root == nil {
		root = new(indexNode)
		x.roots[m.Template.Version] = root
	}
	root.add(m, 0, number, true)
}

// add puts a rule below the node. One variable that is narrowed to a few values stands as each of them: rules often
// differ in nothing else.
func (n *indexNode) add(m *match.Rule, i, number int, byValue bool) {
	switch {
	case i == len(m.Template.Segments) && m.Template.Below:
		n.below = append(n.below, number)
		return
	case i == len(m.Template.Segments):
		n.here = append(n.here, number)
		return
	}
	s := &m.Template.Segments[i]
	keys := []string{step(s)}
	values := valuesOf(m, i)
	if byValue && keys[0] == anyKey && len(values) > 0 && len(values) <= 64 && !slices.ContainsFunc(values, isPattern) {
		keys, byValue = values, false
	}
	if n.next == nil {
		n.next = make(map[string]*indexNode)
	}
	for _, key := range keys {
		key = strings.ToLower(key)
		if n.next[key] == nil {
			n.next[key] = new(indexNode)
		}
		n.next[key].add(m, i+1, number, byValue)
	}
}

func isPattern(value string) bool {
	return strings.ContainsFunc(value, func(r rune) bool { return r == '*' || r >= utf8.RuneSelf })
}

// valuesOf returns the values that a rule narrows segment i to; nil if it does not.
func valuesOf(m *match.Rule, i int) []string {
	for j := range m.Keys {
		if m.Keys[j].Segment() == i {
			return m.Keys[j].Values()
		}
	}
	return nil
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
	if values := valuesOf(f.rule, i); len(values) > 0 { // who covers the rule, has all of them
		f.from(n.next[strings.ToLower(values[0])], i+1)
	}
}
