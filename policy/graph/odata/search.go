package odata

import "strings"

// Microsoft's SDKs write the text to search for in a drive, search(q='2026/05'), with its slash escaped; people
// write it raw (https://learn.microsoft.com/graph/api/driveitem-search). Both have one reading: between the
// quotes a slash is text. Everywhere else a raw slash separates segments, and an escaped one is refused.

// cut removes and returns the next segment.
func (r *pathReader) cut() (raw string, more bool) {
	end := strings.IndexByte(r.rest, '/')
	for end >= 0 && isSearch(r.rest[:end]) && inQuotes(r.rest[:end]) {
		next := strings.IndexByte(r.rest[end+1:], '/')
		if next < 0 {
			end = next
			break
		}
		end += 1 + next
	}
	if end < 0 {
		raw, r.rest = r.rest, ""
		return raw, false
	}
	raw, r.rest = r.rest[:end], r.rest[end+1:]
	return raw, true
}

// isSearch reports whether a segment, escaped or not, begins like a call of search.
func isSearch(s string) bool {
	open := strings.IndexByte(s, '(')
	if open < 0 {
		open = strings.Index(s, "%28")
	}
	if open < 0 {
		return false
	}
	_, base, _ := foldName(s[:open])
	return base == "search"
}

// checkSlash refuses a slash in the value of an argument, except in a text to search for. There it refuses dot
// segments between slashes, which a server may resolve first.
func checkSlash(arg *Arg, raw string) error {
	if strings.IndexByte(arg.Value, '/') < 0 {
		return nil
	}
	if arg.Fold != "q" && arg.Fold != "query" {
		return refuse(codeAmbiguous,
			"the segment %s has a slash in the argument %s; only the text to search for may hold one", quote(raw),
			quote(arg.Name))
	}
	for part := range strings.SplitSeq(arg.Value, "/") {
		if part != "" && isDots(part) {
			return refuse(codeAmbiguous, "the segment %s has a dot segment in what to search for; take it out", quote(raw))
		}
	}
	return nil
}
