package policy

import (
	"bytes"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"graphproxy/policy/match"
	"graphproxy/policy/yamlfile"
)

// maxList bounds the values of one list.
const maxList = 10_000

// list is an entry of lists: values that rules use by the name of the list.
type list struct {
	name   string
	file   string
	line   int
	own    string // the file whose rules may use it; "": any
	values []listValue
	about  About
	used   bool
	keys   map[bool]*match.Key // what the values are compiled to, for paths and for other keys
	found  map[bool]bool       // whether the values were checked, for names that people choose and for others
}

// listValue is one value of a list, and its place.
type listValue struct {
	text, file, where string
	line              int
}

// ListFiles returns the names of the files of lines that a policy file names under lists, from the main file's
// directory as File.Name is. Problems are left out; ParseFiles reports them.
func ListFiles(f File) []string {
	if f.IsList || !bytes.Contains(f.Data, []byte("lists")) {
		return nil
	}
	var report yamlfile.Report
	root, ok := yamlfile.Parse(&report, f.Data)
	if !ok || !root.IsMapping() {
		return nil
	}
	var names []string
	for _, top := range root.Fields("") {
		if top.Key != "lists" || !top.Value.IsMapping() {
			continue
		}
		for _, l := range top.Value.Fields("") {
			if !l.Value.IsMapping() {
				continue
			}
			for _, key := range l.Value.Fields("") {
				if key.Key != "file" {
					continue
				}
				if text, ok := key.Value.Text(""); ok && listFileProblem(text) == "" {
					names = append(names, path.Join(path.Dir(f.Name), text))
				}
			}
		}
	}
	return names
}

func listFileProblem(text string) string {
	switch problem := pathProblem(text); {
	case problem != "":
		return problem
	case strings.HasSuffix(text, ".yaml"):
		return "ends in .yaml, as policy files do; name it such as vips.txt"
	}
	return ""
}

// lists reads lists.
func (l *loader) readLists(v yamlfile.Value) {
	if !v.IsSet() {
		return
	}
	for _, f := range v.Fields("lists of values by name") {
		l.name("list", f)
		if !l.unique("list", f) {
			continue
		}
		all := &list{
			name:  f.Key,
			file:  f.Value.File(),
			line:  f.Line,
			own:   l.own(),
			keys:  make(map[bool]*match.Key),
			found: make(map[bool]bool),
		}
		if f.Value.IsMapping() {
			l.listSettings(all, f.Value)
		} else {
			l.listItems(all, f.Value)
		}
		if len(all.values) > maxList {
			f.Value.Errorf("the list has %d values; at most %d are read", len(all.values), maxList)
		}
		l.lists[f.Key] = all
		l.listNames = append(l.listNames, f.Key)
	}
}

// listSettings reads a list that is a mapping.
func (l *loader) listSettings(all *list, v yamlfile.Value) {
	keys := v.Mapping(slices.Concat([]string{"values", "file"}, aboutKeys())...)
	all.about = about(keys)
	switch {
	case len(keys) == 0:
	case keys["values"].IsSet() == keys["file"].IsSet():
		v.Errorf("a list has values, or a file with a value on each line; write one of the two")
	case keys["file"].IsSet():
		l.listFile(all, keys["file"])
	default:
		l.listItems(all, keys["values"])
	}
}

func (l *loader) listItems(all *list, v yamlfile.Value) {
	const expected = "a list of values, or file: with the name of a file of values"
	for _, item := range v.Items(expected) {
		if text, ok := item.Text("a value"); ok {
			l.listValue(all, listValue{text, item.File(), item.Where(), item.Line()})
		}
	}
}

func (l *loader) listValue(all *list, v listValue) {
	if len(v.text) > match.MaxPattern {
		l.report.AddIn(v.file, v.line, v.where, "this value has %d bytes; at most %d are read", len(v.text), match.MaxPattern)
		return
	}
	all.values = append(all.values, v)
}

// listFile reads a list from a file of lines. Blank lines and lines that begin with # are passed over.
func (l *loader) listFile(all *list, v yamlfile.Value) {
	text, ok := v.Text("the name of a file of values, one on each line")
	if !ok {
		return
	}
	if problem := listFileProblem(text); problem != "" {
		v.Errorf("%.200q %s", text, problem)
		return
	}
	name := path.Join(path.Dir(l.fileName(v.File())), text)
	data, found := l.listFiles[name]
	if !found {
		v.Errorf("%.200q is no file in the directory of this one; correct the name, or create the file", text)
		return
	}
	shown := l.prefix + name
	switch {
	case len(data) > yamlfile.MaxSize:
		l.report.AddIn(shown, 1, "", "the file has %d bytes; at most %d are read", len(data), yamlfile.MaxSize)
		return
	case !utf8.Valid(data):
		l.report.AddIn(shown, 1, "", "the file is not UTF-8; save it as UTF-8")
		return
	}
	line := 0
	for text := range strings.Lines(strings.TrimPrefix(string(data), "\uFEFF")) {
		line++
		text = strings.Trim(text, " \t\r\n")
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		if problem := lineProblem(text); problem != "" {
			l.report.AddIn(shown, line, "", "%.80q %s", text, problem)
			continue
		}
		l.listValue(all, listValue{text: text, file: shown, line: line})
	}
	if len(all.values) == 0 {
		l.report.AddIn(shown, 1, "", "the file holds no value; write one on each line")
	}
}

// lineProblem says what in a line of a file is no part of a value; "" if there is nothing.
func lineProblem(text string) string {
	switch {
	case strings.Contains(text, " #"):
		return "has a comment behind the value; a comment stands on a line of its own"
	case strings.HasPrefix(text, "- "):
		return "begins as an item of YAML; write the value alone"
	case len(text) > 1 && strings.ContainsRune(`"'`, rune(text[0])) && text[0] == text[len(text)-1]:
		return "stands in quotes, which would belong to the value; write the value alone"
	case strings.HasSuffix(text, ","):
		return "ends in a comma, which would belong to the value; write one value on each line"
	}
	return ""
}

// fileName returns the name of a file from the main file's directory.
func (l *loader) fileName(shown string) string { return strings.TrimPrefix(shown, l.prefix) }

// listOf returns the list that a condition names, or nil.
func (l *loader) listOf(v yamlfile.Value) *list {
	name, ok := v.Text("the name of a list")
	if !ok {
		return nil
	}
	all := l.lists[name]
	switch {
	case all == nil && len(l.listNames) == 0:
		v.Errorf("there is no list %.80q; write it under lists: at the top of the file", name)
		return nil
	case all == nil:
		v.Errorf("%s", yamlfile.Unknown("list", name, l.listNames))
		return nil
	case all.own != "" && all.own != v.File():
		v.Errorf("the list %q is in %s, which has bounds, so only rules of that file use it; write the values here, "+
			"or in a file without bounds", name, all.file)
	}
	all.used = true
	return all
}

// listKey returns the condition that a variable of a rule has a value of a list.
func (l *loader) listKey(r *Rule, name string, all *list) (match.Key, bool) {
	key, found := match.NewKey(r.match.Template, name, nil)
	if !found {
		return key, false
	}
	isPath := key.IsPath(r.match.Template)
	if all.keys[isPath] == nil {
		var texts []string
		for _, v := range all.values {
			texts = append(texts, v.text)
		}
		compiled, _ := match.NewKey(r.match.Template, name, texts)
		all.keys[isPath] = &compiled
	}
	key = all.keys[isPath].For(key)
	if isChosen := isChosenKey(r, &key); !all.found[isChosen] {
		all.found[isChosen] = true
		for _, v := range all.values {
			l.checkValue(r, &key, v)
		}
	}
	return key, true
}

// unusedLists warns of lists that no rule uses.
func (l *loader) unusedLists() {
	for _, name := range l.listNames {
		if all := l.lists[name]; !all.used {
			l.warnings.AddIn(all.file, all.line, "lists."+name, "no rule uses this list; delete it")
		}
	}
}

// conditionKeys reads where: {id: {list: vips, not: [ceo@contoso.com]}}. Each of its keys must hold.
func (l *loader) listConditions(r *Rule, variable string, v yamlfile.Value) {
	keys := v.Mapping("list", "not_list", "not")
	for _, kind := range []string{"list", "not_list"} {
		value := keys[kind]
		if !value.IsSet() {
			continue
		}
		if items := value.OneOrMore("the name of a list"); kind == "list" && len(items) > 1 {
			value.Errorf("one list in each condition; write the values of %d lists into one", len(items))
			continue
		}
		for _, item := range value.OneOrMore("the name of a list") {
			if all := l.listOf(item); all != nil {
				r.noteList(all)
				if key, found := l.listKey(r, variable, all); found {
					r.addKey(key, kind == "not_list")
				}
			}
		}
	}
	if not := keys["not"]; not.IsSet() {
		if key, found := match.NewKey(r.match.Template, variable, l.values(not, "a value or a list of values")); found {
			l.checkValues(r, &key, not)
			r.addKey(key, true)
			if slices.ContainsFunc(key.Values(), isEverything) {
				l.warnings.AddIn(not.File(), not.Line(), not.Where(),
					"a star alone leaves every value out; write the values that are meant")
			}
		}
	}
}

// noteList keeps what the file has for people about a list that the rule uses.
func (r *Rule) noteList(all *list) {
	if all.about != (About{}) {
		r.aboutLists = append(r.aboutLists, ListAbout{all.name, all.about})
	}
}

func (r *Rule) addKey(k match.Key, isNot bool) {
	if isNot {
		r.match.Nots = append(r.match.Nots, k)
	} else {
		r.match.Keys = append(r.match.Keys, k)
	}
}

// warnOfNots warns of allow rules that leave out by name, where the object id of the same one is let in.
func (l *loader) warnOfNots(caller string, b *ruleBook) {
	for _, r := range b.allowRules {
		for i := range r.match.Nots {
			k := &r.match.Nots[i]
			segment := k.Segment()
			if segment == 0 {
				continue
			}
			collection := collectionOf(r.match.Template.Segments, segment)
			named := slices.DeleteFunc(slices.Clone(k.Values()), func(v string) bool { return !isNamed(collection, v) })
			if len(named) <= len(k.Values())-len(named) || !b.takesID(r, segment) {
				continue
			}
			l.warnings.AddIn(r.File, r.Line, "callers."+caller+".allow",
				"%s leaves out by name, and the object id gets round it. Write the object ids beside the names, "+
					"or narrow the rule to the values that may match", r.Text)
			break
		}
	}
}

// takesID reports whether a rule of a caller allows an object id in a segment, and no deny rule denies it.
func (b *ruleBook) takesID(r *Rule, segment int) bool {
	alone := new(match.AllowSet)
	alone.Add(bareRule(r))
	byID := byKey(r.match.Template, segment)
	for m := match.Get; m <= match.Delete; m <<= 1 {
		if r.match.Methods.All()&m != 0 && alone.Find(byID, m).Index >= 0 && !b.denies(byID, m) {
			return true
		}
	}
	return false
}

// Lists returns the values of the lists, by name. The caller of Lists must not change them.
func (p *Policy) Lists() map[string][]string { return p.lists }

// listTexts returns the values of each list.
func (l *loader) listTexts() map[string][]string {
	all := make(map[string][]string)
	for name, values := range l.lists {
		all[name] = []string{}
		for _, v := range values.values {
			all[name] = append(all[name], v.text)
		}
	}
	return all
}
