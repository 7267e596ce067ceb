package graphtest

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Reading is how Graph understands a request target: what it will act on, for any spelling of the target.
type Reading struct {
	Version  string    // "v1.0", "beta" or another first segment, in lower case
	Segments []Segment // after the version; all spellings of one resource have the same segments
	// query options: names in lower case and without "$", values decoded; of doubled ones the last
	Options map[string]string
}

// Segment is one step of a path.
type Segment struct {
	Text string            // decoded: a name, a key, or a path inside a drive or site
	Key  bool              // written in parentheses, so certainly a key
	Path bool              // a path inside a drive or site: between "root:/" and ":"
	Call bool              // a name with arguments or empty parentheses, so certainly a function
	Args map[string]string // named arguments of a function, or of an alternate key; names in lower case
}

// Name is the segment as Graph compares it: in lower case, "graph." spelled out, and a function's or action's namespace
// dropped. Types keep theirs: "graph.User" is "microsoft.graph.user". A key and a path have no name.
func (s Segment) Name() string {
	if s.Key || s.Path {
		return ""
	}
	name := strings.ToLower(s.Text)
	for _, namespace := range []string{"microsoft.graph.", "graph."} {
		bare, ok := strings.CutPrefix(name, namespace)
		switch {
		case ok && isCastType(bare):
			return "microsoft.graph." + bare
		case ok:
			return bare
		}
	}
	return name
}

// isCastType reports whether a path may cast to a type.
func isCastType(name string) bool {
	switch name {
	case "user", "group", "serviceprincipal", "application", "device", "orgcontact", "directoryrole", "administrativeunit",
		"message", "eventmessage", "event", "fileattachment", "itemattachment":
		return true
	}
	return false
}

// hasAlternateKeys reports whether an entity set takes alternate keys, users(userPrincipalName='x'). Any other name
// with arguments is a function.
func hasAlternateKeys(set string) bool {
	switch set {
	case "users", "groups", "applications", "serviceprincipals", "devices", "directoryroles":
		return true
	}
	return false
}

// Read reads a request target as Graph does. A program that protects Graph must not read it in this way: the target
// is decoded before it is split, the text between the slashes is decoded again, then dot segments and empty ones
// are resolved, and back slashes are slashes. It is deliberately independent of the parser of package odata, so
// that the two can be compared. It returns an error only for a target without a path.
func Read(target string) (Reading, error) {
	if i := strings.Index(target, "://"); i > 0 && !strings.HasPrefix(target, "/") {
		_, rest, _ := strings.Cut(target[i+3:], "/")
		target = "/" + rest
	}
	if !strings.HasPrefix(target, "/") {
		return Reading{}, fmt.Errorf("reading target %q: no path", target)
	}
	target, _, _ = strings.Cut(target, "#")
	path, query := readOddLink(strings.Cut(target, "?"))
	// The first decoding: from here on %2F is a separator.
	parts := resolveDots(strings.Split(strings.ReplaceAll(decode(path), `\`, "/"), "/"))
	r := Reading{Options: readOptions(query)}
	if len(parts) > 0 {
		r.Version = strings.ToLower(parts[0])
		r.Segments = oneRoot(readSegments(parts[1:]))
	}
	return r, nil
}

var (
	oddDelta  = regexp.MustCompile(`(?i)^\(token='([^'()&]+)'\)`)
	oddSearch = regexp.MustCompile(`(?i)^(.*\('[^']*'\)|.*\([a-z]+='[^']*'\))&(\$?skiptoken=[^/&]*)$`)
)

// readOddLink reads the spellings that Graph itself writes into links: delta?(token='x') and
// search(q='x')&skipToken=y.
func readOddLink(path, query string, _ bool) (string, string) {
	query = oddDelta.ReplaceAllString(query, "token=$1")
	if m := oddSearch.FindStringSubmatch(path); m != nil && query == "" {
		return m[1], m[2]
	}
	return path, query
}

// ReadItem reads the URL of a batch item as Graph does, in a batch that was sent to version, "v1.0" or "beta". The
// URL may lack its slash and may have raw spaces. An absolute URL, or one with a version, is read as a path below
// the version too, so that its first segment is one that Graph does not have. A reference to another item,
// "$1/manager", is read unchanged.
func ReadItem(version, url string) (Reading, error) { return Read(itemTarget(version, url)) }

// oneRoot writes items/root in front of a path as root: for Graph both are the folder at the top of a drive.
func oneRoot(all []Segment) []Segment {
	for i := 1; i+2 < len(all); i++ {
		drive := strings.EqualFold(all[i-1].Text, "drive") || i > 1 && isDrives(all[i-2].Text)
		if drive && strings.EqualFold(all[i].Text, "items") && strings.EqualFold(all[i+1].Text, "root") && all[i+2].Path {
			return append(all[:i:i], all[i+1:]...)
		}
	}
	return all
}

func isDrives(text string) bool {
	return strings.EqualFold(text, "drives") || strings.EqualFold(text, "shares")
}

func resolveDots(parts []string) []string {
	var out []string
	for _, p := range parts {
		switch {
		case p == "" || p == ".":
		case p == "..":
			out = out[:max(0, len(out)-1)]
		default:
			out = append(out, p)
		}
	}
	return out
}

func readSegments(parts []string) []Segment {
	var out []Segment
	for len(parts) > 0 {
		part := parts[0]
		parts = parts[1:]
		for isOpenCall(part) && len(parts) > 0 {
			part, parts = part+"/"+parts[0], parts[1:]
		}
		if site := readSite(part); site != nil {
			out = append(out, site...)
			continue
		}
		if part == "$" && inWorkbook(out) {
			continue // Excel's documentation writes tables/$/add and tables/add
		}
		if opensPath(part, out) {
			out = append(out, readSegment(strings.TrimSuffix(part, ":"))...)
			path, rest := readPath(parts)
			// OneDrive's own paths are not decoded again: a file may be called "50%25 done".
			out, parts = append(out, Segment{Text: path, Path: true}), rest
			continue
		}
		out = append(out, readSegment(part)...)
	}
	return out
}

// readSite reads an item or site by path in parentheses: items('root:/a:'). It returns nil for anything else.
func readSite(part string) []Segment {
	m := byPath.FindStringSubmatch(part)
	if m == nil {
		return nil
	}
	head, path, ok := strings.Cut(strings.ReplaceAll(m[2], "''", "'"), ":/")
	if !ok {
		return nil
	}
	return []Segment{{Text: m[1]}, {Text: head}, {Text: strings.TrimRight(path, ":/"), Path: true}}
}

var byPath = regexp.MustCompile(`(?i)^(items|sites|special)\('(.*)'\)$`)

func inWorkbook(before []Segment) bool {
	return slices.ContainsFunc(before, func(s Segment) bool { return s.Name() == "workbook" })
}

// opensPath reports whether a drive or site path follows part: root:/, items/{id}:/, special/{name}:/, sites/{host}:/.
func opensPath(part string, before []Segment) bool {
	name, ok := strings.CutSuffix(part, ":")
	if !ok {
		return false
	}
	set, _, inParens := strings.Cut(strings.ToLower(name), "(")
	if !inParens && len(before) > 0 {
		set = before[len(before)-1].Name()
	}
	if strings.EqualFold(name, "root") || strings.EqualFold(name, "approot") {
		return true
	}
	return set == "items" || set == "special" || set == "sites"
}

// readPath takes the parts of a path up to the one that ends in a colon, or all of them.
func readPath(parts []string) (path string, rest []string) {
	for i, p := range parts {
		if last, ok := strings.CutSuffix(p, ":"); ok {
			return strings.Trim(strings.Join(parts[:i], "/")+"/"+last, "/"), parts[i+1:]
		}
	}
	return strings.Join(parts, "/"), nil
}

// isOpenCall reports whether part is the beginning of a call whose quoted argument goes on after a slash.
func isOpenCall(part string) bool {
	name, args, ok := strings.Cut(part, "(")
	if !ok || !isName(name) {
		return false
	}
	return strings.Count(args, "'")%2 == 1
}

func isName(s string) bool {
	letter := func(r rune) bool {
		return r == '.' || r == '_' || '0' <= r && r <= '9' || 'a' <= r|0x20 && r|0x20 <= 'z'
	}
	return s != "" && strings.IndexFunc(s, func(r rune) bool { return !letter(r) }) < 0
}

// readSegment reads name, name('key'), name(a='x',b=5) and name(). The second decoding is here.
func readSegment(part string) []Segment {
	part = decode(part)
	name, inner, ok := strings.Cut(part, "(")
	if !ok || !isName(name) || !strings.HasSuffix(inner, ")") {
		return []Segment{{Text: part}}
	}
	inner = strings.TrimSuffix(inner, ")")
	if strings.TrimSpace(inner) == "" {
		return []Segment{{Text: name, Call: true}}
	}
	args, named := readArgs(inner)
	switch {
	case !named:
		return []Segment{{Text: name}, {Text: unquote(inner), Key: true}}
	case hasAlternateKeys(Segment{Text: name}.Name()):
		return []Segment{{Text: name}, {Key: true, Args: args}}
	}
	return []Segment{{Text: name, Call: true, Args: args}}
}

func readArgs(inner string) (map[string]string, bool) {
	args := map[string]string{}
	for _, item := range splitOutside(inner, ',') {
		name, value, ok := strings.Cut(item, "=")
		if name = strings.TrimSpace(name); !ok || !isName(name) {
			return nil, false
		}
		args[strings.ToLower(name)] = unquote(value)
	}
	return args, true
}

func unquote(s string) string {
	s = strings.TrimSpace(s)
	if strings.HasPrefix(s, "[") {
		return listBlanks.ReplaceAllString(s, "$1")
	}
	s = enumType.ReplaceAllString(s, "$2")
	if len(s) < 2 || s[0] != '\'' || s[len(s)-1] != '\'' {
		return s
	}
	return strings.ReplaceAll(s[1:len(s)-1], "''", "'")
}

// enumType stands in front of the value of an enumeration: microsoft.graph.timeZoneStandard'Iana'.
var enumType = regexp.MustCompile(`^(?i)(microsoft\.)?graph\.[a-z0-9_.]+(')`)

// listBlanks are those between the elements of a list.
var listBlanks = regexp.MustCompile(` *([\[\],]|"[^"]*") *`)

// splitOutside splits at sep where it stands outside quotes and parentheses.
func splitOutside(s string, sep byte) []string {
	var out []string
	depth, quoted, start := 0, false, 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\'':
			quoted = !quoted
		case quoted:
		case c == '(' || c == '[':
			depth++
		case c == ')' || c == ']':
			depth--
		case c == sep && depth == 0:
			out = append(out, s[start:i])
			start = i + 1
		}
	}
	return append(out, s[start:])
}

// readOptions reads the query. Only & separates; "$select", "select", "%24Select" are one option.
func readOptions(query string) map[string]string {
	out := map[string]string{}
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		name = strings.TrimPrefix(strings.ToLower(decode(name)), "$")
		if name != "" {
			out[name] = decode(strings.ReplaceAll(value, "+", " "))
		}
	}
	return out
}

// decode decodes what is a valid escape and leaves the rest, as lenient servers do.
func decode(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if c, err := url.PathUnescape(s[i : i+3]); err == nil {
				out.WriteString(c)
				i += 2
				continue
			}
		}
		out.WriteByte(s[i])
	}
	return out.String()
}
