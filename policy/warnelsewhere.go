package policy

import (
	"slices"
	"strings"

	"graphproxy/policy/graph/odata"
	"graphproxy/policy/match"
)

const exampleID = "11111111-2222-3333-4444-555555555555"

// warnOfPaths warns of deny rules that name a file, a folder or a site by its path, while an allow rule takes its id.
func (l *loader) warnOfPaths(caller string, b *ruleBook, bare *match.AllowSet) {
	for _, deny := range b.denyRules {
		at := slices.IndexFunc(deny.match.Template.Segments, func(s odata.Segment) bool { return s.Kind == odata.Path })
		if at < 1 {
			continue
		}
		if allow := b.allowedByItem(bare, deny, at); allow != nil {
			l.warnings.AddIn(deny.File, deny.Line, l.denyPlace(caller, deny),
				"%s denies by path, and the id gets round it: %s (%s) takes one. Deny the ids as well, or narrow the allow rule "+
					"to paths", deny.Text, allow.Text, allow.Where())
		}
	}
}

// allowedByItem returns an allow rule that allows by an id what a deny rule denies by a path, or nil.
func (b *ruleBook) allowedByItem(bare *match.AllowSet, deny *Rule, at int) *Rule {
	denied := new(match.DenySet)
	denied.Add(bareRule(deny))
	byPath := example(deny.match.Template, at, pathOf(deny, at))
	if s := deny.match.Template.Segments[at]; !s.Var {
		byPath.Segments[at] = s
	}
	tried := [][2]*odata.Target{{byPath, byItem(byPath, at)}}
	for _, r := range b.allowRules {
		if id, path := pathOfItem(r.match.Template, byPath.Segments[at]); path != nil {
			tried = append(tried, [2]*odata.Target{path, id})
		}
	}
	for _, pair := range tried {
		for m := match.Get; m <= match.Delete; m <<= 1 {
			if deny.match.Methods.All()&m == 0 || pair[1] == nil {
				continue
			}
			_, isDenied := denied.First(pair[0], m)
			_, idDenied := denied.First(pair[1], m)
			if got := bare.Find(pair[1], m); isDenied && !idDenied && got.Index >= 0 && !b.denies(pair[1], m) {
				return b.allowRules[got.Index]
			}
		}
	}
	return nil
}

// pathOf returns a path that a rule is about: in its template, or a value of where.
func pathOf(r *Rule, at int) string {
	if s := &r.match.Template.Segments[at]; !s.Var {
		return s.Text
	}
	for i := range r.match.Keys {
		if k := &r.match.Keys[i]; k.Segment() == at && len(k.Values()) > 0 {
			return strings.ReplaceAll(k.Values()[0], "*", "x")
		}
	}
	return "x"
}

// byItem returns a request for the item at a path by an id in place of the path; nil if there is none.
func byItem(t *odata.Target, at int) *odata.Target {
	before := t.Segments[:at]
	switch n := len(before); {
	case n >= 2 && before[n-2].Base == "sites":
		before = before[:n-1]
	case n >= 2 && (before[n-2].Base == "items" || before[n-2].Base == "special"):
		before = slices.Concat(before[:n-2], []odata.Segment{{Kind: odata.Name, Text: "items", Fold: "items", Base: "items"}})
	case n >= 1 && before[n-1].Base == "root":
		before = slices.Concat(before[:n-1], []odata.Segment{{Kind: odata.Name, Text: "items", Fold: "items", Base: "items"}})
	default:
		return nil
	}
	key := odata.Segment{Kind: odata.Key, Text: exampleID, Fold: exampleID, Base: exampleID, Quoted: true}
	return &odata.Target{Version: t.Version, Segments: slices.Concat(before, []odata.Segment{key}, t.Segments[at+1:])}
}

// pathOfItem returns a request that a template of an item's id matches, and the same one by a path; nil if the template
// has no such id.
func pathOfItem(t *odata.Template, path odata.Segment) (byID, byPath *odata.Target) {
	i := slices.IndexFunc(t.Segments, func(s odata.Segment) bool { return s.Base == "items" && !s.Var })
	if i < 0 || i+1 >= len(t.Segments) || !t.Segments[i+1].Var {
		return nil, nil
	}
	byID = example(t, i+1, exampleID)
	root := odata.Segment{Kind: odata.Name, Text: "root", Fold: "root", Base: "root"}
	return byID, &odata.Target{
		Version:  t.Version,
		Segments: slices.Concat(byID.Segments[:i], []odata.Segment{root, path}, byID.Segments[i+2:]),
	}
}

// sameObject are the other collections in which Graph has the objects of a collection by the same id.
func sameObject(collection string) []string {
	switch collection {
	case "users":
		return []string{"directoryObjects", "communications/presences"}
	case "groups":
		return []string{"directoryObjects", "teams"}
	case "teams":
		return []string{"groups", "directoryObjects"}
	case "devices", "applications", "serviceprincipals", "contacts", "directoryroles", "administrativeunits":
		return []string{"directoryObjects"}
	}
	return nil
}

// warnOfSameObjects warns of deny rules for an object as a whole, while an allow rule takes its id in another
// collection.
func (l *loader) warnOfSameObjects(caller string, b *ruleBook, bare *match.AllowSet) {
	for _, deny := range b.denyRules {
		segments := deny.match.Template.Segments
		if len(segments) != 2 || deny.match.Methods&match.Get == 0 || !isBound(deny, 1) || len(deny.match.Options) > 0 ||
			deny.body != nil {
			continue
		}
		for _, other := range sameObject(segments[0].Base) {
			t, err := odata.Parse("/"+deny.match.Template.Version+"/"+other+"/"+exampleID, "")
			if err != nil {
				continue
			}
			if got := bare.Find(t, match.Get); got.Index >= 0 && !b.denies(t, match.Get) {
				allow := b.allowRules[got.Index]
				l.warnings.AddIn(deny.File, deny.Line, l.denyPlace(caller, deny),
					"%s denies an object that is in /%s as well: %s (%s) takes its id there. Deny it there, too, by its id",
					deny.Text, other, allow.Text, allow.Where())
				break
			}
		}
	}
}

// isBound reports whether a rule is for some keys in a segment.
func isBound(r *Rule, segment int) bool {
	return !r.match.Template.Segments[segment].Var && r.match.Template.Segments[segment].Kind == odata.Key ||
		!r.match.Template.Segments[segment].Var && isNamedOrID(r, segment) ||
		slices.ContainsFunc(r.match.Keys, func(k match.Key) bool {
			return k.Segment() == segment &&
				!slices.ContainsFunc(k.Values(), func(v string) bool { return strings.Trim(v, "*") == "" })
		})
}

// isNamedOrID reports whether a literal segment is a key, and no operation.
func isNamedOrID(r *Rule, segment int) bool {
	s := &r.match.Template.Segments[segment]
	return s.Kind == odata.Name && (strings.Contains(s.Text, "@") || isGUID(s.Text))
}
