package diff

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"graphproxy/policy"
	"graphproxy/policy/graph/odata"
	"graphproxy/policy/match"
)

// rule is a rule of a policy in a form for comparison.
type rule struct {
	*policy.Rule
	template string          // without the file's names of variables
	key      string          // template and conditions: rules with the same key match the same, ignoring methods
	where    []key           // conditions on keys
	query    map[string]bool // texts of the conditions on query options
	settings string          // limit, app, tenant and priority
	body     map[string]bool // texts of the conditions on the body
	one      match.Rule      // the rule for one method, because methods are compared separately
}

// key is a condition on a variable, which is identified by its number.
type key struct {
	variable int
	values   []string // sorted
	isNot    bool     // none of the values may match
}

func newRule(r *policy.Rule) *rule {
	m := r.Match()
	c := &rule{
		Rule:     r,
		template: unnamed(m.Template),
		query:    make(map[string]bool),
		body:     make(map[string]bool),
		settings: limitText(r.Limit()) + ", " + r.App() + ", " + r.Tenant() + ", " + r.Priority() + ", " +
			strings.Join(r.References(), "\n"),
		one: *m,
	}
	c.one.Methods = match.Get
	names := match.Variables(m.Template)
	var conditions []string
	for i, condition := range slices.Concat(m.Keys, m.Nots) {
		values := slices.Sorted(slices.Values(condition.Values()))
		k := key{
			variable: slices.Index(names, condition.Variable),
			values:   slices.Compact(values),
			isNot:    i >= len(m.Keys),
		}
		c.where = append(c.where, k)
		conditions = append(conditions, fmt.Sprintf("%d%v%q", k.variable, k.isNot, k.values))
	}
	for _, text := range r.OptionConditions() {
		c.query[text] = true
		conditions = append(conditions, text)
	}
	for _, text := range r.BodyConditions() {
		c.body[text] = true
		conditions = append(conditions, text)
	}
	if !m.Until.IsZero() {
		conditions = append(conditions, "until: "+m.Until.String())
	}
	slices.Sort(conditions)
	c.key = c.template + "\n" + strings.Join(conditions, "\n")
	return c
}

// unnamed returns the template's text with numbers as names of variables and folded names, so that two templates
// with the same text match the same.
func unnamed(t *odata.Template) string {
	segments, n := slices.Clone(t.Segments), 0
	number := func(text *string) {
		*text = strconv.Itoa(n)
		n++
	}
	for i := range segments {
		s := &segments[i]
		if s.Var {
			number(&s.Text)
		} else {
			s.Text = s.Fold
		}
		s.Args = slices.Clone(s.Args)
		for j := range s.Args {
			if s.Args[j].Var {
				number(&s.Args[j].Value)
			}
		}
	}
	text := (&odata.Target{Version: t.Version, Segments: segments}).EscapedPath()
	if t.Below {
		text += "/**"
	}
	return text
}

func (r *rule) methods() match.Methods { return r.Match().Methods.All() }

// text returns the rule for some of its methods, with its conditions: "GET /users/{id}: where: {id:
// [\"*@contoso.com\"]}".
func (r *rule) text(methods match.Methods) string {
	return r.title(methods) + conditionText(": ", r.Conditions)
}

func (r *rule) title(methods match.Methods) string {
	_, path, _ := strings.Cut(r.Text, " ")
	return methods.String() + " " + path
}

func conditionText(before string, conditions []string) string {
	if len(conditions) == 0 {
		return ""
	}
	return before + strings.Join(conditions, ", ")
}

// covers reports whether the rule allows everything that the other allows, ignoring methods.
func (r *rule) covers(other *rule) bool {
	return r.key == other.key || match.Covers(&r.one, &other.one)
}

// forbids reports whether the rule, under deny, denies everything that the other denies, ignoring methods.
func (r *rule) forbids(other *rule) bool {
	if r.template != other.template && r.template != other.template+"/**" {
		return false
	}
	for _, k := range r.where {
		if !slices.ContainsFunc(other.where, k.includes) {
			return false
		}
	}
	if hasArgs(r.one.Template) && len(r.where) != len(other.where) {
		return false // with a value, a rule for an alternate key is also for plain keys; without, it is not
	}
	for text := range r.query {
		if !other.query[text] {
			return false
		}
	}
	return r.deniesBodies(other) && (r.Until().IsZero() || !other.Until().IsZero() && !r.Until().Before(other.Until()))
}

// deniesBodies reports whether the rule, under deny, denies for its body everything that the other denies. Each
// condition denies by itself there.
func (r *rule) deniesBodies(other *rule) bool {
	if len(r.body) == 0 {
		return true
	}
	for text := range other.body {
		if !r.body[text] {
			return false
		}
	}
	return len(other.body) > 0
}

func hasArgs(t *odata.Template) bool {
	return slices.ContainsFunc(t.Segments, func(s odata.Segment) bool { return s.Kind == odata.Args })
}

// includes reports whether every value that meets the other condition meets this one.
func (k key) includes(other key) bool {
	if k.isNot { // it leaves out no more than the other
		k.values, other.values = other.values, k.values
	}
	return k.variable == other.variable && k.isNot == other.isNot &&
		!slices.ContainsFunc(other.values, func(v string) bool { return !slices.Contains(k.values, v) })
}

// isBatch reports whether the rule is for $batch itself.
func isBatch(r *policy.Rule) bool { return r.Match().Template.Segments[0].Fold == "$batch" }

func place(file string, line int) string { return file + ":" + strconv.Itoa(line) }
