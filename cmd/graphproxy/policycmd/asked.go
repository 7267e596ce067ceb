package policycmd

import (
	"bytes"
	"errors"
	"strings"
	"time"

	"graphproxy/policy"
)

// Asked is a request that a person asks about, in one of the forms that the command explain takes.
type Asked struct {
	Caller string
	Text   string // METHOD /path?query, an address, or a line of curl
	Body   []byte // nil: none, but for that in a line of curl
	At     time.Time
}

// Explained is the answer of the command explain to a request.
type Explained struct {
	text   explanation
	Allow  bool     // in either mode
	Passes bool     // it is allowed, or report mode lets it through
	Limits []string // names of the limits that it would take from
}

// Explain explains a request as the command explain does. It opens no file: a line of curl that reads its body from one
// is an error. Errors are for the person who asks.
func Explain(p *policy.Policy, a Asked) (Explained, error) {
	if err := checkCaller(p, a.Caller); err != nil {
		return Explained{}, err
	}
	request, sent, err := requestOf(a.Caller, a.Text)
	switch {
	case err != nil:
		return Explained{}, err
	case sent.BodyFile != "":
		return Explained{}, errors.New("the line of curl reads its body from a file; write the body into the field for " +
			"it, and " +
			"take the option out of the line")
	case sent.Body != nil && len(a.Body) > 0:
		return Explained{}, errors.New("the line of curl has a body, and so has the field for it; leave one of them out")
	}
	body, where := a.Body, "the field"
	if sent.Body != nil {
		body, where = sent.Body, "the line of curl"
	}
	request.At, request.Body = a.At, &policy.Body{State: policy.BodyAbsent}
	if body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")); len(bytes.TrimSpace(body)) > 0 {
		if request.Body, err = bodyOf(body, where); err != nil {
			return Explained{}, err
		}
	}
	x, err := explanationOf(p, request)
	return Explained{text: x, Allow: x.Decision == decision(true), Passes: x.Passes, Limits: x.Limits}, err
}

// String returns what the command prints.
func (e Explained) String() string {
	var b strings.Builder
	_ = e.text.text(&b) // a Builder's errors are nil
	return b.String()
}

// Places is as in Recorded.
func (e Explained) Places() []string { return e.text.places() }

// places returns the places of the rule that decides, or of the one that comes nearest.
func (x *explanation) places() []string {
	var places []string
	for _, rule := range []*ruleText{x.Rule, x.Nearest} {
		if rule != nil {
			places = append(places, rule.Where)
		}
	}
	return places
}
