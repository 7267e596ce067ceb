package policy

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"graphproxy/policy/graph/odata"
	"graphproxy/policy/match"
	"graphproxy/policy/yamlfile"
)

// bounds are an entry of the main file's bounds: the most that the files of its pattern may allow, and to which
// callers.
type bounds struct {
	pattern string
	place   string // "policy.yaml:4"
	value   yamlfile.Value
	callers []string // patterns of names
	allow   []*Rule
	text    string
}

// boundsOf returns the bounds of a file.
func (l *loader) boundsOf(shown string) []*bounds {
	var all []*bounds
	for _, b := range l.bounds {
		for _, d := range l.files[1:] {
			if d.shown == shown && IsIncluded(b.pattern, d.Name) {
				all = append(all, b)
			}
		}
	}
	return all
}

// boundedFiles reads which files have bounds. What the bounds are is read when the sets of rules are known.
func (l *loader) boundedFiles(v yamlfile.Value) {
	if !v.IsSet() {
		return
	}
	var names []string
	for _, d := range l.files[1:] {
		names = append(names, d.Name)
	}
	for _, f := range v.Fields("files with their bounds") {
		if problem := patternProblem(f.Key); problem != "" {
			l.report.Add(f.Line, v.Where(), "%.200q %s", f.Key, problem)
			continue
		}
		isFound := slices.ContainsFunc(names, func(name string) bool { return IsIncluded(f.Key, name) })
		switch {
		case IsIncluded(f.Key, l.files[0].Name):
			l.report.Add(f.Line, v.Where(),
				"%q is the main file, which has no bounds; write the name of a file that include names",
				f.Key)
		case !isFound:
			l.report.Add(f.Line, v.Where(), "%s", yamlfile.Unknown("file", f.Key, names))
		}
		l.bounds = append(l.bounds, &bounds{
			pattern: f.Key,
			place:   fmt.Sprintf("%s:%d", f.Value.File(), f.Line),
			value:   f.Value,
			text:    f.Value.Flow(),
		})
	}
	l.withoutBounds()
}

// withoutBounds warns of files beside those that have bounds.
func (l *loader) withoutBounds() {
	bounded := make(map[string]bool)
	for _, d := range l.files[1:] {
		if len(l.boundsOf(d.shown)) > 0 {
			bounded[path.Dir(d.Name)] = true
		}
	}
	for _, d := range l.files[1:] {
		if dir := path.Dir(d.Name); dir != "." && bounded[dir] && len(l.boundsOf(d.shown)) == 0 {
			l.warnings.AddIn(d.shown, 1, "", "this file has no bounds, and others in %s have: it may allow everything to any "+
				"caller. Write bounds for it in %s, or bounds for %s/*.yaml", dir, l.files[0].shown, dir)
		}
	}
}

// readBounds reads what the bounds are.
func (l *loader) readBounds() {
	l.enter(l.files[0].shown)
	for _, b := range l.bounds {
		keys := b.value.Mapping("allow", "callers")
		if !b.value.IsMapping() {
			continue
		}
		l.require(b.value.Line(), b.value.Where(), keys, "allow", "write the rules that its callers may have at most")
		l.require(b.value.Line(), b.value.Where(), keys, "callers",
			`write the names that its callers may have, such as "hr-*"`)
		b.allow = l.rules(keys["allow"].List("a list of rules"))
		for _, r := range b.allow {
			if r.limit != nil {
				keys["allow"].Errorf("%s has a limit, and each caller and rule of the file would have that much; write a limit "+
					"with covers under limits: instead", r.Text)
			}
		}
		const expected = `the names of callers, such as "hr-*"`
		for _, item := range keys["callers"].OneOrMore(expected) {
			text, ok := item.Text(expected)
			if ok && !yamlfile.IsName(strings.ReplaceAll(text, "*", "x")) {
				item.Errorf("%.80q is not %s", text, expected)
				continue
			}
			b.callers = append(b.callers, text)
		}
	}
}

// checkBounds refuses what a file says beyond its bounds. What is not surely within them is beyond them.
func (l *loader) checkBounds() {
	for _, d := range l.files[1:] {
		l.enter(d.shown)
		for _, b := range l.boundsOf(d.shown) {
			if v := d.top["deny"]; v.IsSet() {
				v.Errorf("deny: here is for every caller, and the bounds of this file (%s) are for its own; write it under its "+
					"callers", b.place)
			}
			for i := range l.policy.callers {
				if c := &l.policy.callers[i]; c.File == d.shown {
					l.checkCaller(b, c)
				}
			}
		}
	}
}

func (l *loader) checkCaller(b *bounds, c *Caller) {
	where, book := "callers."+c.Name, l.policy.rules[c.Name]
	beyond := func(line int, where, what, cure string) {
		l.report.Add(line, where, "%s the bounds of this file (%s); %s", what, b.place, cure)
	}
	isNamed := slices.ContainsFunc(b.callers, func(pattern string) bool {
		ok, err := path.Match(pattern, c.Name)
		return ok && err == nil
	})
	if !isNamed && len(b.callers) > 0 {
		beyond(c.Line, where, "the name is not one of", "rename it, such as "+strings.Join(b.callers, " or "))
	}
	if line, found := l.reporting[c.Name]; found {
		beyond(line, where+".mode", "mode: report lets through what no rule allows, which exceeds", "take it out")
	}
	if c.InFlight.Requests > 0 || c.InFlight.Percent > mostPercent {
		beyond(c.Line, where+".in_flight",
			fmt.Sprintf("%s may be more than the %d%% that a caller has without in_flight, which exceeds", c.InFlight,
				mostPercent),
			fmt.Sprintf("write %d%% or less", mostPercent))
	}
	for _, r := range book.allowRules {
		if problem := b.exceeds(book, r); problem != "" {
			line, text := r.Line, r.Text
			if r.File != c.File {
				line, text = c.Line, r.Text+" ("+r.Where()+"), which it includes,"
			}
			beyond(line, where+".allow", text+" "+problem, "narrow the rule, or take it out")
		}
	}
}

// mostPercent is the share of all requests in flight that a caller without in_flight has beside others.
const mostPercent = 50

// exceeds returns what of a rule of a caller is beyond the bounds; "" if it is within them. Each method of the rule
// must be allowed by one rule of the bounds as a whole.
func (b *bounds) exceeds(book *ruleBook, r *Rule) string {
	for m := match.Get; m <= match.ReadPost; m <<= 1 {
		if r.match.Methods&m == 0 {
			continue
		}
		part := *r
		part.match.Methods = m
		part.match.Until = sooner(part.match.Until, book.until)
		if !slices.ContainsFunc(b.allow, func(bound *Rule) bool { return b.includes(bound, book, &part) }) {
			return "is more than " + b.nearest(r)
		}
	}
	return ""
}

// includes reports whether a rule of the bounds allows all that a rule of a caller allows, in the same way.
func (b *bounds) includes(bound *Rule, book *ruleBook, r *Rule) bool {
	app, tenant := book.appOf(r)
	return match.Covers(&bound.match, &r.match) &&
		app == cmp.Or(bound.app, DefaultApp) && strings.EqualFold(tenant, bound.tenant) &&
		rank(cmp.Or(r.priority, book.priority)) <= rank(bound.priority) &&
		bound.references.cover(r.references)
}

// rank orders priorities.
func rank(priority string) int {
	return slices.Index([]string{"low", "normal", "high"}, cmp.Or(priority, "normal"))
}

// nearest says which rules of the bounds could have been meant to allow a rule.
func (b *bounds) nearest(r *Rule) string {
	first := func(of *Rule) *odata.Segment { return &of.match.Template.Segments[0] }
	for _, isNear := range []func(*Rule) bool{
		func(bound *Rule) bool { return bound.Path == r.Path && bound.match.Methods.All()&r.match.Methods != 0 },
		func(bound *Rule) bool { return bound.Path == r.Path },
		func(bound *Rule) bool { return first(bound).Fold == first(r).Fold },
	} {
		if i := slices.IndexFunc(b.allow, isNear); i >= 0 {
			return b.allow[i].Text + " (" + b.allow[i].Where() + ")" + strings.Join(append([]string{""},
				b.allow[i].Conditions...), ", ") +
				", the nearest rule in"
		}
	}
	return "any rule in"
}

// cover reports whether all that others let a request refer to may be referred to; nil lets it refer to anything.
func (refs *references) cover(others *references) bool {
	switch {
	case refs == nil:
		return true
	case others == nil:
		return false
	}
	return !slices.ContainsFunc(others.rules, func(other *Rule) bool {
		return !slices.ContainsFunc(refs.rules, func(r *Rule) bool { return match.Covers(&r.match, &other.match) })
	})
}

// own returns the name of the current file if it has bounds, else "". What such a file defines is for its own callers.
func (l *loader) own() string {
	if len(l.boundsOf(l.report.File)) == 0 {
		return ""
	}
	return l.report.File
}

// Bounds returns the bounds of files, as text: by the pattern of the files' names. The caller of Bounds must not change
// them.
func (p *Policy) Bounds() map[string]string { return p.bounds }

// BoundRules returns the rules of all bounds.
func (p *Policy) BoundRules() []*Rule { return p.boundRules }
