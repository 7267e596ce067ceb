package diff

import (
	"slices"
	"strings"

	"graphproxy/policy"
)

// conditionChange returns, as text, how the conditions of a rule changed. Of a list that keeps some of its values
// it has the values that came and went, and of any other condition all of it.
func conditionChange(old, newer *rule) string {
	went, came := conditionsBesides(old, newer), conditionsBesides(newer, old)
	var parts, gone []string
	for _, was := range went {
		at := slices.IndexFunc(came, func(is string) bool { return listChange(old, newer, was, is) != "" })
		if at < 0 {
			gone = append(gone, was)
			continue
		}
		parts = append(parts, listChange(old, newer, was, came[at]))
		came = slices.Delete(came, at, at+1)
	}
	if len(gone)+len(came) > 0 {
		parts = append(parts, conditionsOr(gone)+" is now "+conditionsOr(came))
	}
	return strings.Join(parts, "; ")
}

// conditionsBesides returns the rule's conditions that the other does not have.
func conditionsBesides(r, other *rule) []string {
	var own []string
	for _, c := range r.Conditions {
		if !slices.Contains(other.Conditions, c) {
			own = append(own, c)
		}
	}
	return own
}

func conditionsOr(conditions []string) string {
	if len(conditions) == 0 {
		return "no further condition"
	}
	return strings.Join(conditions, ", ")
}

// listChange returns the values that came and went of a list: "where: {id} gains a, b and loses c"; "" if the
// conditions are no lists about the same thing, or have no value in common.
func listChange(old, newer *rule, was, is string) string {
	o, wasList := old.ConditionList(was)
	n, isList := newer.ConditionList(is)
	if !wasList || !isList || o.Of != n.Of {
		return ""
	}
	gained, lost := valuesBesides(n, o), valuesBesides(o, n)
	if len(lost) == len(o.Values) || len(gained)+len(lost) == 0 {
		return ""
	}
	var parts []string
	if len(gained) > 0 {
		parts = append(parts, "gains "+strings.Join(gained, ", "))
	}
	if len(lost) > 0 {
		parts = append(parts, "loses "+strings.Join(lost, ", "))
	}
	return n.Of + " " + strings.Join(parts, " and ")
}

func valuesBesides(l, other policy.ConditionList) []string {
	var own []string
	for _, v := range l.Values {
		if !slices.Contains(other.Values, v) {
			own = append(own, v)
		}
	}
	return own
}
