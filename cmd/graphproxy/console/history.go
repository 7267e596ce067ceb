package console

import (
	"strings"
	"sync"
	"time"

	"graphproxy/policy"
	"graphproxy/proxy/meter"
)

// What history keeps: a sample of fixed size for each 10 seconds of an hour, some 40 KiB in all, and one entry for each
// rule of the policy that has decided a request.
const (
	sampleEvery = 10 * time.Second
	samples     = 360
)

// decisions are the decisions that the pages count, in their order.
var decisions = [...]string{"allow", "deny", "limit", "refuse"}

// history is the last hour, from the differences of counters that the proxy keeps anyway. Nothing happens on a
// request's way. It is safe for concurrent use.
type history struct {
	mu    sync.Mutex
	ring  [samples]sample
	count int // samples that were added
	last  time.Time
	prev  meter.Counts
	hash  string // of the policy that uses is pruned for
	uses  map[ruleKey]*use
}

// sample is what happened in one span of time.
type sample struct {
	at         time.Time // its end
	seconds    float64
	decided    [len(decisions)]uint64
	own, graph latency
}

// latency is how long the requests of a sample took, in seconds.
type latency struct{ mean, p95 float64 }

// ruleKey names a rule of a caller over reloads that move it to another line.
type ruleKey struct{ caller, rule string }

func keyOf(caller string, r *policy.Rule) ruleKey {
	return ruleKey{caller, r.Text + "\x00" + strings.Join(r.Conditions, "\x00")}
}

// use is what is known of a rule since the console was started.
type use struct {
	hits, counted uint64
	last          time.Time // within sampleEvery; zero: never
}

func newHistory() *history { return &history{uses: map[ruleKey]*use{}} }

// add takes the counts at a moment. The first ones are only what later ones are compared with.
func (h *history) add(now time.Time, p *policy.Policy, c meter.Counts) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.last.IsZero() {
		s := sample{at: now, seconds: max(1e-3, now.Sub(h.last).Seconds())}
		for i, name := range decisions {
			s.decided[i] = grown(c.Decisions[name], h.prev.Decisions[name])
		}
		s.own, s.graph = latencyOf(c.Own, h.prev.Own), latencyOf(c.Graph, h.prev.Graph)
		h.ring[h.count%samples] = s
		h.count++
	}
	h.last, h.prev = now, c
	h.prune(p)
	h.use(now, c.Rules)
}

// grown is by how much a counter has grown. One that is smaller than before began anew.
func grown(now, before uint64) uint64 {
	if now < before {
		return now
	}
	return now - before
}

// use records which rules have decided requests since the last sample.
func (h *history) use(now time.Time, rules []meter.RuleCount) {
	sums := map[ruleKey]uint64{}
	for _, r := range rules {
		sums[keyOf(r.Caller, r.Rule)] += r.Decided
	}
	for key, sum := range sums {
		u := h.uses[key]
		if u == nil {
			u = &use{}
			h.uses[key] = u
		}
		if n := grown(sum, u.counted); n > 0 {
			u.hits, u.last = u.hits+n, now
		}
		u.counted = sum
	}
}

// prune forgets the rules that a new policy does not have.
func (h *history) prune(p *policy.Policy) {
	if h.hash == p.Hash() {
		return
	}
	h.hash = p.Hash()
	there := map[ruleKey]bool{}
	for _, c := range p.Callers() {
		allow, deny := p.Rules(c.Name)
		for _, list := range [...][]*policy.Rule{allow, deny} {
			for _, r := range list {
				there[keyOf(c.Name, r)] = true
			}
		}
	}
	for key := range h.uses {
		if !there[key] {
			delete(h.uses, key)
		}
	}
}

// of returns what is known of a rule's use.
func (h *history) of(caller string, r *policy.Rule) use {
	h.mu.Lock()
	defer h.mu.Unlock()
	if u := h.uses[keyOf(caller, r)]; u != nil {
		return *u
	}
	return use{}
}

// hour returns the samples of the last hour, oldest first.
func (h *history) hour() []sample {
	h.mu.Lock()
	defer h.mu.Unlock()
	kept := min(h.count, samples)
	all := make([]sample, 0, kept)
	for i := h.count - kept; i < h.count; i++ {
		all = append(all, h.ring[i%samples])
	}
	return all
}

// latencyOf returns the latency of the requests between two counts.
func latencyOf(now, before meter.Spread) latency {
	n := grown(now.Count, before.Count)
	if n == 0 || len(before.Steps) != len(now.Steps) {
		return latency{}
	}
	l := latency{mean: max(0, (now.Sum-before.Sum)/float64(n))}
	rank, below, from := 0.95*float64(n), 0.0, 0.0
	for i, bound := range now.Bound {
		upTo := float64(grown(now.Steps[i], before.Steps[i]))
		if upTo >= rank && upTo > below {
			l.p95 = from + (bound-from)*(rank-below)/(upTo-below)
			return l
		}
		below, from = upTo, bound
	}
	l.p95 = from
	return l
}
