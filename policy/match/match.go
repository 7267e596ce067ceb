// Package match decides whether rules match a request: the template of a rule, its methods, and its
// conditions on keys and query options.
//
// It matches in two ways. AllowSet is for rules that allow: only spellings that are certainly the template's
// resource match. DenySet is for rules that deny, and for limits: everything that may be the resource matches,
// and so does a request that is not understood. Both keep their rules in a tree, so that the time to find a
// match grows with the target's length and not with the number of rules.
//
// Package policy decides what follows from a match, and reads rules from a file. Package odata reads URLs.
package match

import (
	"iter"
	"time"

	"graphproxy/policy/graph/odata"
)

// Rule is the description of matching requests. It must not be changed after it has been added to a tree; then
// it is safe for concurrent use.
type Rule struct {
	Methods  Methods
	Template *odata.Template
	Keys     []Key     // all must be met
	Nots     []Key     // none may be met: what may be one of the values counts as one in an allow rule
	Options  []Option  // all must be met
	Bounds   Bounds    // conditions on the request's body; nil: anything
	Until    time.Time // the rule does not match at or after this time; zero: it does not end

	boundary boundary     // of the template; set when the rule is added
	named    namedOptions // the names in Options; set when the rule is added
}

// The reasons of a rule that nearly matches, besides those of its conditions.
const (
	ReasonMethod = "no rule allows this method"
)

// ReasonUntil is the reason of a rule that has ended.
const ReasonUntil = "until"

// hasEnded reports whether the rule has ended at a time. The zero time is before every end.
func (r *Rule) hasEnded(at time.Time) bool { return !r.Until.IsZero() && !at.Before(r.Until) }

// variable is the place of a variable in a template.
type variable struct {
	name    string
	segment int
	arg     string // Fold of the argument, if it is one
}

func variables(t *odata.Template) iter.Seq[variable] {
	return func(yield func(variable) bool) {
		for i := range t.Segments {
			s := &t.Segments[i]
			if s.Var && !yield(variable{name: s.Text, segment: i}) {
				return
			}
			for j := range s.Args {
				if a := &s.Args[j]; a.Var && !yield(variable{name: a.Value, segment: i, arg: a.Fold}) {
					return
				}
			}
		}
	}
}

func findVariable(t *odata.Template, name string) (variable, bool) {
	for v := range variables(t) {
		if v.name == name {
			return v, true
		}
	}
	return variable{}, false
}

// Variables returns the names of the template's variables, in order.
func Variables(t *odata.Template) []string {
	var names []string
	for v := range variables(t) {
		names = append(names, v.name)
	}
	return names
}

// unmet returns the reason of the first condition of an allow rule that a target does not meet; "" if it meets
// all. Template and target have the same segments then. A condition on an option that may be absent is met when
// the option is absent.
func (r *Rule) unmet(t *odata.Target, s *Selection) string {
	for i := range r.Keys {
		if !r.Keys[i].met(t) {
			return r.Keys[i].Reason
		}
	}
	for i := range r.Nots {
		if r.Nots[i].touched(&t.Segments[r.Nots[i].segment]) {
			return r.Nots[i].Reason
		}
	}
	if reason := r.unmetOption(t, s); reason != "" {
		return reason
	}
	for i := range t.Query {
		if reason := r.reaches(&t.Query[i]); reason != "" {
			return reason
		}
	}
	return ""
}

// touchesKeys reports whether a deny rule may apply to the keys of the target. Every condition must be touched.
func (r *Rule) touchesKeys(t *odata.Target, at *positions) bool {
	for i := range r.Keys {
		if !r.Keys[i].touched(&t.Segments[at[r.Keys[i].segment]]) {
			return false
		}
	}
	for i := range r.Nots {
		if r.Nots[i].metBy(&t.Segments[at[r.Nots[i].segment]]) {
			return false // it is surely one that the rule leaves out
		}
	}
	return true
}
