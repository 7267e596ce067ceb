// Package suggest writes rules from an audit log: the smallest set that allows the requests in the log.
//
// It decides which segments of a path are keys and so become variables, which rules are the same or cover each
// other, and which remain. If uncertain, it keeps a segment as a name: a key that is treated as a name gives a rule
// that is too narrow, which people notice; a name that is treated as a key gives one that is too wide, which people
// do not notice. It never suggests "/**".
//
// The text of the log comes from callers. No part of it gets into the YAML unless it is part of a template that
// package odata reads as exactly that. Package audit reads the log, and people decide whether they want the rules.
package suggest

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"graphproxy/policy"
	"graphproxy/policy/analysis/audit"
	"graphproxy/policy/analysis/diff"
	"graphproxy/policy/graph/odata"
	"graphproxy/policy/match"
	"graphproxy/policy/yamlfile"
)

// Options are settings for suggestions.
type Options struct {
	// Pin keeps a key as it is where a rule was used with one value only.
	Pin bool
	// Operations are Graph's, if there is a list. They show with certainty which segments are keys; a path that is
	// not in the list is read without it.
	Operations *Operations
	// Denied suggests rules also for requests that were refused because no rule allows them.
	Denied bool
	// Into is the policy that the rules are added to, if there is one. What it allows is not suggested.
	Into *policy.Policy
}

// Suggester collects requests. It needs memory for each different request, about one kilobyte. It is not safe for
// concurrent use; New makes one.
type Suggester struct {
	options Options
	into    *diff.Judge // nil without Options.Into
	keys    *keyReader
	callers map[string]*collected
	nobody  int
}

// New returns an empty Suggester.
func New(o Options) *Suggester {
	s := &Suggester{options: o, keys: newKeyReader(), callers: make(map[string]*collected)}
	if o.Into != nil {
		s.into = diff.NewJudge(o.Into)
	}
	return s
}

// collected is the requests of one caller.
type collected struct {
	items map[itemKey]*item

	denied, unreadable, unwritable int
	allowed, unknown, options      int // by Options.Into: see Caller
	forbidden                      map[forbiddenKey]*Forbidden
}

type itemKey struct {
	method match.Methods
	path   string
}

// item is one target and method that was requested.
type item struct {
	method match.Methods
	target *odata.Target // without its query
	count  int           // requests
	named  [3]int        // how many of them used each of match.RefusedUnlessNamed
	proves bool          // Graph's answer proves that the path exists
	keys   []bool        // which segments are keys, as far as they have been read
}

type forbiddenKey struct{ rule, path string }

// Add adds a line of the log. Denied requests are not suggested without Options.Denied, and only counted, and so
// are requests that report mode let through although an explicit deny rule applies. A $batch itself is ignored,
// because its items have their own lines.
func (s *Suggester) Add(l audit.Line) {
	switch {
	case l.IsEnvelope():
		return
	case !isCaller(l.Caller):
		s.nobody++
		return
	}
	c := s.callers[l.Caller]
	if c == nil {
		c = &collected{items: make(map[itemKey]*item), forbidden: make(map[forbiddenKey]*Forbidden)}
		s.callers[l.Caller] = c
	}
	method := match.MethodOf(l.Method)
	switch {
	case s.into != nil && s.isDecided(c, &l, method):
	case l.Decision == audit.Deny && !s.options.Denied:
		c.denied++
	case l.Parsed == nil:
		c.unreadable++
	case l.WouldDeny && l.Reason == policy.ReasonDenied, l.Decision == audit.Deny && l.Rule != "":
		c.forbid(&l, method)
	case method == 0 || len(l.Parsed.Segments) == 0:
		c.unwritable++
	default:
		c.add(&l, method)
	}
}

// isDecided counts a line that the policy of Options.Into allows, may allow or denies by a deny rule, so that a
// rule for it would be superfluous, or without effect. It reports whether the line is such a one.
func (s *Suggester) isDecided(c *collected, l *audit.Line, method match.Methods) bool {
	surely, may := s.into.Allows(*l)
	switch rule := s.into.Denies(*l); {
	case surely:
		c.allowed++
	case rule == nil && !may && s.isAllowedWithoutOptions(*l):
		c.options++
	case rule != nil && (s.options.Denied || l.Decision != audit.Deny):
		forbidden := *l
		forbidden.Rule, forbidden.Path = rule.Where(), rule.Path
		c.forbid(&forbidden, method)
	case may && (l.Allowed() || l.Policy != s.options.Into.Hash()):
		c.unknown++
	default:
		return false
	}
	return true
}

// isAllowedWithoutOptions reports whether the policy of Options.Into allows a request but for its query options.
func (s *Suggester) isAllowedWithoutOptions(l audit.Line) bool {
	if l.Parsed == nil {
		return false
	}
	l.Parsed = withoutQuery(l.Parsed)
	surely, _ := s.into.Allows(l)
	return surely
}

// isCaller reports whether a policy can have a caller of that name. The name of an unknown caller is "".
func isCaller(name string) bool {
	const longest = 64
	return yamlfile.IsName(name) && len(name) <= longest
}

func (c *collected) add(l *audit.Line, method match.Methods) {
	key := itemKey{method, l.Parsed.EscapedPath()}
	it := c.items[key]
	if it == nil {
		it = &item{method: method, target: withoutQuery(l.Parsed)}
		c.items[key] = it
	}
	it.count++
	for i, name := range match.RefusedUnlessNamed() {
		if _, found := l.Parsed.Option(name); found {
			it.named[i]++
		}
	}
	it.proves = it.proves || isProof(l)
}

// sorted returns the items in an order that is the same for every log of the same requests. The first of several
// spellings is used in the rule. In reverse alphabetical order that is one in lower case and without parentheses.
func (c *collected) sorted() []*item {
	paths := slices.SortedFunc(maps.Keys(c.items), func(a, b itemKey) int {
		return cmp.Or(strings.Compare(b.path, a.path), int(a.method)-int(b.method))
	})
	items := make([]*item, len(paths))
	for i, key := range paths {
		items[i] = c.items[key]
	}
	return items
}

// isProof reports whether Graph's answer proves that the path exists. Graph answers 400 to unknown names, and 429
// and others before it reads the path. Without this check, one mistyped request below deviceManagement would turn
// all names there into keys.
func isProof(l *audit.Line) bool {
	if l.Decision != audit.Allow {
		return false
	}
	switch l.Status {
	case 403, 404, 409, 410, 412:
		return true
	}
	return 200 <= l.Status && l.Status < 400
}

func withoutQuery(t *odata.Target) *odata.Target {
	return &odata.Target{Version: t.Version, Segments: t.Segments}
}

// forbid counts a request that an explicit deny rule denies.
func (c *collected) forbid(l *audit.Line, method match.Methods) {
	key := forbiddenKey{l.Rule, l.Path}
	f := c.forbidden[key]
	if f == nil {
		f = &Forbidden{Rule: l.Rule, Path: l.Path, seen: make(map[itemKey]*item)}
		c.forbidden[key] = f
	}
	f.Requests++
	seen := itemKey{method, l.Parsed.EscapedPath()}
	if f.seen[seen] == nil {
		f.seen[seen] = &item{method: method, target: withoutQuery(l.Parsed)}
	}
	f.seen[seen].count++
}
