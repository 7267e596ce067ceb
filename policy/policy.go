// Package policy decides whether a caller may make a request to Microsoft Graph, and which limits cover it.
//
// A policy is one file. People who are not programmers write it, so the loader checks everything: it reports
// every problem with its line, and does not load a file with a problem or with a failing test. docs/policy.md
// is the reference. A request is allowed when one rule of its caller allows it and none denies it. A request
// that is not understood does not match an allow rule and does match a deny rule.
//
// Other packages decide who the caller is (auth/caller), how a URL is read (policy/graph/odata) and whether a
// limit has capacity (policy/limit). This package has no clock, no log and no network: the same file and
// request give the same decision.
package policy

import (
	"net/netip"
	"strconv"
	"time"

	"graphproxy/policy/body"
	"graphproxy/policy/graph/odata"
	"graphproxy/policy/limit"
	"graphproxy/policy/match"
	"graphproxy/policy/yamlfile"
)

// Error is one problem of a policy file: "policy.yaml:12: callers.hr-sync.allow[3]: unknown key ...".
type Error = yamlfile.Error

// Errors are all problems of a policy file, sorted by line, one per line as text.
type Errors = yamlfile.Errors

// Policy is a loaded policy file. It is immutable and safe for concurrent use. The zero value has no callers
// and so denies everything.
type Policy struct {
	files      []string // the names, the main file first
	hash       string
	callers    []Caller
	rules      map[string]*ruleBook // by caller
	limits     []*commonLimit
	covers     match.DenySet // the items of all covers
	coverOf    []cover       // by number in covers
	apps       []AppRef
	cases      []Case
	prove      Prove             // judges the evidence of tests; nil: nothing does
	loaded     time.Time         // when the files were read; cases without a time are judged at this time
	console    []Identity        // of the visitors of the console
	contact    string            // whom a refused caller must ask
	report     bool              // of the whole policy: callers without a mode are in report mode
	bounds     map[string]string // as text, by pattern
	boundRules []*Rule
	lists      map[string][]string
	warnings   Errors
}

// File returns the name of the main file as it was given to Load or Parse.
func (p *Policy) File() string {
	if len(p.files) == 0 {
		return ""
	}
	return p.files[0]
}

// Hash returns the first 12 hexadecimal digits of the SHA-256 of the file's bytes; where there are several files,
// of all of them with their names.
func (p *Policy) Hash() string { return p.hash }

// Callers returns the callers in file order. The caller of Callers must not change them.
func (p *Policy) Callers() []Caller { return p.callers }

// Rules returns the rules of a caller in file order, and included rules in the place of their include; nil for
// a caller that is not in the file. The caller of Rules must not change them.
func (p *Policy) Rules(caller string) (allow, deny []*Rule) {
	if book := p.rules[caller]; book != nil {
		return book.allowRules, book.denyRules
	}
	return nil, nil
}

// Reports reports whether the caller is in report mode, which lets denied requests through.
func (p *Policy) Reports(caller string) bool {
	book := p.rules[caller]
	return book != nil && book.report
}

// ReportsByDefault reports whether the file as a whole is in report mode: it is the mode of each caller without
// one.
func (p *Policy) ReportsByDefault() bool { return p.report }

// Apps returns the app registration, with its tenant, of each caller and of each rule that names one, in file
// order. The command checks that each one is configured. The caller of Apps must not change them.
func (p *Policy) Apps() []AppRef { return p.apps }

// Warnings returns what is allowed in the file but probably a mistake, sorted by line; nil if there are none.
func (p *Policy) Warnings() []*Error { return p.warnings }

// DefaultApp is the name of the app registration of a caller that names none: the one that AZURE_* describes.
const DefaultApp = "default"

// AppRef is one place that names an app registration, a tenant to use it in, or both.
type AppRef struct {
	Name   string // never empty
	Tenant string // "": the app's own
	Where  string // "policy.yaml:12: callers.hr.app"
}

// Caller is a caller of the file, and its identities.
type Caller struct {
	Name       string
	File       string
	Line       int
	App        string     // the app registration for its requests, never empty
	Tenant     string     // that App is used in, a GUID or a domain in lower case; "" is the app's own
	Priority   string     // for requests whose rule names none: "low", "normal" or "high"; "" names none
	Identities []Identity // any one suffices; at least one
	Until      time.Time  // when it ends; zero: it does not
	InFlight   Share      // of the requests that the proxy handles at once
	About      About
}

// Share is how many requests at once a caller may have while other callers do not need the places: a number of
// requests, or a percentage of all. The zero Share is that of a caller without in-flight in the file.
type Share struct{ Requests, Percent int }

// String returns the share as a policy writes it; "" for the zero Share.
func (s Share) String() string {
	switch {
	case s.Percent > 0:
		return strconv.Itoa(s.Percent) + "%"
	case s.Requests > 0:
		return strconv.Itoa(s.Requests)
	}
	return ""
}

// Identity is one kind of evidence that proves a caller. The fields of other kinds are zero.
type Identity struct {
	Kind string // certificate, token, key, unix, network, anyone or all
	File string
	Line int
	Name string // in the audit log; "" is none. Unique within its caller

	URI, DNS, CommonName string // certificate: exactly one is set

	// token: an https URL, or http on loopback; never empty; may be empty if there are Claims
	Issuer, Audience, Subject string
	Claims                    map[string][]string // token: a claim must have one of the values
	// token: path of the file with the issuer's keys; "": they are discovered
	JWKSFile string

	KeySHA256 [32]byte // key

	UID  *int   // unix: of the peer
	GID  *int   // unix
	User string // unix: instead of UID

	Networks []netip.Prefix // network: masked, no two of different callers overlap

	All []Identity // all: two or more of other kinds than all and anyone, which must hold together
}

// Each returns the kinds of evidence that the identity consists of: those of all, strongest first, or itself.
func (id Identity) Each() []Identity {
	if id.Kind == "all" {
		return id.All
	}
	return []Identity{id}
}

// Request is a request to decide on.
type Request struct {
	Caller string
	Method string // as on the wire; HEAD is judged as GET
	Target *odata.Target

	// References are the resources that the request refers to in its $id and, once it has been read, in its
	// body: paths with a version or without, "/v1.0/users/1", "users/1". A resource at another host than Graph
	// has the host too.
	References []string

	// Body is the request's body; nil while it is not read. Then a Decision that depends on it has ReadBody
	// set.
	Body *Body

	At time.Time // when the request came; zero is before the end of every grant

	// Selection is what the token in Target holds, where it goes on with a delta query, and with which app and tenant it
	// was got. Nil: nothing is proven of it. Then no rule matches that bounds what a token can hold.
	Selection *Selection
}

// Selection is what a delta query was begun with.
type Selection struct {
	Options     []odata.Option // without tokens
	App, Tenant string         // as Decision has them
}

// Body is the body of a request.
type Body = match.Body

// The states of a Body: there is none, it is JSON according to its Content-Type, or it is not.
const (
	BodyAbsent = match.BodyAbsent
	BodyJSON   = match.BodyJSON
	BodyOther  = match.BodyOther
)

// Decision is the decision of the policy on a request.
type Decision struct {
	Allow     bool      // act on this; also true for a request that report mode lets through
	WouldDeny bool      // report mode let a denied request through
	Rule      *Rule     // that decided; nil: no rule matched
	Near      *Rule     // if no rule matched: an allow rule for this target that fails for Reason; nil: there is none
	Reason    string    // of a denial, without a value of the request: "denied", "where: id", "body: only"
	Until     time.Time // if it is allowed: when the rule or the caller ends; zero: neither does
	// the decision depends on the body, which Request does not have: read it and decide again. Allow is false
	// then
	ReadBody bool
	// the policy bounds what the request selects, and its answer may have links that hold the selection in a token: they
	// need a proof, so that a request that follows one can have its Selection
	Selects  bool
	App      string // the app registration to use, never empty
	Tenant   string // the tenant to use it in; "" is the app's own
	Priority string // to name to Graph in x-ms-throttle-priority: "low", "normal" or "high"; "" names none
	Ticket   string // of the rule that decided, and else of the caller; "" if the file has none
}

// Rule is one rule of the file. It is immutable.
type Rule struct {
	File string
	Line int
	Text string // canonical, with the version only if that is beta: "POST,DELETE /groups/{id}/members/$ref"
	Path string // the template with its version: "/v1.0/groups/{id}/members/$ref"

	// Conditions are the conditions of where, query and body, each on one line as in the file: "where: {id:
	// [\"*@contoso.com\"]}", "query: {$top: 50}". Must not be changed.
	Conditions []string

	where   string   // File and Line
	options []string // the entries of Conditions about query options, in the order of match.Options
	match   match.Rule
	limit   *limit.Limit
	lists   map[string]ConditionList // the entries of Conditions that are lists
	bounds  []bound                  // what is allowed for each query option that the rule names

	app, tenant string
	appAt       string // the place in the file where the rule names it
	unknown     bool   // the file states that Graph has it, although the embedded lists do not
	references  *references
	body        *body.Bounds // also in match
	bodyTexts   []string     // the entries of Conditions about the body
	priority    string
	about       About
	aboutLists  []ListAbout
	selects     bool // it bounds options that the token of a delta query can hold
}

// Unknown reports whether the file states that Graph has what the rule names, although graphproxy's lists do
// not.
func (r *Rule) Unknown() bool { return r.unknown }

// Match returns the compiled rule. It must not be changed.
func (r *Rule) Match() *match.Rule { return &r.match }

// OptionConditions returns the entries of Conditions about query options: the text of each of Match().Options,
// in their order. It must not be changed.
func (r *Rule) OptionConditions() []string { return r.options }

// ConditionList is a condition that allows each of some values.
type ConditionList struct {
	Of     string   // what the condition is about: "where: {id}"
	Values []string // as in the file
}

// ConditionList returns the values of an entry of Conditions; false if it is no list. Must not be changed.
func (r *Rule) ConditionList(condition string) (ConditionList, bool) {
	l, found := r.lists[condition]
	return l, found
}

// App returns the app registration that the rule names; "" if it names none: then the caller's is used.
func (r *Rule) App() string { return r.app }

// Tenant returns the tenant that the rule names. "" if it names none: then the caller's tenant is used, or, if
// the rule names an app, that app's own.
func (r *Rule) Tenant() string { return r.tenant }

// Priority returns the priority that the rule names, "low", "normal" or "high"; "" if it names none: then the
// caller's is used.
func (r *Rule) Priority() string { return r.priority }

// Limit returns the rule's own limit, or nil. It must not be changed.
func (r *Rule) Limit() *limit.Limit { return r.limit }

// Where returns the rule's place: "policy.yaml:31".
func (r *Rule) Where() string {
	if r.where != "" {
		return r.where
	}
	return r.File + ":" + strconv.Itoa(r.Line)
}
