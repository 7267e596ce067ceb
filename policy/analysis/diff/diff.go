// Package diff reports the changes from one policy to another: what each caller gains and loses, in rules, and
// which requests of an audit log would be answered differently.
//
// It decides what is reported as a gain or a loss. If it is uncertain it reports a difference: if the report shows
// no gain for a caller, the new policy allows that caller nothing new. Package policy/match decides how rules
// match, and policy/analysis/audit reads the log.
package diff

import (
	"slices"

	"graphproxy/policy"
)

// Difference is the changes from an old policy to a new one. Its zero value is none.
type Difference struct {
	Old     string   `json:"old"` // name of the file
	New     string   `json:"new"`
	Callers []Caller `json:"callers,omitempty"` // callers that differ: in the order of the new file, then removed ones
	Limits  []Change `json:"limits,omitempty"`  // of limits that cover more than one caller
	File    []Change `json:"file,omitempty"`    // of settings of the whole file that let no request through
	Tests   []Change `json:"tests,omitempty"`   // tests that the new policy does not have any more
}

// Caller is what changes for one caller.
type Caller struct {
	Name    string   `json:"name"`
	Changes []Change `json:"changes"`
}

// Change is one difference.
type Change struct {
	Sign  string `json:"sign"` // "+" added, "-" removed, "~" changed
	Kind  Kind   `json:"kind"`
	Gains bool   `json:"gains"` // it may let more through, or let more clients be the caller
	Loses bool   `json:"loses"` // it may let less through, or let fewer clients be the caller
	Text  string `json:"text"`  // a sentence of which the caller is the subject, or of a limit
	Where string `json:"where,omitempty"`
}

// Kind is the subject of a Change.
type Kind string

// The values of Kind.
const (
	KindCaller   Kind = "caller"
	KindIdentity Kind = "identity"
	KindMode     Kind = "mode"
	KindApp      Kind = "app"
	KindAllow    Kind = "allow"
	KindDeny     Kind = "deny"
	KindLimit    Kind = "limit"
	KindContact  Kind = "contact"
	KindConsole  Kind = "console"
	KindBounds   Kind = "bounds"
	KindTest     Kind = "test"
	KindList     Kind = "list"
)

// Policies compares two policies.
func Policies(old, newer *policy.Policy) Difference {
	d := Difference{
		Old:    old.File(),
		New:    newer.File(),
		Limits: commonLimits(old, newer),
		File:   slices.Concat(contact(old, newer), consoles(old, newer), bounds(old, newer), listValues(old, newer)),
		Tests:  removedTests(old, newer),
	}
	was := make(map[string]*policy.Caller)
	for i := range old.Callers() {
		was[old.Callers()[i].Name] = &old.Callers()[i]
	}
	for i := range newer.Callers() {
		c := &newer.Callers()[i]
		d.add(c.Name, callers(sideOf(old, was[c.Name]), sideOf(newer, c)))
		delete(was, c.Name)
	}
	for i := range old.Callers() {
		if c := &old.Callers()[i]; was[c.Name] != nil {
			d.add(c.Name, callers(sideOf(old, c), sideOf(newer, nil)))
		}
	}
	return d
}

func (d *Difference) add(name string, changes []Change) {
	if len(changes) > 0 {
		d.Callers = append(d.Callers, Caller{Name: name, Changes: changes})
	}
}

// Empty reports whether nothing differs.
func (d Difference) Empty() bool {
	return len(d.Callers) == 0 && len(d.Limits) == 0 && len(d.File) == 0 && len(d.Tests) == 0
}

// Gains reports whether the new policy may let anything through that the old one does not.
func (d Difference) Gains() bool {
	gains := func(c *Change) bool { return c.Gains }
	return anyOf(d.Limits, gains) || anyOf(d.File, gains) || slices.ContainsFunc(d.Callers, Caller.Gains)
}

// Gains reports whether the caller may gain something.
func (c Caller) Gains() bool { return anyOf(c.Changes, func(ch *Change) bool { return ch.Gains }) }

// Loses reports whether the caller may lose something.
func (c Caller) Loses() bool { return anyOf(c.Changes, func(ch *Change) bool { return ch.Loses }) }

func anyOf(changes []Change, is func(*Change) bool) bool {
	for i := range changes {
		if is(&changes[i]) {
			return true
		}
	}
	return false
}

// side is one caller in one of the policies.
type side struct {
	policy      *policy.Policy
	caller      *policy.Caller // nil: the policy does not have it
	allow, deny []*rule
}

func sideOf(p *policy.Policy, c *policy.Caller) *side {
	s := &side{policy: p, caller: c}
	if c == nil {
		return s
	}
	allow, deny := p.Rules(c.Name)
	for _, r := range allow {
		if !isBatch(r) { // a batch needs no rule, and an allow rule for it has no effect
			s.allow = append(s.allow, newRule(r))
		}
	}
	for _, r := range deny {
		s.deny = append(s.deny, newRule(r))
	}
	return s
}

func (s *side) where() string {
	return place(s.caller.File, s.caller.Line)
}

// callers reports what changes for one caller.
func callers(old, newer *side) []Change {
	var changes []Change
	switch {
	case old.caller == nil:
		changes = append(changes, Change{Sign: "+", Kind: KindCaller, Gains: true,
			Text: "is a new caller" + reportNote(newer), Where: newer.where()})
	case newer.caller == nil:
		changes = append(changes, Change{Sign: "-", Kind: KindCaller, Loses: true,
			Text: "is no longer a caller", Where: old.where()})
	default:
		changes = append(changes, settings(old, newer)...)
	}
	changes = append(changes, identities(old, newer)...)
	changes = append(changes, allowed(old, newer)...)
	changes = append(changes, denied(old, newer)...)
	if old.caller != nil && newer.caller != nil {
		changes = append(changes, ruleSettings(old, newer)...)
	}
	return changes
}

func reportNote(s *side) string {
	if s.policy.Reports(s.caller.Name) {
		return ", in report mode: what would be denied is let through and recorded"
	}
	return ""
}
