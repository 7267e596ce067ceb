package console

import (
	"bytes"
	"slices"
	"strings"

	"graphproxy/policy"
	"graphproxy/policy/analysis/audit"
)

// mostDenials is how many denials, the newest ones that are kept, are explained for a page of the policy.
const mostDenials = 1000

// nearby counts the denials by the rule that comes nearest to each, for each caller: the rule to look at when the
// request was meant to pass. Denials that differ only in the values of their options are explained once.
func (c *Console) nearby(p *policy.Policy) map[callersRule]int {
	f := filter{Decision: audit.Deny}
	f.look()
	var log bytes.Buffer
	for _, r := range slices.Backward(c.collect(&f, 0, 0, mostDenials).records) {
		log.Write(append(r.Line, '\n'))
	}
	counts, known := map[callersRule]int{}, map[string]*policy.Rule{}
	_, _ = audit.Read(&log, func(l audit.Line) error {
		if l.Parsed == nil || l.IsEnvelope() {
			return nil
		}
		key := strings.Join([]string{l.Caller, l.Method, l.Version, l.Target, strings.Join(l.Query, "&")}, "\x00")
		rule, found := known[key]
		if !found {
			request := policy.Request{Caller: l.Caller, Method: l.Method, Target: l.Parsed, Body: &policy.Body{}, At: l.Time}
			rule = p.Explain(request).Nearest
			known[key] = rule
		}
		if rule != nil {
			counts[callersRule{l.Caller, rule}]++
		}
		return nil
	})
	return counts
}

// callersRule is a rule as one of its callers has it.
type callersRule struct {
	caller string
	rule   *policy.Rule
}
