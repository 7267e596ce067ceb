package odata

import "strings"

// A path in colons addresses an item of a drive or a site: root:/Reports/q3.docx:/content,
// sites/{host}:/sites/hr:/lists (https://learn.microsoft.com/graph/onedrive-addressing-driveitems). SDKs that
// put the path into one segment escape its colons and slashes: items/root%3A%2FReports%2Fq3.docx%3A/content.
// Where Graph addresses by path, both are the same path, and it is written in the first form. Elsewhere an
// escaped slash is refused, and an escaped colon is an ordinary character.

// packedPath is a path in colons within one segment.
type packedPath struct {
	set    string // the collection, if the segment is set('head:/path:')
	head   string // before the first colon, unchanged
	path   string // between the colons, unchanged
	closed bool   // a colon ends it
}

// packed reads a segment that contains a path in colons whose first slash is escaped; false for any other
// segment.
func (r *pathReader) packed(raw string) (p packedPath, ok bool) {
	if strings.IndexByte(raw, '%') < 0 {
		return p, false
	}
	text := raw
	if set, key, isKey := quotedKey(raw); isKey && isPathSet(fold(set)) {
		p.set, text = set, key
	}
	i, size := indexColon(text)
	if i <= 0 {
		return p, false
	}
	p.head, p.path = text[:i], text[i+size:]
	if len(p.path) < 3 || !isEscapedSlash(p.path[:3]) || p.set == "" && !r.isByPath(p.head) {
		return p, false
	}
	p.path, p.closed = cutColon(p.path[3:])
	return p, true
}

func (r *pathReader) readPacked(p packedPath, raw string, more bool) error {
	if more && !p.closed && p.set == "" { // a quote ends it too
		return refuse(codeAmbiguous,
			"the segment %s holds a path that no colon ends, and more follows it, which could belong to the path or not; "+
				"end the path with %%3A: items/root%%3A%%2FReports%%3A/children", quote(raw))
	}
	if p.set != "" {
		r.name(p.set, false)
	}
	if err := r.segment(p.head, raw); err != nil {
		return err
	}
	if err := r.mayOpen(raw); err != nil {
		return err
	}
	return r.addPath(p.path, true)
}

// path reads the text between "root:/" and ":". Escapes reports whether its slashes and its last colon may be
// escaped.
func (r *pathReader) path(opener string, more, escapes bool) error {
	if !more {
		return refuse(codeAmbiguous, "nothing follows the colon of %s; write root:/name, or leave the colon out",
			quote(opener))
	}
	if err := r.mayOpen(opener); err != nil {
		return err
	}
	raw, after, closed := strings.Cut(r.rest, ":")
	if escapes {
		if i, size := indexColon(r.rest); i >= 0 {
			raw, after, closed = r.rest[:i], r.rest[i+size:], true
		}
	}
	if closed && after != "" && after[0] != '/' {
		return refuse(codeAmbiguous, "the path %s has a colon within a name; a colon only ends a path", quote(r.rest))
	}
	r.rest = strings.TrimPrefix(after, "/")
	return r.addPath(raw, escapes)
}

// mayOpen refuses a path after a segment that is neither an item nor a site. Opener is for messages.
func (r *pathReader) mayOpen(opener string) error {
	last := &r.segments[len(r.segments)-1]
	switch {
	case last.Kind != Key && (last.Kind != Name || last.Call || last.Qualified):
		return refuse(codeAmbiguous, "the segment %s cannot open a path; write root:/name or items/{id}:/name", quote(opener))
	case r.paths == maxPaths:
		return refuse(codeUnsupported, "the path of segment %s is the third in the target; at most %d are read",
			quote(opener), maxPaths)
	}
	r.paths, r.odd = r.paths+1, true
	return nil
}

// addPath appends the segment of a path in colons. Graph's documentation also ends the path of a folder with a
// slash, root:/Reports/:/children; the slash is not sent on.
func (r *pathReader) addPath(raw string, escapes bool) error {
	if escapes {
		raw = unescapeSlashes(raw)
	}
	s, err := r.pathText(strings.TrimSuffix(raw, "/"))
	if err != nil {
		return err
	}
	r.plainRoot()
	r.segments = append(r.segments, s)
	return nil
}

// plainRoot writes items/root and items('root') at the end of the segments as root, if they are the root of a
// drive: both spellings of a path in colons are the same, for rules and for requests. Graph's SDKs can only
// write the longer one.
func (r *pathReader) plainRoot() {
	n := len(r.segments)
	if n < 3 {
		return
	}
	items, root := &r.segments[n-2], &r.segments[n-1]
	isRoot := root.Fold == "root" && !root.Var && (root.Kind == Key || isPlainName(root))
	if !isRoot || !isPlainName(items) || items.Base != "items" || !r.isDrive(n-3) {
		return
	}
	text := root.Text // the letter case stays the caller's
	r.segments = r.segments[:n-2]
	r.name(text, false)
}

// isDrive reports whether the segment at i is a drive, or a share, which is used as one.
func (r *pathReader) isDrive(i int) bool {
	s := &r.segments[i]
	return isPlainName(s) && s.Base == "drive" || i > 0 && isDriveSet(&r.segments[i-1])
}

func (r *pathReader) pathText(raw string) (Segment, error) {
	text, err := decode(raw, raw, inDrivePath)
	if err != nil {
		return Segment{}, err
	}
	if r.template && strings.ContainsAny(text, "{}*") {
		name, ok := variableName(text)
		if !ok {
			return Segment{}, refuse(codeUnsupported,
				"the drive path %s is part variable; write {path} alone and narrow it: where: {path: \"Reports/**\"}", quote(raw))
		}
		return Segment{Kind: Path, Text: name, Fold: fold(name), Base: fold(name), Var: true}, nil
	}
	for part := range strings.SplitSeq(text, "/") {
		if err := checkPart(part, raw); err != nil {
			return Segment{}, err
		}
	}
	folded := fold(text)
	return Segment{Kind: Path, Text: text, Fold: folded, Base: folded}, nil
}

// isByPath reports whether Graph addresses by path the resource before a colon, head, at the end of the
// segments so far: an item or a site of a collection, or the root of a drive.
func (r *pathReader) isByPath(head string) bool {
	if set, _, inParentheses := strings.Cut(head, "("); inParentheses {
		return isPathSet(fold(set))
	}
	n := len(r.segments)
	if n == 0 {
		return false
	}
	before := &r.segments[n-1]
	if isPlainName(before) && isPathSet(before.Base) {
		return r.segments[0].Base != "external" // its items have ids that the caller chose
	}
	return fold(head) == "root" && (isPlainName(before) && before.Base == "drive" || n > 1 && isDriveSet(&r.segments[n-2]))
}

func isPlainName(s *Segment) bool { return s.Kind == Name && !s.Var && !s.Call }

// isPathSet reports whether Graph addresses the items of the collection by path.
func isPathSet(fold string) bool { return fold == "items" || fold == "sites" || fold == "special" }

// isDriveSet reports whether the items of the collection have a root.
func isDriveSet(s *Segment) bool { return isPlainName(s) && (s.Base == "drives" || s.Base == "shares") }

// quotedKey reads name('key'), still escaped. Quotes may be escaped, and are doubled within quotes.
func quotedKey(raw string) (name, key string, ok bool) {
	name, rest, found := strings.Cut(raw, "(")
	if !found || !isIdentifier(name) {
		return "", "", false
	}
	rest = strings.ReplaceAll(rest, "%27", "'")
	rest, opened := strings.CutPrefix(rest, "'")
	rest, closed := strings.CutSuffix(rest, "')")
	if !opened || !closed || strings.Contains(strings.ReplaceAll(rest, "''", ""), "'") {
		return "", "", false
	}
	return name, strings.ReplaceAll(rest, "''", "'"), true
}

// indexColon returns the place and the size of the first colon in s, raw or escaped, or -1.
func indexColon(s string) (i, size int) {
	for i := range len(s) {
		switch {
		case s[i] == ':':
			return i, 1
		case s[i] == '%':
			if c, ok := unhex(s, i); ok && c == ':' {
				return i, 3
			}
		}
	}
	return -1, 0
}

// cutColon removes one colon, raw or escaped, from the end of s.
func cutColon(s string) (before string, found bool) {
	if before, found = strings.CutSuffix(s, ":"); found {
		return before, true
	}
	if end := len(s) - 3; end >= 0 && s[end] == '%' {
		if c, ok := unhex(s, end); ok && c == ':' {
			return s[:end], true
		}
	}
	return s, false
}

func isEscapedSlash(s string) bool { return s == "%2F" || s == "%2f" }

func unescapeSlashes(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "%2F", "/"), "%2f", "/")
}
