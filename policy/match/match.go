// Package match decides whether rules match a request: the template of a rule, its methods, and its
// conditions on keys and query options.
//
// It matches in two ways. AllowSet is for what a match allows: the spellings that are certainly the resource
// that the template names match, and what is not understood does not. DenySet is for what a match forbids or
// counts: all that may be the resource matches, and so does what is not understood. Both keep their rules in
// a tree, so that the time to find the ones that match grows with the target's length and not with the number
// of rules.
//
// What follows from a match, and how rules are written in a file, it leaves to package policy; how a URL is
// read, to package odata.
package match

import (
	"slices"
	"time"

	"graphproxy/policy/graph/odata"
)

// Rule is what a request must look like to match. It must not be changed once it has been added to a tree;
// then it is safe for concurrent use.
type Rule struct {
	Methods  Methods
	Template *odata.Template
	Keys     []Key     // all must be met
	Options  []Option  // all must be met
	Bounds   Bounds    // what the request's body must be; nil: anything
	Until    time.Time // from here on the rule is none; zero: it does not end

	boundary boundary     // of the template; set when the rule is added
	named    namedOptions // what Options is about; set when the rule is added
}

// What is reported of a rule that nearly matches, besides the reasons of its conditions.
const (
	ReasonMethod = "no rule allows this method"
)

// ReasonUntil is the reason where a rule has ended.
const ReasonUntil = "until"

// hasEnded reports whether the rule is none at a time. The zero time is before every end.
func (r *Rule) hasEnded(at time.Time) bool { return !r.Until.IsZero() && !at.Before(r.Until) }

// variable is where a template has a variable.
type variable struct {
	name    string
	segment int
	arg     string // Fold of the argument, if it is one
}

func variables(t *odata.Template) []variable {
	var found []variable
	for i := range t.Segments {
		s := &t.Segments[i]
		if s.Var {
			found = append(found, variable{name: s.Text, segment: i})
		}
		for _, a := range s.Args {
			if a.Var {
				found = append(found, variable{name: a.Value, segment: i, arg: a.Fold})
			}
		}
	}
	return found
}

func findVariable(t *odata.Template, name string) (variable, bool) {
	all := variables(t)
	if i := slices.IndexFunc(all, func(v variable) bool { return v.name == name }); i >= 0 {
		return all[i], true
	}
	return variable{}, false
}

// Variables returns the names of the template's variables, in order.
func Variables(t *odata.Template) []string {
	var names []string
	for _, v := range variables(t) {
		names = append(names, v.name)
	}
	return names
}

// unmet returns the reason of the first condition that a target does not meet, matching narrowly; "" if it
// meets all. Template and target have the same segments then. Options that may be absent are met when they
// are.
func (r *Rule) unmet(t *odata.Target) string {
	for i := range r.Keys {
		if !r.Keys[i].met(t) {
			return r.Keys[i].Reason
		}
	}
	for i := range r.Options {
		if !r.Options[i].met(t.Query) {
			return r.Options[i].Reason
		}
	}
	for i := range t.Query {
		if reason := r.reaches(&t.Query[i]); reason != "" {
			return reason
		}
	}
	return ""
}

// touches reports, matching widely, whether the target may be one that the rule means. Every condition must
// be touched.
func (r *Rule) touches(t *odata.Target, at *positions) bool {
	for i := range r.Keys {
		if !r.Keys[i].touched(&t.Segments[at[r.Keys[i].segment]]) {
			return false
		}
	}
	for i := range r.Options {
		if !r.Options[i].touched(t.Query) {
			return false
		}
	}
	return true
}
