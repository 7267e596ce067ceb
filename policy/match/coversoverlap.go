package match

import (
	"slices"
	"strings"

	"graphproxy/policy/graph/odata"
)

// Overlaps reports whether a request may exist that the deny rule a and the allow rule b both match; true if
// uncertain. It considers each rule alone. It includes very unusual spellings: a result of false is reliable,
// true is not.
func Overlaps(a, b *Rule) bool {
	x, y := a.Template.Segments, b.Template.Segments
	isBatch := x[0].Fold == "$batch" || y[0].Fold == "$batch" // a deny rule has it for both versions
	if a.Methods.All()&b.Methods.All() == 0 || a.Template.Version != b.Template.Version && !isBatch {
		return false
	}
	for i := range a.Options {
		if !a.Options[i].mayBeTouched(b.Options) {
			return false
		}
	}
	// segments of a that the first j, j+1 and j+2 of b may stand for
	now, next, later := reached{0: true}, reached{}, reached{}
	for j := range y {
		for i := range len(x) + 1 {
			if !now[i] {
				continue
			}
			if i == len(x) && a.Template.Below {
				return true
			}
			next[i] = next[i] || mayBePassed(x, i, b, j)
			if i+1 < len(x) && isItemsRoot(x[i:i+2]) && literalMayStandFor("root", b, j) {
				next[i+2] = true
			}
			if i < len(x) && a.mayStandFor(i, b, j) {
				next[i+1] = true
				later[i+1] = later[i+1] || mayHaveKey(y, j) && !isLiteral(&x[i])
			}
		}
		now, next, later = next, later, reached{}
	}
	if b.Template.Below {
		return slices.Contains(now[:], true) || slices.Contains(next[:], true)
	}
	return now[len(x)]
}

// mayBePassed reports whether segment j of b may need no segment of x before i, as a cast or as arguments. Any
// plain name may be written with a namespace.
func mayBePassed(x []odata.Segment, i int, b *Rule, j int) bool {
	s := &b.Template.Segments[j]
	if s.Kind == odata.Args {
		return i > 0 && isLiteral(&x[i-1])
	}
	if isLiteral(s) && denyName(s) == "items" { // before root, see fromRoot
		return true
	}
	return isLiteral(s) && isDotted(s.Base) && !endsInOperation(b, j)
}

// isItemsRoot reports whether the segments are items/root, which may also be written as root.
func isItemsRoot(x []odata.Segment) bool {
	return isLiteral(&x[0]) && denyName(&x[0]) == "items" && isLiteral(&x[1]) && denyName(&x[1]) == "root"
}

// endsInOperation reports whether segment j of b is a function or action at the end of the path, in every
// request that b matches. Before the end it is read as a key.
func endsInOperation(b *Rule, j int) bool {
	segments := b.Template.Segments
	how, _ := spelled(segments, j)
	inNames := []odata.Segment{{Fold: "mailfolders"}, segments[j]} // the collection with the fewest operations
	return how != keyOnly && j == len(segments)-1 && !b.Template.Below && isOperation(inNames, 1)
}

// mayHaveKey reports whether segment j of y and the next one may be one segment with a key in parentheses.
func mayHaveKey(y []odata.Segment, j int) bool {
	if !isLiteral(&y[j]) {
		return false
	}
	return j+1 >= len(y) || y[j+1].Kind == odata.Name || y[j+1].Kind == odata.Key || y[j+1].Kind == odata.Args
}

// mayStandFor reports whether segment i of the deny rule's template may match what segment j of b matches, with
// its conditions.
func (r *Rule) mayStandFor(i int, b *Rule, j int) bool {
	s, other := &r.Template.Segments[i], &b.Template.Segments[j]
	switch {
	case s.Kind == odata.System || other.Kind == odata.System:
		return s.Kind == other.Kind && s.Fold == other.Fold
	case s.Kind == odata.Path && other.Kind == odata.Path:
		if !s.Var && !other.Var {
			return s.WideText() == other.WideText()
		}
		if !s.Var {
			return b.mayBe(j, "", s.WideText())
		}
	case s.Kind == odata.Path || other.Kind == odata.Path:
		return false
	case s.Kind == odata.Args:
		return r.argsMayStandFor(i, b, j)
	case isLiteral(s):
		return literalMayStandFor(denyName(s), b, j)
	case isLiteral(other) && endsInOperation(b, j):
		return false
	}
	return r.keysMayBeTouched(i, b, j)
}

// argsMayStandFor is mayStandFor for arguments, also for an alternate key that is written as a plain one.
func (r *Rule) argsMayStandFor(i int, b *Rule, j int) bool {
	args, other := r.Template.Segments[i].Args, &b.Template.Segments[j]
	if other.Kind != odata.Args {
		if len(args) != 1 {
			return false
		}
		if !args[0].Var {
			return literalMayStandFor(bareValue(&args[0]), b, j)
		}
		return r.keysMayBeTouched(i, b, j)
	}
	missing := slices.ContainsFunc(args, func(want odata.Arg) bool {
		a := argument(other.Args, want.Fold)
		return a == nil || !want.Var && !b.argMayBe(j, a, bareValue(&want))
	})
	alternate := len(args) == 1 && (args[0].Var || slices.ContainsFunc(other.Args, func(a odata.Arg) bool {
		return b.argMayBe(j, &a, bareValue(&args[0]))
	}))
	return (!missing || alternate) && r.keysMayBeTouched(i, b, j)
}

// argMayBe reports whether an argument of segment j of the rule may be read as a key, in the form that
// odata.Bare returns.
func (r *Rule) argMayBe(j int, a *odata.Arg, bare string) bool {
	if a.Var {
		return r.mayBe(j, a.Fold, bare)
	}
	return isReading(bare, odata.Wide(a.Value))
}

// literalMayStandFor reports whether a literal, in the form for lookup, may match segment j of b.
func literalMayStandFor(name string, b *Rule, j int) bool {
	other := &b.Template.Segments[j]
	switch {
	case other.Kind == odata.Args:
		return slices.ContainsFunc(other.Args, func(a odata.Arg) bool { return b.argMayBe(j, &a, name) })
	case other.Var:
		return b.mayBe(j, "", name) || b.valuesMayMeet(j, "", []pattern{newPattern("*."+name, false, odata.Wide)})
	case name == other.Base:
		return true
	}
	return isReading(name, other.WideText()) || isReading(name, lastLabel(other.Fold)) || isReading(name, other.Fold) ||
		isReading(name, withoutMicrosoft(other.Fold))
}

// isReading reports whether the result of odata.Wide for a key may be read as the name.
func isReading(name, wide string) bool {
	local, _ := withoutNamespace(odata.Bare(wide))
	cut, _, _ := strings.Cut(wide, ";")
	return name == odata.Bare(wide) || name == local || name == odata.Bare(cut)
}

// mayBe reports whether the rule allows a variable of segment j to have a value that may be read as a key, in
// its bare form.
func (r *Rule) mayBe(j int, arg, bare string) bool {
	return r.valuesMayMeet(j, arg, []pattern{{pieces: []string{bare}}})
}

// valuesMayMeet reports whether the rule allows a variable of segment j to have a text that may be read as a
// value of one of the wide patterns.
func (r *Rule) valuesMayMeet(j int, arg string, wide []pattern) bool {
	isPath := r.Template.Segments[j].Kind == odata.Path
	return !slices.ContainsFunc(r.Keys, func(k Key) bool {
		return k.segment == j && k.arg == arg && !mayBeRead(k.texts, wide, isPath)
	})
}

// mayBeRead reports whether one of the values matches a text with a reading that one of the patterns matches,
// see Key.names.
func mayBeRead(values []string, patterns []pattern, isPath bool) bool {
	if len(values)*len(patterns) > mostComparisons {
		return true
	}
	var all [][]rune
	for i := range patterns {
		for p := &patterns[i]; p != nil; p = p.folder {
			all = append(all, readings(p.runes())...)
		}
	}
	return slices.ContainsFunc(values, func(v string) bool {
		w := newPattern(v, false, odata.Wide)
		if isPath {
			w = newDenyPattern(v, false, true)
		}
		if before, _, cut := strings.Cut(v, ";"); cut && !isPath && mayBeRead([]string{before}, patterns, false) {
			return true
		}
		value := w.runes()
		return slices.ContainsFunc(all, func(p []rune) bool { return intersect(p, value) })
	})
}

// readings returns patterns for every text that may be read as a key that p matches. The text before a
// semicolon is left out: a star allows only what it allows without the rest, see Key.allows.
func readings(p []rune) [][]rune {
	bare := slices.Concat([]rune{before}, p, []rune{behind})
	all := [][]rune{bare, slices.Concat(bare, []rune{'@', hex})} // with a tenant
	if intersect(p, []rune{hex}) {
		all = append(all, slices.Concat(bare, []rune{'@', star})) // an id, with any text
		digits := slices.DeleteFunc(slices.Clone(p), func(r rune) bool { return r == '-' })
		all = append(all, slices.Concat([]rune{before}, digits, []rune{behind}))
	}
	return all
}

// keysMayBeTouched reports whether segment j of b may touch the rule's conditions on segment i.
func (r *Rule) keysMayBeTouched(i int, b *Rule, j int) bool {
	return !slices.ContainsFunc(r.Keys, func(k Key) bool { return k.segment == i && !k.mayBeTouched(b, j) })
}

func (k *Key) mayBeTouched(b *Rule, j int) bool {
	s := &b.Template.Segments[j]
	switch {
	case s.Kind == odata.Args:
		return slices.ContainsFunc(s.Args, func(a odata.Arg) bool {
			return a.Var && b.valuesMayMeet(j, a.Fold, k.values.wide) || !a.Var && k.namesText(a.Value)
		})
	case s.Var:
		return b.valuesMayMeet(j, "", k.values.wide)
	}
	return k.namesText(s.Text) || k.namesText(s.Base) // graph.foo() may be written as foo
}
