package match

import (
	"slices"

	"graphproxy/policy/graph/odata"
)

// isLeftOutBy reports whether no value of the condition may be what the allow rule b has for its variable; false if
// uncertain.
func (k *Key) isLeftOutBy(b *Rule) bool {
	s := &b.Template.Segments[k.segment]
	if !s.Var && s.Kind != odata.Args {
		return !k.touched(s)
	}
	if s.Kind == odata.Args {
		a := argument(s.Args, k.arg)
		if a == nil {
			return false
		}
		if !a.Var {
			return !k.namesAny(a)
		}
	}
	return b.leavesOut(k) || b.isApartFrom(k)
}

// leavesOut reports whether the rule leaves out all values of a condition, literally.
func (r *Rule) leavesOut(k *Key) bool {
	return slices.ContainsFunc(r.Nots, func(other Key) bool {
		return other.segment == k.segment && other.arg == k.arg && !slices.ContainsFunc(k.texts, func(v string) bool {
			return !slices.Contains(other.texts, v)
		})
	})
}

// isApartFrom reports whether the rule has only values for a condition's variable that surely are none of its values.
func (r *Rule) isApartFrom(k *Key) bool {
	isPath := r.Template.Segments[k.segment].Kind == odata.Path
	return slices.ContainsFunc(r.Keys, func(own Key) bool {
		return own.segment == k.segment && own.arg == k.arg && !mayBeRead(own.texts, k.values.wide, isPath) &&
			!mayBeRead(own.texts, k.values.narrow, isPath)
	})
}
