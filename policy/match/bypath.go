package match

import "graphproxy/policy/graph/odata"

// The resource of a path in colons has other addresses, which name the path part by part. The children of a
// folder can be addressed by name too, so root/children/Reports/children/Salaries is root:/Reports/Salaries.
// sites/{host}:/sites:/getByPath(path='hr') is sites/{host}:/sites/hr. Not all of them are documented. A deny
// rule for a path applies to these as well.

// namesParts reports whether some of the segments may be read as a path in colons.
func namesParts(segments []odata.Segment) bool {
	for i := range segments {
		if _, ok := partAt(segments, i); ok {
			return true
		}
	}
	return false
}

// partAt returns the name that segments i and i+1 add to a path.
func partAt(segments []odata.Segment, i int) (name string, ok bool) {
	if i == 0 || i+1 >= len(segments) || segments[i].Kind != odata.Name {
		return "", false
	}
	key := &segments[i+1]
	switch denyName(&segments[i]) {
	case "children":
		switch key.Kind {
		case odata.Name, odata.Key:
			return key.Text, true
		case odata.Args:
			return key.Args[0].Value, true
		}
	case "getbypath":
		if key.Kind == odata.Args {
			return key.Args[0].Value, true
		}
	}
	return "", false
}

// asPath returns the segments, with the given number of parts written as a path in colons, from the first part
// on. It is false if there are fewer parts.
func asPath(segments []odata.Segment, parts int) ([]odata.Segment, bool) {
	var out []odata.Segment
	for i := 0; i < len(segments); i++ {
		name, ok := partAt(segments, i)
		if !ok || parts == 0 {
			out = append(out, segments[i])
			continue
		}
		parts--
		i++
		if last := len(out) - 1; out[last].Kind == odata.Path {
			name = out[last].Text + "/" + name
			out = out[:last]
		}
		out = append(out, odata.Segment{Kind: odata.Path, Text: name, Fold: odata.Fold(name), Base: odata.Fold(name)})
	}
	return out, parts == 0
}

// firstByPath finds the first rule before f.best that may match f's target with parts of its path in colons.
func (t *DenySet) firstByPath(f *denyFinder) {
	for parts := 1; ; parts++ {
		segments, ok := asPath(f.target.Segments, parts)
		if !ok {
			return
		}
		read := *f.target
		read.Segments = segments
		g := *f
		g.target, g.segments = &read, segments
		g.from(t.root(f.target.Version), 0, 0)
		f.best, f.unread, f.selects = g.best, g.unread, g.selects
	}
}
