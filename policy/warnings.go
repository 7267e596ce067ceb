package policy

import (
	"maps"
	"slices"
	"strings"

	"graphproxy/policy/graph/odata"
	"graphproxy/policy/match"
)

func (l *loader) unusedSets() {
	for _, name := range slices.Sorted(maps.Keys(l.sets)) {
		if set := l.sets[name]; !set.used {
			l.warnings.Add(set.line, "rules."+name, "no caller includes this set of rules")
		}
	}
}

// warnOfBatch reports rules that do nothing: a batch is judged by its items.
func (l *loader) warnOfBatch(allow []*Rule) {
	for _, r := range allow {
		if r.match.Template.Segments[0].Fold == "$batch" {
			l.warnings.Add(r.Line, "",
				"%s has no effect under allow: a caller may batch what it may send singly; under deny it forbids batching", r.Text)
		}
	}
}

// warnOfNames reports deny rules that name a user or mailbox by its address, where an allow rule takes the object id
// of the same one: Graph takes either, and the proxy does not know which belong together.
func (l *loader) warnOfNames(caller string, b *ruleBook) {
	const most = 1_000_000 // pairs; more would hold up a reload for the sake of a warning
	if len(b.denyRules)*len(b.allowRules) > most {
		return
	}
	for i, deny := range b.denyRules {
		for _, k := range addresses(deny) {
			if allow := b.roundabout(i, k); allow != nil {
				l.warnings.Add(deny.Line, "callers."+caller+".deny",
					"%s denies by name, and the object id gets round it: %s (%s) takes one. Write the object ids beside the names, "+
						"or narrow the allow rule by where",
					deny.Text, allow.Text, allow.Where())
				break
			}
		}
	}
}

// address is a value with "@" that a deny rule has for a segment.
type address struct {
	segment int
	value   string
}

// addresses returns an example of each segment that a rule denies by address and by no id.
func addresses(r *Rule) []address {
	var all []address
	for i := range r.match.Template.Segments {
		s := &r.match.Template.Segments[i]
		if !s.Var && (s.Kind == odata.Name || s.Kind == odata.Key) && strings.Contains(s.Text, "@") {
			all = append(all, address{i, s.Text})
		}
	}
	for _, k := range r.match.Keys {
		if r.match.Template.Segments[k.Segment()].Kind == odata.Path {
			continue
		}
		values := k.Values()
		isAddress := func(v string) bool { return strings.Contains(v, "@") }
		if len(values) > 0 && !slices.ContainsFunc(values, func(v string) bool { return !isAddress(v) }) {
			all = append(all, address{k.Segment(), strings.ReplaceAll(values[0], "*", "x")})
		}
	}
	return all
}

// roundabout returns an allow rule that allows for an id what a deny rule denies for an address, or nil. The requests
// to try are those that the templates of both name.
func (b *ruleBook) roundabout(deny int, a address) *Rule {
	d := &b.denyRules[deny].match
	for _, r := range append([]*match.Rule{d}, matchRules(b.allowRules)...) {
		methods := r.Methods & d.Methods
		if a.segment >= len(r.Template.Segments) || r.Template.Version != d.Template.Version || methods == 0 {
			continue
		}
		byAddress, byID := example(r.Template, a.segment, a.value), example(r.Template, a.segment,
			"11111111-2222-3333-4444-555555555555")
		for m := match.Get; m <= match.Delete; m <<= 1 {
			if methods&m == 0 {
				continue
			}
			first, denied := b.deny.First(byAddress, m)
			if got := b.allow.Find(byID, m); denied && first == deny && got.Index >= 0 && !b.denies(byID, m) {
				return b.allowRules[got.Index]
			}
		}
	}
	return nil
}

// denies reports whether a deny rule denies a target with any body.
func (b *ruleBook) denies(t *odata.Target, m match.Methods) bool {
	_, found, _ := b.deny.FirstBody(t, m, nil)
	return found
}

func matchRules(rules []*Rule) []*match.Rule {
	all := make([]*match.Rule, len(rules))
	for i, r := range rules {
		all[i] = &r.match
	}
	return all
}

// example returns a target that a template matches, with one segment set to a key.
func example(t *odata.Template, segment int, key string) *odata.Target {
	target := &odata.Target{Version: t.Version, Segments: slices.Clone(t.Segments)}
	for i := range target.Segments {
		s := &target.Segments[i]
		value := "11111111-2222-3333-4444-555555555555"
		if i == segment {
			value = key
		}
		switch {
		case s.Kind == odata.Args:
			s.Args = slices.Clone(s.Args)
			for j := range s.Args {
				s.Args[j].Value, s.Args[j].Var = value, false
			}
		case s.Kind == odata.Path && s.Var:
			*s = odata.Segment{Kind: odata.Path, Text: value, Fold: value, Base: value}
		case s.Var || i == segment && s.Kind != odata.System && strings.Contains(s.Text, "@"):
			*s = odata.Segment{
				Kind:   odata.Key,
				Text:   value,
				Fold:   strings.ToLower(value),
				Base:   strings.ToLower(value),
				Quoted: true,
			}
		}
	}
	return target
}
