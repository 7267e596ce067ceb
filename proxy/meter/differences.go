package meter

import (
	"sync/atomic"

	"graphproxy/policy"
)

// The values of the labels active and candidate. They are never written to. A value that is not in the list counts as
// the last one.
var rulings = [...]string{"allow", "would_deny", "deny", "limit", "refuse", "unknown"}

// differences counts the requests that the candidate would decide otherwise, by caller.
type differences map[string]*[len(rulings)][len(rulings)]atomic.Uint64

// newDifferences has the callers of both policies, and "" for requests whose caller neither knows. It goes on with the
// counters of older ones. The candidate is nil if there is none.
func newDifferences(active, candidate *policy.Policy, old differences) differences {
	d := differences{}
	add := func(name string) {
		if d[name] = old[name]; d[name] == nil {
			d[name] = new([len(rulings)][len(rulings)]atomic.Uint64)
		}
	}
	add("")
	for _, p := range [...]*policy.Policy{active, candidate} {
		if p == nil {
			continue
		}
		for _, c := range p.Callers() {
			add(c.Name)
		}
	}
	return d
}

// UseCandidate counts differences to another candidate from now on; nil: there is none. Counters of callers that either
// policy has go on.
func (m *Meter) UseCandidate(p *policy.Policy) {
	m.use.Lock()
	defer m.use.Unlock()
	m.candidate = p
	m.renewDifferences()
}

// renewDifferences must be called with m.use held. The counters of earlier differences stay while there is a candidate,
// or one is expected back.
func (m *Meter) renewDifferences() {
	var old differences
	if now := m.differences.Load(); now != nil {
		old = *now
	}
	if m.candidate == nil && old == nil {
		return
	}
	d := newDifferences(m.table.Load().policy, m.candidate, old)
	m.differences.Store(&d)
}

// Difference counts a request, or an item of a batch, that the candidate would decide otherwise. Callers that neither
// policy has count as "".
func (m *Meter) Difference(caller, active, candidate string) {
	now := m.differences.Load()
	if now == nil {
		return
	}
	cells := (*now)[caller]
	if cells == nil {
		cells = (*now)[""]
	}
	cells[index(rulings[:], active)][index(rulings[:], candidate)].Add(1)
}

func (c collector) collectDifferences(out output) {
	now := c.m.differences.Load()
	if now == nil {
		return
	}
	for caller, cells := range *now {
		for a := range cells {
			for b := range cells[a] {
				out.used(c.differing, cells[a][b].Load(), caller, rulings[a], rulings[b])
			}
		}
	}
}
