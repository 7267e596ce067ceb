package suggest

import (
	"cmp"
	"slices"
	"strings"

	"graphproxy/policy/graph/odata"
	"graphproxy/policy/match"
)

// candidate is a rule; until they are merged, one with one method.
type candidate struct {
	method   match.Methods
	template *odata.Template
	names    []string // segments that look like keys and are taken for names
	literals int      // segments and arguments that are no variables
	needed   bool
}

func newCandidate(method match.Methods, t *odata.Template, names []string) *candidate {
	c := &candidate{method: method, template: t, names: names, literals: len(t.Segments) - len(match.Variables(t))}
	for i := range t.Segments {
		c.literals += len(t.Segments[i].Args)
	}
	return c
}

// rules returns a tree of candidates, in their order.
func rules(candidates []*candidate) *match.AllowSet {
	tree := new(match.AllowSet)
	for _, c := range candidates {
		tree.Add(&match.Rule{Methods: c.method, Template: c.template})
	}
	return tree
}

// smallest leaves out superfluous candidates: after it, each one left allows an item that no other allows. It
// removes the most exact ones first. Every item must be allowed by one of the candidates.
func smallest(candidates []*candidate, items []*item) []*candidate {
	slices.SortStableFunc(candidates, func(a, b *candidate) int {
		return cmp.Or(a.literals-b.literals, len(a.template.Text)-len(b.template.Text),
			strings.Compare(a.template.Text, b.template.Text), int(a.method)-int(b.method))
	})
	contested := markNeeded(candidates, items)
	for i := len(candidates) - 1; i >= 0; i-- {
		if candidates[i].needed {
			continue
		}
		without := slices.Delete(slices.Clone(candidates), i, i+1)
		if tree := rules(without); allowsAll(tree, contested) {
			candidates = without
		}
	}
	return candidates
}

// markNeeded marks the candidates that alone allow an item, and returns the items that several allow.
func markNeeded(candidates []*candidate, items []*item) (contested []*item) {
	reversed := slices.Clone(candidates)
	slices.Reverse(reversed)
	forward, backward := rules(candidates), rules(reversed)
	for _, it := range items {
		first := forward.Find(it.target, it.method).Index
		if last := len(candidates) - 1 - backward.Find(it.target, it.method).Index; first == last {
			candidates[first].needed = true
		} else {
			contested = append(contested, it)
		}
	}
	return contested
}

func allowsAll(tree *match.AllowSet, items []*item) bool {
	return !slices.ContainsFunc(items, func(it *item) bool { return tree.Find(it.target, it.method).Index < 0 })
}

// merge merges candidates that differ only in their methods, and sorts them by path.
func merge(candidates []*candidate) []*candidate {
	var merged []*candidate
	byPath := make(map[string]*candidate)
	for _, c := range candidates {
		key := strings.ToLower(c.template.Text)
		if r := byPath[key]; r != nil {
			r.method |= c.method
			continue
		}
		byPath[key] = c
		merged = append(merged, c)
	}
	slices.SortFunc(merged, func(a, b *candidate) int {
		return cmp.Or(-strings.Compare(a.template.Version, b.template.Version), // v1.0 first
			slices.Compare(pathParts(a.template), pathParts(b.template)))
	})
	return merged
}

// pathParts returns the parts of a path for sorting, so that paths below a resource follow it directly.
func pathParts(t *odata.Template) []string { return strings.Split(strings.ToLower(t.Text), "/") }
