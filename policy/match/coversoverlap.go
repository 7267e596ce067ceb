package match

import (
	"slices"
	"strings"
	"unicode"

	"graphproxy/policy/odata"
)

// Overlaps reports whether a request may exist that a matches widely and b narrowly; true when not sure. Each rule is
// taken alone. It counts the oddest spellings in, so that "false" can be relied on and "true" says little.
func Overlaps(a, b *Rule) bool {
	x, y := a.Template.Segments, b.Template.Segments
	isBatch := x[0].Fold == "$batch" || y[0].Fold == "$batch" // which a wide tree takes for both versions
	if a.Methods&b.Methods == 0 || a.Template.Version != b.Template.Version && !isBatch {
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

// mayBePassed reports whether segment j of b may need no segment of x before i, as a cast or as arguments. Any plain
// name may come with a namespace.
func mayBePassed(x []odata.Segment, i int, b *Rule, j int) bool {
	s := &b.Template.Segments[j]
	if s.Kind == odata.Args {
		return i > 0 && isLiteral(&x[i-1])
	}
	return isLiteral(s) && isDotted(s.Base) && !endsInOperation(b, j)
}

// endsInOperation reports whether segment j of b is a function or action that nothing follows, in every request that b
// matches. In the middle it is taken for a key.
func endsInOperation(b *Rule, j int) bool {
	segments := b.Template.Segments
	how, _ := spelled(segments, j)
	inNames := []odata.Segment{{Fold: "mailfolders"}, segments[j]} // where the fewest are
	return how != keyOnly && j == len(segments)-1 && !b.Template.Below && isOperation(inNames, 1)
}

// mayHaveKey reports whether segment j of y and the one after it may be one segment with a key in parentheses.
func mayHaveKey(y []odata.Segment, j int) bool {
	if !isLiteral(&y[j]) {
		return false
	}
	return j+1 >= len(y) || y[j+1].Kind == odata.Name || y[j+1].Kind == odata.Key || y[j+1].Kind == odata.Args
}

// mayStandFor reports whether segment i of the rule's template may stand, matching widely, for what segment j of b
// does, with its conditions.
func (r *Rule) mayStandFor(i int, b *Rule, j int) bool {
	s, other := &r.Template.Segments[i], &b.Template.Segments[j]
	switch {
	case s.Kind == odata.System || other.Kind == odata.System:
		return s.Kind == other.Kind && s.Fold == other.Fold
	case s.Kind == odata.Path && other.Kind == odata.Path:
		if !s.Var && !other.Var {
			return isReading(s.Fold, other.Fold)
		}
		if !s.Var {
			return b.mayBe(j, "", s.Text)
		}
	case s.Kind == odata.Path || other.Kind == odata.Path:
		return false
	case s.Kind == odata.Args:
		return r.argsMayStandFor(i, b, j)
	case isLiteral(s):
		return literalMayStandFor(s.Base, b, j)
	case isLiteral(other) && endsInOperation(b, j):
		return false
	}
	return r.keysMayBeTouched(i, b, j)
}

// argsMayStandFor is mayStandFor for arguments, also as an alternate key that comes as a plain one.
func (r *Rule) argsMayStandFor(i int, b *Rule, j int) bool {
	args, other := r.Template.Segments[i].Args, &b.Template.Segments[j]
	if other.Kind != odata.Args {
		if len(args) != 1 {
			return false
		}
		if !args[0].Var {
			return literalMayStandFor(string(appendLower(nil, args[0].Value)), b, j)
		}
		return r.keysMayBeTouched(i, b, j)
	}
	missing := slices.ContainsFunc(args, func(want odata.Arg) bool {
		a := argument(other.Args, want.Fold)
		return a == nil || !want.Var && !b.argMayBe(j, a, want.Value)
	})
	alternate := len(args) == 1 && (args[0].Var || slices.ContainsFunc(other.Args, func(a odata.Arg) bool {
		return b.argMayBe(j, &a, args[0].Value)
	}))
	return (!missing || alternate) && r.keysMayBeTouched(i, b, j)
}

// argMayBe reports whether an argument of segment j of the rule may have a value, without its tenant.
func (r *Rule) argMayBe(j int, a *odata.Arg, value string) bool {
	if a.Var {
		return r.mayBe(j, a.Fold, value)
	}
	return isReading(value, a.Value)
}

// literalMayStandFor reports whether a literal, folded and without its namespace, may stand for segment j of b.
func literalMayStandFor(base string, b *Rule, j int) bool {
	other := &b.Template.Segments[j]
	switch {
	case other.Kind == odata.Args:
		return slices.ContainsFunc(other.Args, func(a odata.Arg) bool { return b.argMayBe(j, &a, base) })
	case other.Var:
		return b.mayBe(j, "", base) || b.valuesMayMeet(j, "", []pattern{newPattern("*."+base, false)})
	}
	return isReading(base, other.Base) || isReading(base, lastLabel(other.Fold)) || isReading(base, other.Fold) || isReading(base, withoutMicrosoft(other.Fold))
}

// isReading reports whether a key may be read as text.
func isReading(text, key string) bool {
	return slices.ContainsFunc(readings(nil, key), func(r string) bool { return strings.EqualFold(r, text) })
}

// mayBe reports whether the rule allows a variable of segment j to have what may be read as a value.
func (r *Rule) mayBe(j int, arg, value string) bool {
	folded := strings.Map(func(c rune) rune { return foldRune(c, true) }, value)
	return r.valuesMayMeet(j, arg, []pattern{{head: []rune(folded)}})
}

// valuesMayMeet reports whether the rule allows a variable of segment j to have what may be read as a value that one of
// the patterns stands for.
func (r *Rule) valuesMayMeet(j int, arg string, patterns []pattern) bool {
	return !slices.ContainsFunc(r.Keys, func(k Key) bool {
		return k.segment == j && k.arg == arg && !mayBeRead(k.values, patterns)
	})
}

// mayBeRead reports whether a text that one of the values stands for may have a reading that one of the patterns stands
// for, see readings.
func mayBeRead(values, patterns []pattern) bool {
	var loose []pattern
	for i := range patterns {
		for p := &patterns[i]; p != nil; p = p.folder {
			bare := slices.Concat([]rune{stray}, p.runes(), []rune{stray})
			loose = append(loose, pattern{middle: bare}, pattern{middle: slices.Concat(bare, []rune{'@', hex})}) // with a tenant
			if intersect(p.runes(), []rune{hex}) {
				loose = append(loose, pattern{middle: slices.Concat(bare, []rune{'@', star})}) // an id, with anything
			}
		}
	}
	return slices.ContainsFunc(values, func(v pattern) bool {
		all := v.runes()
		return slices.ContainsFunc(loose, func(p pattern) bool {
			return intersect(p.middle, all) || intersect(p.middle, visible(all))
		})
	})
}

// visible returns a pattern without the characters that readings leaves out wherever they stand.
func visible(p []rune) []rune {
	var all []rune
	for _, r := range p {
		switch {
		case r >= 0 && unicode.IsSpace(r):
			all = append(all, ' ')
		case r < 0 || unicode.IsPrint(r):
			all = append(all, r)
		}
	}
	return all
}

// keysMayBeTouched reports whether segment j of b may meet the rule's conditions on segment i.
func (r *Rule) keysMayBeTouched(i int, b *Rule, j int) bool {
	return !slices.ContainsFunc(r.Keys, func(k Key) bool { return k.segment == i && !k.mayBeTouched(b, j) })
}

func (k *Key) mayBeTouched(b *Rule, j int) bool {
	s := &b.Template.Segments[j]
	switch {
	case s.Kind == odata.Args:
		return slices.ContainsFunc(s.Args, func(a odata.Arg) bool {
			return a.Var && b.valuesMayMeet(j, a.Fold, k.values) || !a.Var && k.names(a.Value)
		})
	case s.Var:
		return b.valuesMayMeet(j, "", k.values)
	}
	return k.names(s.Text) || k.names(s.Base) // graph.foo() may come as foo
}
