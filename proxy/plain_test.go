package proxy_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unicode"

	"go.yaml.in/yaml/v3"
	"golang.org/x/text/cases"
	"golang.org/x/text/runes"
	"golang.org/x/text/transform"
	"golang.org/x/text/unicode/norm"

	"graphproxy/proxy/graphtest"
)

// plainRule is a rule of a policy file as a person reads it. Nothing here is shared with package policy, so that the
// two can be compared: templates are read by graphtest, and matched segment by segment.
type plainRule struct {
	caller, kind string // kind: allow or deny
	line         int
	text         string
	methods      []string
	path         graphtest.Reading
	below        bool
	where        map[string][]string
	nots         map[string][]string
	query        map[string]any // lists as []string, numbers as int, "none"
	refs         []plainRule    // what a request may refer to; nil if the rule does not say
}

// readRules reads the rules of every caller. It does not read includes.
func readRules(t testing.TB, file string) []plainRule {
	t.Helper()
	var doc struct {
		Deny    []yaml.Node // for every caller
		Lists   map[string][]string
		Callers map[string]struct{ Allow, Deny []yaml.Node }
	}
	must(t, yaml.Unmarshal([]byte(file), &doc))
	var rules []plainRule
	for caller, c := range doc.Callers {
		for kind, nodes := range map[string][]yaml.Node{"allow": c.Allow, "deny": slices.Concat(doc.Deny, c.Deny)} {
			for i := range nodes {
				r := readRule(t, &nodes[i])
				r.readLists(doc.Lists)
				r.caller, r.kind = caller, kind
				rules = append(rules, r)
			}
		}
	}
	return rules
}

func readRule(t testing.TB, n *yaml.Node) plainRule {
	t.Helper()
	r := plainRule{line: n.Line, text: n.Value}
	if n.Kind == yaml.MappingNode {
		r.text = n.Content[0].Value
		var conditions struct {
			Where, Query map[string]any
			References   []yaml.Node
		}
		must(t, n.Content[1].Decode(&conditions))
		r.refs = readReferences(t, conditions.References)
		r.where = map[string][]string{}
		r.nots = map[string][]string{}
		for name, v := range conditions.Where {
			r.readCondition(name, v)
		}
		r.query = map[string]any{}
		for name, v := range conditions.Query {
			if list, ok := v.([]any); ok {
				v = texts(list)
			}
			r.query[strings.TrimPrefix(name, "$")] = v
		}
	}
	methods, path, _ := strings.Cut(r.text, " ")
	if methods == "ANY" {
		methods = "GET,POST,PUT,PATCH,DELETE"
	}
	r.methods = strings.Split(methods, ",")
	if !strings.HasPrefix(path, "/beta/") {
		path = "/v1.0" + path
	}
	path, r.below = strings.CutSuffix(path, "/**")
	var err error
	r.path, err = graphtest.Read(path)
	must(t, err)
	return r
}

// readCondition reads what narrows a variable: values, or a mapping of what it must be and must not be. Names of lists
// begin with a tab until readLists puts the values in their place.
func (r *plainRule) readCondition(name string, v any) {
	m, isMapping := v.(map[string]any)
	if !isMapping {
		r.where[name] = texts(v)
		return
	}
	for key, v := range m {
		switch key {
		case "list":
			r.where[name] = []string{"\t" + fmt.Sprint(v)}
		case "not_list":
			for _, list := range texts(v) {
				r.nots[name] = append(r.nots[name], "\t"+list)
			}
		case "not":
			r.nots[name] = append(r.nots[name], texts(v)...)
		}
	}
}

// readLists puts the values of lists in the place of their names.
func (r *plainRule) readLists(lists map[string][]string) {
	for _, values := range []map[string][]string{r.where, r.nots} {
		for name, texts := range values {
			var all []string
			for _, text := range texts {
				if list, isList := strings.CutPrefix(text, "\t"); isList {
					all = append(all, lists[list]...)
				} else {
					all = append(all, text)
				}
			}
			values[name] = all
		}
	}
}

func texts(v any) []string {
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	var out []string
	for _, v := range list {
		out = append(out, fmt.Sprint(v))
	}
	return out
}

// readingOf is Graph's reading of a target, in the form for comparing, without our tenant; empty if there is no
// path.
func readingOf(target string) graphtest.Reading {
	r, _ := graphtest.Read(target)
	if len(r.Segments) > 1 && slices.Contains([]string{"myorganization", tenant}, r.Segments[0].Name()) {
		r.Segments = r.Segments[1:]
	}
	for i := range r.Segments {
		if s := &r.Segments[i]; strings.HasPrefix(s.Text, "$") && !s.Key {
			s.Text = strings.ToLower(s.Text)
		}
	}
	return r
}

// uncovered explains why a target that was allowed should not have been, by Graph's reading of it: the rule in the
// record does not cover it, or a deny rule of the caller does. It is empty if the target may pass.
func uncovered(rules []plainRule, rec auditLine, method, target string) string {
	if problem := smuggled(target); problem != "" {
		return problem
	}
	reading := readingOf(target)
	found := false
	for _, r := range rules {
		switch {
		case r.caller != rec.Caller:
		case r.kind == "allow" && fmt.Sprintf("policy.yaml:%d", r.line) == rec.Rule:
			if found = true; !r.covers(method, reading) {
				return fmt.Sprintf("line %d, %s, does not cover what Graph reads in %s %s", r.line, r.text, method, target)
			}
		case r.kind == "deny" && r.denies(method, reading):
			return fmt.Sprintf("line %d, %s, denies what Graph reads in %s %s", r.line, r.text, method, target)
		}
	}
	if !found {
		return "no rule stands at " + rec.Rule
	}
	return ""
}

// auditLine has the fields of a record that the tests here check.
type auditLine struct {
	Caller, Rule, Decision, Reason, Target, Method, Batch, Item string
	Status                                                      int
	WouldDeny                                                   bool `json:"would_deny"`
}

func auditLines(t testing.TB, texts []string) []auditLine {
	t.Helper()
	out := make([]auditLine, len(texts))
	for i, text := range texts {
		must(t, json.Unmarshal([]byte(text), &out[i]))
	}
	return out
}

func (r plainRule) has(method string, reading graphtest.Reading) bool {
	if method == "HEAD" {
		method = "GET"
	}
	return slices.Contains(r.methods, method) && r.path.Version == reading.Version
}

// covers reports whether the rule, as an allow rule, covers the reading. It is narrow: one spelling of each thing.
func (r plainRule) covers(method string, reading graphtest.Reading) bool {
	rule, segments := r.path.Segments, reading.Segments
	if !r.has(method, reading) || len(segments) < len(rule) || len(segments) > len(rule) && !r.below {
		return false
	}
	for i := range rule {
		// After the name of a collection, parentheses are below it, and only Graph's metadata has the collections.
		isBelow := r.below && i == len(rule)-1 && !rule[i].Key && rule[i].Name() == segments[i].Name()
		if !isBelow && !r.coversSegment(rule[i], segments[i], nameBefore(segments, i)) {
			return false
		}
	}
	for i := len(rule); i < len(segments); i++ {
		if r.leaves(segments, i) {
			return false
		}
	}
	for name, v := range reading.Options {
		if !r.coversOption(name, v) {
			return false
		}
	}
	_, selected := reading.Options["select"]
	return selected || r.query["select"] == nil
}

// nameBefore is the collection of segment i; "" if a key or path is before it.
func nameBefore(segments []graphtest.Segment, i int) string {
	if i == 0 {
		return ""
	}
	return segments[i-1].Name()
}

// leaves reports whether segment i, which /** would cover, is about another item or site than the rule's.
func (r plainRule) leaves(segments []graphtest.Segment, i int) bool {
	rule := r.path.Segments
	anySite := len(rule) == 1 && rule[0].Name() == "sites"
	s := segments[i]
	if s.Path {
		set, opener := nameBefore(segments, i-1), segments[i-1]
		drive := set == "drive" || i > 2 && slices.Contains([]string{"drives", "shares"}, segments[i-3].Name())
		return set != "items" && set != "special" && !(opener.Name() == "root" && drive) && !(set == "sites" && anySite) ||
			r.isOneItem() && i > len(rule)
	}
	if likeName("getbypath", s.Name()) && !anySite {
		return true
	}
	last := rule[len(rule)-1]
	collection, key := nameBefore(rule, len(rule)-1), last.Text
	if last.Path {
		if len(rule) < 3 {
			return false
		}
		collection = rule[len(rule)-3].Name()
	}
	name, isVar := variable(key)
	named := last.Path || last.Name() == "getbypath" || !isVar || r.where[name] != nil || r.nots[name] != nil
	before := nameBefore(segments, i)
	for _, name := range []string{"children", "items", "sites"} {
		if likeName(name, before) {
			before = name
		}
	}
	switch {
	case !named || strings.HasPrefix(s.Text, "$"):
		return false
	case collection == "sites" || last.Name() == "getbypath":
		return before == "sites"
	case last.Path || collection == "items" || collection == "special":
		return (before == "children" || before == "items") &&
			!slices.ContainsFunc(segments[len(rule):i], func(s graphtest.Segment) bool { return s.Name() == "workbook" })
	}
	return false
}

// isOneItem reports whether the rule is about one item of a drive.
func (r plainRule) isOneItem() bool {
	rule := r.path.Segments
	last := rule[len(rule)-1]
	if last.Path {
		return len(rule) > 2 && rule[len(rule)-3].Name() != "sites"
	}
	name, isVar := variable(last.Text)
	return slices.Contains([]string{"items", "special"}, nameBefore(rule, len(rule)-1)) &&
		(!isVar || r.where[name] != nil || r.nots[name] != nil)
}

func (r plainRule) coversSegment(rule, s graphtest.Segment, before string) bool {
	name, isVar := variable(rule.Text)
	switch {
	case len(rule.Args) != len(s.Args) || rule.Path != s.Path:
		return false
	case len(rule.Args) > 0:
		if rule.Key != s.Key || !rule.Key && rule.Name() != s.Name() {
			return false
		}
		for arg, want := range rule.Args {
			got, there := s.Args[arg]
			if v, isVar := variable(want); !there || isVar && !r.holds(v, got, false) ||
				!isVar && !strings.EqualFold(want, got) {
				return false
			}
		}
		return true
	case isVar:
		return (s.Key || s.Path || !s.Call && !isNoKey(s, before)) && r.holds(name, s.Text, false)
	case s.Key || s.Path:
		return strings.EqualFold(rule.Text, s.Text) && !isNoKey(rule, before)
	}
	return rule.Name() == s.Name()
}

func variable(text string) (name string, ok bool) {
	return strings.Trim(text, "{}"), strings.HasPrefix(text, "{") && strings.HasSuffix(text, "}")
}

// isNoKey reports whether a plain segment is a function, a cast or a word with "$".
func isNoKey(s graphtest.Segment, before string) bool {
	functions := []string{"delta", "getbyids", "validateproperties", "validatepassword", "getallmessages", "allmessages",
		"search", "archive", "unarchive"}
	types := []string{"user", "group", "serviceprincipal", "device", "application", "orgcontact", "directoryrole",
		"administrativeunit"}
	isCast := !slices.Contains([]string{"lists", "mailfolders", "items", "connections", "extensions"}, before) &&
		slices.ContainsFunc(types, func(t string) bool { return likeName(t, s.Text) })
	return strings.HasPrefix(s.Text, "$") || slices.Contains(functions, s.Name()) || isCast || isQualified(s, before)
}

var qualifiedName = regexp.MustCompile(`^(?i)(microsoft|graph)\.[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)*$`)

// isQualified reports whether a name has a namespace. Where Graph has no casts, hosts and ids look like that.
func isQualified(s graphtest.Segment, before string) bool {
	if s.Key || s.Path || !qualifiedName.MatchString(s.Text) {
		return false
	}
	labels := strings.Count(strings.TrimPrefix(strings.ToLower(s.Text), "microsoft."), ".")
	switch before {
	case "sites", "extensions", "items":
		return labels < 2
	case "lists", "worksheets", "tables", "columns", "charts", "names":
		return labels < 2 &&
			slices.Contains([]string{"add", "count", "delta", "itemat"},
				strings.ToLower(s.Text[strings.LastIndex(s.Text, ".")+1:]))
	case "domains", "hosts":
		return strings.HasPrefix(strings.ToLower(s.Text), "microsoft.graph.") && labels < 2
	}
	return true
}

// holds reports whether a variable may have the value.
func (r plainRule) holds(name, value string, wide bool) bool {
	if slices.ContainsFunc(r.nots[name], func(p string) bool {
		if folder, isBelow := strings.CutSuffix(p, "/**"); !wide && isBelow &&
			(like(folder, value, false) || likeName(folder, value)) {
			return true
		}
		return like(p, value, false) || !wide && likeName(p, value) // what may be left out is not allowed, and is denied
	}) {
		return false
	}
	values, bound := r.where[name]
	return !bound || slices.ContainsFunc(values, func(p string) bool {
		folder, isBelow := strings.CutSuffix(p, "/**")
		return like(p, value, false) || wide && isBelow && like(folder, value, false) ||
			wide && (likeName(p, value) || isBelow && likeName(folder, value))
	})
}

// likeName compares with a value as a directory or file system does: ignoring letter case, accents and width.
func likeName(pattern, value string) bool {
	value = alike(value)
	return like(alike(pattern), value, false) || like(alike(pattern), inside(value), false)
}

// alike returns a name in the form in which a directory or file system compares it.
func alike(s string) string {
	if spelled, found := alikes.Load(s); found {
		return spelled.(string)
	}
	t := transform.Chain(norm.NFKD, runes.Remove(runes.In(unicode.M)), runes.Remove(runes.In(unicode.Cf)), cases.Fold())
	out, _, err := transform.String(t, s)
	if err != nil {
		out = s
	}
	alikes.Store(s, out)
	return out
}

// The cached results of alike and like: computing them took most of the time of the tests.
var alikes, likes sync.Map

// wrappings matches characters around a name that do not belong to it.
var wrappings = regexp.MustCompile(`^(?:[ .]+(.*?)|(.*?)[ .]+|'(.*)'|<(.*)>|\{(.*)\}|"(.*)"|smtp:(.*))$`)

func inside(value string) string {
	for {
		m := wrappings.FindStringSubmatch(value)
		inner := strings.Join(m[min(1, len(m)):], "")
		if inner == "" {
			return value
		}
		value = inner
	}
}

// like compares with a value in which "*" matches anything but slashes, and "**" anything. If quoted is set,
// neither matches a quote.
func like(pattern, value string, quoted bool) bool {
	one, every := `[^/]*`, `.*`
	if quoted {
		one, every = `[^/']*`, `[^']*`
	}
	p := strings.ReplaceAll(strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*\*`, "\x00"), `\*`, one)
	p = `(?is)^` + strings.ReplaceAll(p, "\x00", every) + `$`
	compiled, found := likes.Load(p)
	if !found {
		compiled, _ = likes.LoadOrStore(p, regexp.MustCompile(p))
	}
	return compiled.(*regexp.Regexp).MatchString(value)
}

func (r plainRule) coversOption(name, value string) bool {
	bound, ok := r.query[name]
	switch bound := bound.(type) {
	case nil:
		return name == "select" && r.selectsWithin(value) ||
			!slices.Contains([]string{"select", "expand", "apply", "compute"}, name)
	case string:
		return !ok || bound != "none"
	case int:
		n, err := strconv.Atoi(value)
		return err == nil && n <= bound && n > 0
	case []string:
		switch name {
		case "expand":
			return coversExpand(bound, value)
		case "select":
			return coversSelect(bound, value)
		}
		return slices.ContainsFunc(bound, func(p string) bool { return like(p, value, strings.Contains(p, "'")) })
	}
	return false
}

// selectsWithin reports whether each item of a $select is a property, or an entry that $expand may have.
func (r plainRule) selectsWithin(value string) bool {
	entries, _ := r.query["expand"].([]string)
	further := selectedFurther(value)
	return further == nil || len(entries) > 0 && coversExpand(entries, strings.Join(further, ","))
}

var ofCast = regexp.MustCompile(`(?i)^((microsoft\.)?graph\.[a-z.]+/)+[^/()]+$`)

// selectedFurther returns the items of a $select with a path or parentheses, as $expand would write them.
func selectedFurther(value string) (items []string) {
	for _, item := range cut(value, ',') {
		item = strings.TrimSpace(item)
		i := strings.LastIndexByte(item, '/')
		switch {
		case !strings.ContainsAny(item, "/()%"), ofCast.MatchString(item):
		case i < 0 || strings.ContainsAny(item, "()%"):
			items = append(items, item)
		default:
			items = append(items, item[:i]+"($select="+item[i+1:]+")")
		}
	}
	return items
}

func coversSelect(names []string, value string) bool {
	for _, name := range strings.Split(value, ",") {
		if !slices.ContainsFunc(names,
			func(n string) bool { return strings.EqualFold(strings.TrimSpace(n), strings.TrimSpace(name)) }) {
			return false
		}
	}
	return true
}

// coversExpand reports whether each item of a $expand is one of the entries: the same name, and options in its
// parentheses that reach no further than the entry's own.
func coversExpand(entries []string, value string) bool {
	for _, item := range cut(value, ',') {
		name, options := openExpand(item)
		if !slices.ContainsFunc(entries, func(e string) bool {
			n, allowed := openExpand(e)
			return strings.EqualFold(n, name) && coversNested(allowed, options)
		}) {
			return false
		}
	}
	return true
}

func coversNested(allowed, options map[string]string) bool {
	if names, bound := allowed["select"]; bound {
		value, there := options["select"]
		if !there || !coversSelect(strings.Split(names, ","), value) {
			return false
		}
	}
	if further := selectedFurther(options["select"]); allowed["select"] == "" && further != nil &&
		!coversExpand(cut(allowed["expand"], ','), strings.Join(further, ",")) {
		return false
	}
	value, there := options["expand"]
	return !there || allowed["expand"] != "" && coversExpand(cut(allowed["expand"], ','), value)
}

func openExpand(item string) (name string, options map[string]string) {
	name, inner, _ := strings.Cut(strings.TrimSpace(item), "(")
	options = map[string]string{}
	for _, o := range cut(strings.TrimSuffix(inner, ")"), ';') {
		key, value, _ := strings.Cut(o, "=")
		options[strings.TrimPrefix(strings.ToLower(strings.TrimSpace(key)), "$")] = strings.TrimSpace(value)
	}
	return name, options
}

// cut splits at sep outside parentheses. It ignores quotes.
func cut(s string, sep rune) []string {
	depth := 0
	return strings.FieldsFunc(s, func(c rune) bool {
		switch c {
		case '(':
			depth++
		case ')':
			depth--
		}
		return c == sep && depth == 0
	})
}

// denies reports whether the rule, as a deny rule, applies to the reading: in any spelling, with casts in between.
func (r plainRule) denies(method string, reading graphtest.Reading) bool {
	if !r.has(method, reading) || !r.deniesOptions(reading.Options) {
		return false
	}
	for parts := range len(reading.Segments) + 1 {
		if r.deniesPath(r.path.Segments, byPath(reading.Segments, parts)) {
			return true
		}
	}
	return false
}

// byPath writes that many names after children or getByPath as one path: root/children/A/children/B is root:/A/B.
func byPath(segments []graphtest.Segment, parts int) (out []graphtest.Segment) {
	for i := 0; i < len(segments); i++ {
		s, name := segments[i], ""
		if n := strings.ToLower(s.Text); i > 0 && i+1 < len(segments) && !s.Key && !s.Path &&
			(n == "children" || n == "getbypath" || n == "microsoft.graph.getbypath") {
			next := segments[i+1]
			if name = next.Text; next.Path || strings.HasPrefix(name, "$") {
				name = ""
			}
			for _, v := range next.Args {
				name = v
			}
		}
		switch last := len(out) - 1; {
		case name == "" || parts == 0:
			out = append(out, s)
			continue
		case out[last].Path:
			out[last].Text += "/" + name
		default:
			out = append(out, graphtest.Segment{Text: name, Path: true})
		}
		parts--
		i++
	}
	return out
}

func (r plainRule) deniesPath(rule, segments []graphtest.Segment) bool {
	if len(rule) == 0 {
		return r.below || len(segments) == 0
	}
	if len(segments) == 0 {
		return false
	}
	s := segments[0]
	return r.deniesSegment(rule[0], s, len(segments) == 1) && r.deniesPath(rule[1:], segments[1:]) ||
		isQualified(s, "") && r.deniesPath(rule, segments[1:])
}

// deniesSegment compares one segment. A function's name at the end of a path calls the function; before the end it
// may be a key of that name.
func (r plainRule) deniesSegment(rule, s graphtest.Segment, isLast bool) bool {
	if rule.Path != s.Path || len(rule.Args) > 0 && (len(s.Args) == 0 || !s.Key) {
		return false
	}
	for arg, want := range rule.Args {
		if name, isVar := variable(want); isVar && !r.holds(name, s.Args[arg], true) ||
			!isVar && !strings.EqualFold(want, s.Args[arg]) {
			return false
		}
	}
	values := []string{s.Text}
	for _, v := range s.Args {
		values = append(values, v)
	}
	for i, v := range values {
		if j := strings.LastIndexByte(v, '@'); j > 0 && len(v)-j == 37 {
			values[i] = v[:j] // Outlook's id@tenant
		}
	}
	if name, isVar := variable(rule.Text); isVar {
		isKey := s.Key || s.Path || !isNoKey(s, "") || !isLast && !strings.HasPrefix(s.Text, "$") && !isQualified(s, "")
		return isKey && slices.ContainsFunc(values, func(v string) bool { return r.holds(name, v, true) })
	}
	if len(rule.Args) > 0 || !s.Key && !s.Path && rule.Name() == s.Name() {
		return true
	}
	return slices.ContainsFunc(values,
		func(v string) bool { return strings.EqualFold(v, rule.Text) || likeName(rule.Text, v) })
}

func (r plainRule) deniesOptions(options map[string]string) bool {
	for name, bound := range r.query {
		value, there := options[name]
		if further := selectedFurther(options["select"]); name == "expand" && further != nil {
			value, there = value+","+strings.Join(further, ","), true
		}
		if !there && name != "select" {
			return false
		}
		names, _ := bound.([]string)
		touched := slices.ContainsFunc(names, func(n string) bool {
			switch name {
			case "expand", "select":
				return strings.Contains(value, "*") || regexp.MustCompile(`(?i)\b`+regexp.QuoteMeta(n)+`\b`).MatchString(value)
			}
			return like(n, value, false)
		})
		if !touched && (name != "select" || strings.TrimSpace(value) != "") {
			return false
		}
	}
	return true
}
