package diff

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"graphproxy/policy"
	"graphproxy/policy/limit"
)

// settings reports the differences for a caller of both policies, except its evidence and its rules.
func settings(old, newer *side) []Change {
	var changes []Change
	name, where := newer.caller.Name, newer.where()
	switch was, is := old.policy.Reports(name), newer.policy.Reports(name); {
	case is && !was:
		changes = append(changes, Change{Sign: "+", Kind: KindMode, Gains: true, Where: where,
			Text: "is in report mode now: everything that would be denied is let through and recorded"})
	case was && !is:
		changes = append(changes, Change{Sign: "-", Kind: KindMode, Loses: true, Where: where,
			Text: "is no longer in report mode: what is not allowed is denied now, and was let through"})
	}
	if was, is := appText(old.caller.App, old.caller.Tenant), appText(newer.caller.App, newer.caller.Tenant); was != is {
		changes = append(changes, appChange("", was, is, where))
	}
	if was, is := rank(old.caller.Priority), rank(newer.caller.Priority); was != is {
		changes = append(changes, Change{
			Sign:  "~",
			Kind:  KindLimit,
			Gains: is > was,
			Loses: is < was,
			Where: where,
			Text: fmt.Sprintf("priority: %s is now %s", cmp.Or(old.caller.Priority, "normal"),
				cmp.Or(newer.caller.Priority, "normal")),
		})
	}
	changes = appendUntil(changes, old.caller.Until, newer.caller.Until, where)
	changes = appendInFlight(changes, old.caller.InFlight, newer.caller.InFlight, where)
	return appendLimit(changes, "limit: ", old.policy.CallerLimit(name), newer.policy.CallerLimit(name), where)
}

// appendUntil reports that a caller ends at another time.
func appendUntil(changes []Change, was, is time.Time, where string) []Change {
	if was.Equal(is) {
		return changes
	}
	text := func(t time.Time) string {
		if t.IsZero() {
			return "none"
		}
		return t.Format(time.RFC3339)
	}
	gains := is.IsZero() || !was.IsZero() && is.After(was)
	return append(changes, Change{
		Sign:  "~",
		Kind:  KindAllow,
		Gains: gains,
		Loses: !gains,
		Where: where,
		Text:  "until: " + text(was) + " is now " + text(is),
	})
}

// appendInFlight reports another share. A number and a percentage cannot be compared without the proxy's settings.
func appendInFlight(changes []Change, was, is policy.Share, where string) []Change {
	if was == is {
		return changes
	}
	same := was.Requests > 0 == (is.Requests > 0)
	more, less := is.Requests+percent(is) > was.Requests+percent(was), is.Requests+percent(is) < was.Requests+percent(was)
	return append(changes, Change{
		Sign:  "~",
		Kind:  KindLimit,
		Gains: !same || more,
		Loses: !same || less,
		Where: where,
		Text:  fmt.Sprintf("in_flight: %s is now %s", shareText(was), shareText(is)),
	})
}

// percent returns the percentage of a share without a number, by default 50.
func percent(s policy.Share) int {
	if s == (policy.Share{}) {
		return 50
	}
	return s.Percent
}

func shareText(s policy.Share) string {
	return cmp.Or(s.String(), "half of all, or all for a caller by itself")
}

// appChange reports another app registration. A policy does not show whether Graph allows it more or less.
func appChange(of, was, is, where string) Change {
	return Change{
		Sign:  "~",
		Kind:  KindApp,
		Gains: true,
		Loses: true,
		Text:  fmt.Sprintf("%sapp: %s is now %s", of, was, is),
		Where: where,
	}
}

func appText(name, tenant string) string {
	if name == "" || name == policy.DefaultApp {
		name = "the default one"
	}
	if tenant != "" {
		name += " in tenant " + tenant
	}
	return name
}

func appendLimit(changes []Change, of string, was, is *limit.Limit, where string) []Change {
	if limitText(was) == limitText(is) {
		return changes
	}
	looser, tighter := looserThan(is, was), looserThan(was, is)
	verdict := "tighter"
	switch {
	case looser && tighter:
		verdict = "looser in one, tighter in another"
	case looser:
		verdict = "looser"
	}
	text := fmt.Sprintf("%s%s is now %s (%s)", of, limitText(was), limitText(is), verdict)
	return append(changes, Change{
		Sign:  "~",
		Kind:  KindLimit,
		Gains: looser,
		Loses: tighter,
		Text:  text,
		Where: where,
	})
}

// looserThan reports whether a lets something through that b does not.
func looserThan(a, b *limit.Limit) bool {
	if b == nil {
		return false
	}
	if a == nil {
		return true
	}
	if a.Unit != b.Unit {
		return true // the units differ, so each may let something through that the other does not
	}
	more := func(a, b float64) bool { return b != 0 && (a == 0 || a > b) } // 0 is no bound
	return a.Wait > b.Wait || more(a.Rate, b.Rate) || more(float64(a.Burst), float64(b.Burst)) ||
		more(float64(a.Concurrency), float64(b.Concurrency))
}

func limitText(l *limit.Limit) string {
	if l == nil {
		return "none"
	}
	var parts []string
	if l.Rate != 0 {
		parts = append(parts, rateText(l.Rate), "burst "+strconv.Itoa(l.Burst))
	}
	if l.Unit != limit.Requests {
		parts = append(parts, "in "+l.Unit.String())
	}
	if l.Concurrency != 0 {
		parts = append(parts, strconv.Itoa(l.Concurrency)+" at once")
	}
	if l.Wait != 0 {
		parts = append(parts, "waits up to "+l.Wait.String())
	}
	return strings.Join(parts, ", ")
}

// rateText writes a rate in the smallest unit in which it is a whole number.
func rateText(perSecond float64) string {
	for _, unit := range []struct {
		seconds float64
		name    string
	}{{1, "s"}, {60, "m"}, {3600, "h"}, {86400, "24h"}} {
		if n := perSecond * unit.seconds; math.Abs(n-math.Round(n)) < 1e-9*n {
			return strconv.FormatFloat(math.Round(n), 'f', -1, 64) + "/" + unit.name
		}
	}
	return strconv.FormatFloat(perSecond*3600, 'g', 6, 64) + "/h"
}

// listValues compares the values of lists. A change shows at the rules that use them, too.
func listValues(old, newer *policy.Policy) []Change {
	was, is := old.Lists(), newer.Lists()
	names := slices.Collect(maps.Keys(is))
	for name := range was {
		if _, found := is[name]; !found {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var changes []Change
	for _, name := range names {
		var parts []string
		for _, v := range missing(is[name], was[name]) {
			parts = append(parts, "+"+v)
		}
		for _, v := range missing(was[name], is[name]) {
			parts = append(parts, "-"+v)
		}
		if len(parts) > 0 {
			const most = 20
			if len(parts) > most {
				parts = append(parts[:most], fmt.Sprintf("and %d more", len(parts)-most))
			}
			changes = append(changes, Change{
				Sign:  "~",
				Kind:  KindList,
				Text:  fmt.Sprintf("list %s: %s", name, strings.Join(parts, ", ")),
				Where: newer.File(),
			})
		}
	}
	return changes
}

// missing returns the values that the others lack.
func missing(values, others []string) []string {
	has := make(map[string]bool, len(others))
	for _, v := range others {
		has[v] = true
	}
	return slices.DeleteFunc(slices.Clone(values), func(v string) bool { return has[v] })
}

// bounds compares what bounds the files of teams. A change alters no decision, and says what a team may write next.
func bounds(old, newer *policy.Policy) []Change {
	was, is := old.Bounds(), newer.Bounds()
	names := slices.Sorted(maps.Keys(was))
	for name := range is {
		if _, found := was[name]; !found {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var changes []Change
	for _, name := range names {
		if was[name] != is[name] {
			changes = append(changes, Change{
				Sign:  "~",
				Kind:  KindBounds,
				Text:  fmt.Sprintf("bounds of %s: %s are now %s", name, cmp.Or(was[name], "none"), cmp.Or(is[name], "none")),
				Where: newer.File(),
			})
		}
	}
	return changes
}

// contact compares the contacts for refused callers.
func contact(old, newer *policy.Policy) []Change {
	was, is := cmp.Or(old.Contact(), "none"), cmp.Or(newer.Contact(), "none")
	if was == is {
		return nil
	}
	return []Change{{
		Sign:  "~",
		Kind:  KindContact,
		Text:  fmt.Sprintf("contact: %s is now %s", was, is),
		Where: newer.File(),
	}}
}

// commonLimits reports the limits that cover more than one caller.
func commonLimits(old, newer *policy.Policy) []Change {
	var changes []Change
	was := make(map[string]policy.CommonLimit)
	for _, c := range old.Limits() {
		was[c.Limit.Name] = c
	}
	for _, c := range newer.Limits() {
		o, found := was[c.Limit.Name]
		delete(was, c.Limit.Name)
		if !found {
			changes = append(changes, Change{Sign: "-", Kind: KindLimit, Loses: true,
				Text: c.Limit.Name + " is new: " + commonText(c), Where: newer.File()})
			continue
		}
		changes = appendLimit(changes, c.Limit.Name+": ", o.Limit, c.Limit, newer.File())
		if coverText(o) != coverText(c) {
			changes = append(changes, Change{
				Sign:  "~",
				Kind:  KindLimit,
				Gains: true,
				Loses: true,
				Text:  c.Limit.Name + ": " + coverText(o) + " is now " + coverText(c),
				Where: newer.File(),
			})
		}
	}
	for _, c := range old.Limits() {
		if _, gone := was[c.Limit.Name]; gone {
			changes = append(changes, Change{Sign: "+", Kind: KindLimit, Gains: true,
				Text: c.Limit.Name + " is gone: " + commonText(c), Where: old.File()})
		}
	}
	return changes
}

func commonText(c policy.CommonLimit) string { return limitText(c.Limit) + ", " + coverText(c) }

func coverText(c policy.CommonLimit) string {
	covers := make([]string, len(c.Covers))
	for i, r := range c.Covers {
		covers[i] = r.Text
	}
	slices.Sort(covers)
	text := "covers " + strings.Join(slices.Compact(covers), ", ")
	if c.All {
		text = "covers every request"
	}
	if c.Own != "" {
		text += " of callers in " + c.Own
	}
	if len(c.Per) > 0 {
		text += ", for each " + strings.Join(slices.Sorted(slices.Values(c.Per)), " and ")
	}
	return text
}
