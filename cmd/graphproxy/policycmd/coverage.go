package policycmd

import (
	"fmt"
	"io"
	"slices"

	"graphproxy/policy"
)

// coverage is what the tests of a policy reach.
type coverage struct {
	Rules     int        `json:"rules"`     // allow and deny rules; one that several callers have counts once
	Reached   int        `json:"reached"`   // those that decide a test
	Percent   int        `json:"percent"`   // rounded down; 100 without rules
	Unreached []ruleText `json:"unreached"` // in file order, by caller
	Callers   []string   `json:"callers"`   // that no test is about
	Unproven  []string   `json:"unproven"`  // that no evidence of a test proves

	evidence bool // a test has evidence
}

func coverageOf(p *policy.Policy, results []policy.Result) coverage {
	reached, tested, proven := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, r := range results {
		tested[r.Request.Caller] = true
		proven[r.Proof.Caller] = true
		if r.Explanation.Rule != nil {
			reached[ruleKey(r.Explanation.Rule)] = true
		}
	}
	c := coverage{Percent: 100, Unreached: []ruleText{}, Callers: []string{}, Unproven: []string{}}
	c.evidence = slices.ContainsFunc(results, func(r policy.Result) bool { return r.Evidence != nil })
	seen := map[string]bool{}
	for _, caller := range p.Callers() {
		if !tested[caller.Name] {
			c.Callers = append(c.Callers, caller.Name)
		}
		if !proven[caller.Name] {
			c.Unproven = append(c.Unproven, caller.Name)
		}
		allow, deny := p.Rules(caller.Name)
		for i, r := range append(allow[:len(allow):len(allow)], deny...) {
			if seen[ruleKey(r)] {
				continue
			}
			seen[ruleKey(r)] = true
			c.count(r, i >= len(allow), reached[ruleKey(r)])
		}
	}
	if c.Rules > 0 {
		c.Percent = 100 * c.Reached / c.Rules
	}
	return c
}

// ruleKey is the same for a rule of an include in all callers that have it.
func ruleKey(r *policy.Rule) string { return r.Where() + " " + r.Text }

func (c *coverage) count(r *policy.Rule, denies, isReached bool) {
	c.Rules++
	if isReached {
		c.Reached++
		return
	}
	text := *ruleOf(r)
	if denies {
		text.Text = "deny " + text.Text
	}
	c.Unreached = append(c.Unreached, text)
}

// mostUnreached is how many rules and callers are printed without -v.
const mostUnreached = 20

func (c *coverage) text(w io.Writer, all bool) {
	unproven := c.Unproven
	if !c.evidence && !all { // how callers are known is not tested here at all
		unproven = nil
	}
	if len(c.Unreached)+len(c.Callers)+len(unproven) == 0 {
		return
	}
	var lines []string
	for _, r := range c.Unreached {
		lines = append(lines, r.Where+": no test reaches "+r.Text)
	}
	for _, name := range c.Callers {
		lines = append(lines, "no test is about caller "+name)
	}
	for _, name := range unproven {
		lines = append(lines, "no evidence of a test proves caller "+name)
	}
	for i, line := range lines {
		if i == mostUnreached && !all {
			fmt.Fprintf(w, "and %d more; -v lists all\n", len(lines)-i)
			break
		}
		fmt.Fprintln(w, line)
	}
	fmt.Fprintf(w, "%d of %d rules are reached (%d %%)\n", c.Reached, c.Rules, c.Percent)
}
