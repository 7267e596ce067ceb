package graphtest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// predicate reports whether an object passes a filter.
type predicate func(object) bool

// isAdvanced reports whether the directory answers a filter only to ConsistencyLevel: eventual.
func isAdvanced(filter string) bool {
	tokens, _ := scanFilter(filter)
	return slices.ContainsFunc(tokens, func(t string) bool {
		return strings.EqualFold(t, "ne") || strings.EqualFold(t, "not") || strings.EqualFold(t, "endswith")
	})
}

// parseFilter compiles a $filter: eq ne gt ge lt le in, and or not, parentheses, startsWith endsWith contains, strings,
// numbers, booleans, null and unquoted dates.
func parseFilter(text string) (predicate, error) {
	tokens, err := scanFilter(text)
	if err != nil {
		return nil, err
	}
	p := &filterParser{tokens: tokens}
	out, err := p.or(0)
	if err == nil && len(p.tokens) > 0 {
		err = fmt.Errorf("syntax error at '%s'", p.tokens[0])
	}
	return out, err
}

// scanFilter splits a filter into words, quoted strings, and the marks ( ) and comma.
func scanFilter(text string) ([]string, error) {
	var out []string
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		n := strings.IndexAny(text, " (),'")
		switch {
		case n < 0:
			n = len(text)
		case text[0] == '\'':
			if n = endOfString(text); n < 0 {
				return nil, fmt.Errorf("there is an unterminated string literal")
			}
		case n == 0:
			n = 1
		}
		out, text = append(out, text[:n]), text[n:]
	}
	return out, nil
}

// endOfString is where the quoted string that text begins with ends; a doubled quote stands for one.
func endOfString(text string) int {
	for i := 1; i < len(text); i++ {
		if text[i] != '\'' {
			continue
		}
		if i+1 < len(text) && text[i+1] == '\'' {
			i++
			continue
		}
		return i + 1
	}
	return -1
}

// maxDepth bounds the nesting of parentheses and nots.
const maxDepth = 50

type filterParser struct{ tokens []string }

func (p *filterParser) next() string {
	if len(p.tokens) == 0 {
		return ""
	}
	t := p.tokens[0]
	p.tokens = p.tokens[1:]
	return t
}

func (p *filterParser) accept(word string) bool {
	if len(p.tokens) == 0 || !strings.EqualFold(p.tokens[0], word) {
		return false
	}
	p.tokens = p.tokens[1:]
	return true
}

func (p *filterParser) expect(word string) error {
	if !p.accept(word) {
		return fmt.Errorf("'%s' expected", word)
	}
	return nil
}

func (p *filterParser) or(depth int) (predicate, error) {
	left, err := p.and(depth)
	for err == nil && p.accept("or") {
		var right predicate
		a := left
		right, err = p.and(depth)
		left = func(o object) bool { return a(o) || right(o) }
	}
	return left, err
}

func (p *filterParser) and(depth int) (predicate, error) {
	left, err := p.term(depth)
	for err == nil && p.accept("and") {
		var right predicate
		a := left
		right, err = p.term(depth)
		left = func(o object) bool { return a(o) && right(o) }
	}
	return left, err
}

func (p *filterParser) term(depth int) (predicate, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("too deeply nested")
	}
	switch {
	case p.accept("not"):
		inner, err := p.term(depth + 1)
		return func(o object) bool { return !inner(o) }, err
	case p.accept("("):
		inner, err := p.or(depth + 1)
		if err != nil {
			return nil, err
		}
		return inner, p.expect(")")
	case len(p.tokens) > 1 && p.tokens[1] == "(":
		return p.function()
	}
	return p.comparison()
}

// function is startsWith(property,'text') and its like.
func (p *filterParser) function() (predicate, error) {
	name := p.next()
	var test func(s, part string) bool
	switch strings.ToLower(name) {
	case "startswith":
		test = strings.HasPrefix
	case "endswith":
		test = strings.HasSuffix
	case "contains":
		test = strings.Contains
	default:
		return nil, fmt.Errorf("function '%s' is not supported", name)
	}
	p.accept("(")
	property := p.next()
	if err := p.expect(","); err != nil {
		return nil, err
	}
	text, _ := literal(p.next()).(string)
	text = strings.ToLower(text)
	return func(o object) bool {
		s, _ := lookup(o, property).(string)
		return test(strings.ToLower(s), text)
	}, p.expect(")")
}

func (p *filterParser) comparison() (predicate, error) {
	property, operator := p.next(), strings.ToLower(p.next())
	if operator == "in" {
		return p.in(property)
	}
	if len(p.tokens) == 0 {
		return nil, fmt.Errorf("value expected after '%s'", property)
	}
	value := literal(p.next())
	test, known := map[string]func(n int) bool{
		"eq": func(n int) bool { return n == 0 }, "ne": func(n int) bool { return n != 0 },
		"gt": func(n int) bool { return n > 0 }, "ge": func(n int) bool { return n >= 0 },
		"lt": func(n int) bool { return n < 0 }, "le": func(n int) bool { return n <= 0 },
	}[operator]
	if !known {
		return nil, fmt.Errorf("operator expected after '%s'", property)
	}
	return func(o object) bool {
		v := lookup(o, property)
		if v == nil && value != nil && operator != "ne" {
			return false
		}
		return test(compareValues(v, value))
	}, nil
}

func (p *filterParser) in(property string) (predicate, error) {
	if err := p.expect("("); err != nil {
		return nil, err
	}
	var values []any
	for {
		values = append(values, literal(p.next()))
		if !p.accept(",") {
			break
		}
	}
	return func(o object) bool {
		v := lookup(o, property)
		return slices.ContainsFunc(values, func(x any) bool { return compareValues(v, x) == 0 })
	}, p.expect(")")
}

// literal is the value of a token: a string, number, boolean or null. Anything else, a date, is compared as text.
func literal(token string) any {
	if strings.HasPrefix(token, "'") {
		return unquote(token)
	}
	switch strings.ToLower(token) {
	case "null", "":
		return nil
	case "true":
		return true
	case "false":
		return false
	}
	if n, err := strconv.ParseFloat(token, 64); err == nil {
		return n
	}
	return token
}
