package match

import (
	"slices"
	"time"

	"graphproxy/policy/graph/odata"
)

// BodyState is the state of a request's body.
type BodyState uint8

// The states of a body.
const (
	BodyAbsent BodyState = iota // the request has none
	BodyJSON                    // Body.Text must be read as JSON
	BodyOther                   // it is not JSON, or cannot be read as such
)

// Body is the body of a request, for rules with conditions on it.
type Body struct {
	State BodyState
	Text  []byte // the bytes that are sent to Graph; must not change
}

// Circumstances are further facts about a request, besides its target and method.
type Circumstances struct {
	Body      *Body      // nil: not read yet
	At        time.Time  // when it came; zero: before every end
	Selection *Selection // what the target's token holds; nil: there is none, or it is not proven
}

// Bounds are the conditions of a rule on the body. They are safe for concurrent use.
type Bounds interface {
	// Unmet returns the reason of the first condition that the body does not meet, "" if it meets all. It begins with
	// ReasonBody.
	Unmet(*Body) string
	// Touched reports whether the body may meet one of the conditions. A body that cannot be read may.
	Touched(*Body) bool
	// Cover reports whether every body that meets the others meets these; false if uncertain.
	Cover(others Bounds) bool
}

// ReasonBody is the prefix of the reasons of conditions on the body.
const ReasonBody = "body: "

// unmetBody returns the reason of the first condition on the body that fails; "" if none does, or the body is
// not read yet.
func (r *Rule) unmetBody(body *Body) string {
	if r.Bounds == nil || body == nil {
		return ""
	}
	return r.Bounds.Unmet(body)
}

// lastsAsLong reports whether a ends no earlier than b.
func lastsAsLong(a, b *Rule) bool {
	return a.Until.IsZero() || !b.Until.IsZero() && !a.Until.Before(b.Until)
}

// boundsCover reports whether every body that b allows meets the conditions of a.
func boundsCover(a, b *Rule) bool {
	return a.Bounds == nil || b.Bounds != nil && a.Bounds.Cover(b.Bounds)
}

// Values are texts in which a star stands for a run of characters: "*" for any but slashes, "**" for any.
// Letter case is ignored.
type Values struct {
	texts []string
	all   patterns
}

// NewValues compiles texts of at most MaxPattern bytes.
func NewValues(texts []string) Values { return Values{texts, newPatterns(texts, false, false)} }

// Texts returns the values unchanged.
func (v *Values) Texts() []string { return v.texts }

// Allow reports whether a value, with or without stars, matches a text.
func (v *Values) Allow(text string) bool { return v.all.allows(odata.Fold(text)) }

// AllowLiterally reports whether a value without stars equals a text.
func (v *Values) AllowLiterally(text string) bool {
	folded := odata.Fold(text)
	return slices.ContainsFunc(v.all.narrow, func(p pattern) bool { return len(p.stars) == 0 && p.match(folded) })
}

// MayMean reports whether a value may match a text, as for a deny rule.
func (v *Values) MayMean(text string) bool {
	folded, wide := odata.Fold(text), odata.Wide(text)
	if v.all.mayMean(folded, wide) {
		return true
	}
	bare := odata.Bare(wide)
	return v.all.mayMean(bare, bare)
}

// Cover reports whether each text that one of the others matches is also matched by one of these; false if
// uncertain.
func (v *Values) Cover(others *Values) bool { return patternsCover(v.all.narrow, others.all.narrow) }
