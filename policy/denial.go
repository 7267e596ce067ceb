package policy

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"graphproxy/policy/graph/odata"
	"graphproxy/policy/match"
	"graphproxy/policy/yamlfile"
)

// The bounds of what a refusal quotes, in bytes, besides what the file has about the rule. A refusal's body stays far
// below 2,000 bytes with all of them.
const (
	maxContact     = 200
	maxDenialPath  = 200
	maxDenialValue = 300
)

// contact reads whom a refused caller must ask.
func (l *loader) contact(v yamlfile.Value) string {
	if !v.IsSet() {
		return ""
	}
	text, ok := v.Text("whom a refused caller is to ask, such as graph-team@contoso.com")
	switch {
	case !ok:
		return ""
	case len(text) > maxContact:
		v.Errorf("the contact has %d bytes; at most %d are read", len(text), maxContact)
	case strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }):
		v.Errorf("the contact %.80q is not one line of visible characters and spaces", text)
	case strings.TrimSpace(text) == "":
		v.Errorf("the contact is empty; write whom to ask, or leave the key out")
	}
	return strings.TrimSpace(text)
}

// Contact returns whom a refused caller must ask, from the file; "" if the file does not name a contact.
func (p *Policy) Contact() string { return p.contact }

// ContactAdvice returns the end of a message to a refused caller, which names the contact: "; ask
// graph-team@contoso.com". It is "" if the file does not name one.
func (p *Policy) ContactAdvice() string {
	if p.contact == "" {
		return ""
	}
	return "; ask " + p.contact
}

// Denial explains to the caller, in one sentence, why a request is denied and what would be allowed: a bound of
// the nearest rule, or another method or version. It quotes the request's path and the values that a rule
// allows for query options. It never quotes a value of the request's query or of where:. It is shorter than
// 1,700 bytes. It is slow, and must not be called for allowed requests.
func (p *Policy) Denial(r Request, d Decision) string {
	return fmt.Sprintf("the policy does not allow %s %s for caller %q: %s%s%s", r.Method,
		shown(r.Target.Path(), maxDenialPath), r.Caller, p.denialReason(r, d), p.aboutDenial(r, d), p.ContactAdvice())
}

func (p *Policy) denialReason(r Request, d Decision) string {
	if offending, ok := d.Rule.MayReferTo(r.References); !ok {
		return "it may not refer to " + shown(fmt.Sprintf("%q", offending), maxDenialPath)
	}
	switch {
	case d.Reason == ReasonEnded:
		return "the caller has ended; its time in the policy is over"
	case isMe(r.Target):
		return "/me is the user who has signed in, and app-only access has none; write /users/{id} with the user's id or name"
	case d.Rule != nil:
		return "a deny rule forbids it"
	case d.Near != nil && strings.HasPrefix(d.Reason, match.ReasonBody) && r.Body != nil:
		return d.Near.bodyDenial(r.Body)
	case d.Reason == ReasonSelection:
		return "the rule for this path bounds query options, and the request goes on with a delta query by a token, which " +
			"holds options of its own; follow nextLinks and deltaLinks whole, as graphproxy returned them to this caller " +
			"(not those from before a change of the policy or of the app's secret), or begin again without the token"
	case d.Near != nil && d.Reason == match.ReasonUntil:
		return "the rule that allowed it has ended at " + d.Near.Until().Format(time.RFC3339)
	case d.Near != nil && d.Reason != match.ReasonMethod:
		return d.Near.bound(d.Reason)
	}
	return p.otherwise(r, d.Reason)
}

// isMe reports whether a target is below /me.
func isMe(t *odata.Target) bool {
	return len(t.Segments) > 0 && t.Segments[0].Kind == odata.Name && t.Segments[0].Fold == "me"
}

// otherwise returns the methods, or the version, with which the request would be allowed.
func (p *Policy) otherwise(r Request, reason string) string {
	book := p.rules[r.Caller]
	if book == nil {
		return reason
	}
	var methods []string
	for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
		if book.mayAllow(r.Target, method, r.At) {
			methods = append(methods, method)
		}
	}
	if len(methods) > 0 {
		return reason + ", only " + strings.Join(methods, " and ")
	}
	other := *r.Target
	if other.Version = "beta"; r.Target.Version == "beta" {
		other.Version = "v1.0"
	}
	if book.mayAllow(&other, r.Method, r.At) {
		return reason + " in " + r.Target.Version + ", only in " + other.Version
	}
	return reason
}

// mayAllow reports whether a request is allowed, or may be once its body is read.
func (b *ruleBook) mayAllow(t *odata.Target, method string, at time.Time) bool {
	var d Decision
	b.byTarget(&d, t, MethodsOf(method, t), &match.Circumstances{At: at})
	return d.Allow || d.ReadBody
}

// bound returns what the rule allows where its condition, named by a Decision's Reason, does not hold.
func (r *Rule) bound(reason string) string {
	if name, ok := strings.CutPrefix(reason, "where: "); ok {
		return "the rule for this path bounds {" + name + "}, and the request's value is not one that it allows"
	}
	for _, b := range r.bounds {
		if b.reason == reason {
			return b.text
		}
	}
	name := strings.TrimPrefix(reason, "query: ")
	if name == "$expand" {
		return "$expand must be named in the rule, query: {$expand: [...]}, because it reaches other resources; leave it out"
	}
	return name + " must be named in the rule, under query:, to be allowed; leave it out"
}

// bound is what a rule allows for a query option.
type bound struct {
	reason string // of the option's condition
	text   string // "$top may be a number from 1 to 50"
}

// boundText returns the text of what a rule allows for a query option, whose value in the file is v.
func boundText(name string, v yamlfile.Value) string {
	values := v.Flow()
	if !v.IsScalar() {
		values = strings.TrimSuffix(strings.TrimPrefix(values, "["), "]")
	}
	list := shown(values, maxDenialValue)
	switch fold := strings.ToLower(name); {
	case v.IsScalar() && list == "none":
		return name + " is not allowed here; leave it out"
	case fold == "$select":
		return "$select must be there, and may hold only " + strings.ReplaceAll(list, `"`, "")
	case fold == "$expand":
		return "$expand may hold only " + strings.ReplaceAll(list, `"`, "")
	case !v.IsInt():
		return name + " may be only " + list + starNote(list)
	case fold == "$top":
		return "$top may be a number from 1 to " + list
	}
	return name + " may be a number from 0 to " + list
}

func starNote(list string) string {
	if strings.Contains(list, "*") {
		return ` ("*" stands for any characters)`
	}
	return ""
}

// shown makes text of the caller or of the file fit for a message: it removes invisible characters, and cuts
// the text after most bytes.
func shown(s string, most int) string {
	s = odata.Visible(s)
	if len(s) <= most {
		return s
	}
	for !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most] + "…"
}
