package meter

import (
	"strings"
	"sync/atomic"

	"graphproxy/policy/limit"
)

// limitCount counts what one limit of the policy granted and refused.
type limitCount struct {
	label            string // the limit's name
	allowed, refused atomic.Uint64
}

// setLimits makes a counter for each limit of the policy. Limits of one name share a counter.
func (t *table) setLimits(old *table) {
	t.limits, t.named = map[*limit.Limit]*limitCount{}, map[string]*limitCount{}
	for _, l := range t.policy.Limits() {
		t.addLimit(l.Limit, old)
	}
	for _, c := range t.policy.Callers() {
		t.addLimit(t.policy.CallerLimit(c.Name), old)
		allow, _ := t.policy.Rules(c.Name)
		for _, r := range allow {
			t.addLimit(r.Limit(), old)
		}
	}
}

func (t *table) addLimit(l *limit.Limit, old *table) {
	if l == nil || t.limits[l] != nil {
		return
	}
	count := t.named[l.Name]
	if count == nil && old != nil {
		count = old.named[l.Name]
	}
	if count == nil {
		count = &limitCount{label: strings.ToValidUTF8(l.Name, "�")}
	}
	t.limits[l], t.named[l.Name] = count, count
}

// limit returns the counter of a limit, which may be that of an older policy; nil: no limit has its name now.
func (t *table) limit(l *limit.Limit) *limitCount {
	if c := t.limits[l]; c != nil {
		return c
	}
	return t.named[l.Name]
}

// Allowed counts that the limits granted a request. A charge for a slot only is the envelope of a batch, whose
// items are counted.
func (m *Meter) Allowed(charges []limit.Charge) {
	t := m.table.Load()
	for i := range charges {
		if c := t.limit(charges[i].Limit); c != nil && !charges[i].Slot {
			c.allowed.Add(1)
		}
	}
}

// Refused counts that a limit refused a request.
func (m *Meter) Refused(r *limit.Refusal) {
	if c := m.table.Load().limit(r.Limit); c != nil {
		c.refused.Add(1)
	}
}
