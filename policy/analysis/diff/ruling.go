package diff

import (
	"slices"
	"strings"

	"graphproxy/policy"
	"graphproxy/policy/graph/odata"
	"graphproxy/policy/match"
)

// judge decides requests whose values of query options are unknown.
type judge struct {
	policy  *policy.Policy
	callers map[string]*book // created on first use
}

// book has a caller's rules, each in a tree of its own and without the conditions on query options, which are
// checked here.
type book struct {
	known, reports bool
	allow, deny    []*single
}

type single struct {
	*policy.Rule
	narrow  match.AllowSet // holds the rule if it allows
	wide    match.DenySet  // holds the rule if it denies
	options []condition
}

// condition is a condition on a query option. Conditions with the same id hold or fail together, for every value.
type condition struct {
	option  string // Fold
	id      string
	refused bool // the option must be absent; else it has values
	always  bool // the condition applies to every request: conditions on the body, which is not in the log
}

func newJudge(p *policy.Policy) *judge { return &judge{policy: p, callers: make(map[string]*book)} }

func (j *judge) book(caller string) *book {
	if b := j.callers[caller]; b != nil {
		return b
	}
	b := &book{reports: j.policy.Reports(caller)}
	b.known = slices.ContainsFunc(j.policy.Callers(), func(c policy.Caller) bool { return c.Name == caller })
	allow, deny := j.policy.Rules(caller)
	calls := callsIn(allow)
	for _, r := range allow {
		s, m := newSingle(r, "allow ")
		for _, c := range calls {
			s.narrow.Add(c)
		}
		s.narrow.Add(m)
		b.allow = append(b.allow, s)
	}
	for _, r := range deny {
		s, m := newSingle(r, "deny ")
		s.wide.Add(m)
		b.deny = append(b.deny, s)
	}
	if b.known {
		j.callers[caller] = b
	}
	return b
}

// callsIn returns the templates that call a function with empty parentheses, as rules for no method: beside them,
// other rules with the function's name match more spellings.
func callsIn(rules []*policy.Rule) []*match.Rule {
	var calls []*match.Rule
	for _, r := range rules {
		t := r.Match().Template
		if slices.ContainsFunc(t.Segments, func(s odata.Segment) bool { return s.Call }) {
			calls = append(calls, &match.Rule{Template: t})
		}
	}
	return calls
}

func newSingle(r *policy.Rule, side string) (*single, *match.Rule) {
	m := r.Match()
	s := &single{Rule: r}
	for i, text := range r.OptionConditions() {
		o := &m.Options[i]
		s.options = append(s.options, condition{option: o.Name, id: side + text, refused: o.IsRefused()})
	}
	if r.BoundsBody() {
		text := side + strings.Join(r.BodyConditions(), "\n")
		s.options = append(s.options, condition{option: "body", id: text, always: true})
	}
	return s, &match.Rule{Methods: m.Methods, Template: m.Template, Keys: m.Keys, Nots: m.Nots}
}

// outlook is how a policy may decide a request: by the first deny rule whose conditions all hold, else by the first
// such allow rule.
type outlook struct {
	book        *book
	batch       bool // needs no allow rule
	deny, allow []clause
}

// clause is a rule whose template, method and keys match, with the conditions that remain.
type clause struct {
	rule *policy.Rule
	ifs  []condition
}

func (j *judge) outlook(caller, method string, t *odata.Target) outlook {
	b := j.book(caller)
	o := outlook{book: b}
	if !b.known || len(t.Segments) > match.MaxSegments {
		return o
	}
	o.batch = t.Segments != nil && t.Segments[0].Kind == odata.System && t.Segments[0].Fold == "$batch"
	bare, m := *t, policy.MethodsOf(method, t)
	bare.Query = nil
	for _, r := range b.deny {
		if _, found := r.wide.First(&bare, m); found {
			if ifs, may := denyConditions(r.options, t); may {
				o.deny = append(o.deny, clause{r.Rule, ifs})
			}
		}
	}
	for _, r := range b.allow {
		if !o.batch && r.narrow.Find(&bare, m).Index >= 0 {
			if ifs, may := allowConditions(r.options, t); may {
				o.allow = append(o.allow, clause{r.Rule, ifs})
			}
		}
	}
	return o
}

// allowConditions returns the conditions of an allow rule that depend on values; false if one certainly fails.
func allowConditions(conditions []condition, t *odata.Target) (ifs []condition, may bool) {
	for _, c := range conditions {
		present := c.isPresent(t)
		switch {
		case present && c.refused, !present && c.option == "$select" && !c.refused:
			return nil, false
		case present:
			ifs = append(ifs, c)
		}
	}
	for _, name := range match.RefusedUnlessNamed() {
		_, present := t.Option(name)
		if present && !slices.ContainsFunc(conditions, func(c condition) bool { return c.option == name }) {
			return nil, false
		}
	}
	return ifs, true
}

// denyConditions is allowConditions for a deny rule: there an absent option does not deny, except $select.
func denyConditions(conditions []condition, t *odata.Target) (ifs []condition, may bool) {
	for _, c := range conditions {
		switch present := c.isPresent(t); {
		case present:
			ifs = append(ifs, c)
		case c.option != "$select":
			return nil, false
		}
	}
	return ifs, true
}

func (c *condition) isPresent(t *odata.Target) bool {
	return c.always ||
		slices.ContainsFunc(t.Query, func(o odata.Option) bool { return o.Fold == c.option || "$"+o.Fold == c.option })
}

// ruling is a decision, in either mode.
type ruling struct {
	allow bool
	rule  *policy.Rule // nil: none decided
}

// decide decides for one assumption about the conditions.
func (o *outlook) decide(holds func(condition) bool) ruling {
	first := func(clauses []clause) *policy.Rule {
		for _, c := range clauses {
			if !slices.ContainsFunc(c.ifs, func(c condition) bool { return !holds(c) }) {
				return c.rule
			}
		}
		return nil
	}
	if r := first(o.deny); r != nil {
		return ruling{rule: r}
	}
	r := first(o.allow)
	return ruling{allow: r != nil || o.batch && o.book.known, rule: r}
}

// conditions adds the conditions on which the decision may depend.
func (o *outlook) conditions(all []condition) []condition {
	for _, clauses := range [][]clause{o.deny, o.allow} {
		for _, c := range clauses {
			for _, i := range c.ifs {
				if !slices.Contains(all, i) {
					all = append(all, i)
				}
			}
		}
	}
	return all
}
