package odata

import "strings"

// What a dotted name is depends on its place: behind members, graph.user is a cast; behind domains, graph.contoso.com
// is a key. Graph's metadata (v1.0 and beta) has no cast straight behind the collections here.

// isUncastKey reports whether a dotted name straight behind the segments is a key there, or a tenant in front of a
// path.
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
		// They have no functions either, so graph.contoso.com and microsoft.com need no second look.
		return !isOfGraph(text, true)
	case "sites", "extensions", "items":
		return !isOfGraph(text, false)
	case "lists", "worksheets", "tables", "columns", "charts", "names", "pivottables":
		// People choose the names in these, so only what Graph has beside them is none: microsoft.graph.add.
		return !isOfGraph(text, false) || !isBesideNames(text)
	}
	return false
}

// isBesideNames reports whether a name with Graph's namespace is that of an operation which Graph has beside names of
// people.
func isBesideNames(text string) bool {
	_, base, _ := foldName(text)
	return IsBesideNames(base)
}

// isOfGraph reports whether a name is one of Graph's main namespace, microsoft.graph.delta, which nothing else is
// called: the names of tenants, hosts and extensions behind "microsoft.graph." go on. Spelled says that "graph." is no
// namespace here.
func isOfGraph(text string, spelled bool) bool {
	folded := fold(text)
	local, found := strings.CutPrefix(folded, namespace)
	if !found && !spelled {
		local, found = strings.CutPrefix(folded, "graph.")
	}
	return found && isIdentifier(local)
}

// isDollar reports whether the segment is the "$" that Excel's documentation writes between a collection of a workbook
// and a function or action of it, tables/$/add and rows/$/itemAt(index=6). It stands for nothing: the documentation has
// tables/add too, which is how it is read and sent.
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
