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
			l.warnings.AddIn(set.file, set.line, "rules."+name, "no caller includes this set of rules")
		}
	}
}

// warnOfBatch reports rules for $batch, which have no effect: a batch is judged by its items.
func (l *loader) warnOfBatch(allow []*Rule) {
	for _, r := range allow {
		if r.match.Template.Segments[0].Fold == "$batch" {
			l.warnings.AddIn(r.File, r.Line, "",
				"%s has no effect under allow: a caller may batch what it may send singly; under deny it forbids batching", r.Text)
		}
	}
}

// warnOfNames warns of deny rules that name a user, mailbox, folder or site by its name, while an allow rule
// takes the object id of the same one. Graph accepts both, and the proxy does not know which name and id belong
// together.
func (l *loader) warnOfNames(caller string, b *ruleBook) {
	const most = 1_000_000 // pairs; more would delay a reload only for a warning
	if len(b.denyRules) == 0 || len(b.denyRules)*len(b.allowRules) > most {
		return
	}
	bare := new(match.AllowSet) // the allow rules, without their conditions on queries and bodies
	for _, r := range b.allowRules {
		bare.Add(bareRule(r))
	}
	for _, deny := range b.denyRules {
		for _, n := range names(deny) {
			if allow := b.allowedByID(bare, deny, n); allow != nil {
				l.warnings.AddIn(deny.File, deny.Line, l.denyPlace(caller, deny),
					"%s denies by name, and the object id gets round it: %s (%s) takes one. Write the object ids beside the names, "+
						"or narrow the allow rule by where",
					deny.Text, allow.Text, allow.Where())
				break
			}
		}
	}
}

// denyPlace is where a deny rule of a caller stands.
func (l *loader) denyPlace(caller string, deny *Rule) string {
	if slices.Contains(l.denyAll, deny) {
		return "deny"
	}
	return "callers." + caller + ".deny"
}

func bareRule(r *Rule) *match.Rule {
	return &match.Rule{Methods: r.match.Methods, Template: r.match.Template, Keys: r.match.Keys, Nots: r.match.Nots}
}

// name is a value, in a segment of a deny rule, that is no object id.
type name struct {
	segment int
	value   string
}

// names returns an example of each segment for which a rule denies more names than ids. If there are as many
// ids as names, they are taken for the ids of the same objects.
func names(r *Rule) []name {
	var all []name
	segments := r.match.Template.Segments
	for i := range segments {
		s := &segments[i]
		if i > 0 && !s.Var && !s.Call && !s.Qualified && (s.Kind == odata.Name || s.Kind == odata.Key) &&
			isNamed(segments[i-1].Base, s.Text) {
			all = append(all, name{i, s.Text})
		}
	}
	for _, k := range r.match.Keys {
		i := k.Segment()
		if i == 0 || segments[i].Kind == odata.Path {
			continue
		}
		var named []string
		ids := 0
		for _, v := range k.Values() {
			if isNamed(collectionOf(segments, i), v) {
				named = append(named, strings.ReplaceAll(v, "*", "x"))
			} else {
				ids++
			}
		}
		if len(named) > ids {
			all = append(all, name{i, named[0]})
		}
	}
	return all
}

// collectionOf returns the collection whose key segment i is.
func collectionOf(segments []odata.Segment, i int) string {
	if segments[i-1].Kind == odata.Name && !segments[i-1].Var {
		return segments[i-1].Base
	}
	return ""
}

// isNamed reports whether a value is the name of something that also has an object id. In the collections where
// Graph takes names beside ids, a value that is no address counts as a name too.
func isNamed(collection, value string) bool {
	switch {
	case strings.Contains(value, "@"):
		return true
	case isID(value) || strings.Trim(value, "*") == "":
		return false
	}
	switch collection {
	case "users", "mailfolders", "childfolders", "sites", "members", "owners":
		return true
	}
	return false
}

// isID reports whether a value is an object id, a pattern of object ids, or so long that it can only be one.
func isID(value string) bool {
	const shortest = 40 // of the ids that Exchange makes
	return strings.Trim(strings.ToLower(value), "0123456789abcdef-*") == "" && strings.ContainsAny(value, "0123456789-") ||
		len(value) >= shortest && !strings.Contains(value, "*")
}

// allowedByID returns an allow rule that allows for an id what a deny rule denies for a name, or nil. It tries
// the requests that match the templates of both.
func (b *ruleBook) allowedByID(bare *match.AllowSet, deny *Rule, n name) *Rule {
	denied := new(match.DenySet)
	denied.Add(bareRule(deny))
	d := &deny.match
	tried := []*match.Rule{d}
	for _, r := range b.allowRules {
		tried = append(tried, &r.match)
	}
	for _, r := range tried {
		methods := r.Methods & d.Methods
		if n.segment >= len(r.Template.Segments) || r.Template.Version != d.Template.Version || methods == 0 {
			continue
		}
		byName, byID := example(r.Template, n.segment, n.value), example(r.Template, n.segment,
			"11111111-2222-3333-4444-555555555555")
		plain := *byName // as a segment, a name may be an operation, and then it is no key
		plain.Segments = slices.Clone(byName.Segments)
		plain.Segments[n.segment].Kind, plain.Segments[n.segment].Quoted = odata.Name, false
		for m := match.Get; m <= match.Delete; m <<= 1 {
			if methods&m == 0 {
				continue
			}
			_, isDenied := denied.First(byName, m)
			_, idDenied := denied.First(byID, m)
			got := bare.Find(byID, m)
			if isDenied && !idDenied && got.Index >= 0 && bare.Find(&plain, m).Index >= 0 && !b.denies(byID, m) {
				return b.allowRules[got.Index]
			}
		}
	}
	return nil
}

// denies reports whether a deny rule denies a target with any body.
func (b *ruleBook) denies(t *odata.Target, m match.Methods) bool {
	return b.deny.FirstFor(t, m, match.Circumstances{}).Found
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
		case s.Var || i == segment && s.Kind != odata.System:
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
