package diff

import (
	"iter"
	"slices"

	"graphproxy/policy/graph/odata"
	"graphproxy/policy/match"
)

// lists compares two lists of rules, method by method, so that one rule and the same rule split in two are equal.
type lists struct {
	old, newer []*rule
	covers     func(a, b *rule) bool // a does everything that b does, ignoring methods
	came, went []match.Methods       // of each rule: the methods for which no rule of the other list does the same
	oldKeys    map[string]bool
	newKeys    map[string]bool
}

func newLists(old, newer []*rule, covers func(a, b *rule) bool) *lists {
	l := &lists{old: old, newer: newer, covers: covers, oldKeys: keysOf(old), newKeys: keysOf(newer)}
	l.came, l.went = l.uncovered(newer, old), l.uncovered(old, newer)
	return l
}

func keysOf(rules []*rule) map[string]bool {
	keys := make(map[string]bool)
	for _, r := range rules {
		keys[r.key] = true
	}
	return keys
}

func (l *lists) uncovered(rules, by []*rule) []match.Methods {
	same := make(map[string]match.Methods)
	for _, r := range by {
		same[r.key] |= r.methods()
	}
	doubtful := calledAndNamed(rules)
	left := make([]match.Methods, len(rules))
	for i, r := range rules {
		left[i] = r.methods() &^ same[r.key]
		if r.hasAny(doubtful) {
			continue
		}
		for _, other := range by {
			if left[i]&other.methods() != 0 && l.covers(other, r) {
				left[i] &^= other.methods()
			}
		}
	}
	return left
}

// position is a literal name at its place in a template.
type position struct {
	segment int
	base    string
}

// calledAndNamed returns the names that one rule writes with empty parentheses and another without. Covering is
// decided for single rules, but beside a rule that calls a name, the name matches in more spellings.
func calledAndNamed(rules []*rule) map[position]bool {
	called, both := make(map[position]bool), make(map[position]bool)
	for _, r := range rules {
		for p, call := range r.names() {
			if before, found := called[p]; found && before != call {
				both[p] = true
			}
			called[p] = call
		}
	}
	return both
}

func (r *rule) hasAny(positions map[position]bool) bool {
	if len(positions) == 0 {
		return false
	}
	for p := range r.names() {
		if positions[p] {
			return true
		}
	}
	return false
}

// names yields the literal names of the rule's template, and whether each is called.
func (r *rule) names() iter.Seq2[position, bool] {
	return func(yield func(position, bool) bool) {
		for i := range r.one.Template.Segments {
			if s := &r.one.Template.Segments[i]; s.Kind == odata.Name && !s.Var && !yield(position{i, s.Base}, s.Call) {
				return
			}
		}
	}
}

// without removes from the added or removed methods those of rules that have no effect because a deny rule denies
// everything that they allow.
func without(methods []match.Methods, rules, deny []*rule) {
	for i, r := range rules {
		for _, d := range deny {
			if methods[i]&d.methods() != 0 && match.Denies(&d.one, &r.one) {
				methods[i] &^= d.methods()
			}
		}
	}
}

// pair is a rule that replaces another with the same template.
type pair struct {
	old, newer *rule
	methods    match.Methods
	more, less bool // whether the new one may do more than the old one, or less
}

func (p *pair) verdict(more, less string) string {
	switch {
	case !p.less:
		return more
	case !p.more:
		return less
	}
	return "neither is part of the other"
}

// pairs removes from the added and removed methods, for new rule i, those that are better reported as a change of
// an old rule.
func (l *lists) pairs(i int) []pair {
	var found []pair
	n := l.newer[i]
	if l.oldKeys[n.key] {
		return nil
	}
	for j, o := range l.old {
		if o.template != n.template || o.methods()&n.methods() == 0 || l.newKeys[o.key] {
			continue
		}
		p := pair{old: o, newer: n, more: !l.covers(o, n), less: !l.covers(n, o)}
		switch {
		case p.more && p.less:
			p.methods = l.came[i] & l.went[j]
		case p.more:
			p.methods = l.came[i] & o.methods()
		case p.less:
			p.methods = l.went[j] & n.methods()
		}
		if p.methods == 0 {
			continue
		}
		if p.more {
			l.came[i] &^= p.methods
		}
		if p.less {
			l.went[j] &^= p.methods
		}
		found = append(found, p)
	}
	return found
}

// allowed reports what the caller may do in one policy only.
func allowed(old, newer *side) []Change {
	l := newLists(old.allow, newer.allow, (*rule).covers)
	without(l.came, newer.allow, newer.deny)
	without(l.went, old.allow, old.deny)
	var changes []Change
	for i, n := range l.newer {
		for _, p := range l.pairs(i) {
			text := n.title(p.methods) + ": " + conditionChange(p.old, n) + " (" + p.verdict("wider", "narrower") + ")"
			changes = append(changes, Change{
				Sign:  "~",
				Kind:  KindAllow,
				Gains: p.more,
				Loses: p.less,
				Text:  text,
				Where: n.Where(),
			})
			if p.more && p.less {
				changes = append(changes, ruleSetting(p.old, n, n.title(p.methods)+": ", n.Where())...)
			}
		}
		if l.came[i] != 0 {
			changes = append(changes, Change{Sign: "+", Kind: KindAllow, Gains: true,
				Text: "may " + n.text(l.came[i]) + settingsText(n), Where: n.Where()})
		}
	}
	for j, o := range l.old {
		if l.went[j] != 0 {
			changes = append(changes, Change{Sign: "-", Kind: KindAllow, Loses: true,
				Text: "may no longer " + o.text(l.went[j]), Where: o.Where()})
		}
	}
	return changes
}

// denied reports what is denied to the caller in one policy only, as far as another rule allows it.
func denied(old, newer *side) []Change {
	if newer.caller == nil {
		return nil
	}
	l := newLists(old.deny, newer.deny, (*rule).forbids)
	var changes []Change
	for i, n := range l.newer {
		for _, p := range l.pairs(i) {
			text := "is denied " + n.title(p.methods) + ": " + conditionChange(p.old, n) + " (" +
				p.verdict("denies more", "denies less") + ")"
			changes = append(changes, Change{
				Sign:  "~",
				Kind:  KindDeny,
				Gains: p.less,
				Loses: p.more,
				Text:  text,
				Where: n.Where(),
			})
		}
		if l.came[i] == 0 {
			continue
		}
		if loses := touches(n, old); loses || touches(n, newer) {
			changes = append(changes, Change{Sign: "-", Kind: KindDeny, Loses: loses,
				Text: "is now denied " + n.text(l.came[i]), Where: n.Where()})
		}
	}
	for j, o := range l.old {
		if l.went[j] == 0 {
			continue
		}
		if gains := touches(o, newer); gains || touches(o, old) {
			changes = append(changes, Change{Sign: "+", Kind: KindDeny, Gains: gains,
				Text: "is no longer denied " + o.text(l.went[j]), Where: o.Where()})
		}
	}
	return changes
}

// touches reports whether the deny rule may deny something that the caller is allowed by other rules. A batch is
// allowed to every caller.
func touches(d *rule, s *side) bool {
	if isBatch(d.Rule) {
		return s.caller != nil
	}
	return slices.ContainsFunc(s.allow, func(a *rule) bool {
		return a.methods()&d.methods() != 0 && match.Overlaps(&d.one, &a.one)
	})
}
