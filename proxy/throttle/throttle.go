// Package throttle remembers what Graph said of its limits, and holds requests back until they have a chance.
//
// Graph counts refused requests too, so asking again too early makes a refusal last longer
// (learn.microsoft.com/graph/throttling). The package decides which scope an answer is about (an app in a tenant, a
// mailbox, a team), how long that scope is to be left alone, which one request then finds out whether it is over, and
// how much to slow down before it comes to a refusal. Other scopes go on.
//
// It leaves to proxy what a held caller is told and the sleeping, to policy/limit our own limits, and to whoever sets
// Options.Told the sharing between replicas. It reads no clock and starts no goroutine: time is an argument, and what
// is over is forgotten when others are looked at.
package throttle

import (
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"graphproxy/policy/graph/service"
)

const (
	// MaxDelay is the longest that a Verdict lets a request be delayed. A caller feels it, and does not yet run into a
	// timeout.
	MaxDelay = 2 * time.Second

	defaultMaxScopes = 100_000
	firstStep        = time.Second      // of the back-off
	lastStep         = 60 * time.Second // likewise
	probing          = time.Second      // told to those who come while a probe is out: nobody knows how long it takes
	// how long a usage that Graph told counts, if it does not say; the directory's window is that long
	usageLasts  = 10 * time.Second
	together    = 10 * time.Second // within which refusals of two resources are about their service
	forgetAfter = 2 * lastStep     // how long a hold that is over is kept for its back-off
	sweep       = 4                // entries looked at by each call that looks at any, to forget what is over
)

// Options says how New makes a Memory. The zero value will do.
type Options struct {
	Log *slog.Logger // what is held and released, by service, without keys; nil: slog.Default()
	// scopes remembered, about 300 bytes each; beyond it a whole service is held instead of one key or resource. 0:
	// 100,000
	MaxScopes int
	// Told is called with each new hold and each that grows by a second or more, for other replicas. It must be safe
	// for concurrent use and must not block: the answer that brought the hold waits for it. nil: nobody is told.
	Told func(s Scope, until time.Time)
	Rand func() float64 // jitter, in [0, 1); nil: math/rand/v2. Must be safe for concurrent use
}

// Memory is what is known of Graph's limits. Use New; the zero value is not usable. It is safe for concurrent use.
type Memory struct {
	options Options
	scopes  atomic.Int64 // in all shards
	shards  [service.Count]shard
}

// New makes an empty Memory: nothing is held.
func New(o Options) *Memory {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.MaxScopes <= 0 {
		o.MaxScopes = defaultMaxScopes
	}
	if o.Rand == nil {
		o.Rand = rand.Float64
	}
	return &Memory{options: o}
}

// Verdict says what to do with a request.
type Verdict struct {
	// Wait is how long Graph is to be left alone. More than 0: do not send the request, answer 429 with this Retry-After.
	Wait time.Duration
	// Delay is how long to wait before sending it, from 0 to MaxDelay, because the limit is near. 0 when Wait is not,
	// and for a probe. Ask once more after it, because a hold may have begun meanwhile, and heed all of that verdict
	// but its Delay.
	Delay time.Duration
	// Probe is not nil if this request is to find out whether a hold is over. All others of its scope wait for its answer.
	Probe *Probe
}

// Ask judges a request in scope s, made by ScopeOf, that is ready to be sent at now. A request that gets a Probe must
// end in Seen with it or in its Lost; until then nothing else of the scope is sent, however long that takes (so `defer
// v.Probe.Lost()`: it does nothing on a nil Probe or after Seen).
//
// While nothing is held at the service Ask takes no lock and allocates nothing. It fails open: what Graph has said
// nothing of, goes.
func (m *Memory) Ask(now time.Time, s Scope) Verdict {
	sh := &m.shards[s.service]
	if sh.n.Load() == 0 {
		return Verdict{}
	}
	sh.mu.Lock()
	defer sh.mu.Unlock()
	m.forget(sh, now)
	places, n := s.places()
	var covering [len(places)]Scope
	covers, wait, usage := 0, time.Duration(0), 0.0
	for _, place := range places[:n] {
		h := sh.holds[place]
		if h == nil {
			continue
		}
		usage = max(usage, h.usageAt(now))
		if h.held {
			covering[covers] = place
			covers++
			wait = max(wait, h.wait(now))
		}
	}
	switch {
	case wait > 0:
		return Verdict{Wait: wait}
	case covers > 0:
		return Verdict{Probe: sh.probe(s, covering[:covers])}
	}
	return Verdict{Delay: m.delay(usage)}
}

// delay grows steeply at first and ever more gently later: it is to work before the limit is reached, and half of
// MaxDelay is at the limit. Half of it is by chance, so that callers who came together do not go on together.
func (m *Memory) delay(usage float64) time.Duration {
	if usage <= 0 {
		return 0
	}
	left := 1 - usage
	return time.Duration((1 - left*left*left) * float64(MaxDelay) * (0.5 + 0.5*m.options.Rand()))
}

// Seen takes Graph's answer to a request in scope s that Ask let go with probe p, which may be nil. Every answer
// belongs here, of batch items too (their status and their own headers); a request that got none belongs to Lost.
// Headers must have the spelling of http.Header.Set.
//
// 429, 503 and 509 hold the scope back for the longest of Retry-After and RateLimit-Reset, at most an hour; without
// these for 1 s, 2 s, 4 s … up to 60 s, plus up to a quarter by chance, doubled each time that the probe is refused.
// A 503 grows likewise even if it says how long, because SharePoint blocks an app with it. An answer to a request that
// was sent before the hold began can make it longer, never shorter, and does not end it: that does the probe, with any
// status below 500 but 429. 500, 502 and 504 say nothing about limits: the next request is the probe.
//
// Where Graph counts by the service alone (SharePoint, the directory …), a refusal without Retry-After and
// RateLimit-* holds back the resource of the request at first: its drive, site, user or workbook, and the collection
// where the path names none. It holds the service back too when another resource was refused so within 10 s. A refused
// workbook is held back so whatever the refusal says.
//
// An answer that was not refused holds the scope back too if RateLimit-Remaining is 0, until RateLimit-Reset. Near the
// limit (x-ms-throttle-limit-percentage, RateLimit-Remaining below a fifth) later requests are delayed, see Verdict;
// less and less, and no more after 10 s or when the window ends, unless a later answer says so again.
func (m *Memory) Seen(now time.Time, s Scope, p *Probe, status int, header http.Header) {
	says := readHeader(now, header)
	refused := status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable || status == 509
	holds := refused || says.spent && says.reset > 0
	if !refused {
		says.wait = 0 // of a 202 it says when to look at a job again
	}
	if p == nil && !holds && says.usage < 0 {
		return
	}
	about, wide := s.narrowed(header), s.narrowed(header).wide()
	if s.own.isSet() && !s.ofResource(says) {
		about = wide
	}
	sh := &m.shards[s.service]
	sh.mu.Lock()
	mine := p.end(status < 500 && !refused)
	var n, wider news
	if holds {
		n = m.hold(sh, now, about, mine, status, says)
		if about.own.isSet() && m.another(sh, now, wide, about.own) {
			wider = m.hold(sh, now, wide, mine, status, says)
		}
	}
	if says.usage >= 0 {
		if about.own.isSet() {
			about = wide // a usage is the service's
		}
		m.note(sh, now, about, says)
	}
	sh.mu.Unlock()
	m.tell(p, n, status)
	m.tell(nil, wider, status)
}

// Tell takes over a hold that another replica was told of. One that is over, or shorter than what is known, changes
// nothing; one of more than an hour counts as an hour. Told is not called for it.
func (m *Memory) Tell(now time.Time, s Scope, until time.Time) {
	if !until.After(now) {
		return
	}
	if bound := now.Add(maxHold); until.After(bound) {
		until = bound
	}
	sh := &m.shards[s.service]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	m.forget(sh, now)
	m.entry(sh, now, s).extend(until)
}

// shard is what is known of one service: all that a request must heed lies under one lock.
type shard struct {
	n     atomic.Int64 // len(holds), for those who take no lock
	mu    sync.Mutex
	holds map[Scope]*hold
}
