package policy

import (
	"strings"

	"graphproxy/policy/match"
	"graphproxy/policy/operations"
	"graphproxy/policy/yamlfile"
)

// unknown reads whether a rule may name operations that are not in the embedded lists of Graph's operations.
func (l *loader) unknown(v yamlfile.Value) bool {
	if !v.IsSet() {
		return false
	}
	if text, ok := v.Text("true"); ok && text != "true" {
		v.Errorf(
			"%.40q is not true; write unknown: true for what Graph has and graphproxy does not know, or leave the key out", text,
		)
	}
	return true
}

// voidDenies refuses deny rules that name nothing in Graph: such a rule denies nothing, but a reader of the
// file believes that it does.
func (l *loader) voidDenies() {
	where := make(map[*Rule]string)
	var rules []*Rule
	var matches []*match.Rule
	add := func(deny []*Rule, at string) {
		for _, r := range deny {
			if _, found := where[r]; !found && !r.unknown {
				where[r] = at
				rules, matches = append(rules, r), append(matches, &r.match)
			}
		}
	}
	add(l.denyAll, "deny")
	for _, c := range l.policy.callers {
		add(l.policy.rules[c.Name].denyRules, "callers."+c.Name+".deny")
	}
	if len(rules) == 0 {
		return
	}
	if operations.AreListed(matches) {
		return
	}
	known, err := operations.Embedded()
	if err != nil {
		l.report.AddIn(rules[0].File, rules[0].Line, "", "%v", err)
		return
	}
	for _, r := range rules {
		if problem := known.Problem(&r.match, true); known.IsVoid(&r.match) {
			l.report.AddIn(r.File, r.Line, where[r], "%s denies nothing, because it names nothing in the %s of Graph: %s "+
				"If Graph has it, write unknown: true under the rule", r.Text, r.match.Template.Version, sentence(problem))
		}
	}
}

// sentence ends a text with a full stop, unless it is a question.
func sentence(text string) string {
	if strings.HasSuffix(text, "?") {
		return text
	}
	return text + "."
}
