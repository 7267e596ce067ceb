package permissions

import (
	"cmp"
	"maps"
	"math/bits"
	"slices"
	"strings"

	"graphproxy/policy"
	"graphproxy/policy/match"
)

// least returns the grant of the least privileged role for a method, nil if no role of apps has it. The file
// usually marks it. If several roles are marked for a set of methods, the first is the one that can do nothing else
// on the path, then the one that can do the least, as Microsoft's own tool decides
// (github.com/microsoftgraph/kibali), then the one of the lowest level. If none is marked, all roles are compared.
func (e *entry) least(m match.Methods) *grant {
	methods := make(map[*role]match.Methods)
	for i := range e.grants {
		methods[e.grants[i].role] |= e.grants[i].methods
	}
	var best *grant
	for i := range e.grants {
		g := &e.grants[i]
		if g.methods&m == 0 {
			continue
		}
		if best == nil || g.less(best, methods) {
			best = g
		}
	}
	return best
}

func (g *grant) less(other *grant, methods map[*role]match.Methods) bool {
	if g.mark != other.mark {
		return g.mark > other.mark
	}
	count := func(g *grant) int { return bits.OnesCount8(uint8(methods[g.role])) }
	return cmp.Or(count(g)-count(other), compareRoles(g.role, other.role), len(g.also)-len(other.also)) < 0
}

// compareRoles sorts the less privileged role first, and a role without a known level last.
func compareRoles(a, b *role) int {
	level := func(r *role) int { return (r.Level + 9) % 10 }
	return cmp.Or(level(a)-level(b), cmp.Compare(a.Name, b.Name))
}

// superfluous reports roles that no rule uses, and roles that a less privileged one could replace.
func (c *checker) superfluous() {
	for _, name := range slices.Sorted(maps.Keys(c.hand)) {
		r := c.hand[name]
		uses := c.used[r]
		if isSelected(r.Name) {
			continue // what it is needed for depends on the resources
		}
		if len(uses) == 0 {
			c.report.Unused = append(c.report.Unused, r.Role)
			continue
		}
		if other := c.instead(r, uses); other != nil {
			c.report.Advice = append(c.report.Advice,
				Advice{Role: r.Role, Instead: other.Role, InHand: c.hand[strings.ToLower(other.Name)] != nil, Rules: len(uses)})
		}
	}
}

// instead returns a less privileged role that covers everything that one of the app's roles is used for, nil if
// there is none. The file must mark it as the least privileged one for some of it: a role may cover a path without
// being meant for it. There is none either where the app's role is itself the least privileged one for some of it.
func (c *checker) instead(r *role, uses map[*policy.Rule][]operation) *role {
	marked := make(map[*role]int) // operations that it covers and is marked for
	covers := make(map[*role]int)
	total := 0
	for _, operations := range uses {
		for _, o := range operations {
			total++
			if o.entry.least(o.method).role == r {
				return nil
			}
			for _, other := range c.covering(r, o) {
				covers[other]++
				if least := o.entry.least(o.method); least.role == other {
					marked[other]++
				}
			}
		}
	}
	var best *role
	for other, n := range marked {
		if covers[other] < total || isSelected(other.Name) || !c.isLesser(other, r) {
			continue
		}
		if best == nil || n > marked[best] || n == marked[best] && compareRoles(other, best) < 0 {
			best = other
		}
	}
	return best
}

// covering returns the roles that cover an operation together with the app's roles other than r, each once.
func (c *checker) covering(r *role, o operation) []*role {
	var all []*role
	for i := range o.entry.grants {
		g := &o.entry.grants[i]
		alone := len(g.also) == 0 ||
			slices.ContainsFunc(g.also, func(name string) bool { return c.hand[name] != nil && c.hand[name] != r })
		if g.role != r && g.methods&o.method != 0 && alone && !slices.Contains(all, g.role) {
			all = append(all, g.role)
		}
	}
	return all
}

// isLesser reports whether a role is less privileged than another: by its level, or, because nearly all have the
// same level, by the documented operations that it covers.
func (c *checker) isLesser(a, b *role) bool {
	if a.Level != b.Level && a.Level != 0 && b.Level != 0 {
		return a.Level < b.Level
	}
	return a.reach < b.reach
}
