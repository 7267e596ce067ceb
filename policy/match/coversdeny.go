package match

import (
	"slices"
	"strings"

	"graphproxy/policy/graph/odata"
)

// Denies reports whether the deny rule a denies every request that the allow rule b allows; false if uncertain.
// It considers each rule alone.
func Denies(a, b *Rule) bool {
	if b.Methods&^a.Methods.All() != 0 || a.Template.Version != b.Template.Version || a.Bounds != nil || len(a.Nots) > 0 ||
		!lastsAsLong(a, b) {
		return false
	}
	for i := range a.Options {
		if !a.Options[i].isSurelyTouched(b.Options) {
			return false
		}
	}
	x, y := a.Template.Segments, b.Template.Segments
	now := reached{0: true} // segments of a that certainly match the first ones of b
	for j := range y {
		if a.Template.Below && now[len(x)] {
			return true
		}
		var next reached
		for i := range x {
			next[i+1] = now[i] && a.surelyStandsFor(i, b, j)
		}
		for i := range len(x) + 1 {
			next[i] = next[i] || now[i] && isSurelyPassed(x, i, y, j)
		}
		now = next
	}
	return now[len(x)] && (a.Template.Below || !b.Template.Below)
}

// reached is a set of numbers of segments.
type reached [MaxSegments + 2]bool

// isSurelyPassed reports whether segment j of y certainly needs no segment of x before i: it is a cast, or
// arguments of a function that x names without arguments.
func isSurelyPassed(x []odata.Segment, i int, y []odata.Segment, j int) bool {
	s := &y[j]
	if s.Kind == odata.Args {
		return i > 0 && isLiteral(&x[i-1]) && (i > 1 || isOperation(x, i-1)) // see addToDeny
	}
	if !isLiteral(s) {
		return false
	}
	how, _ := spelled(y, j)
	return how == castName && !mayBeOperation(s)
}

// mayBeOperation reports whether isOperation holds for a name wherever it may stand.
func mayBeOperation(s *odata.Segment) bool { return isOperation([]odata.Segment{*s}, 0) }

// surelyStandsFor reports whether segment i of the deny rule's template matches everything that segment j of b
// matches, and its conditions hold.
func (r *Rule) surelyStandsFor(i int, b *Rule, j int) bool {
	s, other := &r.Template.Segments[i], &b.Template.Segments[j]
	switch {
	case s.Kind == odata.Path:
		if other.Kind != odata.Path || !pathCovers(s, b, j) {
			return false
		}
	case s.Kind == odata.System:
		return other.Kind == odata.System && s.Fold == other.Fold
	case s.Kind == odata.Args:
		if other.Kind != odata.Args || !argsCover(s.Args, other.Args) {
			return false
		}
	case s.Var:
		if !isKeyVariable(other) && other.Kind != odata.Args &&
			!(isLiteral(other) && isSurelyKeyInDenySet(b.Template.Segments, j)) {
			return false
		}
	case isLiteral(other):
		return s.Base == other.Base
	default:
		return isKeyVariable(other) && b.isOnly(j, s.Base)
	}
	return !slices.ContainsFunc(r.Keys, func(k Key) bool { return k.segment == i && !k.isSurelyTouched(b, j) })
}

// isSurelyKeyInDenySet is isSurelyKey for deny rules, where parentheses after a key change nothing, but a
// namespace before it does.
func isSurelyKeyInDenySet(segments []odata.Segment, i int) bool {
	how, name := spelled(segments, i)
	// which with parentheses is a call
	return how == keyOnly || how == plainName && (!isDotted(name) || strings.Contains(name, ".") && !hasNamespace(name))
}

// isSurelyTouched reports whether segment j of b names one of the values in every request that b matches.
func (k *Key) isSurelyTouched(b *Rule, j int) bool {
	s := &b.Template.Segments[j]
	if s.Kind != odata.Args {
		return s.Var && k.coversVariable(b, j, "") || !s.Var && k.touched(s)
	}
	args := s.Args
	if a := argument(args, k.arg); a != nil {
		args = []odata.Arg{*a}
	}
	return slices.ContainsFunc(args, func(a odata.Arg) bool {
		return a.Var && k.coversVariable(b, j, a.Fold) || !a.Var && k.namesText(a.Value)
	})
}
