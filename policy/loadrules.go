package policy

import (
	"cmp"
	"slices"
	"strings"

	"graphproxy/policy/graph/odata"
	"graphproxy/policy/match"
	"graphproxy/policy/yamlfile"
)

// ruleSet is an entry of rules, which callers include.
type ruleSet struct {
	file  string
	line  int
	rules []*Rule
	used  bool
	own   string // the file whose callers may include it; "": any
}

func (l *loader) ruleSets(v yamlfile.Value) {
	if !v.IsSet() {
		return
	}
	for _, f := range v.Fields("sets of rules by name") {
		l.name("set of rules", f)
		if !l.unique("set of rules", f) {
			continue
		}
		set := &ruleSet{file: l.report.File, line: f.Line, own: l.own()}
		for _, item := range f.Value.Items("a list of rules") {
			if name, _, isInclude := includeOf(item); isInclude {
				name.Errorf("a set of rules does not include another; write its rules here")
			} else if r := l.rule(item); r != nil {
				set.rules = append(set.rules, r)
			}
		}
		l.sets[f.Key] = set
		l.setNames = append(l.setNames, f.Key)
	}
}

// rules reads the items of allow or deny, and replaces includes by their rules.
func (l *loader) rules(items []yamlfile.Value) []*Rule {
	var rules []*Rule
	for _, item := range items {
		if name, until, isInclude := includeOf(item); isInclude {
			rules = append(rules, l.include(name, until)...)
		} else if r := l.rule(item); r != nil {
			rules = append(rules, r)
		}
	}
	return rules
}

// includeOf returns the fields of {include: set}, which may also have until.
func includeOf(item yamlfile.Value) (name, until yamlfile.Value, isInclude bool) {
	if !item.IsMapping() {
		return name, until, false
	}
	fields := item.Fields("a rule")
	for _, f := range fields {
		switch f.Key {
		case "include":
			name, isInclude = f.Value, true
		case "until":
			until = f.Value
		default:
			return name, until, false
		}
	}
	return name, until, isInclude
}

func (l *loader) include(v, until yamlfile.Value) []*Rule {
	name, ok := v.Text("the name of a set of rules")
	if !ok {
		return nil
	}
	set := l.sets[name]
	if set == nil {
		v.Errorf("%s", yamlfile.Unknown("set of rules", name, l.setNames))
		return nil
	}
	set.used = true
	if set.own != "" && set.own != v.File() {
		v.Errorf(
			"the set of rules %q is in %s, which has bounds, so only callers of that file include it; write its rules here, "+
				"or in a file without bounds",
			name,
			set.file,
		)
	}
	return endingWith(set.rules, l.until(until))
}

// denyRules reads deny, and refuses settings that have no meaning or are ambiguous there.
func (l *loader) denyRules(v yamlfile.Value) []*Rule {
	if !v.IsSet() {
		return nil
	}
	var rules []*Rule
	for _, item := range v.Items("a list of rules") {
		for _, r := range l.rules([]yamlfile.Value{item}) {
			l.checkDeny(item, r)
			rules = append(rules, r)
		}
	}
	return rules
}

func (l *loader) checkDeny(item yamlfile.Value, r *Rule) {
	if r.limit != nil || r.app != "" || r.tenant != "" || r.priority != "" || r.references != nil {
		item.Errorf("%s is denied here, so its references, limit, app, tenant or priority has no meaning; take it out",
			r.Text)
	}
	checkDenyBody(item, r)
	for i := range r.match.Options {
		if err := r.match.Options[i].CheckDenySet(); err != nil {
			item.Errorf("%v", err)
		}
	}
}

// rule reads one rule: its text, or a mapping of its text to its settings.
func (l *loader) rule(v yamlfile.Value) *Rule {
	if !v.IsMapping() {
		text, ok := v.Text("a rule, METHOD /path")
		if !ok {
			return nil
		}
		return l.ruleText(v, v.Line(), text)
	}
	f, ok := l.ruleField(v)
	if !ok {
		return nil
	}
	r := l.ruleText(v, f.Line, f.Key)
	settings := f.Value.Mapping(ruleKeys()...)
	if r == nil {
		return nil
	}
	l.where(r, settings["where"])
	l.query(r, settings["query"])
	l.body(r, settings["body"])
	r.references = l.references(settings["references"])
	r.unknown = l.unknown(settings["unknown"])
	r.app, r.tenant = l.app(settings["app"]), l.tenant(settings["tenant"])
	r.appAt, r.priority = l.appAt(settings, v), l.priority(settings["priority"])
	r.setUntil(l.until(settings["until"]))
	r.about = about(settings)
	if settings["limit"].IsSet() {
		r.limit = l.limit(settings["limit"], r.Where()+" "+r.Text)
	}
	return r
}

// ruleKeys are the settings of a rule.
func ruleKeys() []string {
	return slices.Concat([]string{"where", "query", "body", "references", "limit", "app", "tenant", "priority", "unknown",
		"until"}, aboutKeys())
}

// ruleField returns the one key of a rule's mapping, which is its text.
func (l *loader) ruleField(v yamlfile.Value) (rule yamlfile.Field, ok bool) {
	fields := v.Fields("a rule, METHOD /path")
	for _, f := range fields {
		switch {
		case strings.Contains(f.Key, " /") && !ok:
			rule, ok = f, true
		case strings.Contains(f.Key, " /"):
			l.report.Add(f.Line, v.Where(), "a second rule in one item; begin it with \"- \" in front")
			return rule, false
		}
	}
	if len(fields) == 1 && ok {
		return rule, true
	}
	for _, f := range fields {
		switch {
		case f.Key == rule.Key && ok:
		case ok && slices.Contains(ruleKeys(), f.Key):
			l.report.Add(f.Line, v.Where(), "%q stands beside the rule; indent it further, so that it stands under it", f.Key)
		case f.Key == "include":
			l.report.Add(f.Line, v.Where(), "\"include\" stands alone in its item")
		default:
			l.report.Add(f.Line, v.Where(), "%s; a rule is written METHOD /path",
				strings.TrimSuffix(yamlfile.Unknown("key", f.Key, []string{"include", "until"}), "; known here: include, until"))
		}
	}
	return rule, false
}

// ruleText reads "GET,POST /users/{id}".
func (l *loader) ruleText(v yamlfile.Value, line int, text string) *Rule {
	list, path, found := strings.Cut(text, " ")
	if meant := ruleMeant(text); meant != "" || !found || !strings.HasPrefix(path, "/") {
		l.report.Add(line, v.Where(), "%.200q is not a rule; write METHOD /path, such as %s", text,
			cmp.Or(meant, "GET /users/{id} or POST,DELETE /groups/{id}/members/$ref"))
		return nil
	}
	if written, meant := foreignVariable(path); written != "" {
		l.report.Add(line, v.Where(), "%q is not how a key is written here; write %s", written, meant)
		return nil
	}
	m, problem := parseMethods(list)
	if problem != "" {
		l.report.Add(line, v.Where(), "%s", problem)
	}
	t, err := odata.ParseTemplate(path)
	if err != nil {
		l.report.Add(line, v.Where(), "%v", err)
		return nil
	}
	r := &Rule{File: l.report.File, Line: line, Path: t.Text, match: match.Rule{Methods: m, Template: t}}
	r.where = r.Where()
	r.Text = m.String() + " " + strings.TrimPrefix(t.Text, "/v1.0")
	return r
}

// parseMethods reads GET or GET,POST or ANY. The problem is "" if there is none.
func parseMethods(list string) (methods match.Methods, problem string) {
	if list == "ANY" {
		return match.Any, ""
	}
	for name := range strings.SplitSeq(list, ",") {
		m := match.MethodOf(name)
		switch upper := strings.ToUpper(name); {
		case name == "HEAD":
			return 0, "HEAD is judged as GET; write GET"
		case name == "READ":
			m = match.Read
			if methods&match.Get != 0 {
				return 0, "READ already stands for GET; leave GET out"
			}
		case name == "ANY":
			return 0, "ANY already stands for every method; write it alone"
		case m == match.Get && methods&match.ReadPost != 0:
			return 0, "READ already stands for GET; leave GET out"
		case m == 0 && (match.MethodOf(upper) != 0 || upper == "ANY" || upper == "READ"):
			return 0, "methods are written in capital letters: " + upper
		case m == 0:
			return 0, yamlfile.Unknown("method", name, []string{"GET", "POST", "PUT", "PATCH", "DELETE", "READ", "ANY"})
		case methods&m != 0:
			return 0, "the method " + name + " is there twice; keep one"
		}
		methods |= m
	}
	return methods, ""
}
