package lint

import (
	"slices"
	"strings"
	"unicode/utf8"

	"graphproxy/policy/graph/odata"
	"graphproxy/policy/match"
)

// index finds, among many rules, the few that may cover or deny a given one, so that the time does not grow with
// the square of their number. It may find too many rules, but never misses one: match.Covers and match.Denies
// decide.
type index struct{ roots map[string]*indexNode }

type indexNode struct {
	next        map[string]*indexNode
	here, below []int
}

// The stand-ins for segments that are no literals.
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

// add adds a rule below the node. A variable that is restricted to a few values is added as each of them, because
// rules often differ only in these values.
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

// wider returns the numbers of the rules that may match everything that a rule matches, ascending.
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
	if values := valuesOf(f.rule, i); len(values) > 0 { // a rule that covers this one has all of them
		f.from(n.next[strings.ToLower(values[0])], i+1)
	}
}
