package permissions

import (
	"slices"
	"strings"

	"graphproxy/policy/graph/odata"
	"graphproxy/policy/match"
)

// operation is a method of a documented path.
type operation struct {
	method match.Methods
	entry  *entry
	meet   *odata.Template // what the rule and the entry both match
	plain  bool            // the entry is for the rule's own path, and not for a reading of it
}

func (o operation) String() string { return o.method.String() + " " + o.entry.text }

// documents reports whether the file has an entry for the method.
func (e *entry) documents(m match.Methods) bool {
	return (e.signedIn|e.single)&m != 0 || slices.ContainsFunc(e.grants, func(g grant) bool { return g.methods&m != 0 })
}

// operations returns the documented operations of a rule's template for one method. A rule that does not end in /**
// has one operation at most.
func (d *Data) operations(t *odata.Template, m match.Methods) []operation {
	for i, reading := range readings(t, m) {
		var found []operation
		for _, e := range d.entries[reading.Segments[0].Base] {
			if !e.documents(m) {
				continue
			}
			if both := meet(reading, e.template, m); both != nil {
				found = append(found, operation{m, e, both, i == 0})
			}
		}
		if len(found) > 1 && !t.Below { // /sites/root is preferred to /sites/{id}
			found = []operation{slices.MaxFunc(found, func(a, b operation) int { return a.entry.literals - b.entry.literals })}
		}
		if len(found) > 0 {
			return found
		}
	}
	return nil
}

// meet returns a template of what two templates both match, with one method; nil if that is nothing or uncertain.
// The first may end in /**.
func meet(rule, entry *odata.Template, m match.Methods) *odata.Template {
	x, y := rule.Segments, entry.Segments
	if len(x) > len(y) || len(x) < len(y) && !rule.Below {
		return nil
	}
	segments := slices.Clone(y)
	for i := range x {
		if isLiteral(&x[i]) && isLiteral(&y[i]) && x[i].Base != y[i].Base {
			return nil
		}
		if isNarrower(&x[i], &y[i]) {
			segments[i] = x[i]
		}
	}
	both := &odata.Template{Version: rule.Version, Segments: segments}
	if !match.Covers(&match.Rule{Methods: m, Template: rule}, &match.Rule{Methods: m, Template: both}) {
		return nil
	}
	var narrow match.AllowSet
	narrow.Add(&match.Rule{Methods: m, Template: entry})
	if narrow.Find(targetOf(segments, entry.Version), m).Index < 0 {
		return nil
	}
	return both
}

// isNarrower reports whether the common template must have the rule's segment and not the entry's, if they match
// anything in common.
func isNarrower(rule, entry *odata.Segment) bool {
	switch {
	case isLiteral(rule) && isLiteral(entry): // the rule's namespace and parentheses
		return true
	case rule.Kind == odata.Args && entry.Kind == odata.Args:
		return true
	}
	return !rule.Var && entry.Var && (rule.Kind == odata.Path) == (entry.Kind == odata.Path)
}

func isLiteral(s *odata.Segment) bool {
	return !s.Var && (s.Kind == odata.Name || s.Kind == odata.Key)
}

// sampleKey stands for the variables of a template; it is no name in Graph.
const sampleKey = "0f8fad5b-d9cb-469f-a165-70867728950e"

// targetOf returns a request that segments of a template match.
func targetOf(segments []odata.Segment, version string) *odata.Target {
	t := &odata.Target{Version: version, Segments: slices.Clone(segments)}
	for i := range t.Segments {
		s := &t.Segments[i]
		if s.Var {
			s.Var, s.Text, s.Fold, s.Base = false, sampleKey, sampleKey, sampleKey
		}
		s.Args = slices.Clone(s.Args)
		for j := range s.Args {
			if s.Args[j].Var {
				s.Args[j].Var, s.Args[j].Value = false, sampleKey
			}
		}
	}
	return t
}

// readings returns the templates by which a rule is looked up, the rule's own first. The file leaves out much that
// paths have: most /$ref, all of /$count and casts, alternate keys, and many items by their path.
func readings(t *odata.Template, m match.Methods) []*odata.Template {
	all := []*odata.Template{t}
	add := func(segments []odata.Segment) {
		if len(segments) > 0 {
			all = append(all, &odata.Template{Version: t.Version, Segments: segments, Below: t.Below})
		}
	}
	segments := withPlainKeys(t.Segments)
	if len(segments) > 0 {
		add(segments)
	} else {
		segments = t.Segments
	}
	if byID := withIDs(segments); byID != nil {
		add(byID)
		segments = byID
	}
	if t.Below {
		return all
	}
	before, last := segments[:len(segments)-1], segments[len(segments)-1]
	switch {
	case last.Qualified:
		add(append(slices.Clone(before), odata.Segment{Kind: odata.Name, Text: last.Base, Fold: last.Base, Base: last.Base}))
	case last.Kind == odata.System &&
		(last.Fold == "$ref" || m == match.Get && (last.Fold == "$count" || last.Fold == "$value")):
		add(before)
		segments = before
	}
	if m == match.Get { // an action with its namespace is a POST, and must not be read as a cast
		if cast := withoutCasts(segments); len(cast) < len(segments) {
			add(cast)
		}
	}
	return all
}

// withPlainKeys replaces alternate keys, users(employeeId='{number}'), by keys; nil if there are none. Arguments of
// a function look the same, but then the file has no path with a key in their place.
func withPlainKeys(segments []odata.Segment) []odata.Segment {
	if !slices.ContainsFunc(segments, func(s odata.Segment) bool { return s.Kind == odata.Args }) {
		return nil
	}
	plain := slices.Clone(segments)
	for i := range plain {
		if plain[i].Kind == odata.Args {
			plain[i] = variable
		}
	}
	return plain
}

var variable = odata.Segment{Kind: odata.Name, Text: "key", Fold: "key", Base: "key", Var: true}

// withIDs replaces items and sites that are named by their path by ones that are named by their id: root:/{path}:
// by items/{id}, sites/{host}:/{path}: by sites/{id}; nil if there are none.
func withIDs(segments []odata.Segment) []odata.Segment {
	var byID []odata.Segment
	for i := range segments {
		switch s := &segments[i]; {
		case s.Kind != odata.Path || i == 0:
			byID = append(byID, *s)
		case segments[i-1].Base == "root":
			byID[len(byID)-1] = odata.Segment{Kind: odata.Name, Text: "items", Fold: "items", Base: "items"}
			byID = append(byID, variable)
		default:
			byID[len(byID)-1] = variable
		}
	}
	if slices.ContainsFunc(segments, func(s odata.Segment) bool { return s.Kind == odata.Path }) {
		return byID
	}
	return nil
}

func withoutCasts(segments []odata.Segment) []odata.Segment {
	return slices.DeleteFunc(slices.Clone(segments), func(s odata.Segment) bool {
		return s.Qualified && strings.HasPrefix(s.Fold, "microsoft.graph.")
	})
}
