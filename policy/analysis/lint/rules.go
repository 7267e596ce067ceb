package lint

import (
	"slices"

	"graphproxy/policy"
	"graphproxy/policy/match"
)

// finding is a probable mistake in a rule of one caller.
type finding struct {
	where, message string
}

// findings are findings about the rules of all callers. A rule that callers share through a set is reported only if
// every one of them has the finding: one caller that needs the rule is reason enough for it.
type findings struct {
	left  pairs
	order []*policy.Rule
	of    map[*policy.Rule][]finding
}

func (f *findings) add(r *policy.Rule, where, message string) {
	if f.of == nil {
		f.of = make(map[*policy.Rule][]finding)
	}
	if len(f.of[r]) == 0 {
		f.order = append(f.order, r)
	}
	f.of[r] = append(f.of[r], finding{where, message})
}

// rules reports rules that have no effect beside the other rules of their caller.
func (c *checker) rules() {
	found := findings{left: pairs{mostPairs}}
	for i := range c.books {
		b := &c.books[i]
		c.repeats(b, b.allow, b.where+".allow")
		c.repeats(b, b.deny, b.where+".deny")
		b.allowed(&found)
		b.denied(&found)
	}
	for _, r := range found.order {
		if all := found.of[r]; len(all) == c.users[r] {
			c.report.AddIn(r.File, r.Line, all[0].where, "%s", r.Text+" "+all[0].message)
		}
	}
}

// repeats reports sets of rules that a list includes twice.
func (c *checker) repeats(b *book, rules []*policy.Rule, where string) {
	seen, again := make(map[*policy.Rule]bool), []*policy.Rule(nil)
	for _, r := range rules {
		if seen[r] {
			again = append(again, r)
		}
		seen[r] = true
	}
	if len(again) > 0 {
		c.report.AddIn(
			b.caller.File,
			b.caller.Line,
			where,
			"a set of rules is included twice, the one with %s; include it once",
			name(again[0]),
		)
	}
}

// allowed finds allow rules of which a deny rule denies everything, and allow rules that another allow rule
// replaces.
func (b *book) allowed(found *findings) {
	allow, deny := distinct(b.allow), distinct(b.deny)
	byAllow, byDeny := indexOf(allow), indexOf(deny)
	special := slices.DeleteFunc(slices.Clone(allow),
		func(r *policy.Rule) bool { return r.Limit() == nil && ownOf(r) == "" })
	place := make(map[*policy.Rule]int)
	for i, r := range allow {
		place[r] = i
	}
	for i, r := range allow {
		where := b.where + ".allow"
		if d := found.first(byDeny, deny, r, match.Denies, nil); d != nil {
			found.add(r, where, "can never allow anything: "+name(d)+
				" denies all that it matches. Delete this rule")
			continue
		}
		if e := found.first(byAllow, allow, r, match.Covers, func(j int) bool { return j < i }); e != nil {
			found.add(r, where, shadowed(r, e))
			continue
		}
		if r.Limit() != nil || r.BoundsReferences() {
			continue
		}
		e := found.first(byAllow, allow, r, match.Covers, func(j int) bool {
			return j > i && allow[j].Limit() == nil && allow[j].App() == r.App() && allow[j].Tenant() == r.Tenant() &&
				allow[j].Priority() == r.Priority() && !allow[j].BoundsReferences()
		})
		if e != nil && match.Covers(r.Match(), e.Match()) {
			continue // equal; reported for the later one
		}
		if e != nil && !anyBetween(special, place, r, e) {
			found.add(r, where, "adds nothing: "+name(e)+
				" after it matches all that it does. Delete this rule, or the wider one if that was not meant")
		}
	}
}

// ownOf names the settings of a rule other than a limit, "" if it has none.
func ownOf(r *policy.Rule) string {
	switch {
	case r.App() != "" || r.Tenant() != "":
		return "app"
	case r.Priority() != "":
		return "priority"
	}
	return ""
}

// shadowed returns why a rule never decides, when an earlier one matches everything that it matches.
func shadowed(r, earlier *policy.Rule) string {
	own := ""
	switch {
	case r.Limit() != nil && ownOf(r) != "":
		own = ", and its limit and " + ownOf(r) + " never apply"
	case r.Limit() != nil:
		own = ", and its limit never applies"
	case ownOf(r) != "":
		own = ", and its " + ownOf(r) + " is never used"
	}
	cure := "Delete this rule"
	if own != "" {
		cure = "Move this rule before that one, or delete it"
	}
	if match.Covers(r.Match(), earlier.Match()) {
		if own != "" {
			cure = "Keep one of the two"
		}
		return "is equal to " + name(earlier) + ", which comes first and decides" + own + ". " + cure
	}
	return "never decides: " + name(earlier) + " comes first and matches all that it does" + own + ". " + cure
}

// anyBetween reports whether a rule with its own limit or app stands between two rules, and may match requests of
// the first: then the first rule decides for these requests.
func anyBetween(special []*policy.Rule, place map[*policy.Rule]int, r, e *policy.Rule) bool {
	return slices.ContainsFunc(special, func(m *policy.Rule) bool {
		return place[r] < place[m] && place[m] < place[e] && match.Overlaps(m.Match(), r.Match())
	})
}

// denied finds deny rules that another deny rule makes superfluous.
func (b *book) denied(found *findings) {
	deny := distinct(b.deny)
	byDeny := indexOf(deny)
	for i, r := range deny {
		d := found.first(byDeny, deny, r, deniesAll, func(j int) bool { return j != i })
		switch {
		case d == nil:
		case !deniesAll(r.Match(), d.Match()):
			found.add(r, b.where+".deny", "adds nothing: "+name(d)+" denies all that it does. Delete this rule")
		case slices.Index(deny, d) < i:
			found.add(r, b.where+".deny", "is equal to "+name(d)+". Delete one of the two")
		}
	}
}

// deniesAll reports whether a denies everything that b denies. If b does not name an option, the option may be
// absent in a request that b denies, and then a does not deny the request.
func deniesAll(a, b *match.Rule) bool {
	for _, o := range a.Options {
		if !slices.ContainsFunc(b.Options, func(other match.Option) bool { return other.Name == o.Name }) {
			return false
		}
	}
	return match.Covers(a, b)
}

func indexOf(rules []*policy.Rule) *index {
	x := new(index)
	for i, r := range rules {
		x.add(r.Match(), i)
	}
	return x
}

// first returns the first of the indexed rules, among the wanted numbers (nil: all), that has the asked relation to
// r. It returns nil if there is none, or too many were compared.
func (f *findings) first(
	x *index, rules []*policy.Rule, r *policy.Rule, is func(a, b *match.Rule) bool, wanted func(i int) bool,
) *policy.Rule {
	if f.left.left <= 0 {
		return nil
	}
	for _, i := range x.wider(r.Match()) {
		if wanted != nil && !wanted(i) || r.Match().Methods&^rules[i].Match().Methods != 0 {
			continue
		}
		if !f.left.take() {
			return nil
		}
		if is(rules[i].Match(), r.Match()) {
			return rules[i]
		}
	}
	return nil
}
