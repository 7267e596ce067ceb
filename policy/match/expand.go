package match

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"graphproxy/policy/graph/odata"
)

// Expansion is one entry that $expand may have: a path, with options in parentheses that stay within the path's
// resource, and the allowed nested entries.
type Expansion struct {
	path   []string // as in odata.Expand
	text   string   // path with slashes
	star   bool
	names  []string // of the nested $select, which is then required; nil: any
	nested []Expansion
}

// ParseExpansion reads an entry as OData writes it: members, members($select=id), members($expand=manager),
// members/microsoft.graph.user, *.
func ParseExpansion(text string) (Expansion, error) {
	parsed, err := odata.ParseExpand(text)
	if err != nil {
		return Expansion{}, err
	}
	if len(parsed) != 1 {
		return Expansion{}, fmt.Errorf("%.80q holds a comma; write one path in each item", text)
	}
	return newExpansion(parsed[0])
}

func newExpansion(parsed odata.Expand) (Expansion, error) {
	e := Expansion{path: parsed.Path, text: strings.Join(parsed.Path, "/"), star: parsed.Star}
	for _, o := range parsed.Options {
		if o.Name != optionSelect {
			return e, errors.New("an entry may hold $select and $expand only; " + o.Name + " is allowed without " +
				"being written")
		}
		if e.names, _ = odata.ParseSelect(o.Value); slices.Contains(e.names, "*") {
			return e, errors.New("$select=* is every property; leave it out")
		}
	}
	for _, n := range parsed.Nested {
		nested, err := newExpansion(n)
		if err != nil {
			return e, err
		}
		e.nested = append(e.nested, nested)
	}
	return e, nil
}

// onlyExpansions reports whether a $expand has only what the entries allow. Plain lists of names, the usual
// case, need no parser and no memory.
func onlyExpansions(value string, entries []Expansion) bool {
	if strings.IndexByte(value, '(') < 0 {
		return onlyPlainExpansions(value, entries)
	}
	if !quotesAreInert(value) {
		return false
	}
	items, err := odata.ParseExpand(value)
	return err == nil && coversAll(entries, items)
}

func onlyPlainExpansions(value string, entries []Expansion) bool {
	for more := true; more; {
		var item string
		item, value, more = strings.Cut(value, ",")
		item = strings.Trim(item, " ")
		if !slices.ContainsFunc(entries, func(e Expansion) bool { return e.names == nil && e.isPlain(item) }) {
			return false
		}
	}
	return true
}

// isPlain reports whether the entry allows item, which has no options. A star allows every property by name
// too.
func (e *Expansion) isPlain(item string) bool {
	if !e.star {
		return samePath(item, e.text)
	}
	if len(e.path) > 0 {
		return equalFold(item, "*/"+e.path[0])
	}
	return item == "*" || isPropertyName(item)
}

// isReaching reports whether a character is one of a $select that reaches other resources. An escape may be one, and
// some servers read a backslash as a slash.
func isReaching(c byte) bool {
	return c <= '\\' && (c == '/' || c == '\\' || c == '(' || c == ')' || c == '%')
}

// staysWithin reports whether a $select without a list in the rule returns only properties of the resource and
// what the entries allow, also for a reader that replaces characters by compatible ones.
func staysWithin(o *odata.Option, entries []Expansion) bool {
	if isPlainList(o.Value) {
		return true
	}
	return onlyReachable(o.Value, entries) && (isASCII(o.Value) || countReaching(o.WideValue()) == countReaching(o.Value))
}

// isPlainList reports whether a $select has only characters that reach nothing, for every reader.
func isPlainList(value string) bool {
	for i := range len(value) {
		if value[i] >= utf8.RuneSelf || isReaching(value[i]) {
			return false
		}
	}
	return true
}

func countReaching(value string) (n int) {
	for i := range len(value) {
		if isReaching(value[i]) {
			n++
		}
	}
	return n
}

func onlyReachable(value string, entries []Expansion) bool {
	if countReaching(value) == 0 {
		return true
	}
	items, err := odata.ParseSelectPaths(value)
	return err == nil && quotesAreInert(value) && coversAll(entries, items)
}

func isPropertyName(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == ""
}

// quotesAreInert reports whether the text between single quotes could not be read as anything but text.
// Services that look for parentheses before quotes, or that read a quote in a $search as a letter, would find
// other items than we do.
func quotesAreInert(value string) bool {
	for {
		_, after, found := strings.Cut(value, "'")
		if !found {
			return true
		}
		quoted, rest, closed := strings.Cut(after, "'")
		if !closed || strings.ContainsAny(quoted, "();$") {
			return false
		}
		value = rest
	}
}

func coversAll(entries []Expansion, items []odata.Expand) bool {
	for i := range items {
		if !slices.ContainsFunc(entries, func(e Expansion) bool { return e.covers(&items[i]) }) {
			return false
		}
	}
	return true
}

// covers reports whether the entry allows the item: the same path, and in its parentheses only options that
// stay within that resource. A nested $expand reaches other resources, so the entry must name it.
func (e *Expansion) covers(item *odata.Expand) bool {
	same := item.Star == e.star && slices.Equal(item.Path, e.path)
	if !same && !(e.star && len(e.path) == 0 && !item.Star && len(item.Path) == 1 && isPropertyName(item.Path[0])) {
		return false
	}
	selected := e.names == nil
	for _, o := range item.Options {
		switch o.Name {
		case optionSelect:
			if e.names == nil {
				selected = onlyReachable(o.Value, e.nested)
			} else {
				selected = onlyNames(o.Value, e.names)
			}
		case "$filter", "$top", "$skip", "$orderby", "$search", "$count", "$levels":
		default:
			return false
		}
	}
	return selected && coversAll(e.nested, item.Nested)
}
