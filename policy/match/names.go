package match

import (
	"slices"
	"strings"

	"graphproxy/policy/graph/odata"
)

// The functions here read lists of names. They allocate nothing and need no grammar: in an AllowSet an entry
// that is not exactly one of the names is not allowed; in a DenySet a name counts wherever it occurs.

// onlyNames reports whether a $select has only the names.
func onlyNames(value string, names []string) bool {
	for more := true; more; {
		var item string
		item, value, more = strings.Cut(value, ",")
		item = strings.Trim(item, " ")
		if !slices.ContainsFunc(names, func(name string) bool { return samePath(item, name) }) {
			return false
		}
	}
	return true
}

// samePath reports whether a path of names in the caller's spelling equals the one in the form for comparing.
func samePath(written, folded string) bool {
	for {
		part, restWritten, moreWritten := strings.Cut(written, "/")
		want, restFolded, moreFolded := strings.Cut(folded, "/")
		if !sameName(part, want) || moreWritten != moreFolded {
			return false
		}
		if !moreWritten {
			return true
		}
		written, folded = restWritten, restFolded
	}
}

func sameName(written, folded string) bool {
	const alias, namespace = "graph.", "microsoft.graph."
	if len(written) > len(alias) && equalFold(written[:len(alias)], alias) && strings.HasPrefix(folded, namespace) {
		written, folded = written[len(alias):], folded[len(namespace):]
	}
	return equalFold(written, folded)
}

// equalFold is strings.EqualFold for ASCII: names in Graph are ASCII, and the Kelvin sign is not a k.
func equalFold(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if foldByte(a[i]) != foldByte(b[i]) {
			return false
		}
	}
	return true
}

func foldByte(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

// expandsAny reports whether a $expand may reach one of the names, at any depth. A star or an escape may
// reach anything.
func expandsAny(value string, names []string) bool {
	return strings.ContainsAny(value, "*%") || mentionsAny(value, names)
}

// selectsAny reports whether a $select may return one of the names.
func selectsAny(value string, names []string) bool {
	return strings.Trim(value, " ") == "" || strings.ContainsAny(value, "*%()'\"") || mentionsAny(value, names)
}

// mayExpand reports whether a $select may reach one of the names below the resource: by a path or in
// parentheses.
func mayExpand(value string, names []string) bool {
	return strings.ContainsAny(value, `/\(%`) && mentionsAny(value, names)
}

// widely returns the list of names of an option as a reader has it that replaces characters by compatible ones.
func widely(option *odata.Option) string {
	if isASCII(option.Value) {
		return option.Value
	}
	return option.WideValue()
}

// mentionsAny reports whether one of the words of value is one of the names.
func mentionsAny(value string, names []string) bool {
	for value != "" {
		end := 0
		for end < len(value) && isWordByte(value[end]) {
			end++
		}
		if word := value[:end]; word != "" &&
			slices.ContainsFunc(names, func(name string) bool { return equalFold(word, name) }) {
			return true
		}
		value = value[min(end+1, len(value)):]
	}
	return false
}

func isWordByte(c byte) bool {
	c = foldByte(c)
	return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '_' || c == '-'
}
