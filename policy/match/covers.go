package match

import (
	"slices"
	"strings"
	"unicode/utf8"

	"graphproxy/policy/graph/odata"
)

// Covers reports whether the allow rule a allows every request that b allows; false if uncertain. It considers
// each rule alone, as if it were the only one of its tree. Names of variables do not matter. It does not change
// the rules, and is safe for concurrent use.
func Covers(a, b *Rule) bool {
	x, y := a.Template.Segments, b.Template.Segments
	switch {
	case b.Methods&^a.Methods.All() != 0 || a.Template.Version != b.Template.Version || len(x) > len(y):
		return false
	case !a.Template.Below && (b.Template.Below || len(x) != len(y)):
		return false
	}
	for i := range x {
		if !segmentCovers(x, b, i) {
			return false
		}
	}
	if a.Template.Below && !coversBelow(a, b) {
		return false
	}
	for i := range a.Keys {
		if !a.Keys[i].covers(b, a.Keys[i].segment) {
			return false
		}
	}
	for i := range a.Nots {
		if !a.Nots[i].isLeftOutBy(b) {
			return false
		}
	}
	return optionsCover(a.Options, b.Options) && boundsCover(a, b) && lastsAsLong(a, b)
}

// spelling is how a literal segment may be written in a request that an allow rule matches, see allowChild.
type spelling uint8

const (
	plainName spelling = iota // a name or a key, in either spelling
	callName                  // a name that calls: delta, delta(), microsoft.graph.delta
	castName                  // a name with its namespace
	keyOnly                   // a key in parentheses that is spelled like an operation: ('delta')
)

// spelled returns how segment i may be written, and the name that it must have.
func spelled(segments []odata.Segment, i int) (spelling, string) {
	s := &segments[i]
	operation := s.Call || isOperation(segments, i)
	switch {
	case s.Kind == odata.Key && operation:
		return keyOnly, s.Fold
	case s.Qualified && !(operation && isDefault(s)):
		return castName, s.Fold
	case operation:
		return callName, s.Base
	}
	return plainName, s.Fold
}

// segmentCovers reports whether segment i of the template x matches everything that segment i of b matches. It
// ignores the conditions of x on it, but not those of b.
func segmentCovers(x []odata.Segment, b *Rule, i int) bool {
	s, other := &x[i], &b.Template.Segments[i]
	switch {
	case isLiteral(s) && isLiteral(other):
		return literalCovers(x, b.Template.Segments, i)
	case isLiteral(s) && isKeyVariable(other):
		how, name := spelled(x, i)
		return how == plainName && b.isOnly(i, name)
	case isKeyVariable(s):
		return isKeyVariable(other) || isLiteral(other) && isSurelyKey(b.Template.Segments, i)
	case s.Kind == odata.Path && other.Kind == odata.Path:
		return pathCovers(s, b, i)
	case s.Kind == odata.Args && other.Kind == odata.Args:
		return len(s.Args) == len(other.Args) && argsCover(s.Args, other.Args)
	}
	return s.Kind == odata.System && other.Kind == odata.System && s.Fold == other.Fold
}

func isLiteral(s *odata.Segment) bool {
	return !s.Var && (s.Kind == odata.Name || s.Kind == odata.Key)
}

func isKeyVariable(s *odata.Segment) bool { return s.Var && s.Kind == odata.Name }

func literalCovers(x, y []odata.Segment, i int) bool {
	how, name := spelled(x, i)
	howOther, nameOther := spelled(y, i)
	other := &y[i]
	switch {
	case how == howOther && name == nameOther:
		return true
	case howOther == keyOnly:
		return how == plainName && name == nameOther
	case howOther == callName || howOther == castName && isDefault(other):
		return name == other.Base && (how == callName || how == plainName && isAfterKey(x, i))
	}
	return false
}

// isAfterKey reports whether segment i follows a key. No second key can follow, so a plain name there may have
// a namespace.
func isAfterKey(segments []odata.Segment, i int) bool {
	return i > 0 && (isKeyVariable(&segments[i-1]) || segments[i-1].Kind == odata.Args)
}

// isSurelyKey reports whether every request with the literal of segment i has a plain key there: inbox may be
// written as inbox(), which is not a key, and adele@contoso.com may not.
func isSurelyKey(segments []odata.Segment, i int) bool {
	how, name := spelled(segments, i)
	return how == keyOnly || how == plainName && !isDotted(name)
}

// isDotted reports whether s is identifiers with dots between them. Only such a name can have parentheses after
// it.
func isDotted(s string) bool {
	for label := range strings.SplitSeq(s, ".") {
		if !isPropertyName(label) || '0' <= label[0] && label[0] <= '9' {
			return false
		}
	}
	return true
}

// isOnly reports whether the rule restricts the variable that is segment i to one value, spelled like folded.
func (r *Rule) isOnly(i int, folded string) bool {
	return slices.ContainsFunc(r.Keys, func(k Key) bool {
		return k.segment == i && k.arg == "" && len(k.texts) > 0 && !slices.ContainsFunc(k.texts, func(v string) bool {
			return !isASCII(v) || strings.Contains(v, "*") || !equalFold(v, folded)
		})
	})
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func pathCovers(s *odata.Segment, b *Rule, i int) bool {
	other := &b.Template.Segments[i]
	return s.Var || !other.Var && s.Fold == other.Fold || other.Var && b.isOnly(i, s.Fold)
}

// isSameList reports whether two lists of values are one.
func isSameList(a, b []string) bool { return len(a) == len(b) && len(a) > 0 && &a[0] == &b[0] }

// argsCover reports whether each of the arguments is among the others and matches what the other matches.
func argsCover(args, others []odata.Arg) bool {
	return !slices.ContainsFunc(args, func(a odata.Arg) bool {
		other := argument(others, a.Fold)
		return other == nil || !a.Var && (other.Var || a.FoldValue() != other.FoldValue())
	})
}

// covers reports whether the condition holds for every request that the allow rule b matches, where segment i
// of b's template is the variable.
func (k *Key) covers(b *Rule, i int) bool {
	s := &b.Template.Segments[i]
	switch {
	case s.Kind == odata.Args:
		a := argument(s.Args, k.arg)
		if a != nil && a.Var {
			return k.coversVariable(b, i, k.arg)
		}
		return a != nil && k.allows(a.FoldValue(), false)
	case s.Var:
		return k.coversVariable(b, i, "")
	}
	return k.metBy(s)
}

// coversVariable reports whether the condition holds for all values of a variable of b.
func (k *Key) coversVariable(b *Rule, i int, arg string) bool {
	// Keys have no slashes, except paths and texts to search for.
	isPath := b.Template.Segments[i].Kind == odata.Path
	all := []rune{star}
	if isPath || arg != "" {
		all = []rune{deepStar}
	}
	if anyIncludes(k.values.narrow, all) {
		return true
	}
	return slices.ContainsFunc(b.Keys, func(other Key) bool {
		if other.segment == i && other.arg == arg && isSameList(k.texts, other.texts) {
			return true
		}
		return other.segment == i && other.arg == arg && patternsCover(k.values.narrow, other.values.narrow) &&
			!slices.ContainsFunc(other.values.narrow, func(p pattern) bool {
				return len(p.stars) == 0 && !k.allows(p.pieces[0], isPath) // because of its semicolon
			})
	})
}
