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

	// Evidence is what the request presents, if the case is about who sends it. Then it must prove Request.Caller,
	// or no caller if that is NoCaller. Request has no Target, or one that any request without a caller stands for.
	Evidence *Evidence

	where string // "tests[0].allow[2]"
}

// Result is the outcome of a Case.
type Result struct {
	Case
	Explanation Explanation // zero for a case about Evidence
	Proof       Proof       // zero for another case
	OK          bool

	proof string
}

// Message says what was decided, or what the evidence proved, and why: "is allowed, by policy.yaml:7: GET /users".
func (r *Result) Message() string {
	if r.Evidence != nil {
		return r.proof
	}
	return r.Explanation.String()
}

// Test runs the file's tests, in file order. Tests without at: are judged at the time that was given to
// ParseAt. In a policy from Parse or ParseAt every test is OK.
func (p *Policy) Test() []Result { return p.TestAt(p.loaded) }

// TestAt is Test at another time.
func (p *Policy) TestAt(now time.Time) []Result {
	results := make([]Result, len(p.cases))
	for i, c := range p.cases {
		if c.Evidence != nil {
			found := p.proof(&c)
			ok := p.proves(&c, found)
			results[i] = Result{Case: c, Proof: found, OK: ok, proof: p.proofText(&c, found, ok)}
			continue
		}
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
			report.AddIn(r.File, r.Line, r.where, "%s %s", r.Text, r.Message())
		}
	}
	return report.Errors()
}

// testCases reads the file's tests. They run when the rest of the file has loaded.
func (l *loader) testCases(v yamlfile.Value) {
	if !v.IsSet() {
		return
	}
	for _, item := range v.List("a list of tests") {
		l.test(item)
	}
}

func (l *loader) test(item yamlfile.Value) {
	keys := item.Mapping("caller", "evidence", "at", "allow", "deny")
	if !item.IsMapping() {
		return
	}
	l.require(item.Line(), item.Where(), keys, "caller", "write the name of the caller")
	if !keys["allow"].IsSet() && !keys["deny"].IsSet() && !keys["evidence"].IsSet() {
		item.Errorf("this tests nothing; write allow: or deny: with requests")
	}
	when := at(keys["at"])
	caller := l.testedCaller(keys)
	var evidence *Evidence
	if keys["evidence"].IsSet() {
		evidence = l.evidenceCase(keys["evidence"], caller)
	}
	if caller != NoCaller {
		evidence = nil // what the caller may do does not depend on how it is known
	} else if evidence != nil {
		keys["allow"].Errorf("a request of no caller is refused with 401, whatever it asks for; take allow: out")
	}
	for _, c := range keys["allow"].OneOrMore("a list of METHOD /path?query") {
		l.testCase(c, Case{Request: Request{Caller: caller, At: when}, Allow: true, Evidence: evidence})
	}
	for _, c := range keys["deny"].OneOrMore("a list of METHOD /path?query") {
		l.testCase(c, Case{Request: Request{Caller: caller, At: when}, Evidence: evidence})
	}
}

// testedCaller reads whom a test is about.
func (l *loader) testedCaller(keys map[string]yamlfile.Value) string {
	caller, ok := keys["caller"].Text("the name of a caller")
	isKnown := l.policy.rules[caller] != nil
	switch {
	case !ok:
	case caller == NoCaller && keys["evidence"].IsSet():
		if isKnown {
			keys["caller"].Errorf("none stands for no caller here, and a caller has that name; rename the caller")
		}
	case caller == NoCaller && !isKnown:
		keys["caller"].Errorf("a test of a request that nothing proves needs evidence:, {} for none at all")
	case !isKnown:
		var names []string
		for _, c := range l.policy.callers {
			names = append(names, c.Name)
		}
		keys["caller"].Errorf("%s", yamlfile.Unknown("caller", caller, names))
	}
	return caller
}

// evidenceCase adds the case that the evidence of a test proves its caller.
func (l *loader) evidenceCase(v yamlfile.Value, caller string) *Evidence {
	e, ok := l.testEvidence(v, caller)
	if !ok {
		return nil
	}
	l.policy.cases = append(l.policy.cases,
		Case{
			File:     v.File(),
			Line:     v.Line(),
			Text:     "evidence " + v.Flow(),
			Request:  Request{Caller: caller},
			Evidence: e,
			where:    v.Where(),
		})
	return e
}

// testCase adds a request to a case that knows what must come out.
func (l *loader) testCase(v yamlfile.Value, c Case) {
	text, body, ok := caseText(v)
	if !ok {
		return
	}
	request, err := ParseRequest(c.Request.Caller, text)
	if err != nil {
		v.Errorf("%v", err)
		return
	}
	request.At = c.Request.At
	if body != nil {
		request.Body = &Body{State: BodyJSON, Text: body}
	}
	c.File, c.Line, c.where, c.Text, c.Request = v.File(), v.Line(), v.Where(), text, request
	l.policy.cases = append(l.policy.cases, c)
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
