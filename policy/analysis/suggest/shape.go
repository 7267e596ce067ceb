package suggest

import (
	"slices"
	"strings"

	"graphproxy/policy/graph/odata"
	"graphproxy/policy/match"
)

// shape is a group of items that differ only in keys, arguments, drive paths and methods.
type shape struct {
	first *item  // the spelling of the rule
	calls []bool // which names some item wrote with empty parentheses
	uses  []*use // by method
}

// use is the items of a shape with one method.
type use struct {
	method match.Methods
	items  []*item
	values map[slot]string // of each variable: the one that was seen
	varied map[slot]bool   // variables of which several were seen
}

// slot is a place for a variable: a segment, or an argument of it.
type slot struct {
	segment int
	arg     string // Fold
}

// shapes groups items, in the order in which the first of each was seen.
func shapes(items []*item) []*shape {
	var all []*shape
	byText := make(map[string]*shape)
	for _, it := range items {
		var text strings.Builder
		for i := range it.target.Segments {
			text.WriteString(it.shapeOf(i))
		}
		sh := byText[text.String()]
		if sh == nil {
			sh = &shape{first: it, calls: make([]bool, len(it.target.Segments))}
			byText[text.String()] = sh
			all = append(all, sh)
		}
		sh.add(it)
	}
	return all
}

func (sh *shape) add(it *item) {
	for i := range it.target.Segments {
		sh.calls[i] = sh.calls[i] || it.target.Segments[i].Call
	}
	for _, u := range sh.uses {
		if u.method == it.method {
			u.add(it)
			return
		}
	}
	u := &use{method: it.method, values: make(map[slot]string), varied: make(map[slot]bool)}
	u.add(it)
	sh.uses = append(sh.uses, u)
}

func (u *use) add(it *item) {
	u.items = append(u.items, it)
	for i := range it.target.Segments {
		s := &it.target.Segments[i]
		if it.keys[i] || s.Kind == odata.Path {
			u.see(slot{segment: i}, s.Fold, func(a, b string) bool { return a == b })
		}
		for _, a := range s.Args {
			u.see(slot{i, a.Fold}, a.Value, strings.EqualFold) // compared as rules compare arguments
		}
	}
}

func (u *use) see(at slot, value string, same func(a, b string) bool) {
	if old, seen := u.values[at]; seen && !same(old, value) {
		u.varied[at] = true
	}
	u.values[at] = value
}

// doubtful returns the segments that look like keys and are treated as names.
func (sh *shape) doubtful() []string {
	var names []string
	for i := 1; i < len(sh.calls); i++ {
		s := &sh.first.target.Segments[i]
		if !sh.first.keys[i] && (s.Kind == odata.Key || s.Kind == odata.Name && !s.Qualified) && looksLikeKey(s) {
			names = append(names, s.Text)
		}
	}
	return names
}

// argNames are the names of a segment's arguments, sorted.
func argNames(s *odata.Segment) []string {
	var names []string
	for _, a := range s.Args {
		names = append(names, a.Fold)
	}
	slices.Sort(names)
	return names
}
