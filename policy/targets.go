package policy

import (
	"strings"

	"graphproxy/policy/body"
	"graphproxy/policy/graph/odata"
	"graphproxy/policy/match"
	"graphproxy/policy/yamlfile"
)

// targets are the resources of Graph that a text in a body may name, such as the resource of a subscription.
type targets struct {
	rules   []*Rule
	allowed match.AllowSet
	denied  match.DenySet
	texts   []string
}

// targets reads paths, each alone or with its where.
func (l *loader) targets(v yamlfile.Value) body.Targets {
	all := new(targets)
	for _, item := range v.OneOrMore("a path such as /users/{id}/messages") {
		r := l.path(item, true)
		if r == nil {
			continue
		}
		all.rules = append(all.rules, r)
		all.texts = append(all.texts, pathText(r))
		all.allowed.Add(&r.match)
		all.denied.Add(&r.match)
	}
	return all
}

// target reads a text as the path of a resource. Without a version it is of v1.0.
func target(text string) (*odata.Target, bool) {
	path, query, _ := strings.Cut(escape("/"+strings.TrimPrefix(text, "/")), "?")
	if strings.Contains(text, "#") {
		return nil, false
	}
	if !HasVersion(path) {
		path = "/v1.0" + path
	}
	t, err := odata.Parse(path, query)
	return t, err == nil && t.Tenant == "" && !t.IsBatch()
}

// Allow implements body.Targets.
func (ts *targets) Allow(text string) bool {
	t, ok := target(text)
	return ok && ts.allowed.Find(t, match.Get).Index >= 0
}

// MayMean implements body.Targets.
func (ts *targets) MayMean(text string) bool {
	t, ok := target(text)
	if !ok || len(t.Segments) > match.MaxSegments {
		return true
	}
	_, found := ts.denied.First(t, match.Get)
	return found
}

// Texts implements body.Targets.
func (ts *targets) Texts() []string { return ts.texts }

// Cover implements body.Targets.
func (ts *targets) Cover(others body.Targets) bool {
	o, ok := others.(*targets)
	if !ok {
		return false
	}
	for _, other := range o.rules {
		covered := false
		for _, r := range ts.rules {
			covered = covered || match.Covers(&r.match, &other.match)
		}
		if !covered {
			return false
		}
	}
	return true
}
