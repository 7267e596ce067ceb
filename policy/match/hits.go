package match

import "graphproxy/policy/graph/odata"

// positions has, for each segment of the template, the segment of the target that it matched. They differ where
// casts were skipped.
type positions [MaxSegments]uint8

// Hit is one rule that matches, and where.
type Hit struct {
	Index int // as numbered by Add
	rule  *Rule
	at    positions
}

// Hits are what All finds. The zero value has none. The caller of All has it on its stack, where the usual number of
// hits finds place.
type Hits struct {
	few   [4]Hit
	more  []Hit
	count int
}

// Len returns the number of hits.
func (h *Hits) Len() int { return h.count }

// At returns a hit, from 0.
func (h *Hits) At(i int) *Hit {
	if i < len(h.few) {
		return &h.few[i]
	}
	return &h.more[i-len(h.few)]
}

func (h *Hits) add(hit *Hit) {
	if h.count < len(h.few) {
		h.few[h.count] = *hit
	} else {
		h.more = append(h.more, *hit)
	}
	h.count++
}

// All adds every rule that may match a target and method to the hits, in no particular order; a rule may be found more
// than once, for several ways to match. It ignores conditions.
func (t *DenySet) All(target *odata.Target, method Methods, hits *Hits) {
	var f denyFinder
	f.target, f.segments, f.method, f.hits = target, target.Segments, method, hits
	f.from(t.root(target.Version), 0, 0)
}

// Values returns the values of a variable of the rule's template: one value, or the values of an alternate key
// with several parts. All spellings that may be read as the same key are returned in one form, see odata.Wide
// and odata.Bare. It is nil if the template has no such variable.
func (h *Hit) Values(target *odata.Target, name string) []string {
	v, found := findVariable(h.rule.Template, name)
	if !found {
		return nil
	}
	s := &target.Segments[h.at[v.segment]]
	switch {
	case s.Kind == odata.Path:
		return []string{s.WideText()}
	case s.Kind != odata.Args:
		return []string{s.BareText()}
	}
	args := s.Args
	if a := argument(args, v.arg); a != nil {
		args = []odata.Arg{*a}
	}
	var values []string
	for i := range args {
		if items := bareItems(&args[i]); len(items) > 0 {
			values = append(values, items...)
		} else {
			values = append(values, bareValue(&args[i]))
		}
	}
	return values
}
