package odata

import (
	"slices"
	"strings"
)

// checkDoubledNames refuses a $select or $expand that has a name twice, at any depth: each one costs Graph as
// much as the first, and readers disagree about which of two items with options counts. A list that cannot be
// read is not checked here; no rule with conditions on it accepts it.
func checkDoubledNames(o *Option) error {
	doubled := false
	switch o.Fold {
	case "$select":
		doubled = selectsTwice(o.Value)
	case "$expand":
		if strings.IndexByte(o.Value, '(') < 0 {
			doubled = isDoubled(o.Value)
			break
		}
		items, err := ParseExpand(o.Value)
		doubled = err == nil && expandsTwice(items)
	}
	if doubled {
		return refuse(codeAmbiguous, "the query option %s holds a name twice; write each name once", o.Name)
	}
	return nil
}

// selectsTwice reports whether a $select has an item twice. An item with parentheses is one that $expand could have.
func selectsTwice(value string) bool {
	if strings.IndexByte(value, '(') < 0 {
		return isDoubled(value)
	}
	items, err := ParseExpand(value)
	return err == nil && expandsTwice(items)
}

func expandsTwice(items []Expand) bool {
	paths := make([]string, 0, len(items))
	for i := range items {
		item := &items[i]
		path := strings.Join(item.Path, "/")
		if item.Star {
			path = "*/" + path
		}
		paths = append(paths, path)
		if expandsTwice(item.Nested) {
			return true
		}
		for _, o := range item.Options {
			if o.Name == "$select" && selectsTwice(o.Value) {
				return true
			}
		}
	}
	slices.Sort(paths)
	return len(slices.Compact(paths)) < len(items)
}

// isDoubled reports whether a comma-separated list of names has one twice, in any letter case and with any
// blanks around it. Most lists are short, and are compared without memory.
func isDoubled(list string) bool {
	const short = 16
	if strings.IndexByte(list, ',') < 0 {
		return false
	}
	if strings.Count(list, ",") >= short || strings.IndexByte(list, '.') >= 0 {
		return isLongDoubled(list)
	}
	var seen [short]string
	for i, item := range pieces(list, ',') {
		seen[i] = strings.TrimFunc(item, isBlank)
		for _, other := range seen[:i] {
			if other != "" && equalFold(seen[i], other) {
				return true
			}
		}
	}
	return false
}

// isLongDoubled sorts the list, so that the time for a long list does not grow with its square. It treats the
// two spellings of the namespace as one.
func isLongDoubled(list string) bool {
	names := make([]string, 0, strings.Count(list, ",")+1)
	for _, item := range pieces(fold(list), ',') {
		if item = strings.TrimFunc(item, isBlank); item == "" {
			continue
		}
		if strings.Contains(item, "graph.") {
			parts := strings.Split(item, "/")
			for i := range parts {
				parts[i], _, _ = foldName(parts[i])
			}
			item = strings.Join(parts, "/")
		}
		names = append(names, item)
	}
	count := len(names)
	slices.Sort(names)
	return len(slices.Compact(names)) < count
}

// equalFold is strings.EqualFold for ASCII. Names in Graph are ASCII.
func equalFold(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		x, y := a[i]|0x20, b[i]|0x20
		if a[i] != b[i] && (x != y || x < 'a' || x > 'z') {
			return false
		}
	}
	return true
}
