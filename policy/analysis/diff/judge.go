package diff

import (
	"graphproxy/policy"
	"graphproxy/policy/analysis/audit"
)

// Judge decides recorded requests by a policy. The log has no values of query options and no bodies, so that a decision
// may be uncertain. Make one with NewJudge. It is not safe for concurrent use.
type Judge struct{ judge *judge }

// NewJudge returns a Judge by a policy.
func NewJudge(p *policy.Policy) *Judge { return &Judge{newJudge(p)} }

// Allows returns whether the policy allows a recorded request, in either mode: surely is whether it does so
// whatever the values were, and may is whether it does so for some. A line without a readable target is neither.
func (j *Judge) Allows(l audit.Line) (surely, may bool) {
	if l.Parsed == nil {
		return false, false
	}
	o := j.judge.outlook(l.Caller, judgedMethod(l.Method), l.Parsed)
	conditions := o.conditions(nil)
	if len(conditions) > maxConditions {
		return false, true
	}
	surely = true
	for assumed := range 1 << len(conditions) {
		r := o.decide(func(c condition) bool {
			for i := range conditions {
				if conditions[i] == c {
					return assumed>>i&1 == 1
				}
			}
			return false
		})
		surely, may = surely && r.allow, may || r.allow
	}
	return surely, may
}

// Denies returns the deny rule that applies to a recorded request whatever its values were; nil if there is none.
func (j *Judge) Denies(l audit.Line) *policy.Rule {
	if l.Parsed == nil {
		return nil
	}
	o := j.judge.outlook(l.Caller, judgedMethod(l.Method), l.Parsed)
	for _, c := range o.deny {
		if len(c.ifs) == 0 {
			return c.rule
		}
	}
	return nil
}

// judgedMethod returns the method that a request with a method is judged as.
func judgedMethod(method string) string {
	if method == "HEAD" {
		return "GET"
	}
	return method
}
