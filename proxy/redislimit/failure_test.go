package redislimit_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"graphproxy/policy/limit"
	"graphproxy/proxy/redislimit"
)

func TestRedisThatWasNeverThere(t *testing.T) {
	lim := &limit.Limit{Name: "limits.tenant", Rate: 0.001, Burst: 2}
	t.Run("each replica is by itself", func(t *testing.T) {
		r := running(t, "unix://"+t.TempDir()+"/redis.sock", redislimit.Options{})
		for i := range 3 {
			if refusal, _ := r.take(t, limit.Charge{Limit: lim}); (refusal != nil) != (i == 2) {
				t.Errorf("request %d: %+v", i+1, refusal)
			} else if refusal != nil && refusal.Limit != lim {
				t.Errorf("the refusal is by %+v", refusal.Limit)
			}
		}
		if s := r.State(); s.Shared || s.Err == nil || s.Replicas != 1 {
			t.Errorf("state %+v", s)
		}
	})
	t.Run("deny refuses everything, at once", func(t *testing.T) {
		r := running(t, "redis://graphproxy:hunter2@127.0.0.1:1", redislimit.Options{Deny: true})
		for range 100 {
			var g limit.Grant
			refusal, err := r.Take(context.Background(), []limit.Charge{{Limit: lim}}, &g)
			if !errors.Is(err, redislimit.ErrUnavailable) || refusal != nil {
				t.Fatalf("refusal %+v, error %v", refusal, err)
			}
		}
		if text := r.logs.String(); !strings.Contains(text, "refused") || strings.Count(text, "\n") != 1 ||
			strings.Contains(text, "hunter2") {
			t.Errorf("log:\n%s", text)
		}
	})
	t.Run("a wrong password is logged without the password", func(t *testing.T) {
		s := startRedis(t, "--requirepass", "secret")
		r := open(t, "unix://:hunter2@"+s.socket, redislimit.Options{})
		r.take(t, limit.Charge{Limit: lim})
		if err := r.State().Err; err == nil || !strings.Contains(err.Error(), "WRONGPASS") ||
			strings.Contains(err.Error(), "hunter2") {
			t.Errorf("error %v", err)
		}
		if strings.Contains(r.logs.String(), "hunter2") {
			t.Errorf("log:\n%s", r.logs)
		}
	})
}

func TestCallersThatGoAway(t *testing.T) {
	r := open(t, startRedis(t).url(), redislimit.Options{})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var g limit.Grant
	_, err := r.Take(ctx, []limit.Charge{{Limit: &limit.Limit{Rate: 1, Burst: 1}}}, &g)
	if !errors.Is(err, context.Canceled) || !r.State().Shared {
		t.Errorf("error %v, state %+v: a replica that left has no error of Redis", err, r.State())
	}
}

func TestConnectionsThatWereClosed(t *testing.T) {
	redis := startRedis(t)
	r := open(t, redis.url(), redislimit.Options{})
	charge := limit.Charge{Limit: &limit.Limit{Name: "limits.tenant", Rate: 1, Burst: 10}}
	r.take(t, charge)
	if err := redis.client().ClientKillByFilter(context.Background(), "TYPE", "normal").Err(); err != nil {
		t.Fatal(err)
	}
	r.take(t, charge)
	if s := r.State(); !s.Shared {
		t.Errorf("a connection that was closed while idle counts as the loss of Redis: %v", s.Err)
	}
}

func TestWhatWasTakenAloneIsNotGrantedAgain(t *testing.T) {
	redis := startRedis(t)
	ctx := context.Background()
	r := open(t, redis.url(), redislimit.Options{})
	hours := limit.Charge{Limit: &limit.Limit{Name: "hours", Rate: 1.0 / 3600, Burst: 10}}
	quick := limit.Charge{Limit: &limit.Limit{Name: "quick", Rate: 1e6, Burst: 10}}
	units := limit.Charge{
		Limit: &limit.Limit{Name: "units", Rate: 1.0 / 3600, Burst: 10, Unit: limit.ResourceUnits},
		Cost:  3,
	}
	slots := limit.Charge{Limit: &limit.Limit{Name: "slots", Concurrency: 2}}
	r.Step(ctx, false)

	redis.kill()
	r.Step(ctx, false)
	var grants []*limit.Grant
	for range 2 {
		refusal, g := r.take(t, hours, quick, units, slots)
		if refusal != nil {
			t.Fatal(refusal)
		}
		grants = append(grants, g)
	}
	r.Adjust([]limit.Charge{hours, quick, units, slots}, 5)
	redis.start()
	r.Step(ctx, false)
	if !r.State().Shared {
		t.Fatalf("not found again: %v", r.State().Err)
	}

	other := open(t, redis.url(), redislimit.Options{})
	left := map[string]int{}
	for _, c := range []limit.Charge{hours, {Limit: units.Limit}, slots} {
		for refusal, _ := other.take(t, c); refusal == nil; refusal, _ = other.take(t, c) {
			left[c.Limit.Name]++
		}
	}
	if diff := cmp.Diff(map[string]int{"hours": 8, "units": 2}, left); diff != "" {
		t.Errorf("left for another replica (-want +got):\n%s", diff)
	}
	for _, g := range grants {
		g.Release()
	}
	if err := r.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	if refusal, _ := other.take(t, slots); refusal != nil {
		t.Errorf("a slot that was taken alone did not come back: %+v", refusal)
	}
}

func TestSharesOfThree(t *testing.T) {
	redis := startRedis(t)
	ctx := context.Background()
	var replicas []*replica
	for range 3 {
		r := open(t, redis.url(), redislimit.Options{})
		r.Step(ctx, false)
		replicas = append(replicas, r)
	}
	replicas[0].Step(ctx, false)
	replicas[1].Step(ctx, false)
	redis.kill()
	for name, tt := range map[string]struct {
		limit limit.Limit
		each  int
	}{
		"a burst that can be divided":     {limit.Limit{Rate: 1e-6, Burst: 12}, 4},
		"one that cannot is rounded down": {limit.Limit{Rate: 1e-6, Burst: 11}, 3},
		"but one is the least":            {limit.Limit{Rate: 1e-6, Burst: 2}, 1},
		"slots":                           {limit.Limit{Concurrency: 7}, 2},
		"a slot is the least, too":        {limit.Limit{Concurrency: 1}, 1},
		"the smaller of both":             {limit.Limit{Rate: 1e-6, Burst: 12, Concurrency: 3}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			tt.limit.Name = name
			for i, r := range replicas {
				n := 0
				for refusal, _ := r.take(t, limit.Charge{Limit: &tt.limit}); refusal == nil; refusal, _ = r.take(t,
					limit.Charge{Limit: &tt.limit}) {
					n++
				}
				if n != tt.each {
					t.Errorf("replica %d granted %d, want %d", i, n, tt.each)
				}
			}
		})
	}
	t.Run("time fills them at a third of the rate", func(t *testing.T) {
		slow := limit.Charge{Limit: &limit.Limit{Name: "slow", Rate: 0.001, Burst: 3}}
		began := time.Now()
		replicas[0].take(t, slow)
		refusal, _ := replicas[0].take(t, slow)
		const whole = 3000 * time.Second
		if refusal == nil || refusal.RetryAfter < whole-time.Since(began)-time.Second || refusal.RetryAfter > whole ||
			refusal.Limit != slow.Limit {
			t.Errorf("refusal %+v", refusal)
		}
	})
}

func TestLeasesOfTheDeadRunOut(t *testing.T) {
	redis := startRedis(t)
	ctx := context.Background()
	dead, alive, third := open(t, redis.url(), redislimit.Options{}), open(t, redis.url(), redislimit.Options{}), open(t,
		redis.url(), redislimit.Options{})
	slots := limit.Charge{Limit: &limit.Limit{Name: "slots", Concurrency: 2}}
	at := func(d time.Duration) {
		for _, r := range []*replica{dead, alive, third} {
			r.SetClock(start.Add(d))
		}
	}
	granted := func() bool {
		refusal, _ := third.take(t, slots)
		if refusal != nil && (!refusal.Concurrency || refusal.RetryAfter != time.Second || refusal.Remaining != 0) {
			t.Errorf("refusal %+v", refusal)
		}
		return refusal == nil
	}
	at(0)
	dead.take(t, slots)
	_, g := alive.take(t, slots)
	if granted() {
		t.Error("there are two slots, and three were granted")
	}
	at(20 * time.Second)
	alive.Step(ctx, true)
	at(29 * time.Second)
	if granted() {
		t.Error("a slot of the dead was free before its lease had run out")
	}
	at(30 * time.Second)
	if !granted() || granted() {
		t.Error("after 30 s there should be one slot: the dead's, and not the one of the living")
	}
	if err := redis.client().FlushAll(ctx).Err(); err != nil {
		t.Fatal(err)
	}
	alive.Step(ctx, true)
	third.Step(ctx, true)
	if granted() {
		t.Error("a slot was free although its holder had renewed it")
	}
	g.Release()
	g.Release()
	if err := alive.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	if !granted() || granted() {
		t.Error("a released slot should be free, once")
	}
}

func TestReplicasAreCounted(t *testing.T) {
	url := startRedis(t).url()
	ctx := context.Background()
	a, b := open(t, url, redislimit.Options{}), open(t, url, redislimit.Options{})
	a.Step(ctx, false)
	b.Step(ctx, false)
	a.Step(ctx, false)
	if n := a.State().Replicas; n != 2 {
		t.Errorf("%d replicas, want 2", n)
	}
	b.stop()
	a.Step(ctx, false)
	if n := a.State().Replicas; n != 2 {
		t.Errorf("%d replicas: one that left may be on its way back", n)
	}
	for range 10 {
		a.Step(ctx, false)
	}
	if n := a.State().Replicas; n != 1 {
		t.Errorf("%d replicas, want 1: the other has left", n)
	}
}

func TestHoldBacksReachTheOthers(t *testing.T) {
	redis := startRedis(t)
	ctx := context.Background()
	received := map[string]time.Duration{}
	calls := 0
	from := open(t, redis.url(), redislimit.Options{})
	to := open(t, redis.url(), redislimit.Options{Holds: func(key string, until time.Time) {
		received[key] = time.Until(until).Round(time.Minute)
		calls++
	}})
	now := time.Now()
	from.Hold("directory", now.Add(10*time.Minute))
	from.Hold("directory", now.Add(5*time.Minute)) // an answer that was under way: no shorter hold-back
	from.Hold("over", now.Add(-time.Second))
	exchange := func() {
		from.Step(ctx, false)
		to.Step(ctx, false)
		to.Step(ctx, false)
	}
	exchange()
	if diff := cmp.Diff(map[string]time.Duration{"directory": 10 * time.Minute}, received); diff != "" || calls != 1 {
		t.Errorf("received %d times (-want +got):\n%s", calls, diff)
	}
	from.Hold("directory", now.Add(20*time.Minute))
	to.Hold("mailbox", now.Add(30*time.Minute)) // its own: it changes nothing
	exchange()
	if diff := cmp.Diff(map[string]time.Duration{"directory": 20 * time.Minute}, received); diff != "" || calls != 2 {
		t.Errorf("received %d times (-want +got):\n%s", calls, diff)
	}
	ttl := redis.client().PTTL(ctx, "{graphproxy}:holds").Val()
	if ttl <= 20*time.Minute || ttl > 31*time.Minute {
		t.Errorf("the hold-backs stay in Redis for %v", ttl)
	}
	late := map[string]bool{}
	r := open(t, redis.url(), redislimit.Options{Holds: func(key string, _ time.Time) { late[key] = true }})
	r.Step(ctx, false)
	if diff := cmp.Diff(map[string]bool{"directory": true, "mailbox": true}, late); diff != "" {
		t.Errorf("a replica that starts later receives all (-want +got):\n%s", diff)
	}
}

func TestKeysExpireAndNameNoPerson(t *testing.T) {
	redis := startRedis(t)
	ctx := context.Background()
	r := open(t, redis.url(), redislimit.Options{})
	began := time.Now()
	r.Step(ctx, false)
	_, g := r.take(t,
		limit.Charge{
			Limit: &limit.Limit{Name: "callers.hr-sync.limit", Rate: 0.1, Burst: 6},
			Key:   "adele@contoso.com",
			Cost:  2,
		},
		limit.Charge{Limit: &limit.Limit{Name: "slots", Concurrency: 6}, Key: "adele@contoso.com"},
		limit.Charge{Limit: &limit.Limit{Name: "for ever", Rate: 1e-300, Burst: 1}})
	defer g.Release()
	ended := time.Now()
	client := redis.client()
	keys := client.Keys(ctx, "*").Val()
	if len(keys) != 4 {
		t.Errorf("keys %q", keys)
	}
	ends := map[string]int{}
	for _, key := range keys {
		if !strings.HasPrefix(key, "{graphproxy}:") || strings.Contains(key, "adele") {
			t.Errorf("key %q", key)
		}
		at := client.PExpireTime(ctx, key).Val()
		for _, lasts := range []time.Duration{5 * time.Second, 20 * time.Second, 30 * time.Second} {
			if end := time.UnixMilli(at.Milliseconds()).Add(-lasts); at > 0 &&
				!end.Before(began.Add(-time.Second)) && !end.After(ended.Add(time.Second)) {
				ends[lasts.String()]++
			}
		}
		if at < 0 {
			ends["for ever"]++
		}
	}
	// The bucket is full again after 20 s, a lease lasts 30 s, a replica 5 s.
	if diff := cmp.Diff(map[string]int{"20s": 1, "30s": 1, "5s": 1, "for ever": 1}, ends); diff != "" {
		t.Errorf("lifetimes (-want +got):\n%s", diff)
	}
}

func TestTheEndOfRunInterruptsNoReleaseThatIsBeingSent(t *testing.T) {
	redis := startRedis(t)
	client := redis.client()
	ctx := context.Background()
	for i := range 100 {
		r := running(t, redis.url(), redislimit.Options{})
		_, g := r.take(t, limit.Charge{Limit: &limit.Limit{Name: "slots", Concurrency: 1}})
		g.Release()
		time.Sleep(time.Duration(i) * 5 * time.Microsecond)
		r.stop()
		if keys := client.Keys(ctx, "{graphproxy}:s:*").Val(); len(keys) != 0 {
			t.Fatalf("round %d: slots that stay taken: %q", i, keys)
		}
	}
}

func TestRunLeavesNothingBehind(t *testing.T) {
	redis := startRedis(t)
	client := redis.client()
	ctx := context.Background()
	if err := client.Ping(ctx).Err(); err != nil {
		t.Fatal(err)
	}
	before := goleak.IgnoreCurrent()
	r := running(t, redis.url(), redislimit.Options{})
	_, g := r.take(t, limit.Charge{Limit: &limit.Limit{Name: "slots", Concurrency: 1}})
	g.Release()
	eventually(t, "the replica is known",
		func() bool { return client.Exists(ctx, "{graphproxy}:replicas").Val() == 1 })
	r.stop()
	if keys := client.Keys(ctx, "*").Val(); len(keys) != 0 {
		t.Errorf("left in Redis: %q", keys)
	}
	if refusal, _ := r.take(t, limit.Charge{Limit: &limit.Limit{Rate: 1, Burst: 1}}); refusal != nil {
		t.Errorf("a straggler is judged without Redis, not refused: %+v", refusal)
	}
	if text := r.logs.String(); text != "" {
		t.Errorf("log:\n%s", text)
	}
	eventually(t, "no goroutine of Run", func() bool { return goleak.Find(before) == nil })
}
