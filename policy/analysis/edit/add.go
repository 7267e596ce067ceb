package edit

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Rule is a rule to add.
type Rule struct {
	Text     string   // "GET /users/{id}"
	Comment  string   // behind it, without #; it may be ""
	Comments []string // on lines above it
}

// AddRules returns the text of a file with rules at the end of what a caller is allowed. All other lines stay as they
// are. Where the caller's rules stand in brackets there is no place for comments, and they are left out.
func AddRules(data []byte, caller string, rules []Rule) ([]byte, error) {
	d, err := parse(data)
	if err != nil {
		return nil, err
	}
	_, callers := d.field(d.root, "callers")
	_, of := d.field(callers, caller)
	key, allow := d.field(of, "allow")
	switch {
	case allow == nil || allow.Kind != yaml.SequenceNode:
		return nil, fmt.Errorf("the caller %q has no list under allow in this file", caller)
	case !d.isBracket(allow, d.spans[allow].start):
		lines := ruleLines(rules, strings.Repeat(" ", d.column(d.spans[allow].start)))
		return d.insertLines(d.spans[allow].end, lines), nil
	case len(allow.Content) == 0 && d.startsLine(key):
		lines := ruleLines(rules, strings.Repeat(" ", d.column(d.spans[key].start)+indent))
		return d.replaceEmpty(key, allow, lines), nil
	}
	return d.insertInBrackets(allow, quotedRules(rules), nil), nil
}

// AddCaller returns the text of a file with a caller at the end of its callers. The caller has rules and no
// identity, only a comment in its place: the policy does not load until a person has written what proves the caller.
func AddCaller(data []byte, caller string, rules []Rule) ([]byte, error) {
	d, err := parse(data)
	if err != nil {
		return nil, err
	}
	if d.root.Kind != yaml.MappingNode {
		return nil, errors.New("the file is no mapping")
	}
	_, callers := d.field(d.root, "callers")
	switch {
	case callers == nil && d.isBracket(d.root, d.spans[d.root].start):
		return nil, errors.New("the file stands in braces and has no callers; write callers: on a line of its own " +
			"first")
	case callers == nil:
		return d.insertLines(d.spans[d.root].end, append([]string{"callers:"}, callerLines(caller, rules,
			indent)...)), nil
	case callers.Kind != yaml.MappingNode || len(callers.Content) == 0:
		return nil, errors.New("callers is no mapping with callers")
	case !d.isBracket(callers, d.spans[callers].start):
		return d.insertLines(d.spans[callers].end, callerLines(caller, rules, d.column(d.spans[callers].start))), nil
	}
	item := yamlText(caller) + ": {allow: [" + strings.Join(quotedRules(rules), ", ") + "]}"
	return d.insertInBrackets(callers, []string{item}, missingIdentity()), nil
}

// missingIdentity are the comments in the place of an identity.
func missingIdentity() []string {
	return []string{
		"Write what proves this caller. The policy does not load without its identity, such as:",
		"identity: [{key: {sha256: the hash that graphproxy key prints}}]",
	}
}

func callerLines(caller string, rules []Rule, column int) []string {
	in := strings.Repeat(" ", column)
	lines := []string{in + yamlText(caller) + ":"}
	for _, c := range missingIdentity() {
		lines = append(lines, in+"  # "+c)
	}
	return append(append(lines, in+"  allow:"), ruleLines(rules, in+"    ")...)
}

// ruleLines returns the lines of rules in a list. Comments behind rules stand in one column.
func ruleLines(rules []Rule, in string) []string {
	longest := 0
	for _, r := range rules {
		if n := len(yamlText(r.Text)); n <= widest {
			longest = max(longest, n)
		}
	}
	var lines []string
	for _, r := range rules {
		for _, c := range r.Comments {
			lines = append(lines, in+"# "+c)
		}
		line := in + "- " + yamlText(r.Text)
		if r.Comment != "" {
			line = fmt.Sprintf("%s- %-*s  # %s", in, longest, yamlText(r.Text), r.Comment)
		}
		lines = append(lines, line)
	}
	return lines
}

func quotedRules(rules []Rule) []string {
	var texts []string
	for _, r := range rules {
		texts = append(texts, strconv.Quote(r.Text))
	}
	return texts
}

// yamlText returns a text in a form that YAML reads as that text.
func yamlText(text string) string {
	spelled, err := yaml.Marshal(text)
	if err != nil || strings.Count(string(spelled), "\n") != 1 {
		return strconv.Quote(text)
	}
	return strings.TrimSuffix(string(spelled), "\n")
}
