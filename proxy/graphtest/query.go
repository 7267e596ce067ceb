package graphtest

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// query is what the query options of a request, or the options inside an $expand, ask for.
type query struct {
	selects []string // in lower case; nil: none
	expands []expansion
	filter  predicate // nil: none
	search  string    // in lower case; "": none
	order   []ordering
	top     int // -1: absent
	skip    int
	count   bool
}

type ordering struct {
	property   string
	descending bool
}

// expansion is one item of $expand: members($select=id;$levels=2).
type expansion struct {
	name    string // in lower case; "*" for all
	cast    string // "user" of members/microsoft.graph.user
	options map[string]string
}

// parseQuery reads the options that Graph knows and ignores all others, silently, as Graph does.
func (c *call) parseQuery(options map[string]string, k *kind) (*query, error) {
	q := &query{
		top:    -1,
		search: strings.ToLower(strings.Trim(options["search"], `"`)),
		order:  readOrder(options["orderby"]),
	}
	if v, ok := options["select"]; ok {
		q.selects = list(readNames(v))
	}
	if v, ok := options["expand"]; ok {
		q.expands = readExpand(v)
	}
	q.count = strings.EqualFold(options["count"], "true")
	var err error
	if v := options["filter"]; v != "" {
		if q.filter, err = parseFilter(v); err != nil {
			return nil, unsupportedQuery("Invalid filter clause: %s", err)
		}
	}
	if v, ok := options["top"]; ok {
		if q.top, err = strconv.Atoi(v); err != nil || q.top < 1 || q.top > k.max {
			return nil, badRequest("Invalid page size specified: '%s'. Must be between 1 and %d inclusive.", v, k.max)
		}
	}
	if v, ok := options["skip"]; ok {
		if q.skip, err = strconv.Atoi(v); err != nil || q.skip < 0 {
			return nil, badRequest("Invalid value '%s' for $skip.", v)
		}
	}
	return q, c.checkAdvanced(q, options["filter"], k)
}

// checkAdvanced refuses advanced queries on directory objects without ConsistencyLevel: eventual, and drops their
// $count as Graph does.
func (c *call) checkAdvanced(q *query, filter string, k *kind) error {
	if !k.directory || c.eventual() {
		return nil
	}
	q.count = false
	if q.search != "" {
		return unsupportedQuery("Request with $search query parameter only works through MSGraph with a special request " +
			"header: " +
			"'ConsistencyLevel: eventual'")
	}
	if isAdvanced(filter) {
		return unsupportedQuery(
			"Operator 'ne', 'not' or 'endsWith' is not supported without $count=true and the header ConsistencyLevel: eventual.",
		)
	}
	return nil
}

func (c *call) eventual() bool {
	return strings.EqualFold(c.header.Get("ConsistencyLevel"), "eventual")
}

func readNames(v string) []string {
	var out []string
	for name := range strings.SplitSeq(v, ",") {
		if name = strings.ToLower(strings.TrimSpace(name)); name != "" {
			out = append(out, name)
		}
	}
	return out
}

func readOrder(v string) []ordering {
	var out []ordering
	for item := range strings.SplitSeq(v, ",") {
		if words := strings.Fields(item); len(words) > 0 {
			out = append(out, ordering{words[0], len(words) > 1 && strings.EqualFold(words[1], "desc")})
		}
	}
	return out
}

func readExpand(v string) []expansion {
	var out []expansion
	for _, item := range splitOutside(v, ',') {
		path, inner, _ := strings.Cut(strings.TrimSpace(item), "(")
		name, cast, _ := strings.Cut(strings.TrimSpace(path), "/")
		x := expansion{name: strings.ToLower(name), options: map[string]string{}}
		x.cast = strings.TrimPrefix((Segment{Text: cast}).Name(), "microsoft.graph.")
		for _, option := range splitOutside(strings.TrimSuffix(inner, ")"), ';') {
			name, value, _ := strings.Cut(option, "=")
			name = strings.TrimPrefix(strings.ToLower(strings.TrimSpace(name)), "$")
			x.options[name] = strings.TrimSpace(value)
		}
		if x.name != "" {
			out = append(out, x)
		}
	}
	return out
}

// sift applies $filter, $search and $orderby to entities.
func (q *query) sift(entities []*entity) []*entity {
	var out []*entity
	for _, e := range entities {
		if (q.filter == nil || q.filter(e.props)) && q.found(e) {
			out = append(out, e)
		}
	}
	if len(q.order) > 0 {
		slices.SortStableFunc(out, q.compare)
	}
	return out
}

// found is a minimal $search: "property:text" or just text, anywhere in the value.
func (q *query) found(e *entity) bool {
	if q.search == "" {
		return true
	}
	properties, text := e.kind.search, q.search
	if name, rest, ok := strings.Cut(text, ":"); ok && isName(name) {
		properties, text = []string{name}, rest
	}
	return slices.ContainsFunc(properties, func(p string) bool {
		v, _ := lookup(e.props, p).(string)
		return strings.Contains(strings.ToLower(v), text)
	})
}

func (q *query) compare(a, b *entity) int {
	for _, o := range q.order {
		n := compareValues(lookup(a.props, o.property), lookup(b.props, o.property))
		if o.descending {
			n = -n
		}
		if n != 0 {
			return n
		}
	}
	return 0
}

// lookup finds a property by a path like "from/emailAddress/address", letter case ignored.
func lookup(o object, path string) any {
	first, rest, nested := strings.Cut(path, "/")
	value, ok := o[first]
	if !ok {
		for name, v := range o {
			if strings.EqualFold(name, first) {
				value = v
			}
		}
	}
	if !nested {
		return value
	}
	inner, _ := value.(object)
	return lookup(inner, rest)
}

// compareValues orders values of one type; strings without regard to case. What cannot be compared is equal; null comes
// first.
func compareValues(a, b any) int {
	switch x := a.(type) {
	case string:
		if y, ok := b.(string); ok {
			return strings.Compare(strings.ToLower(x), strings.ToLower(y))
		}
	case float64, int, int64:
		if y, ok := number(b); ok {
			n, _ := number(x)
			return cmp.Compare(n, y)
		}
	case bool:
		if y, ok := b.(bool); ok && x != y {
			return map[bool]int{false: -1, true: 1}[x]
		}
		return 0
	}
	return cmp.Compare(rank(a), rank(b))
}

func rank(v any) int {
	if v == nil {
		return 0
	}
	return 1
}

func number(v any) (float64, bool) {
	switch n := v.(type) {
	case float64:
		return n, true
	case int:
		return float64(n), true
	case int64:
		return float64(n), true
	}
	return 0, false
}

// project is what q shows of e.
func (c *call) project(e *entity, q *query) (object, error) {
	names := e.kind.defaults
	if q.selects != nil {
		names = slices.Concat(e.kind.always, q.selects)
	}
	out := object{}
	for name, v := range e.props {
		if slices.Contains(e.kind.hidden, name) {
			continue
		}
		if names == nil || slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) || n == "*" }) {
			out[name] = v
		}
	}
	for _, name := range e.kind.defaults {
		if _, ok := e.props[name]; !ok && slices.Contains(names, name) {
			out[name] = nil
		}
	}
	for _, x := range q.expands {
		if err := c.expand(out, e, x); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// answerOne answers a single entity.
func (c *call) answerOne(e *entity, context string) (answer, error) {
	q, err := c.parseQuery(c.reading.Options, e.kind)
	if err != nil {
		return answer{}, err
	}
	out, err := c.project(e, q)
	if err != nil {
		return answer{}, err
	}
	out["@odata.context"] = c.context(context, "/$entity")
	return ok(out), nil
}

// created is the 201 for a new entity.
func (c *call) created(e *entity, context, location string) answer {
	out, _ := c.project(e, &query{})
	out["@odata.context"] = c.root() + "/$metadata#" + context + "/$entity"
	a := answer{status: http.StatusCreated, body: out}
	a.set("Location", location)
	return a
}

// context is the @odata.context of an answer: with the selected properties, as Graph has it.
func (c *call) context(set, suffix string) string {
	if v := c.reading.Options["select"]; v != "" && !strings.Contains(set, "$ref") {
		set += "(" + strings.Join(strings.Fields(v), "") + ")"
	}
	return c.root() + "/$metadata#" + set + suffix
}
