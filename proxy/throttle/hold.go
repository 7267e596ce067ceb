package throttle

import (
	"log/slog"
	"net/http"
	"time"
)

// hold is what is known of one scope. Its shard's lock guards it.
type hold struct {
	until time.Time     // when held: nothing goes before; after it, a probe
	held  bool          // since a refusal, and until a probe succeeds
	step  uint8         // of the back-off: how often the probe was refused without a word of how long
	probe *Probe        // under way; else nil
	usage float64       // see said.usage
	fades time.Time     // when it is over
	lasts time.Duration // until then, when it was told

	refused   own       // of a service: the resource that was refused last, and when
	refusedAt time.Time // likewise
}

// wait is how long a request must wait for this hold, 0 if it may be the probe.
func (h *hold) wait(now time.Time) time.Duration {
	left := max(h.until.Sub(now), 0)
	if h.probe != nil {
		return max(left, probing)
	}
	return left
}

// usageAt is the usage, fading: what nobody repeats is over when Graph's window has passed.
func (h *hold) usageAt(now time.Time) float64 {
	left := min(h.fades.Sub(now), h.lasts)
	if h.usage == 0 || left <= 0 {
		return 0
	}
	return h.usage * float64(left) / float64(h.lasts)
}

// over reports whether nothing is known any more.
func (h *hold) over(now time.Time) bool {
	return h.probe == nil && h.usageAt(now) == 0 && now.Sub(h.refusedAt) > together &&
		(!h.held || now.Sub(h.until) > forgetAfter)
}

func (h *hold) extend(until time.Time) {
	if !h.held {
		h.held, h.until = true, until
	} else if until.After(h.until) {
		h.until = until
	}
}

// news is what a Seen has to say when it has given the lock back.
type news struct {
	scope Scope
	until time.Time
	held  bool // newly
	grown bool // by so much that others should know, or newly
}

// hold holds s back because of an answer that says this. mine are the holds that the answer's own probe was for.
func (m *Memory) hold(sh *shard, now time.Time, s Scope, mine []*hold, status int, says said) news {
	m.forget(sh, now)
	h := m.entry(sh, now, s)
	was, before := h.held, h.until
	escalates := !was // a refusal that was on its way when the hold began says nothing new
	for _, own := range mine {
		escalates = escalates || own == h
	}
	d := says.hold()
	if d == 0 || status == http.StatusServiceUnavailable {
		d = max(d, m.backOff(h, was && escalates))
	}
	h.extend(now.Add(d))
	return news{s, h.until, !was, !was || h.until.Sub(before) >= time.Second}
}

// another notes that this resource was refused, and reports whether another one of the service was, shortly before.
func (m *Memory) another(sh *shard, now time.Time, wide Scope, o own) bool {
	h := m.entry(sh, now, wide)
	before, since := h.refused, now.Sub(h.refusedAt)
	h.refused, h.refusedAt = Scope{own: o}.kept().own, now
	return before.isSet() && before != o && since <= together
}

// backOff is the next step of the back-off, or the present one again.
func (m *Memory) backOff(h *hold, next bool) time.Duration {
	if next && firstStep<<h.step < lastStep {
		h.step++
	}
	d := min(firstStep<<h.step, lastStep)
	return d + time.Duration(float64(d/4)*m.options.Rand())
}

// note remembers a usage. The latest word counts, also if it is lower.
func (m *Memory) note(sh *shard, now time.Time, s Scope, says said) {
	s.access = readWrite // which of the limits it is of is told only of refused requests
	if says.usage == 0 && sh.holds[s] == nil {
		return
	}
	h := m.entry(sh, now, s)
	h.usage, h.lasts = says.usage, usageLasts
	if says.reset > 0 {
		h.lasts = min(usageLasts, says.reset) // another window begins then
	}
	h.fades = now.Add(h.lasts)
}

// entry is what is known of s, made if it is not there. When as many scopes are known as may be, it is that of the
// whole service, of which there are few: rather too much is held back then than too little.
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

// forget looks at a few entries, any of them, and drops those of which nothing is known any more.
func (m *Memory) forget(sh *shard, now time.Time) {
	looked := 0
	for s, h := range sh.holds {
		if looked++; looked > sweep {
			return
		}
		if h.over(now) {
			delete(sh.holds, s)
			m.scopes.Add(-1)
			sh.n.Add(-1)
		}
	}
	if len(sh.holds) == 0 {
		sh.holds = nil // a map keeps the room of what it once held, and looking through that takes time
	}
}

// tell says what changed, without the lock. Keys name people: they are not logged.
func (m *Memory) tell(p *Probe, n news, status int) {
	if n.held {
		more := attrs(n.scope, slog.Int("graph_status", status), slog.Time("until", n.until))
		m.options.Log.Warn("graph throttles; holding requests back", more...)
	}
	if n.grown && m.options.Told != nil {
		m.options.Told(n.scope, n.until)
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

// Probe is the one request that finds out whether a hold is over. Its methods may be called on nil, and do nothing
// then.
type Probe struct {
	sh    *shard
	scope Scope // of the request
	holds []*hold
	done  bool
	freed bool // a hold ended by it
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

// Lost says that the probe got no answer: the connection broke, or its caller left. The next request is a probe then.
// After Seen, and the second time, it does nothing. It is safe for concurrent use.
func (p *Probe) Lost() {
	if p == nil {
		return
	}
	p.sh.mu.Lock()
	defer p.sh.mu.Unlock()
	p.end(false)
}

// end takes the probe off its holds, and ends them if Graph took the request. It returns those it was for; the shard's
// lock is held.
func (p *Probe) end(taken bool) []*hold {
	if p == nil || p.done {
		return nil
	}
	p.done = true
	for _, h := range p.holds {
		h.probe = nil
		if taken {
			h.held, h.step = false, 0
			p.freed = true
		}
	}
	return p.holds
}
