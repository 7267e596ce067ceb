package policy

import (
	"slices"
	"strings"

	"graphproxy/policy/graph/odata"
	"graphproxy/policy/match"
	"graphproxy/policy/yamlfile"
)

// where reads the conditions on the variables of a rule.
func (l *loader) where(r *Rule, v yamlfile.Value) {
	if !v.IsSet() {
		return
	}
	for _, f := range v.Fields("variables of the rule with their values") {
		r.Conditions = append(r.Conditions, r.conditionText("where: {"+f.Key+": ", f.Value))
		if f.Value.IsMapping() && slices.Contains(match.Variables(r.match.Template), f.Key) {
			l.listConditions(r, f.Key, f.Value)
			continue
		}
		key, found := match.NewKey(r.match.Template, f.Key, l.values(f.Value, "a value or a list of values"))
		if !found {
			l.report.Add(f.Line, v.Where(), "%s", yamlfile.Unknown("variable", f.Key, match.Variables(r.match.Template)))
		}
		if found {
			l.checkValues(r, &key, f.Value)
		}
		r.match.Keys = append(r.match.Keys, key)
	}
}

// checkValues checks each value of a variable.
func (l *loader) checkValues(r *Rule, k *match.Key, v yamlfile.Value) {
	if !v.IsScalar() && !v.IsList() {
		return // values has reported it
	}
	for _, item := range v.OneOrMore("a value or a list of values") {
		if item.IsScalar() {
			text, _ := item.Text("a value")
			l.checkValue(r, k, listValue{text, item.File(), item.Where(), item.Line()})
		}
	}
}

// conditionText returns one condition on one line, where: {id: [a]}, and keeps its values where it is a list.
func (r *Rule) conditionText(key string, v yamlfile.Value) string {
	text := odata.Visible(key + v.Flow() + "}")
	if !v.IsList() {
		return text
	}
	l := ConditionList{Of: strings.TrimSuffix(key, ": ") + "}"}
	for _, item := range v.OneOrMore("a value") {
		l.Values = append(l.Values, odata.Visible(item.Flow()))
	}
	if r.lists == nil {
		r.lists = make(map[string]ConditionList)
	}
	r.lists[text] = l
	return text
}

// values reads values in which a star stands for any run of characters.
func (l *loader) values(v yamlfile.Value, expected string) []string {
	var values []string
	for _, item := range v.OneOrMore(expected) {
		text, ok := item.Text(expected)
		if ok && len(text) > match.MaxPattern {
			item.Errorf("this value has %d bytes; at most %d are read", len(text), match.MaxPattern)
			continue
		}
		values = append(values, text)
	}
	return values
}

// systemOptions are the names that begin with "$". The list is closed, because a misspelled option would bound
// nothing. Graph also takes the first plainOptions of them without "$", which odata reads as the same option.
var systemOptions = [...]string{
	"$select", "$expand", "$filter", "$orderby", "$search", "$top", "$skip", "$count", "$format", "$skiptoken",
	"$deltatoken", "$apply", "$compute", "$id", "$index", "$levels", "$schemaversion",
}

const plainOptions = 13

// query reads the conditions on the query options of a rule.
func (l *loader) query(r *Rule, v yamlfile.Value) {
	if !v.IsSet() {
		return
	}
	for _, f := range v.Fields("query options with their values") {
		if problem := checkOption(f.Key, r.match.Options); problem != "" {
			l.report.Add(f.Line, v.Where(), "%s", problem)
			continue
		}
		option := l.option(f.Key, f.Value)
		r.match.Options = append(r.match.Options, option)
		r.bounds = append(r.bounds, bound{option.Reason, boundText(f.Key, f.Value)})
		r.options = append(r.options, r.conditionText("query: {"+f.Key+": ", f.Value))
	}
	r.Conditions = append(r.Conditions, r.options...)
}

func checkOption(name string, before []match.Option) (problem string) {
	fold := strings.ToLower(name)
	switch {
	case strings.HasPrefix(fold, "$") && !slices.Contains(systemOptions[:], fold):
		return yamlfile.Unknown("query option", name, systemOptions[:])
	case slices.Contains(systemOptions[:plainOptions], "$"+fold):
		return "write \"$" + name + "\": requests that leave the $ out are judged the same"
	case !yamlfile.IsName(strings.TrimLeft(fold, "$@")):
		return "a query option has a name like $select or startDateTime"
	case slices.ContainsFunc(before, func(o match.Option) bool { return o.Name == fold }):
		return "the query option " + name + " is there twice in different letter case; keep one"
	}
	return ""
}

func (l *loader) option(name string, v yamlfile.Value) match.Option {
	const expected = "none, a number, or a list of values"
	if l.isNoneHere(v) {
		return match.Refused(name)
	}
	switch fold := strings.ToLower(name); {
	case fold == "$select":
		return match.Select(l.properties(v))
	case fold == "$expand":
		return match.Expand(l.expansions(v))
	case v.IsInt():
		n, _ := v.Int(0)
		if n == 0 && strings.EqualFold(name, "$top") {
			l.warnings.AddIn(v.File(), v.Line(), v.Where(),
				"$top is 1 at least, so 0 allows no value; write none if that is meant")
		}
		return match.AtMost(name, n)
	}
	l.checkQueryValues(name, v)
	return match.OneOf(name, l.values(v, expected))
}

func (l *loader) properties(v yamlfile.Value) []string {
	var names []string
	for _, item := range v.OneOrMore("none or a list of properties") {
		text, ok := item.Text("the name of a property")
		if !ok {
			continue
		}
		l.checkWord(item, text)
		parsed, err := odata.ParseSelect(text)
		switch {
		case err != nil || len(parsed) != 1:
			item.Errorf("%.80q is no property; write one name in each item", text)
		case parsed[0] == "*":
			item.Errorf("* is every property; leave $select out of the rule to allow that")
		default:
			names = append(names, parsed[0])
		}
	}
	return names
}

func (l *loader) expansions(v yamlfile.Value) []match.Expansion {
	var entries []match.Expansion
	for _, item := range v.OneOrMore("none or a list of what may be expanded") {
		text, ok := item.Text("what may be expanded, such as members or members($expand=manager)")
		if !ok {
			continue
		}
		l.checkWord(item, text)
		e, err := match.ParseExpansion(text)
		if err != nil {
			item.Errorf("%v", err)
			continue
		}
		entries = append(entries, e)
	}
	return entries
}
