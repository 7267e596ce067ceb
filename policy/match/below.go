package match

import (
	"slices"

	"graphproxy/policy/graph/odata"
)

// A rule that ends in /** is about a resource and everything below it. But some URLs below it name another
// resource: sites/{host}:/{path} is not below the site of the host, and root:/{path}:/children/{id} may be any
// item of the drive. An allow rule does not include those; a deny rule or a limit does, see DenySet.

// boundary is the kind of resource of a template that ends in /**, as far as URLs below it can name other
// resources.
type boundary uint8

const (
	toAnything boundary = iota
	toAllSites          // /sites/**
	// one item of a drive: root:/{path}:/**, and items/{item}/** and special/{name}/** where it is named
	toItem
	toSite // one site: sites/{host}:/{path}:/**, and sites/{site}/** where the site is named
)

func boundaryOf(r *Rule) boundary {
	segments := r.Template.Segments
	i := len(segments) - 1
	switch last := &segments[i]; {
	case !r.Template.Below:
	case i == 0 && last.Base == "sites":
		return toAllSites
	case last.Kind == odata.Path:
		if isIn(segments, i-1, "sites") {
			return toSite
		}
		return toItem
	case last.Kind == odata.Args && segments[i-1].Base == "getbypath":
		return toSite
	case last.Var && !slices.ContainsFunc(slices.Concat(r.Keys, r.Nots), func(k Key) bool { return k.segment == i }):
	case isIn(segments, i, "sites"):
		return toSite
	case isIn(segments, i, "items"), isIn(segments, i, "special"):
		return toItem
	}
	return toAnything
}

// isIn reports whether segment i is a key in the collection, in either spelling, or is in the place of a key.
func isIn(segments []odata.Segment, i int, collection string) bool {
	return i > 0 && segments[i-1].Kind == odata.Name && !segments[i-1].Var && segments[i-1].Base == collection
}

// takesBelow reports whether the segments of a target from i on are below a template of i segments and /**. It
// compares names that lead to other resources widely, because a server may accept other spellings of them.
func (b boundary) takesBelow(segments []odata.Segment, i int) bool {
	inWorkbook := false
	for j := i; j < len(segments); j++ {
		s := &segments[j]
		switch {
		case s.Kind == odata.Path && (!b.takesPath(segments, j) || b == toItem && j > i):
			return false
		case s.Kind != odata.Name:
		case s.Base == "workbook":
			inWorkbook = true // where people choose the names
		case b != toAllSites && denyName(s) == "getbypath":
			return false
		case !inWorkbook && b.leavesAt(denyName(s)) && hasKey(segments, j):
			return false
		}
	}
	return true
}

// leavesAt reports whether the keys after a name lead to resources outside the template's, since Graph does not
// promise to check that they are below it.
func (b boundary) leavesAt(name string) bool {
	switch b {
	case toItem:
		return name == "children" || name == "items"
	case toSite:
		return name == "sites"
	}
	return false
}

// hasKey reports whether a key, or text that may be one, follows segment i.
func hasKey(segments []odata.Segment, i int) bool {
	return i+1 < len(segments) && segments[i+1].Kind != odata.System
}

// takesPath reports whether the path in colons that is segment i is below the resource before it: an item of a
// drive or a special folder, or the root of a drive. The path of a site names another site. Below one item the
// only path is its own.
func (b boundary) takesPath(segments []odata.Segment, i int) bool {
	return isIn(segments, i-1, "items") || isIn(segments, i-1, "special") || isDriveRoot(segments, i-1) ||
		isIn(segments, i-1, "sites") && b == toAllSites
}

func isDriveRoot(segments []odata.Segment, i int) bool {
	if i < 1 || segments[i].Kind != odata.Name || segments[i].Base != "root" {
		return false
	}
	return segments[i-1].Kind == odata.Name && segments[i-1].Base == "drive" || isIn(segments, i-1, "drives") ||
		isIn(segments, i-1, "shares")
}

// coversBelow reports whether the /** of a matches everything that b matches after the segments of a's
// template; false if uncertain.
func coversBelow(a, b *Rule) bool {
	x, y := a.Template.Segments, b.Template.Segments
	bound, other := boundaryOf(a), boundaryOf(b)
	switch {
	case !bound.takesBelow(y, len(x)):
		return false
	case !b.Template.Below:
		return true
	case other == toAllSites:
		return bound == toAllSites
	case bound == toItem || bound == toSite:
		return other == bound && len(x) == len(y)
	}
	return true
}
