package throttle

import (
	"log/slog"
	"net/http"
	"slices"
	"time"
)

// hold is what is known about one scope. The lock of its shard guards it.
type hold struct {
	until time.Time     // while held is true: before it no request goes, after it a probe does
	held  bool          // true from a refusal until a probe succeeds
	step  uint8         // of the back-off: how many probes were refused without Retry-After
	probe *Probe        // the probe that is on its way; nil if there is none
	usage float64       // see limitInfo.usage
	fades time.Time     // when the usage stops to count
	lasts time.Duration // how long the usage counts in all

	refused   resource  // in the hold of a service: the resource that was refused last
	refusedAt time.Time // when that was
}

// wait returns how long a request must wait for this hold; 0 if it may be the probe.
func (h *hold) wait(now time.Time) time.Duration {
	left := max(h.until.Sub(now), 0)
	if h.probe != nil {
		return max(left, probing)
	}
	return left
}

// usageAt returns the usage, which shrinks to 0 by the time that Graph's window has passed.
func (h *hold) usageAt(now time.Time) float64 {
	left := min(h.fades.Sub(now), h.lasts)
	if h.usage == 0 || left <= 0 {
		return 0
	}
	return h.usage * float64(left) / float64(h.lasts)
}

// over reports whether the entry holds nothing that still counts.
func (h *hold) over(now time.Time) bool {
	return h.probe == nil && h.usageAt(now) == 0 && now.Sub(h.refusedAt) > together &&
		(!h.held || now.Sub(h.until) > forgetAfter)
}

func (sh *shard) extend(h *hold, until time.Time) {
	if !h.held {
		h.held, h.until = true, until
		sh.held.Add(1)
	} else if until.After(h.until) {
		h.until = until
	}
}

// free ends a hold. The lock is held.
func (sh *shard) free(h *hold) {
	if h.held {
		h.held = false
		sh.held.Add(-1)
	}
}

// change is what a call of Seen changed. It is reported when the lock is free again.
type change struct {
	scope Scope
	until time.Time
	held  bool // the hold is new
	grown bool // the hold is new, or a second or more longer: other replicas should know
}

// hold holds s because of an answer with this info. mine are the holds that the answer's own probe was for.
func (m *Memory) hold(sh *shard, now time.Time, s Scope, mine []*hold, status int, info limitInfo) change {
	m.forget(sh, now)
	h := m.entry(sh, now, s)
	was, before := h.held, h.until
	// A refusal that was on its way when the hold began does not make the back-off longer.
	escalates := !was || slices.Contains(mine, h)
	d := info.hold()
	if d == 0 || status == http.StatusServiceUnavailable {
		d = max(d, m.backOff(h, was && escalates))
	}
	sh.extend(h, now.Add(d))
	return change{s, h.until, !was, !was || h.until.Sub(before) >= time.Second}
}

// another records that resource o was refused, and reports whether another resource of the service was refused shortly
// before.
func (m *Memory) another(sh *shard, now time.Time, wide Scope, o resource) bool {
	h := m.entry(sh, now, wide)
	before, since := h.refused, now.Sub(h.refusedAt)
	h.refused, h.refusedAt = Scope{resource: o}.kept().resource, now
	return before.isSet() && before != o && since <= together
}

// backOff returns the next step of the back-off, or the present one again.
func (m *Memory) backOff(h *hold, next bool) time.Duration {
	if next && firstStep<<h.step < lastStep {
		h.step++
	}
	d := min(firstStep<<h.step, lastStep)
	return d + time.Duration(float64(d/4)*m.options.Rand())
}

// note records a usage. The latest one counts, also if it is lower.
func (m *Memory) note(sh *shard, now time.Time, s Scope, info limitInfo) {
	s.access = readWrite // Graph reports only for refused requests whether reads or writes are limited
	if info.usage == 0 && sh.holds[s] == nil {
		return
	}
	h := m.entry(sh, now, s)
	h.usage, h.lasts = info.usage, usageLasts
	if info.reset > 0 {
		h.lasts = min(usageLasts, info.reset) // then the next window begins
	}
	h.fades = now.Add(h.lasts)
}

// entry returns the hold of s, and makes one if there is none. When MaxScopes are known, it returns the hold of the
// whole service, of which there are few: then too much is held rather than too little.
func (m *Memory) entry(sh *shard, now time.Time, s Scope) *hold {
	if h := sh.holds[s]; h != nil {
		return h
	}
	if s.narrow() && m.scopes.Load() >= int64(m.options.MaxScopes) {
		return m.entry(sh, now, s.wide())
	}
	if sh.holds == nil {
		sh.holds = map[Scope]*hold{}
	}
	h := &hold{}
	sh.holds[s.kept()] = h
	m.scopes.Add(1)
	sh.n.Add(1)
	return h
}

// forget checks a few entries, in no order, and removes those that are over.
func (m *Memory) forget(sh *shard, now time.Time) {
	looked := 0
	for s, h := range sh.holds {
		if looked++; looked > sweep {
			return
		}
		if h.over(now) {
			delete(sh.holds, s)
			sh.free(h)
			m.scopes.Add(-1)
			sh.n.Add(-1)
		}
	}
	if len(sh.holds) == 0 {
		sh.holds = nil // a map keeps its size, and ranging over the empty places takes time
	}
}

// report logs a change and passes it to OnHold. The caller does not hold the lock. Keys name people: they are not
// logged.
func (m *Memory) report(p *Probe, n change, status int) {
	if n.held {
		more := attrs(n.scope, slog.Int("graph_status", status), slog.Time("until", n.until))
		m.options.Log.Warn("graph throttles; holding requests back", more...)
	}
	if n.grown && m.options.OnHold != nil {
		m.options.OnHold(n.scope, n.until)
	}
	if p != nil && p.freed {
		m.options.Log.Info("graph takes requests again", attrs(p.scope)...)
	}
}

func attrs(s Scope, more ...any) []any {
	return append([]any{
		slog.String("service", s.Service()), slog.String("access", accessNames[s.access]),
		slog.String("app", s.app), slog.String("tenant", s.tenant),
	}, more...)
}

// Probe is the one request that finds out whether a hold is over. Its methods do nothing on a nil Probe.
type Probe struct {
	sh    *shard
	scope Scope // of the request
	holds []*hold
	done  bool
	freed bool // it ended a hold
}

// probe makes the request in scope s the probe of the holds of these scopes.
func (sh *shard) probe(s Scope, scopes []Scope) *Probe {
	p := &Probe{sh: sh, scope: s.kept(), holds: make([]*hold, len(scopes))}
	for i, scope := range scopes {
		p.holds[i] = sh.holds[scope]
		p.holds[i].probe = p
	}
	return p
}

// Lost records that the probe got no answer: the connection broke, or the caller left. The next request becomes a
// probe. After Seen, and when it is called again, Lost does nothing. It is safe for concurrent use.
func (p *Probe) Lost() {
	if p == nil {
		return
	}
	p.sh.mu.Lock()
	defer p.sh.mu.Unlock()
	p.end(false)
}

// end takes the probe off its holds, and ends the holds if Graph accepted the request. It returns the holds that the
// probe was for. The caller holds the shard's lock.
func (p *Probe) end(taken bool) []*hold {
	if p == nil || p.done {
		return nil
	}
	p.done = true
	for _, h := range p.holds {
		h.probe = nil
		if taken {
			p.sh.free(h)
			h.step = 0
			p.freed = true
		}
	}
	return p.holds
}
