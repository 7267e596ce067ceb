package match

import (
	"slices"

	"graphproxy/policy/graph/odata"
)

// Selection is what a delta query was begun with, which a token in its links holds: the options, without tokens.
type Selection []odata.Option

// ReasonSelection is the reason where a request goes on with a delta query by a token, the rule bounds what the token
// may hold, and it is not proven what it holds.
const ReasonSelection = "link"

// BoundsSelection reports whether a rule bounds an option that the token of a delta query can hold.
func (r *Rule) BoundsSelection() bool {
	return slices.ContainsFunc(r.Options, func(o Option) bool { return r.provesInToken(&o) })
}

// provesInToken reports whether what a token holds of an option must be proven. Of the options that every rule refuses
// unless it names them that is so where the rule allows something of them and is for a delta query by its path: a rule
// with /** that names $expand is wider than one that names nothing, which asks for no proof.
func (r *Rule) provesInToken(o *Option) bool {
	switch {
	case odata.IsToken(o.Name):
		return false
	case slices.Contains(RefusedUnlessNamed(), o.Name):
		return o.kind != refused && r.IsDelta()
	}
	return true
}

// IsDelta reports whether the rule's path ends in the function delta.
func (r *Rule) IsDelta() bool {
	segments := r.Template.Segments
	last := len(segments) - 1
	if last > 0 && len(segments[last].Args) > 0 {
		last--
	}
	return segments[last].Base == "delta"
}

// unmetOption returns the reason of the first condition on options that does not hold; "" if all do.
func (r *Rule) unmetOption(t *odata.Target, s *Selection) string {
	if len(r.Options) == 0 && s == nil {
		return ""
	}
	if !t.Continues() {
		for i := range r.Options {
			if !r.Options[i].met(t.Query) {
				return r.Options[i].Reason
			}
		}
		return ""
	}
	if s == nil && r.BoundsSelection() {
		return ReasonSelection
	}
	return r.unmetInToken(t, s)
}

// unmetInToken is unmetOption for a target with a token: what the token holds counts, and what stands beside it must
// be allowed, too.
func (r *Rule) unmetInToken(t *odata.Target, s *Selection) string {
	for i := range r.Options {
		o := &r.Options[i]
		_, allowed := o.judge(t.Query)
		if allowed && s != nil && !odata.IsToken(o.Name) {
			allowed = o.met(*s)
		}
		if !allowed {
			return o.Reason
		}
	}
	for i := 0; s != nil && i < len(*s); i++ {
		if reason := r.reaches(&(*s)[i]); reason != "" {
			return reason
		}
	}
	return ""
}

// touchesOptions reports whether every condition on options may be meant. What a token may hold is, unless it is
// proven what it holds.
func (r *Rule) touchesOptions(t *odata.Target, s *Selection) bool {
	if len(r.Options) == 0 {
		return true
	}
	continues := t.Continues()
	for i := range r.Options {
		o := &r.Options[i]
		touched := false
		switch {
		case !continues || odata.IsToken(o.Name), s == nil && !r.provesInToken(o):
			touched = o.touched(t.Query)
		case s == nil:
			touched = true
		default:
			_, beside := o.search(t.Query)
			touched = beside || o.touched(*s)
		}
		if !touched {
			return false
		}
	}
	return true
}
