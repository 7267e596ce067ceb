// Package redislimit keeps the buckets and slots of package limit in Redis, so that several replicas enforce one limit.
//
// It decides whether the buckets that cover a request have enough tokens, in one round trip for all of them, and
// answers as limit.Limiter does. While Redis is slow or unreachable, each replica enforces its share of every limit by
// itself, or every request is refused. The package also carries holds (see package throttle) from one replica to the
// others. Package policy decides which buckets cover a request. Package proxy writes the answer to the caller, and
// decides what is held.
//
// The clock is that of Redis. The clock that is given to Open counts only for what is done without Redis.
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
	silence        = time.Second // without an answer for so long, requests stop using Redis
	mostLate       = 3           // after so many late answers in a row, requests stop using Redis
	connections    = 64          // at most, to each server: so many requests can wait for Redis at the same time
	warm           = 4           // connections that are kept open
	dialTimeout    = 2 * time.Second
	idle           = time.Minute // an idle connection is closed before a cloud's load balancer drops it silently
)

// Options are the settings of Open besides the address. Now must be set.
type Options struct {
	// Deny makes Take return ErrUnavailable while Redis does not answer. Without it each replica enforces its share.
	Deny bool
	// Timeout is how long a request waits for an answer after its command was written. 0: 100 ms.
	Timeout time.Duration
	// Replicas is the least number of replicas that a share is computed with, also when fewer have been seen. 0: 1.
	Replicas int
	// Now is time.Now. It counts only for what is done without Redis.
	Now func() time.Time
	// Local enforces the shares while Redis does not answer. nil: a new one.
	Local *limit.Limiter
	// Log gets one line when Redis stops answering and one when it answers again. nil: slog.Default().
	Log *slog.Logger
	// Metrics may be nil.
	Metrics prometheus.Registerer

	// Holds is called with each hold that another replica reported, at most a second later, by Run and one at a time.
	// until is by Now. nil: holds are not received.
	Holds func(key string, until time.Time)
}

// Buckets are buckets in Redis. Open makes them. Start Run, and keep both for the life of the process. Buckets are safe
// for concurrent use.
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
	clock   int64 // the time for Redis, in microseconds; 0, except in tests: the clock of Redis

	up     atomic.Bool // requests use Redis
	closed atomic.Bool
	late   atomic.Int32 // late answers in a row
	slow   atomic.Bool  // Redis was suspended because it was late: it may still grant tokens
	levels levels
	fills  fills
	gone   atomic.Pointer[chan struct{}] // closed when up becomes false, to end the wait of requests

	mu            sync.Mutex // guards the fields down to census
	since         time.Time  // when up changed last
	err           error      // why up is false
	refusalLogged bool       // it was logged that Redis refuses this replica
	census        census

	leases leases
	owed   owed
	outbox outbox
	holds  holds
}

// Open returns Buckets at an address. It does not connect: a Redis that is down when the process starts is treated like
// one that goes down later.
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
	// go-redis has one logger for all clients of a process, and logs each connection that fails.
	redis.SetLogger(clientLog{o.Log})
	id := rand.Text()[:13] // 65 bits
	w := &wire{replica: []byte(id)}
	b := &Buckets{
		client:  connect(*at.p, w),
		wire:    w,
		scripts: newScripts(),
		id:      id,
		deny:    o.Deny,
		timeout: o.Timeout,
		now:     o.Now,
		local:   o.Local,
		log:     o.Log,
		metrics: m,
		since:   o.Now(),
		outbox:  newOutbox(),
		holds:   newHolds(o.Holds),
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

// clientLog logs the messages of go-redis about single connections, at level debug. Suspend and resume log what follows
// from them.
type clientLog struct{ log *slog.Logger }

// Printf implements go-redis' logger.
func (c clientLog) Printf(ctx context.Context, format string, args ...any) {
	c.log.DebugContext(ctx, "redis client", "message", fmt.Sprintf(format, args...))
}

// connect makes the client. It retries nothing: a script that has taken tokens, and whose answer was lost, would take
// them twice. On a new connection it sends only commands that an ACL must allow anyway.
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

// State is what /readyz reports.
type State struct {
	Shared   bool      // requests use Redis; else each replica enforces its share, or refuses
	Since    time.Time // when Shared changed last, by Options.Now
	Replicas int       // those that Redis counted in the last seconds, this one included; 1 before the first answer
	Err      error     // why requests do not use Redis; nil if they do. It holds no secret
}

// State returns the present state.
func (b *Buckets) State() State {
	b.mu.Lock()
	defer b.mu.Unlock()
	return State{Shared: b.up.Load(), Since: b.since, Replicas: b.census.seen(), Err: b.err}
}

// suspend stops requests from using Redis, because of an error or of late answers. Run goes on trying.
func (b *Buckets) suspend(err error) {
	b.metrics.failures.Inc()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.err = err
	b.logRefusal(err)
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

// logRefusal logs that Redis refuses this replica, once until Redis accepts it again. The caller holds the lock.
func (b *Buckets) logRefusal(err error) {
	cure := cureOf(err)
	if cure == "" || b.refusalLogged {
		return
	}
	b.refusalLogged = true
	b.log.Error("redis refuses this replica, so limits are not shared", "error", err, "cure", cure)
}

// cureOf returns what the operator can do about a refusal by Redis, or "" if err is no refusal.
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

// resume lets requests use Redis again.
func (b *Buckets) resume() {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	b.log.Info("redis answers: limits are shared between replicas again", "after",
		now.Sub(b.since).Round(time.Millisecond), "replicas", b.census.seen())
	b.since, b.err, b.refusalLogged = now, nil, false
	b.open()
	b.late.Store(0)
	b.slow.Store(false)
	b.up.Store(true)
	b.metrics.up.Set(1)
}

// within bounds a command that no request waits for.
func (b *Buckets) within(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, b.silence())
}

// silence returns how long Redis may leave a command unanswered.
func (b *Buckets) silence() time.Duration { return max(silence, b.timeout) }
