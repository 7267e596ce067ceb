// Package throttle remembers what Graph reports about its limits, and holds requests back while Graph would refuse
// them.
//
// Graph counts refused requests too, so a request that is repeated too early makes the refusal last longer
// (learn.microsoft.com/graph/throttling). For each answer the package decides which scope it is about (an app in a
// tenant, a mailbox, a team) and how long that scope is held. When the time has passed, one request, the probe, finds
// out whether Graph accepts requests again. Near a limit, requests are delayed so that a refusal is avoided. Other
// scopes are not affected.
//
// Package proxy writes the answer to a held caller, and sleeps. Package policy/limit enforces our own limits. The code
// that sets Options.OnHold shares holds between replicas. Package throttle reads no clock and starts no goroutine: time
// is an argument. Each call removes a few entries that have expired.
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
	// MaxDelay is the longest delay that a Verdict asks for. It slows a caller down, and is below usual timeouts.
	MaxDelay = 2 * time.Second

	defaultMaxScopes = 100_000
	firstStep        = time.Second      // the first step of the back-off
	lastStep         = 60 * time.Second // the longest step of the back-off
	probing          = time.Second      // the wait of requests that come while a probe is on its way
	usageLasts       = 10 * time.Second // how long a usage counts when the answer has no RateLimit-Reset
	together         = 10 * time.Second // refusals of two resources within this time are about their service
	forgetAfter      = 2 * lastStep     // how long a hold that is over is kept for its back-off
	sweep            = 4                // how many entries a call checks, to remove those that have expired
)

// Options configures New. The zero value is usable.
type Options struct {
	// Log gets a line for each hold that begins or ends, with its service and without keys. nil: slog.Default().
	Log *slog.Logger
	// MaxScopes bounds the scopes that are remembered, about 300 bytes each. Beyond it a whole service is held instead
	// of one key or resource. 0: 100,000.
	MaxScopes int
	// OnHold is called with each new hold, and with each that grows by a second or more, so that other replicas can be
	// informed. It must be safe for concurrent use and must not block: the answer that caused the hold waits for it.
	// May be nil.
	OnHold func(s Scope, until time.Time)
	// Rand returns numbers in [0, 1) for jitter. It must be safe for concurrent use. nil: math/rand/v2.
	Rand func() float64
}

// Memory is what is known about Graph's limits. New makes one; the zero value is not usable. It is safe for concurrent
// use.
type Memory struct {
	options Options
	scopes  atomic.Int64 // in all shards
	shards  [service.Count]shard
	counts  [service.Count]counts
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

// Verdict is the answer of Check: what to do with a request.
type Verdict struct {
	// Wait is how long the scope is still held. If it is more than 0, the request must not be sent: answer 429 with
	// this Retry-After.
	Wait time.Duration
	// Delay is how long to wait before the request is sent, from 0 to MaxDelay, because a limit is near. It is 0 when
	// Wait is not 0, and for a probe. After the delay call Check again, because a hold may have begun in the meantime,
	// and ignore the Delay of that second verdict.
	Delay time.Duration
	// Probe is not nil if this request must find out whether a hold is over. Other requests in the scope wait until
	// its answer has come.
	Probe *Probe
}

// Check decides about a request in scope s, made by ScopeOf, that is ready to be sent at now. A request that gets a
// Probe must end with a call of Seen or of Probe.Lost. Until then no other request of the scope is sent, however long
// that takes. Use `defer v.Probe.Lost()`: it does nothing on a nil Probe, or after Seen.
//
// While nothing is held at the service, Check takes no lock and allocates nothing. It fails open: without a report from
// Graph a request may go.
func (m *Memory) Check(now time.Time, s Scope) Verdict {
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
		m.counts[s.service].held.Add(1)
		return Verdict{Wait: wait}
	case covers > 0:
		return Verdict{Probe: sh.probe(s, covering[:covers])}
	}
	return Verdict{Delay: m.delay(usage)}
}

// delay returns how long to wait at this usage. It grows steeply at first and more slowly later, so that it has an
// effect before the limit is reached. Half of it is random, so that callers who came together do not go on together.
func (m *Memory) delay(usage float64) time.Duration {
	if usage <= 0 {
		return 0
	}
	left := 1 - usage
	return time.Duration((1 - left*left*left) * float64(MaxDelay) * (0.5 + 0.5*m.options.Rand()))
}

// Seen records Graph's answer to a request in scope s that Check let go with probe p, which may be nil. Call it for
// every answer, and for the answer to each batch item with the item's status and headers. For a request that got no
// answer call Probe.Lost. Names of headers must be spelled as http.Header.Set spells them.
//
// 429, 503 and 509 hold the scope for the longer of Retry-After and RateLimit-Reset, at most an hour. Without these
// headers the hold lasts 1 s, 2 s, 4 s … up to 60 s, plus a random part of up to a quarter; it doubles each time that
// the probe is refused. A 503 doubles it even if it has Retry-After, because SharePoint blocks an app with 503. An
// answer to a request that was sent before the hold began can make the hold longer, but neither shorten nor end it.
// The probe ends it, with any status below 500 other than 429. 500, 502 and 504 do not report on limits: after them
// the next request is the probe.
//
// Some services are counted as a whole (SharePoint, the directory …). There a refusal without Retry-After and
// RateLimit-* first holds the resource of the request: its drive, site, user or workbook, or the collection where the
// path names none. If another resource was refused in this way within 10 s, the service is held too. A refused workbook
// is always held by itself, with or without these headers.
//
// An answer that was not refused holds the scope if RateLimit-Remaining is 0, until RateLimit-Reset. Near the limit
// (x-ms-throttle-limit-percentage, RateLimit-Remaining below a fifth) later requests are delayed, see Verdict. The
// delay shrinks with time, and ends after 10 s or with the window unless a later answer reports such a usage again.
func (m *Memory) Seen(now time.Time, s Scope, p *Probe, status int, header http.Header) {
	info := readHeader(now, header)
	refused := status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable || status == 509
	holds := refused || info.spent && info.reset > 0
	m.counts[s.service].note(now, refused, info)
	if !refused {
		info.wait = 0 // in a 202 Retry-After is the time until the job should be checked again
	}
	if p == nil && !holds && info.usage < 0 {
		return
	}
	about, wide := s.narrowed(header), s.narrowed(header).wide()
	if s.resource.isSet() && !s.ofResource(info) {
		about = wide
	}
	sh := &m.shards[s.service]
	sh.mu.Lock()
	mine := p.end(status < 500 && !refused)
	var n, wider change
	if holds {
		n = m.hold(sh, now, about, mine, status, info)
		if about.resource.isSet() && m.another(sh, now, wide, about.resource) {
			wider = m.hold(sh, now, wide, mine, status, info)
		}
	}
	if info.usage >= 0 {
		if about.resource.isSet() {
			about = wide // a usage is the service's
		}
		m.note(sh, now, about, info)
	}
	sh.mu.Unlock()
	m.report(p, n, status)
	m.report(nil, wider, status)
}

// Adopt adds a hold that another replica reported. A hold that is over, or that ends before the one that is known,
// changes nothing. A hold of more than an hour counts as an hour. Adopt does not call OnHold.
func (m *Memory) Adopt(now time.Time, s Scope, until time.Time) {
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
	sh.extend(m.entry(sh, now, s), until)
}

// shard is what is known about one service. All holds that can apply to a request are under one lock.
type shard struct {
	n     atomic.Int64 // len(holds), read without the lock
	held  atomic.Int64 // how many of them are held, read without the lock
	mu    sync.Mutex
	holds map[Scope]*hold
}
