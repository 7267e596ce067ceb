// Package redislimit keeps the buckets and slots of package limit in Redis, so that several replicas enforce one limit.
//
// It decides whether there is room for a request, as limit.Limiter does and with the same answers, in one round trip
// however many buckets cover the request; and what happens while Redis is slow or gone: each replica enforces its share
// by itself, or every request is refused. It also carries hold-backs from one replica to the others. Which buckets
// cover a request, policy decides; what a caller is told, and what is held back, proxy decides.
//
// Time is Redis' own. Only what is done without Redis goes by the clock that Open is given.
package redislimit

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"graphproxy/policy/limit"
)

// ErrUnavailable is what Take returns when Redis is slow or gone and Options.Deny is set.
var ErrUnavailable = errors.New("redis, which holds the limits, does not answer")

const (
	defaultTimeout = 100 * time.Millisecond
	silence        = time.Second // without an answer, after which Redis is left alone
	mostLate       = 3           // late answers in a row, after which Redis is left alone
	connections    = 64          // at most, to each server; so many requests can wait for Redis at the same time
	warm           = 4           // connections that are kept open
	dialTimeout    = 2 * time.Second
	// after which a connection is closed: before the cloud's load balancers forget it, without a word
	idle = time.Minute
)

// Options are what Open needs besides the address. Now must be set.
type Options struct {
	// refuse what cannot be asked of Redis, with ErrUnavailable; false: each replica enforces its share
	Deny    bool
	Timeout time.Duration // for an answer, from when the question was written; 0: 100 ms
	// Replicas is how many replicas there are at least: the share of one that has not heard of so many is no greater.
	// 0: 1.
	Replicas int
	Now      func() time.Time      // time.Now; for what is done without Redis
	Local    *limit.Limiter        // for the time without Redis; nil: a new one
	Log      *slog.Logger          // told when Redis is lost and when it is back, once each; nil: slog.Default()
	Metrics  prometheus.Registerer // nil: none

	// Holds is called with hold-backs that other replicas told, a second later at most, by Run and one at a time; until
	// is by Now. nil: they are not wanted.
	Holds func(key string, until time.Time)
}

// Buckets are buckets in Redis. Make one with Open, start Run, and keep both for the life of the process. Safe for
// concurrent use.
type Buckets struct {
	client  redis.UniversalClient
	scripts scripts
	id      string // of this replica, in leases and among the replicas
	deny    bool
	timeout time.Duration
	now     func() time.Time
	local   *limit.Limiter
	log     *slog.Logger
	metrics *metrics
	wire    *wire
	clock   int64 // for Redis, in microseconds; 0, always save in tests: its own

	up     atomic.Bool // whether Redis is asked
	closed atomic.Bool
	late   atomic.Int32 // answers in a row
	slow   atomic.Bool  // Redis was left because it was late: it may go on granting, so what is not known is not full
	levels levels
	gone   atomic.Pointer[chan struct{}] // closed when up becomes false: no request waits on for Redis
	mu     sync.Mutex                    // guards what follows
	since  time.Time                     // when up was last changed
	err    error                         // why it is false
	barred bool                          // the log has said that Redis refuses this replica
	census census

	leases leases
	owed   owed
	outbox outbox
	holds  holds
}

// Open returns Buckets at an address, without asking whether anything is there: a Redis that is down when the process
// starts is like one that goes down later.
func Open(at Address, o Options) (*Buckets, error) {
	if !at.IsSet() {
		return nil, errors.New("shared.Open: no address; parse one")
	}
	if o.Now == nil {
		return nil, errors.New("shared.Options.Now: is nil; pass time.Now")
	}
	m, err := newMetrics(o.Metrics)
	if err != nil {
		return nil, fmt.Errorf("registering metrics: %w", err)
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	// go-redis has one logger for all clients of a process, and tells it of each connection that fails.
	redis.SetLogger(chatter{o.Log})
	id := rand.Text()[:13] // 65 bits
	w := &wire{replica: []byte(id)}
	b := &Buckets{
		client: connect(*at.p, w), wire: w, scripts: newScripts(), id: id,
		deny: o.Deny, timeout: o.Timeout, now: o.Now, local: o.Local, log: o.Log, metrics: m,
		since: o.Now(), outbox: newOutbox(), holds: newHolds(o.Holds),
	}
	b.census.least = max(1, o.Replicas)
	if b.timeout <= 0 {
		b.timeout = defaultTimeout
	}
	if b.local == nil {
		b.local = limit.New()
	}
	b.open()
	b.up.Store(true)
	b.metrics.up.Set(1)
	return b, nil
}

// open lets requests wait for Redis.
func (b *Buckets) open() {
	gone := make(chan struct{})
	b.gone.Store(&gone)
}

// chatter is what go-redis says of single connections: for whoever debugs, as what comes of it is told by lost and
// found.
type chatter struct{ log *slog.Logger }

// Printf implements go-redis' logger.
func (c chatter) Printf(ctx context.Context, format string, args ...any) {
	c.log.DebugContext(ctx, "redis client", "says", fmt.Sprintf(format, args...))
}

// connect makes the client. Nothing is tried again: a script that has taken tokens, and whose answer was lost, would
// take them twice. What it sends on a new connection is kept to what an ACL has to allow anyway.
func connect(from *redis.UniversalOptions, w *wire) redis.UniversalClient {
	options := *from
	o := &options
	o.MaxRetries = -1
	o.ContextTimeoutEnabled = true
	o.PoolSize, o.PipelinePoolSize = connections, -1
	o.ConnMaxIdleTime = idle
	o.DialTimeout, o.DialerRetries = dialTimeout, 1
	o.MinIdleConns = warm
	o.Protocol = 2
	o.Dialer = w.dialer(o)
	o.DisableIdentity = true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return redis.NewUniversalClient(o)
}

// State is what /readyz and an operator want to know.
type State struct {
	Shared   bool      // whether Redis is asked; else each replica is by itself, or refuses
	Since    time.Time // by Options.Now
	Replicas int       // that Redis has heard of in the last seconds, this one included; 1 before it has answered
	Err      error     // why Redis is not asked; nil when it is. Holds no secret
}

// State returns how things stand.
func (b *Buckets) State() State {
	b.mu.Lock()
	defer b.mu.Unlock()
	return State{Shared: b.up.Load(), Since: b.since, Replicas: b.census.seen(), Err: b.err}
}

// lost leaves Redis alone, save for what Run sends, because of an error or because answers come late.
func (b *Buckets) lost(err error) {
	b.metrics.failures.Inc()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.err = err
	b.warnBarred(err)
	if b.closed.Load() || !b.up.Swap(false) {
		return
	}
	b.slow.Store(isSlow(err))
	close(*b.gone.Load())
	b.since = b.now()
	b.metrics.up.Set(0)
	if b.deny {
		b.log.Warn("redis does not answer in time: requests with limits are refused until it does", "error", err)
		return
	}
	b.log.Warn("redis does not answer in time: this replica enforces its share of the limits by itself until it does",
		"share", fmt.Sprintf("1/%d", b.census.replicas()), "error", err)
}

// warnBarred logs that Redis refuses this replica, once until it does no more. The lock is held.
func (b *Buckets) warnBarred(err error) {
	cure := cureOf(err)
	if cure == "" || b.barred {
		return
	}
	b.barred = true
	b.log.Error("redis refuses this replica, so limits are not shared", "error", err, "cure", cure)
}

// cureOf is what to do about a refusal by Redis, or "" if the error is none.
func cureOf(err error) string {
	text := err.Error()
	switch {
	case strings.Contains(text, "WRONGPASS"), strings.Contains(text, "NOAUTH"), strings.Contains(text, "invalid password"):
		return "set the user and the password of GRAPHPROXY_REDIS_URL to those that Redis knows: " +
			"redis://user:password@host:6379"
	case strings.Contains(text, "NOPERM"):
		return "give the user the commands and the keys that docs/redis.md lists: ACL SETUSER graphproxy on >PASSWORD " +
			"resetkeys ~{graphproxy}:* …"
	}
	return ""
}

// found is told when Redis answers again.
func (b *Buckets) found() {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	b.log.Info("redis answers: limits are shared between replicas again", "after",
		now.Sub(b.since).Round(time.Millisecond), "replicas", b.census.seen())
	b.since, b.err, b.barred = now, nil, false
	b.open()
	b.late.Store(0)
	b.slow.Store(false)
	b.up.Store(true)
	b.metrics.up.Set(1)
}

// within bounds what no request waits for.
func (b *Buckets) within(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, b.silence())
}

// silence is how long Redis may say nothing.
func (b *Buckets) silence() time.Duration { return max(silence, b.timeout) }
