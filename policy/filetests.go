package policy

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"graphproxy/policy/graph/odata"
	"graphproxy/policy/match"
	"graphproxy/policy/yamlfile"
)

// Case is one line of a file's tests. It is immutable.
type Case struct {
	File    string
	Line    int
	Text    string // as written: "GET /users"
	Request Request
	Allow   bool // what the decision must be

	where string // "tests[0].allow[2]"
}

// Result is the outcome of a Case.
type Result struct {
	Case
	Explanation Explanation
	OK          bool
}

// Test runs the file's tests, in file order. Tests without at: are judged at the time that was given to
// ParseAt. In a policy from Parse or ParseAt every test is OK.
func (p *Policy) Test() []Result { return p.TestAt(p.loaded) }

// TestAt is Test at another time.
func (p *Policy) TestAt(now time.Time) []Result {
	results := make([]Result, len(p.cases))
	for i, c := range p.cases {
		request := c.Request
		if request.At.IsZero() {
			request.At = now
		}
		e := p.Explain(request)
		results[i] = Result{Case: c, Explanation: e, OK: e.Allow == c.Allow}
	}
	return results
}

// testErrors returns the tests whose outcome is not the expected one.
func (p *Policy) testErrors() Errors {
	var report yamlfile.Report
	for _, file := range p.files {
		report.In(file)
	}
	for _, r := range p.Test() {
		if !r.OK {
			report.AddIn(r.File, r.Line, r.where, "%s %s", r.Text, r.Explanation)
		}
	}
	return report.Errors()
}

// testCases reads the file's tests. They run when the rest of the file has loaded.
func (l *loader) testCases(v yamlfile.Value) {
	if !v.IsSet() {
		return
	}
	var names []string
	for _, c := range l.policy.callers {
		names = append(names, c.Name)
	}
	for _, item := range v.List("a list of tests") {
		keys := item.Mapping("caller", "at", "allow", "deny")
		if !item.IsMapping() {
			continue
		}
		l.require(item.Line(), item.Where(), keys, "caller", "write the name of the caller")
		if !keys["allow"].IsSet() && !keys["deny"].IsSet() {
			item.Errorf("this tests nothing; write allow: or deny: with requests")
		}
		when := at(keys["at"])
		caller, ok := keys["caller"].Text("the name of a caller")
		if ok && l.policy.rules[caller] == nil {
			keys["caller"].Errorf("%s", yamlfile.Unknown("caller", caller, names))
		}
		for _, c := range keys["allow"].OneOrMore("a list of METHOD /path?query") {
			l.testCase(c, caller, when, true)
		}
		for _, c := range keys["deny"].OneOrMore("a list of METHOD /path?query") {
			l.testCase(c, caller, when, false)
		}
	}
}

func (l *loader) testCase(v yamlfile.Value, caller string, when time.Time, allow bool) {
	text, body, ok := caseText(v)
	if !ok {
		return
	}
	request, err := ParseRequest(caller, text)
	if err != nil {
		v.Errorf("%v", err)
		return
	}
	request.At = when
	if body != nil {
		request.Body = &Body{State: BodyJSON, Text: body}
	}
	l.policy.cases = append(l.policy.cases,
		Case{
			File:    v.File(),
			Line:    v.Line(),
			Text:    text,
			Request: request,
			Allow:   allow,
			where:   v.Where(),
		})
}

// caseText reads a request, or a mapping of one to its body.
func caseText(v yamlfile.Value) (text string, body []byte, ok bool) {
	if !v.IsMapping() {
		text, ok = v.Text("METHOD /path?query")
		return text, nil, ok
	}
	fields := v.Fields("METHOD /path?query")
	if len(fields) != 1 {
		v.Errorf("one request in each item: begin the next with \"- \" in front, and indent its body further")
		return "", nil, false
	}
	keys := fields[0].Value.Mapping("body")
	if _, found := keys["body"]; !found {
		return fields[0].Key, nil, len(keys) > 0 || fields[0].Value.IsMapping()
	}
	body, ok = keys["body"].JSON()
	return fields[0].Key, body, ok
}

// ParseRequest reads a request as people write it, "GET /users?$top=5". Without a version it is of v1.0, and
// spaces and letters beyond ASCII need no escapes. The error explains what is wrong with the text; an
// *odata.Error is about its URL.
func ParseRequest(caller, text string) (Request, error) {
	method, rest, found := strings.Cut(text, " ")
	if !found || !strings.HasPrefix(rest, "/") {
		return Request{}, fmt.Errorf("%.200q is not a request; write METHOD /path?query, such as GET /users?$top=5", text)
	}
	if match.MethodOf(method) == 0 {
		return Request{}, fmt.Errorf("%.80q is not one method of GET, HEAD, POST, PUT, PATCH and DELETE", method)
	}
	path, query, _ := strings.Cut(escape(rest), "?")
	if !HasVersion(path) {
		path = "/v1.0" + path
	}
	target, err := odata.Parse(path, query)
	if err != nil {
		return Request{}, err
	}
	if target.Tenant != "" && !strings.EqualFold(target.Tenant, "myOrganization") {
		return Request{}, errors.New(
			"the path begins with a tenant, which is no part of a resource's name and not known here; leave it out",
		)
	}
	return Request{Caller: caller, Method: method, Target: target, References: referenceIn(target), Body: &Body{}}, nil
}

// HasVersion reports whether a path, which begins with a slash, begins with a version, or with a misspelled version.
func HasVersion(path string) bool {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
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
