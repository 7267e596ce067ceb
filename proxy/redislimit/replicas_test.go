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
const runFor = 3 * time.Second

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
		eventually(t, 5*time.Second, "every replica knows of all", func() bool { return r.State().Replicas == len(all) })
	}
	return all
}

func TestThreeReplicasKeepOneLimit(t *testing.T) {
	replicas := three(t, startRedis(t).url(), generous)
	lim := &limit.Limit{Name: "limits.tenant", Rate: 500, Burst: 50, Concurrency: 100}
	begin := time.Now()
	c := rush(replicas, limit.Charge{Limit: lim},
		limit.Charge{Limit: &limit.Limit{Name: "more than enough", Rate: 1e6, Burst: 1e6}})
	<-time.After(runFor)
	c.end()
	allowed := lim.Rate*time.Since(begin).Seconds() + float64(lim.Burst)
	granted := float64(c.granted.Load())
	t.Logf("%.0f granted of %.1f allowed (%.3f %%), %d refused", granted, allowed, granted/allowed*100, c.refused.Load())
	if granted > allowed || granted < allowed*0.99 || c.failed.Load() > 0 {
		t.Errorf("%.0f granted of %.1f, %d failed", granted, allowed, c.failed.Load())
	}
}

func TestRedisGoesAndComesBack(t *testing.T) {
	for name, tt := range map[string]struct{ gone, back func(*server) }{
		"it is killed, and starts again empty": {(*server).kill, (*server).start},
		"it hangs, and goes on": {
			func(s *server) { s.signal(syscall.SIGSTOP) },
			func(s *server) { s.signal(syscall.SIGCONT) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // they mostly wait
			outage(t, tt.gone, tt.back)
		})
	}
}

func outage(t *testing.T, gone, back func(*server)) {
	const timeout = 250 * time.Millisecond
	redis := startRedis(t)
	replicas := three(t, redis.url(), timeout)
	lim := &limit.Limit{Name: "limits.tenant", Rate: 300, Burst: 60}
	begin := time.Now()
	c := rush(replicas, limit.Charge{Limit: lim})
	defer func() { c.end() }()
	<-time.After(runFor / 3)

	gone(redis)
	lost := time.Now()
	for _, r := range replicas {
		eventually(t, 5*time.Second, "each replica knows that it is alone", func() bool { return !r.State().Shared })
	}
	before, since := c.granted.Load(), time.Now()
	<-time.After(runFor)
	alone, allowed := float64(c.granted.Load()-before), lim.Rate*time.Since(since).Seconds()
	t.Logf("alone: known after %v, %.0f granted of %.0f and a burst of %d", since.Sub(lost).Round(time.Millisecond),
		alone, allowed, lim.Burst)
	if alone > allowed+float64(lim.Burst)+5 || alone < allowed*0.97 {
		t.Errorf("the replicas granted %.0f by themselves, of %.0f and a burst of %d", alone, allowed, lim.Burst)
	}

	back(redis)
	returned := time.Now()
	for _, r := range replicas {
		eventually(t, 5*time.Second, "limits are shared again", func() bool { return r.State().Shared })
	}
	t.Logf("shared again after %v", time.Since(returned).Round(time.Millisecond))
	<-time.After(runFor / 3)
	total, whole := float64(c.granted.Load()), lim.Rate*time.Since(begin).Seconds()
	t.Logf("in all: %.0f granted of %.0f, slowest answer %v", total, whole,
		time.Duration(c.slowest.Load()).Round(time.Millisecond))
	if total > whole+2*float64(lim.Burst) || total < whole*0.9 {
		t.Errorf("%.0f granted of %.0f and a burst of %d, twice", total, whole, lim.Burst)
	}
	if n := c.failed.Load(); n > 0 {
		t.Errorf("%d requests failed", n)
	}
	if slowest := time.Duration(c.slowest.Load()); slowest > 4*timeout {
		t.Errorf("an answer took %v", slowest)
	}
	for _, r := range replicas {
		checkLogged(t, r)
	}
}

// checkLogged asserts that an outage is logged once, with its end, and that no request waited for a Redis that was
// known to be unreachable.
func checkLogged(t *testing.T, r *replica) {
	t.Helper()
	text := r.logs.String()
	if strings.Count(text, "level=WARN") != 1 || strings.Count(text, "level=INFO") != 1 ||
		strings.Count(text, "\n") != 2 || !strings.Contains(text, "share=1/3") {
		t.Errorf("log:\n%s", text)
	}
	if n := r.metric(t, "graphproxy_redis_failures_total"); n < 1 || n > 20 {
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
