package odata

import "strings"

// The place of a dotted name decides its meaning: after members, graph.user is a cast; after domains,
// graph.contoso.com is a key. Graph's metadata (v1.0 and beta) has no cast directly after the collections here.

// isUncastKey reports whether a dotted name directly after the segments is a key there, or a tenant in front of
// a path.
func isUncastKey(before []Segment, text string) bool {
	if strings.IndexByte(text, '.') < 0 {
		return false
	}
	if len(before) == 0 {
		return !isOfGraph(text, false)
	}
	last := &before[len(before)-1]
	if last.Kind != Name || last.Var {
		return false
	}
	switch last.Base {
	case "domains", "hosts", "hostnames", "subdomains", "resourcenamespaces", "resourceactions":
		// They have no functions either, so graph.contoso.com and microsoft.com need no further check.
		return !isOfGraph(text, true)
	case "sites", "extensions", "items":
		return !isOfGraph(text, false)
	case "lists", "worksheets", "tables", "columns", "charts", "names", "pivottables":
		// People choose the names in these collections, so only an operation of Graph is not a key:
		// microsoft.graph.add.
		return !isOfGraph(text, false) || !isBesideNames(text)
	}
	return false
}

// isBesideNames reports whether a name with Graph's namespace is an operation that Graph has in collections
// named by people.
func isBesideNames(text string) bool {
	_, base, _ := foldName(text)
	return IsBesideNames(base)
}

// isOfGraph reports whether a name is in Graph's main namespace, such as microsoft.graph.delta. Names of
// tenants, hosts and extensions that begin with "microsoft.graph." have further dots. If spelled is set,
// "graph." is no namespace here.
func isOfGraph(text string, spelled bool) bool {
	folded := fold(text)
	local, found := strings.CutPrefix(folded, namespace)
	if !found && !spelled {
		local, found = strings.CutPrefix(folded, "graph.")
	}
	return found && isIdentifier(local)
}

// isDollar reports whether the segment is the "$" that Excel's documentation writes between a collection of a
// workbook and a function or action of it, tables/$/add and rows/$/itemAt(index=6). It has no meaning: the
// documentation also has tables/add, and the path is read and sent in that form.
func (r *pathReader) isDollar(text, raw string) bool {
	n := len(r.segments)
	if text != "$" || strings.HasSuffix(raw, ":") || n == 0 || !isPlainName(&r.segments[n-1]) {
		return false
	}
	switch r.segments[n-1].Base {
	case "tables", "rows", "columns", "worksheets", "charts", "series", "points", "names", "pivottables":
	default:
		return false
	}
	next, _, _ := strings.Cut(r.rest, "/")
	next, _, _ = strings.Cut(next, "(")
	switch _, base, _ := foldName(next); base {
	case "add", "addformulalocal", "count", "itemat":
	default:
		return false
	}
	for i := range r.segments {
		if isPlainName(&r.segments[i]) && r.segments[i].Base == "workbook" {
			return true
		}
	}
	return false
}
