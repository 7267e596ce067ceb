package suggest

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"graphproxy/policy/graph/odata"
)

// writer writes the template of a use's rule.
type writer struct {
	*shape
	use    *use
	keys   *keyReader
	pinned map[slot]bool // variables that keep their value
}

// template returns the template of the use's rule, or nil if no text exists that odata reads as the same template.
// A value that must be pinned but cannot be written becomes a variable.
func (sh *shape) template(u *use, pin bool, keys *keyReader) *odata.Template {
	w := writer{shape: sh, use: u, keys: keys, pinned: make(map[slot]bool)}
	t := w.template()
	if !pin || t == nil {
		return t
	}
	for _, at := range slices.SortedFunc(maps.Keys(u.values), compareSlots) {
		if u.varied[at] {
			continue
		}
		w.pinned[at] = true
		if narrower := w.template(); narrower != nil {
			t = narrower
		} else {
			w.pinned[at] = false
		}
	}
	return t
}

func compareSlots(a, b slot) int { return cmp.Or(a.segment-b.segment, strings.Compare(a.arg, b.arg)) }

// template writes a template with the pinned values, and reads it back.
func (w *writer) template() *odata.Template {
	segments := slices.Clone(w.first.target.Segments)
	for i := range segments {
		switch s := &segments[i]; {
		case w.pinned[slot{segment: i}] && s.Kind == odata.Path:
			s.Text = w.use.items[0].target.Segments[i].Text
		case w.pinned[slot{segment: i}]:
			w.literalKey(segments, i)
		case s.Kind == odata.Path:
			*s = odata.Segment{Kind: odata.Path, Var: true, Text: "path"}
		case w.first.keys[i]:
			*s = odata.Segment{Kind: odata.Name, Var: true, Text: keyName(segments[i-1].Text)}
		case s.Kind == odata.Args:
			s.Args = w.args(i)
		case s.Kind == odata.Key:
			w.literalKey(segments, i)
		case s.Kind == odata.Name:
			s.Call = w.calls[i] && !w.keys.isOperation(segments, i)
		}
	}
	nameVariables(segments)
	return readBack(w.first.target.Version, segments)
}

// args returns the arguments of segment i, as variables unless they are pinned.
func (w *writer) args(i int) []odata.Arg {
	args := slices.Clone(w.first.target.Segments[i].Args)
	seen := w.use.items[0].target.Segments[i].Args
	for j := range args {
		a := &args[j]
		if w.pinned[slot{i, a.Fold}] {
			*a = seen[slices.IndexFunc(seen, func(s odata.Arg) bool { return s.Fold == a.Fold })]
		} else {
			a.Value, a.Quoted, a.Var = a.Name, false, true
		}
	}
	return args
}

// literalKey writes the key that is segment i as a segment if that would be read as a key, else in parentheses. A
// policy takes one that begins like a variable of another language, $x or @x, in parentheses only.
func (w *writer) literalKey(segments []odata.Segment, i int) {
	key := &w.use.items[0].target.Segments[i]
	segments[i] = odata.Segment{Kind: odata.Name, Text: key.Text, Fold: key.Fold, Base: key.Fold}
	alone := readBack("v1.0", []odata.Segment{{Kind: odata.Name, Text: "x", Fold: "x", Base: "x"}, segments[i]})
	isForeign := strings.HasPrefix(key.Text, "$") || strings.HasPrefix(key.Text, "@")
	if alone == nil || isForeign || alone.Segments[1].Qualified || w.keys.isOperation(segments, i) {
		segments[i].Kind, segments[i].Quoted = odata.Key, true
	}
}

// readBack reads the template of some segments; nil if the result differs from them.
func readBack(version string, segments []odata.Segment) *odata.Template {
	written := odata.Target{Version: version, Segments: segments}
	t, err := odata.ParseTemplate(written.EscapedPath())
	if err != nil || t.Below || t.Version != version || !slices.EqualFunc(t.Segments, segments, sameSegment) {
		return nil
	}
	return t
}

func sameSegment(a, b odata.Segment) bool {
	return a.Kind == b.Kind && a.Var == b.Var && a.Text == b.Text && a.Call == b.Call &&
		slices.EqualFunc(a.Args, b.Args, func(a, b odata.Arg) bool {
			return a.Var == b.Var && a.Name == b.Name && a.Value == b.Value
		})
}
