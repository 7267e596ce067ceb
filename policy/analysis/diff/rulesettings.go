package diff

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"graphproxy/policy/match"
)

// ruleSettings reports limits and apps that differ between rules that match the same, or where one matches
// everything that the other matches.
func ruleSettings(old, newer *side) []Change {
	oldKeys, newKeys := keysOf(old.allow), keysOf(newer.allow)
	var changes []Change
	report := func(o, n, of *rule) {
		if methods := o.methods() & n.methods(); methods != 0 {
			changes = append(changes, ruleSetting(o, n, of.title(methods)+": ", n.Where())...)
		}
	}
	for _, n := range newer.allow {
		for _, o := range old.allow {
			switch {
			case o.settings == n.settings:
			case o.key == n.key, !oldKeys[n.key] && o.covers(n):
				report(o, n, n)
			case !newKeys[o.key] && n.covers(o):
				report(o, n, o)
			}
		}
	}
	return append(changes, orders(old, newer)...)
}

// orders reports rules with their own limits or apps whose order changed: among the rules that allow a request, the
// first decides.
func orders(old, newer *side) []Change {
	was := make(map[string]int)
	for i, r := range old.allow {
		was[r.key] = i + 1
	}
	var changes []Change
	for i, later := range newer.allow {
		for _, first := range newer.allow[:i] {
			if later.settings == first.settings || was[first.key] <= was[later.key] || was[later.key] == 0 ||
				later.methods()&first.methods() == 0 || !match.Overlaps(&later.one, &first.one) {
				continue
			}
			text := first.title(later.methods()&first.methods()) + " comes before " + later.title(later.methods()) +
				" now, and its limit and app count for what both allow"
			changes = append(changes, Change{
				Sign:  "~",
				Kind:  KindLimit,
				Gains: true,
				Loses: true,
				Text:  text,
				Where: first.Where(),
			})
		}
	}
	return changes
}

func ruleSetting(old, newer *rule, of, where string) []Change {
	var changes []Change
	if was, is := appText(old.App(), old.Tenant()), appText(newer.App(), newer.Tenant()); was != is {
		changes = append(changes, appChange(of, was, is, where))
	}
	if old.Priority() != newer.Priority() {
		changes = append(changes, Change{
			Sign:  "~",
			Kind:  KindLimit,
			Gains: true,
			Loses: true,
			Where: where,
			Text: fmt.Sprintf("%spriority: %s is now %s", of, cmp.Or(old.Priority(), "the caller's"),
				cmp.Or(newer.Priority(), "the caller's")),
		})
	}
	if was, is := referencesText(old), referencesText(newer); was != is {
		changes = append(changes, Change{
			Sign:  "~",
			Kind:  KindAllow,
			Gains: true,
			Loses: true,
			Where: where,
			Text:  fmt.Sprintf("%sreferences: %s is now %s", of, was, is),
		})
	}
	return appendLimit(changes, of+"limit: ", old.Limit(), newer.Limit(), where)
}

// referencesText returns the text of what requests under a rule may refer to.
func referencesText(r *rule) string {
	if !r.BoundsReferences() {
		return "any"
	}
	return strings.Join(r.References(), " and ")
}

// rank orders priorities. Graph takes a request that names none as normal.
func rank(priority string) int {
	return slices.Index([]string{"low", "", "high"}, strings.TrimPrefix(priority, "normal"))
}

// settingsText returns the text of the settings of an added rule.
func settingsText(r *rule) string {
	text := ""
	if r.Limit() != nil {
		text += ", limit: " + limitText(r.Limit())
	}
	if r.BoundsReferences() {
		text += ", references: " + referencesText(r)
	}
	if r.App() != "" {
		text += ", app: " + r.App()
	}
	if r.Tenant() != "" {
		text += ", tenant: " + r.Tenant()
	}
	if r.Priority() != "" {
		text += ", priority: " + r.Priority()
	}
	return text
}
