package policy

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"graphproxy/policy/match"
	"graphproxy/policy/odata"
	"graphproxy/policy/strict"
)

// testCase is one line of a file's tests.
type testCase struct {
	at      strict.Value
	text    string // "GET /users"
	request Request
	allow   bool
}

// testCases reads tests. They run when the rest of the file has loaded.
func (l *loader) testCases(v strict.Value) {
	if !v.IsSet() {
		return
	}
	var names []string
	for _, c := range l.policy.callers {
		names = append(names, c.Name)
	}
	for _, item := range v.List("a list of tests") {
		keys := item.Mapping("caller", "allow", "deny")
		if !item.IsMapping() {
			continue
		}
		l.require(item.Line(), item.Where(), keys, "caller", "write the name of the caller")
		if !keys["allow"].IsSet() && !keys["deny"].IsSet() {
			item.Errorf("this tests nothing; write allow: or deny: with requests")
		}
		caller, ok := keys["caller"].Text("the name of a caller")
		if ok && l.policy.rules[caller] == nil {
			keys["caller"].Errorf("%s", strict.Unknown("caller", caller, names))
		}
		for _, c := range keys["allow"].OneOrMore("a list of METHOD /path?query") {
			l.testCase(c, caller, true)
		}
		for _, c := range keys["deny"].OneOrMore("a list of METHOD /path?query") {
			l.testCase(c, caller, false)
		}
	}
}

func (l *loader) testCase(v strict.Value, caller string, allow bool) {
	text, ok := v.Text("METHOD /path?query")
	if !ok {
		return
	}
	method, target, problem := parseRequest(text)
	if problem != "" {
		v.Errorf("%s", problem)
		return
	}
	l.cases = append(l.cases, testCase{v, text, Request{caller, method, target}, allow})
}

// parseRequest reads a request as people write it: without a version it is of v1.0, and spaces and letters
// beyond ASCII need no escapes.
func parseRequest(text string) (method string, target *odata.Target, problem string) {
	method, rest, found := strings.Cut(text, " ")
	if !found || !strings.HasPrefix(rest, "/") {
		return "", nil, fmt.Sprintf("%.200q is not a request; write METHOD /path?query, such as GET /users?$top=5", text)
	}
	if match.MethodOf(method) == 0 {
		return "", nil, fmt.Sprintf("%.80q is not one method of GET, HEAD, POST, PUT, PATCH and DELETE", method)
	}
	path, query, _ := strings.Cut(escape(rest), "?")
	if !hasVersion(path) {
		path = "/v1.0" + path
	}
	target, err := odata.Parse(path, query)
	if err != nil {
		return "", nil, err.Error()
	}
	return method, target, ""
}

// hasVersion reports whether a path begins with a version, or with what was meant as one.
func hasVersion(path string) bool {
	first, _, _ := strings.Cut(path[1:], "/")
	first = strings.ToLower(first)
	return first == "beta" || len(first) > 1 && first[0] == 'v' && first[1] >= '0' && first[1] <= '9'
}

func escape(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if c == ' ' || c >= utf8.RuneSelf {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// runCases reports the tests whose decision is not the one they say, whatever the mode.
func (l *loader) runCases() {
	for _, c := range l.cases {
		book, method := l.policy.rules[c.request.Caller], match.MethodOf(c.request.Method)
		d := book.decide(c.request.Target, method)
		switch {
		case d.Allow == c.allow:
		case d.Allow:
			c.at.Errorf("%s is allowed, by %s: %s", c.text, d.Rule.Where(), d.Rule.Text)
		case d.Rule != nil:
			c.at.Errorf("%s is denied, by %s: %s", c.text, d.Rule.Where(), d.Rule.Text)
		default:
			c.at.Errorf("%s is denied: %s", c.text, book.nearest(c.request.Target, method))
		}
	}
}

// nearest says, of a target that no rule allows, which one comes nearest and why it does not.
func (b *ruleBook) nearest(t *odata.Target, method match.Methods) string {
	if isBatch(t) {
		return reasonBatch
	}
	i, clause, found := b.allow.Nearest(t, method)
	if !found {
		return "no rule of this caller begins like it"
	}
	r := b.allowRules[i]
	return fmt.Sprintf("no rule allows it; the nearest is %s: %s, %s", r.Where(), r.Text, clause)
}
