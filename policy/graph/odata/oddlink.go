package odata

import "strings"

// oddLink reads two spellings of Graph's nextLinks that no grammar has: .../delta?(token='x') for
// .../delta?token=x (https://learn.microsoft.com/graph/api/driveitem-delta) and .../search(q='x')&skipToken=y
// for .../search(q='x')?skipToken=y (https://learn.microsoft.com/graph/api/driveitem-search). It returns any
// other target unchanged. Such links are judged, and sent on, in the spelling that is not ambiguous.
func oddLink(path, query string) (string, string) {
	if strings.HasPrefix(query, "(") {
		if token, rest, ok := oddToken(query); ok && isDelta(path) {
			return path, "token=" + token + rest
		}
	}
	if query == "" {
		if i := strings.LastIndex(path, ")&"); i >= 0 && isSkipToken(path[i+2:]) && !inQuotes(path[:i]) {
			return path[:i+1], path[i+2:]
		}
	}
	return path, query
}

// oddToken returns the token of (token='x'), and the options after it.
func oddToken(query string) (token, rest string, ok bool) {
	const open, end = "(token='", "')"
	if len(query) < len(open) || fold(query[:len(open)]) != open {
		return "", "", false
	}
	token, rest, ok = strings.Cut(query[len(open):], end)
	ok = ok && token != "" && (rest == "" || rest[0] == '&') && !strings.ContainsAny(token, "'&()") &&
		!strings.Contains(token, "%27")
	return token, rest, ok
}

func isDelta(path string) bool {
	_, base, _ := foldName(path[strings.LastIndexByte(path, '/')+1:])
	return base == "delta"
}

// isSkipToken reports whether text is that option and no more.
func isSkipToken(text string) bool {
	name, value, found := strings.Cut(text, "=")
	return found && strings.TrimPrefix(fold(name), "$") == "skiptoken" && value != "" &&
		!strings.ContainsAny(value, "/&()'")
}

// inQuotes reports whether a quote is open at the end of text.
func inQuotes(text string) bool {
	return (strings.Count(text, "'")+strings.Count(text, "%27"))%2 != 0
}
