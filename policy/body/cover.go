package body

import (
	"slices"
	"strings"

	"graphproxy/policy/match"
)

// Cover implements match.Bounds: for each condition, the others must have a condition on the same property that
// is at least as narrow.
func (b *Bounds) Cover(others match.Bounds) bool {
	o, ok := others.(*Bounds)
	if !ok || b.recipients != nil && !coverRecipients(b.recipients, o.recipients) {
		return false
	}
	return !slices.ContainsFunc(b.conditions, func(c Condition) bool {
		return !slices.ContainsFunc(o.conditions, func(other Condition) bool {
			return strings.EqualFold(c.Path, other.Path) && c.covers(&other)
		})
	})
}

func coverRecipients(v, others *match.Values) bool {
	if others == nil || !v.Cover(others) {
		return false
	}
	return !slices.ContainsFunc(others.Texts(), func(s string) bool {
		return !strings.Contains(s, "*") && !isAddress(s) && !v.AllowLiterally(s)
	})
}

// covers reports whether every value that meets the other condition meets this; false when that is not sure.
func (c *Condition) covers(other *Condition) bool {
	switch {
	case c.None && !other.None, c.Required && !other.Required:
		return false
	case c.Max >= 0 && (other.Max < 0 || other.Max > c.Max):
		return false
	case c.Targets != nil && (other.Targets == nil || !c.Targets.Cover(other.Targets)):
		return false
	case c.values != nil && !c.valuesCover(other):
		return false
	}
	return c.Only == nil || other.Only != nil && !slices.ContainsFunc(other.Only, func(path string) bool {
		return !slices.ContainsFunc(c.Only, func(s string) bool { return strings.EqualFold(s, path) })
	})
}

func (c *Condition) valuesCover(other *Condition) bool {
	switch {
	case other.values == nil, c.booleans && !other.booleans, !c.values.Cover(other.values):
		return false
	case slices.ContainsFunc(c.Values, isAddressOfWeb) && !slices.ContainsFunc(other.Values, isAddressOfWeb):
		return false // only the values of c are judged by isWhole
	}
	return !slices.ContainsFunc(other.Values, func(s string) bool {
		isSame := c.values.AllowLiterally(s)
		return !strings.Contains(s, "*") && !isSame && (strings.EqualFold(s, "null") || !isWhole(c.Values, s))
	})
}

func isAddressOfWeb(s string) bool { return strings.Contains(s, "://") }
