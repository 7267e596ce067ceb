package permissions

import (
	"cmp"
	"slices"
	"strings"

	"graphproxy/policy"
	"graphproxy/policy/match"
	"graphproxy/policy/operations"
	"graphproxy/policy/yamlfile"
)

// Check compares the app's roles, as a token lists them, with the allow rules that use an app registration, or the
// default one if app is "". Roles compare without regard to case. A rule that is denied as a whole needs no role,
// and neither does a $batch or $metadata. Conditions of allow rules and their tenants are ignored. It is safe for
// concurrent use.
func Check(p *policy.Policy, d *Data, roles []string, app string) Report {
	app = cmp.Or(app, policy.DefaultApp)
	c := &checker{
		data: d,
		hand: make(map[string]*role),
		used: make(map[*role]map[*policy.Rule][]operation),
		report: Report{
			App:          app,
			Roles:        []Role{},
			Cannot:       []Finding{},
			Partly:       []Finding{},
			Undocumented: []Finding{},
			Unused:       []Role{},
			Unknown:      []Unknown{},
			Advice:       []Advice{},
			PerResource:  []Role{},
			Depends:      []Finding{},
		},
	}
	c.roles(roles)
	for _, u := range usesOf(p, app) {
		c.rule(u)
	}
	c.superfluous()
	return c.report
}

type checker struct {
	data   *Data
	hand   map[string]*role                       // the app's known roles, by name in lower case
	used   map[*role]map[*policy.Rule][]operation // what each of the app's roles covers
	report Report

	operations *operations.Set // nil until a rule is looked up
}

// roles sorts the app's roles into those that the file knows and the others.
func (c *checker) roles(names []string) {
	names = slices.Clone(names)
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(strings.ToLower(a), strings.ToLower(b)), cmp.Compare(a, b))
	})
	for _, name := range slices.Compact(names) {
		known := c.data.roles[strings.ToLower(name)]
		switch {
		case known == nil:
			c.report.Unknown = append(c.report.Unknown, Unknown{name, c.unknown(name)})
		case known.other:
			c.report.Unknown = append(c.report.Unknown, Unknown{name,
				"it is no permission that an app is granted as a role, but one of signed-in users or for single resources"})
		case c.hand[strings.ToLower(name)] == nil:
			c.hand[strings.ToLower(name)] = known
			c.report.Roles = append(c.report.Roles, known.Role)
			if isSelected(known.Name) {
				c.report.PerResource = append(c.report.PerResource, known.Role)
			}
		}
	}
}

func (c *checker) unknown(name string) string {
	var known []string
	for _, r := range c.data.roles {
		if !r.other {
			known = append(known, r.Name)
		}
	}
	slices.Sort(known)
	if near := yamlfile.Nearest(name, known); near != "" {
		return "the file has no such permission; is " + near + " meant?"
	}
	return "the file has no such permission: it is misspelt, newer than the file, or of another service than " +
		"Microsoft Graph"
}

// use is a rule that uses the app.
type use struct {
	rule *policy.Rule
	deny [][]*policy.Rule // of each caller that has the rule with the app
}

// usesOf returns the allow rules that use an app, in file order of callers. A rule that several callers include is
// returned once.
func usesOf(p *policy.Policy, app string) []*use {
	var all []*use
	byRule := make(map[*policy.Rule]*use)
	for _, caller := range p.Callers() {
		allow, deny := p.Rules(caller.Name)
		for _, r := range allow {
			if name := cmp.Or(r.App(), caller.App); name != app {
				continue
			}
			u := byRule[r]
			if u == nil {
				u = &use{rule: r}
				byRule[r] = u
				all = append(all, u)
			}
			u.deny = append(u.deny, deny)
		}
	}
	slices.SortStableFunc(all, func(a, b *use) int {
		return cmp.Or(cmp.Compare(a.rule.File, b.rule.File), a.rule.Line-b.rule.Line)
	})
	return all
}

// denied reports whether every caller of the rule is denied everything that it matches.
func (u *use) denied(what *match.Rule) bool {
	return !slices.ContainsFunc(u.deny, func(rules []*policy.Rule) bool {
		return !slices.ContainsFunc(rules, func(d *policy.Rule) bool { return match.Covers(d.Match(), what) })
	})
}

// allowed returns the methods that the rule allows, and that are not all denied.
func (u *use) allowed() match.Methods {
	var methods match.Methods
	for m := match.Get; m <= match.Delete; m <<= 1 {
		what := *u.rule.Match()
		if what.Methods &= m; what.Methods != 0 && !u.denied(&what) {
			methods |= m
		}
	}
	return methods
}

// rule looks up one rule and adds it to its place in the report.
func (c *checker) rule(u *use) {
	t := u.rule.Match().Template
	methods := u.allowed()
	if first := t.Segments[0].Fold; methods == 0 || first == "$batch" || first == "$metadata" {
		return
	}
	c.report.Rules++
	f := Finding{Where: u.rule.Where(), Rule: u.rule.Text, Needs: []Need{}, Operations: []Operation{}}
	f.Operations = append(f.Operations, c.named(u.rule.Match(), methods)...)
	if t.Segments[0].Base == "me" {
		f.Reason = "/me is the user who has signed in, and a token of an app has none: write /users/{id}"
		c.report.Cannot = append(c.report.Cannot, f)
		return
	}
	undocumented := c.look(u, methods, &f)
	f.Note = noteOn(f.Needs)
	selected := c.selectedFor(u.rule)
	switch {
	case selected != "" && (f.Documented > f.Covered || undocumented != 0):
		f.Reason = selected + " covers the resources that an administrator granted to the app, and no token shows which"
		c.report.Depends = append(c.report.Depends, f)
		return
	case f.Documented == 0 && f.SignedIn > 0:
		f.Reason = "only a signed-in user can do this: no role covers it"
		c.report.Cannot = append(c.report.Cannot, f)
	case f.Documented > 0 && f.Covered == 0:
		c.report.Cannot = append(c.report.Cannot, f)
	case f.Documented > f.Covered || f.SignedIn > 0 && !t.Below:
		c.report.Partly = append(c.report.Partly, f)
	case f.Documented > 0 && undocumented == 0:
		c.report.Work++
	}
	if undocumented != 0 {
		c.undocumented(u, undocumented, f)
	}
}

// look fills in what the file documents for a rule, and returns the undocumented methods. For ANY no method counts
// as missing as long as one is documented, because few paths have all methods.
func (c *checker) look(u *use, methods match.Methods, f *Finding) (undocumented match.Methods) {
	needs := make(map[*role]*Need)
	documented := match.Methods(0)
	for m := match.Get; m <= match.Delete; m <<= 1 {
		if m&methods == 0 {
			continue
		}
		for _, o := range c.data.operations(u.rule.Match().Template, m) {
			if o.plain && u.denied(&match.Rule{Methods: m, Template: o.meet}) {
				documented |= m
				continue
			}
			if c.operation(u, o, f, needs) {
				documented |= m
			}
		}
	}
	for _, n := range needs {
		f.Needs = append(f.Needs, *n)
	}
	slices.SortFunc(f.Needs, func(a, b Need) int {
		return cmp.Or(len(b.Operations)-len(a.Operations), cmp.Compare(a.Name, b.Name))
	})
	if documented != 0 && u.rule.Match().Methods == match.Any {
		return 0
	}
	return methods &^ documented
}

// operation adds one operation to the finding. It reports false for an operation that is documented only for single
// resources, because tokens do not show the resource.
func (c *checker) operation(u *use, o operation, f *Finding, needs map[*role]*Need) bool {
	least := o.entry.least(o.method)
	switch {
	case least == nil && o.entry.single&o.method != 0:
		return false
	case least == nil:
		f.SignedIn++
		return true
	}
	f.Documented++
	if c.cover(u.rule, o) {
		f.Covered++
		return true
	}
	n := needs[least.role]
	if n == nil {
		n = &Need{Role: least.role.Role}
		needs[least.role] = n
	}
	if with := c.partner(least); with != "" {
		n.With = with
	}
	n.Operations = append(n.Operations, o.String())
	return true
}

// cover reports whether one of the app's roles covers an operation, and records all that are used for it.
func (c *checker) cover(r *policy.Rule, o operation) bool {
	covered := false
	for i := range o.entry.grants {
		g := &o.entry.grants[i]
		if g.methods&o.method == 0 || c.hand[strings.ToLower(g.role.Name)] == nil {
			continue
		}
		c.use(g.role, r, o)
		for _, also := range g.also {
			if other := c.hand[also]; other != nil {
				c.use(other, r, o)
			}
		}
		covered = covered || c.partner(g) == "" && !isSelected(g.role.Name)
	}
	return covered
}

func (c *checker) use(role *role, r *policy.Rule, o operation) {
	if c.used[role] == nil {
		c.used[role] = make(map[*policy.Rule][]operation)
	}
	c.used[role][r] = append(c.used[role][r], o)
}

// partner returns the role that a grant also requires and that the app does not have; "" if there is none. If
// several would suffice, it is the least privileged one.
func (c *checker) partner(g *grant) string {
	var best *role
	for _, name := range g.also {
		if c.hand[name] != nil {
			return ""
		}
		if other := c.data.roles[name]; other != nil && !other.other && (best == nil || compareRoles(other, best) < 0) {
			best = other
		}
	}
	switch {
	case best != nil:
		return best.Name
	case len(g.also) > 0:
		return g.also[0]
	}
	return ""
}

func (c *checker) undocumented(u *use, methods match.Methods, f Finding) {
	f.Methods, f.Needs = methods.String(), []Need{}
	f.Reason = "the file has no entry for it"
	for m := match.Get; m <= match.Delete; m <<= 1 {
		if m&methods != 0 && len(c.data.operations(u.rule.Match().Template, m)) > 0 {
			f.Reason = "the file has only consent of single resources for it (RSC), which no token shows"
		}
	}
	c.report.Undocumented = append(c.report.Undocumented, f)
}
