// Package lint reports probable mistakes in a policy that loads: rules that can never decide, templates that name
// nothing in Microsoft Graph, and evidence that proves too many callers.
//
// It reports only what is certain: a wrong warning teaches people to ignore warnings. It does not report deny rules
// that touch nothing that is allowed, because they may be a safety net for later rules. Package policy decides
// which files do not load, policy/match how rules match, and the command serve which evidence the proxy verifies.
package lint

import (
	"slices"
	"time"

	"graphproxy/policy"
	"graphproxy/policy/match"
	"graphproxy/policy/operations"
	"graphproxy/policy/yamlfile"
)

// Options are further facts besides the policy. The zero value checks the policy by itself.
type Options struct {
	Operations *operations.Set // the operations of Graph; nil: templates are not looked up
	Public     bool            // other machines can reach the proxy
	Plain      bool            // they reach it without TLS
	Keyless    []string        // the app registrations that give no key for links, where no file has one
	Now        time.Time       // decides what has ended, and what ends soon; zero: neither is checked
}

// Check returns the probable mistakes in a policy, with the warnings of the loader, sorted by file and line;
// nil if there are none. It does not change the policy, and is safe for concurrent use.
func Check(p *policy.Policy, o Options) []*policy.Error {
	c := &checker{Options: o, policy: p, users: make(map[*policy.Rule]int)}
	for _, file := range p.Files() {
		c.report.In(file)
	}
	c.report.Append(p.Warnings()...)
	for _, caller := range p.Callers() {
		allow, deny := p.Rules(caller.Name)
		b := book{caller: caller, where: "callers." + caller.Name, allow: allow, deny: deny}
		c.books = append(c.books, b)
		for _, r := range distinct(slices.Concat(allow, deny)) {
			c.users[r]++
		}
	}
	c.rules()
	c.versions()
	c.limits()
	c.shares()
	c.templates()
	c.identities()
	c.ends()
	c.reads()
	c.values()
	c.ways()
	c.links()
	return c.report.Errors()
}

// mostPairs bounds the pairs of rules that one kind of check compares, so that a policy with a rule for each of
// many people is checked in seconds. Further pairs are not compared.
const mostPairs = 300_000

// pairs is the rest of mostPairs.
type pairs struct{ left int }

func (p *pairs) take() bool {
	p.left--
	return p.left >= 0
}

type checker struct {
	Options
	policy *policy.Policy
	books  []book
	users  map[*policy.Rule]int // callers that have a rule, through sets of rules
	report yamlfile.Report
}

// book has the rules of one caller.
type book struct {
	caller      policy.Caller
	where       string // "callers.hr-sync"
	allow, deny []*policy.Rule
}

func distinct(rules []*policy.Rule) []*policy.Rule {
	seen := make(map[*policy.Rule]bool)
	var all []*policy.Rule
	for _, r := range rules {
		if !seen[r] {
			seen[r] = true
			all = append(all, r)
		}
	}
	return all
}

// name returns the name of a rule in messages.
func name(r *policy.Rule) string { return r.Text + " (" + r.Where() + ")" }

// root returns the part that two rules must have in common to match the same request.
func root(m *match.Rule) string { return m.Template.Version + "/" + m.Template.Segments[0].Base }
