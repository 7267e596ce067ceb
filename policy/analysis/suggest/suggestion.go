package suggest

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"graphproxy/policy/match"
)

// Suggestion is the smallest set of rules for each caller. It must not be changed.
type Suggestion struct {
	Callers []Caller `json:"callers"`          // sorted by name
	Nobody  int      `json:"nobody,omitempty"` // requests of callers that a policy cannot name
}

// Caller is the suggestion for one caller, and its requests that are not covered.
type Caller struct {
	Name  string `json:"name"`
	Rules []Rule `json:"allow"` // sorted by path, v1.0 before beta

	Denied     int          `json:"denied,omitempty"`     // requests that were denied
	Forbidden  []*Forbidden `json:"forbidden,omitempty"`  // requests to which explicit deny rules of report mode apply
	Unreadable int          `json:"unreadable,omitempty"` // requests whose target cannot be read back from the log
	// requests for which there is no rule, such as those for the service root
	Unwritable int `json:"unwritable,omitempty"`
	// with a policy to add to: requests that it allows, that it may allow, depending on what is not in the log, and
	// that it allows but for their query options
	Allowed int `json:"allowed,omitempty"`
	Unknown int `json:"unknown,omitempty"`
	Options int `json:"options,omitempty"`

	items []*item // the items that the rules must allow
}

// Rule is one suggested rule.
type Rule struct {
	Text     string `json:"rule"`     // as in a policy file: "GET,PATCH /users/{id}"
	Requests int    `json:"requests"` // how many were seen
	// how many of them used $expand, which the rule does not allow: the log does not have its value
	Expand  int `json:"expand,omitempty"`
	Apply   int `json:"apply,omitempty"`   // the same for $apply
	Compute int `json:"compute,omitempty"` // the same for $compute
	// segments that are treated as names although they look like keys, because nothing proves that they are keys
	Names []string `json:"names,omitempty"`
}

// Forbidden are requests to which a deny rule applies, and that report mode let through.
type Forbidden struct {
	Rule     string `json:"rule"` // file:line
	Path     string `json:"path"` // its template
	Requests int    `json:"requests"`
	// how many of them the suggested rules allow, so that the deny rule must stay
	Allowed int `json:"allowed,omitempty"`

	seen map[itemKey]*item
}

// Suggest returns the rules for the added requests. More may be added afterwards.
func (s *Suggester) Suggest() *Suggestion {
	all := &Suggestion{Callers: []Caller{}, Nobody: s.nobody}
	for _, name := range slices.Sorted(maps.Keys(s.callers)) {
		all.Callers = append(all.Callers, s.suggest(name, s.callers[name]))
	}
	return all
}

func (s *Suggester) suggest(name string, c *collected) Caller {
	items := c.sorted()
	for _, it := range items {
		it.keys = s.options.Operations.keysOf(it.target)
	}
	s.keys.read(items)
	caller := Caller{
		Name:       name,
		Rules:      []Rule{},
		Denied:     c.denied,
		Unreadable: c.unreadable,
		Unwritable: c.unwritable,
		Allowed:    c.allowed,
		Unknown:    c.unknown,
		Options:    c.options,
	}
	candidates := s.candidates(&caller, items)
	merged := merge(smallest(candidates, caller.items))
	for _, c := range merged {
		caller.Rules = append(caller.Rules,
			Rule{Text: c.method.String() + " " + strings.TrimPrefix(c.template.Text, "/v1.0"), Names: c.names})
	}
	tree := rules(merged)
	for _, it := range caller.items {
		r := &caller.Rules[tree.Find(it.target, it.method).Index]
		r.Requests += it.count
		r.Expand += it.named[0]
		r.Apply += it.named[1]
		r.Compute += it.named[2]
	}
	for _, f := range c.forbidden {
		caller.Forbidden = append(caller.Forbidden, f.against(tree))
	}
	slices.SortFunc(caller.Forbidden, func(a, b *Forbidden) int {
		return cmp.Or(strings.Compare(a.Rule, b.Rule), strings.Compare(a.Path, b.Path))
	})
	return caller
}

// candidates makes a rule for each method and shape. Requests that it does not allow are counted as unwritable; the
// others become the caller's items.
func (s *Suggester) candidates(caller *Caller, items []*item) []*candidate {
	var all []*candidate
	for _, sh := range shapes(items) {
		for _, u := range sh.uses {
			t := sh.template(u, s.options.Pin, s.keys)
			if t == nil {
				caller.Unwritable += requests(u.items)
				continue
			}
			made := newCandidate(u.method, t, sh.doubtful())
			tree := rules([]*candidate{made})
			for _, it := range u.items {
				if tree.Find(it.target, it.method).Index < 0 {
					caller.Unwritable += it.count
					continue
				}
				caller.items = append(caller.items, it)
			}
			all = append(all, made)
		}
	}
	return all
}

func requests(items []*item) (n int) {
	for _, it := range items {
		n += it.count
	}
	return n
}

// against returns the requests with the number that the rules allow.
func (f *Forbidden) against(tree *match.AllowSet) *Forbidden {
	result := &Forbidden{Rule: f.Rule, Path: f.Path, Requests: f.Requests}
	for _, it := range f.seen {
		if tree.Find(it.target, it.method).Index >= 0 {
			result.Allowed += it.count
		}
	}
	return result
}
