// Package lint reports what is odd in a policy that loads: rules that can never decide, templates that name nothing in
// Microsoft Graph, and evidence that proves too many.
//
// It decides what is worth telling, and keeps quiet when it is not sure: a warning that is wrong teaches people to read
// none. Deny rules that touch nothing that is allowed are not reported, because a safety net is there for rules to
// come. It leaves to others what keeps a policy from loading (package policy), how rules match (policy/match), and
// which evidence the running proxy is configured to verify (the command serve).
package lint

import (
	"slices"
	"time"

	"graphproxy/policy"
	"graphproxy/policy/match"
	"graphproxy/policy/operations"
	"graphproxy/policy/yamlfile"
)

// Options say what is known besides the policy. The zero value checks the policy by itself.
type Options struct {
	Operations *operations.Set // what Graph has; nil: templates are not looked up
	Public     bool            // others than this machine can reach the proxy
	Plain      bool            // they reach it without TLS
	Now        time.Time       // what has ended, and what ends soon, is judged by it; zero: that is not looked at
}

// Check returns what is odd in a policy, with the warnings that the loader had, sorted by line; nil if nothing is. It
// does not change the policy, and is safe for concurrent use.
func Check(p *policy.Policy, o Options) []*policy.Error {
	c := &checker{Options: o, policy: p, users: make(map[*policy.Rule]int), report: yamlfile.Report{File: p.File()}}
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
	c.ways()
	c.tokens()
	all := slices.Concat(p.Warnings(), c.report.Errors())
	slices.SortStableFunc(all, func(a, b *policy.Error) int { return a.Line - b.Line })
	return all
}

// mostPairs bounds the pairs of rules that one kind of check compares, so that a policy with a rule for each of many
// people is linted in seconds. What lies beyond is not reported.
const mostPairs = 300_000

// pairs counts what is left of mostPairs.
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

// book is what one caller may do.
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

// name is how messages name another rule.
func name(r *policy.Rule) string { return r.Text + " (" + r.Where() + ")" }

// root is what two rules must have in common to match the same request.
func root(m *match.Rule) string { return m.Template.Version + "/" + m.Template.Segments[0].Base }
