package redislimit_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"graphproxy/policy/limit"
	"graphproxy/proxy/redislimit"
)

// runFor is how long the replicas below are kept busy at a time: long beside what starting and stopping take.
const runFor = 2 * time.Second

// crowd is greedy callers of several replicas.
type crowd struct {
	granted, refused, failed atomic.Int64
	slowest                  atomic.Int64 // ns
	stop                     chan struct{}
	wg                       sync.WaitGroup
}

// rush has some callers take from each replica. They come back after Retry-After, or after a few milliseconds.
func rush(replicas []*replica, charges ...limit.Charge) *crowd {
	c := &crowd{stop: make(chan struct{})}
	for _, r := range replicas {
		for range 3 {
			c.wg.Go(func() {
				for c.once(r, charges) {
				}
			})
		}
	}
	return c
}

func (c *crowd) once(r *replica, charges []limit.Charge) bool {
	var g limit.Grant
	start := time.Now()
	refusal, err := r.Take(context.Background(), charges, &g)
	for took := int64(time.Since(start)); ; {
		if old := c.slowest.Load(); took <= old || c.slowest.CompareAndSwap(old, took) {
			break
		}
	}
	pause := time.Duration(0)
	switch {
	case err != nil:
		c.failed.Add(1)
	case refusal != nil:
		c.refused.Add(1)
		pause = min(refusal.RetryAfter, 3*time.Millisecond)
	default:
		c.granted.Add(1)
		g.Release()
	}
	select {
	case <-c.stop:
		return false
	case <-time.After(pause):
		return true
	}
}

func (c *crowd) end() {
	close(c.stop)
	c.wg.Wait()
}

func three(t *testing.T, url string, timeout time.Duration) []*replica {
	t.Helper()
	var all []*replica
	for range 3 {
		all = append(all, running(t, url, redislimit.Options{Timeout: timeout}))
	}
	for _, r := range all {
		eventually(t, "every replica knows of all", func() bool { return r.State().Replicas == len(all) })
	}
	return all
}

// The clock stands still while callers of three replicas take all that there is, so that it does not matter how fast
// this machine is. A bucket is full after 100 s, so that Redis keeps it for as long.
func TestThreeReplicasKeepOneLimit(t *testing.T) {
	url := startRedis(t).url()
	var replicas []*replica
	for range 3 {
		replicas = append(replicas, open(t, url, redislimit.Options{}))
	}
	const rounds, pause = 30, 64 * time.Second
	lim := &limit.Limit{Name: "limits.tenant", Rate: 0.5, Burst: 50, Concurrency: 100}
	charges := []limit.Charge{{Limit: lim}, {Limit: &limit.Limit{Name: "more than enough", Rate: 1e6, Burst: 1e6}}}
	for round := range rounds {
		for _, r := range replicas {
			r.SetClock(start.Add(time.Duration(round) * pause))
		}
		now := granted(t, replicas, charges...)
		for _, r := range replicas {
			flush(t, r) // of what was released
		}
		want := lim.Burst
		if round > 0 {
			want = int(lim.Rate * pause.Seconds())
		}
		if now != want {
			t.Errorf("round %d: %d granted, want %d", round, now, want)
		}
	}
}

// granted has three callers of each replica take at once until they are refused. It returns how often they were not.
func granted(t *testing.T, replicas []*replica, charges ...limit.Charge) int {
	t.Helper()
	var n atomic.Int64
	var all sync.WaitGroup
	for _, r := range replicas {
		for range 3 {
			all.Go(func() {
				for refusal, g := r.take(t, charges...); refusal == nil; refusal, g = r.take(t, charges...) {
					n.Add(1)
					g.Release()
				}
			})
		}
	}
	all.Wait()
	return int(n.Load())
}

func TestRedisGoesAndComesBack(t *testing.T) {
	for name, tt := range map[string]struct {
		gone, back func(*server)
		timeout    time.Duration
		alone      int // requests of a burst of 60 that are granted: a Redis that hangs may have granted others
	}{
		"it is killed, and starts again empty": {(*server).kill, (*server).start, generous, 60},
		"it hangs, and goes on": {
			func(s *server) { s.signal(syscall.SIGSTOP) },
			func(s *server) { s.signal(syscall.SIGCONT) },
			time.Second,
			3,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // they mostly wait
			outage(t, tt.timeout, tt.alone, tt.gone, tt.back)
		})
	}
}

func outage(t *testing.T, timeout time.Duration, burst int, gone, back func(*server)) {
	redis := startRedis(t)
	replicas := three(t, redis.url(), timeout)
	lim := &limit.Limit{Name: "limits.tenant", Rate: 300, Burst: 60}
	begin := time.Now()
	c := rush(replicas, limit.Charge{Limit: lim})
	end := sync.OnceFunc(c.end)
	defer end()
	<-time.After(runFor / 2)

	gone(redis)
	lost := time.Now()
	for _, r := range replicas {
		eventually(t, "each replica knows that it is alone", func() bool { return !r.State().Shared })
	}
	before, since := c.granted.Load(), time.Now()
	divided(t, "without Redis", burst, replicas)
	<-time.After(runFor)
	alone, allowed := float64(c.granted.Load()-before), lim.Rate*time.Since(since).Seconds()
	t.Logf("alone: known after %v, %.0f granted of %.0f and a burst of %d", since.Sub(lost).Round(time.Millisecond),
		alone, allowed, lim.Burst)
	if alone > allowed+float64(lim.Burst)+5 || alone == 0 {
		t.Errorf("the replicas granted %.0f by themselves, of %.0f and a burst of %d", alone, allowed, lim.Burst)
	}

	back(redis)
	returned := time.Now()
	for _, r := range replicas {
		eventually(t, "limits are shared again", func() bool { return r.State().Shared })
	}
	t.Logf("shared again after %v", time.Since(returned).Round(time.Millisecond))
	again := c.granted.Load()
	eventually(t, "requests that are granted again", func() bool { return c.granted.Load() > again })
	end()
	total, whole := float64(c.granted.Load()), lim.Rate*time.Since(begin).Seconds()
	t.Logf("in all: %.0f granted of %.0f, slowest answer %v", total, whole,
		time.Duration(c.slowest.Load()).Round(time.Millisecond))
	if total > whole+2*float64(lim.Burst) {
		t.Errorf("%.0f granted of %.0f and a burst of %d, twice", total, whole, lim.Burst)
	}
	if n := c.failed.Load(); n > 0 {
		t.Errorf("%d requests failed", n)
	}
	if slowest, outage := time.Duration(c.slowest.Load()), returned.Sub(lost); slowest >= outage {
		t.Errorf("an answer took %v, as long as Redis was away: %v", slowest, outage)
	}
	divided(t, "with Redis", 60, replicas)
	for _, r := range replicas {
		checkLogged(t, r, timeout == generous)
	}
}

// divided takes from a limit with a burst of 60 that does not fill up, until it is refused, and then many more times.
// The replicas do not ask a Redis that they know to be away, but for heartbeats.
func divided(t *testing.T, name string, want int, replicas []*replica) {
	t.Helper()
	failures := func() (n float64) {
		for _, r := range replicas {
			n += r.metric(t, "graphproxy_redis_failures_total")
		}
		return n
	}
	before := failures()
	const more = 30
	charge := limit.Charge{Limit: &limit.Limit{Name: name, Rate: 1e-6, Burst: 60}}
	if n := granted(t, replicas, charge); n != want {
		t.Errorf("%s: %d granted, want %d", name, n, want)
	}
	for range more {
		for _, r := range replicas {
			r.take(t, charge)
		}
	}
	if asked := failures() - before; asked > more {
		t.Errorf("%s: Redis was asked %v times in vain", name, asked)
	}
}

// checkLogged asserts that an outage is logged once, with its end, and that no request waited for a Redis that was
// known to be unreachable.
//
// A Redis that has a second to answer in may be too slow on a busy machine: another outage, with its own two lines.
func checkLogged(t *testing.T, r *replica, once bool) {
	t.Helper()
	eventually(t, "the end of an outage", func() bool { return r.State().Shared })
	text := r.logs.String()
	if n := strings.Count(text, "level=WARN"); n < 1 || once && n > 1 || strings.Count(text, "level=INFO") != n ||
		strings.Count(text, "\n") != 2*n || strings.Count(text, "share=1/3") != n {
		t.Errorf("log:\n%s", text)
	}
	eventually(t, "a heartbeat of each replica", func() bool { return r.State().Replicas == 3 })
	if n := r.metric(t, "graphproxy_redis_failures_total"); n < 1 || once && n > 20 {
		t.Errorf("%v questions to Redis failed", n)
	}
	if r.metric(t, "graphproxy_redis_up") != 1 || r.metric(t, "graphproxy_redis_replicas") != 3 ||
		r.metric(t, "graphproxy_redis_round_trip_seconds") < 10 {
		t.Error("the metrics do not show it")
	}
	if s := r.State(); s.Err != nil || s.Replicas != 3 {
		t.Errorf("state %+v", s)
	}
}
