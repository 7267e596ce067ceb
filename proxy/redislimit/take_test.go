package redislimit_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"graphproxy/policy/limit"
	"graphproxy/proxy/redislimit"
)

var start = time.Date(2026, 3, 14, 9, 0, 0, 0, time.UTC)

// TestTakeAnswersAsLimiterDoes gives one sequence of requests to a Limiter and to Redis, on one clock.
func TestTakeAnswersAsLimiterDoes(t *testing.T) {
	server := startRedis(t)
	r, client := open(t, server.url(), redislimit.Options{}), server.client()
	examples := 0
	rapid.Check(t, func(t *rapid.T) {
		examples++
		pool := rapid.SliceOfN(limits(fmt.Sprint(examples)), 1, 4).Draw(t, "limits")
		charge := rapid.Custom(func(t *rapid.T) limit.Charge {
			return limit.Charge{
				Limit: rapid.SampledFrom(pool).Draw(t, "limit"),
				Key:   rapid.SampledFrom([]string{"", "adele@contoso.com", "ü"}).Draw(t, "key"),
				Cost:  rapid.IntRange(0, 7).Draw(t, "cost"),
			}
		})
		local, now := limit.New(), start
		var flight [][2]*limit.Grant
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 300_000).Draw(t, "passed")) * time.Microsecond)
			r.SetClock(now)
			if len(flight) > 0 && rapid.Bool().Draw(t, "release") {
				flight[0][0].Release()
				flight[0][1].Release()
				flight = flight[1:]
			}
			flush(t, r)
			charges := rapid.SliceOfN(charge, 1, 6).Draw(t, "charges")
			var own, theirs limit.Grant
			want := local.Take(now, charges, &own)
			got, err := r.Take(context.Background(), charges, &theirs)
			if err != nil {
				t.Fatal(err)
			}
			keepKeys(t, client)
			compare(t, got, want)
			if want != nil {
				continue
			}
			flight = append(flight, [2]*limit.Grant{&own, &theirs})
			if actual := rapid.IntRange(-5, 12).Draw(t, "real cost"); actual >= 0 {
				local.Adjust(now, charges, actual)
				r.Adjust(charges, actual)
				flush(t, r) // or Redis would do it at a later time
				keepKeys(t, client)
			}
		}
		for _, f := range flight {
			f[0].Release()
			f[1].Release()
		}
	})
}

// limits are such that a microsecond, which is what Redis counts in, is a whole part of what they wait for.
// keepKeys makes Redis keep every key: its own clock goes on while that of the test stands still.
func keepKeys(t interface{ Fatal(...any) }, client *redis.Client) {
	const script = `for _, key in ipairs(redis.call('KEYS', '*')) do redis.call('PERSIST', key) end return 1`
	if err := client.Eval(context.Background(), script, nil).Err(); err != nil {
		t.Fatal(err)
	}
}

func limits(name string) *rapid.Generator[*limit.Limit] {
	return rapid.Custom(func(t *rapid.T) *limit.Limit {
		l := &limit.Limit{
			Name:        name + rapid.StringMatching(`[a-c]`).Draw(t, "name"),
			Rate:        rapid.SampledFrom([]float64{0, 0.25, 1, 10, 1000}).Draw(t, "rate"),
			Burst:       rapid.IntRange(1, 6).Draw(t, "burst"),
			Concurrency: rapid.IntRange(0, 3).Draw(t, "concurrency"),
			Unit:        rapid.SampledFrom([]limit.Unit{limit.Requests, limit.ResourceUnits}).Draw(t, "unit"),
		}
		if l.Rate == 0 {
			l.Concurrency = max(l.Concurrency, 1)
		}
		return l
	})
}

func flush(t interface{ Fatal(...any) }, r *replica) {
	if err := r.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func compare(t *rapid.T, got, want *limit.Refusal) {
	if (got == nil) != (want == nil) {
		t.Fatalf("Redis answers %+v, a Limiter %+v", got, want)
	}
	if got == nil {
		return
	}
	if d := got.RetryAfter - want.RetryAfter; d < -time.Microsecond || d > time.Microsecond {
		t.Fatalf("Redis answers to wait %v, a Limiter %v", got.RetryAfter, want.RetryAfter)
	}
	if got.Limit != want.Limit || got.Key != want.Key {
		return // two whose waits differ by a rounding only
	}
	if got.Concurrency != want.Concurrency || got.Remaining != want.Remaining {
		t.Fatalf("Redis answers %+v, a Limiter %+v", got, want)
	}
}

func TestTakeTakesFromAllOrNone(t *testing.T) {
	// As in package limit: what the scarce bucket granted is what the others have lost, and no more.
	const burst, plenty, slots = 50, 400, 3
	url := startRedis(t).url()
	scarce := &limit.Limit{Name: "scarce", Rate: 1e-9, Burst: burst}
	others := []*limit.Limit{
		{Name: "a", Rate: 1e-9, Burst: plenty},
		{Name: "b", Rate: 1e-9, Burst: plenty, Concurrency: slots},
	}
	var granted, flying, most atomic.Int64
	var wg sync.WaitGroup
	for range 3 {
		r := running(t, url, redislimit.Options{})
		for g := range 3 {
			wg.Go(func() {
				charges := []limit.Charge{{Limit: others[0]}, {Limit: scarce}, {Limit: others[1]}, {Limit: scarce}}
				charges[0], charges[g] = charges[g], charges[0]
				for range 200 {
					refusal, grant := r.take(t, charges...)
					if refusal != nil {
						continue
					}
					granted.Add(1)
					if n := flying.Add(1); n > most.Load() {
						most.Store(n)
					}
					flying.Add(-1)
					grant.Release()
					grant.Release()
				}
			})
		}
	}
	wg.Wait()
	r := open(t, url, redislimit.Options{})
	for granted.Load() < burst { // some were refused for want of slots that were on their way back
		eventually(t, "slots come back", func() bool {
			refusal, grant := r.take(t, limit.Charge{Limit: scarce}, limit.Charge{Limit: others[0]},
				limit.Charge{Limit: others[1]})
			grant.Release()
			_ = r.Flush(context.Background())
			return refusal == nil
		})
		granted.Add(1)
	}
	if granted.Load() != burst || most.Load() > slots {
		t.Errorf("%d granted of a burst of %d, %d at once of %d slots", granted.Load(), burst, most.Load(), slots)
	}
	left := 0
	for refusal, _ := r.take(t, limit.Charge{Limit: others[0]}); refusal == nil; refusal, _ = r.take(t,
		limit.Charge{Limit: others[0]}) {
		left++
	}
	if left != plenty-burst {
		t.Errorf("%d left, want %d: only granted requests take", left, plenty-burst)
	}
}

func TestTakeFailsClosed(t *testing.T) {
	r := open(t, "unix:///nowhere", redislimit.Options{})
	for name, c := range map[string]limit.Charge{
		"no limit":             {Key: "k"},
		"no burst":             {Limit: &limit.Limit{Rate: 1}},
		"a negative rate":      {Limit: &limit.Limit{Rate: -1, Burst: 1}},
		"negative concurrency": {Limit: &limit.Limit{Concurrency: -1}},
	} {
		t.Run(name, func(t *testing.T) {
			if refusal, _ := r.take(t, c); refusal == nil || refusal.Limit == nil || refusal.RetryAfter != time.Second ||
				refusal.Key != c.Key {
				t.Errorf("refusal %+v", refusal)
			}
		})
	}
	if got := r.metric(t, "graphproxy_redis_failures_total"); got != 0 {
		t.Errorf("%v questions for what needs none", got)
	}
	if refusal, _ := r.take(t); refusal != nil {
		t.Errorf("no charges, and yet %+v", refusal)
	}
}

func TestAdjustCorrectsWhatWasTaken(t *testing.T) {
	r := open(t, startRedis(t).url(), redislimit.Options{})
	units := func(name string) *limit.Limit {
		return &limit.Limit{Name: name, Rate: 1, Burst: 10, Unit: limit.ResourceUnits}
	}
	for name, tt := range map[string]struct {
		limit      *limit.Limit
		cost, real int
		wait       time.Duration // for a whole bucket afterwards
	}{
		"it cost what was taken":          {units("same"), 3, 3, 3 * time.Second},
		"it cost more":                    {units("more"), 3, 5, 5 * time.Second},
		"less":                            {units("less"), 3, 1, 1 * time.Second},
		"nothing":                         {units("nothing"), 3, 0, 0},
		"less than nothing is nothing":    {units("negative"), 3, -5, 0},
		"more than there was: a debt":     {units("debt"), 3, 15, 15 * time.Second},
		"a debt of a burst is the most":   {units("deep"), 3, 1000, 20 * time.Second},
		"a cost above the burst took all": {units("all"), 100, 10, 10 * time.Second},
		"a cost of 0 took one":            {units("zero"), 0, 4, 4 * time.Second},
		"each request costs one":          {&limit.Limit{Name: "requests", Rate: 1, Burst: 10}, 1, 5, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			r.SetClock(start)
			charges := []limit.Charge{{Limit: tt.limit, Cost: tt.cost}, {Limit: &limit.Limit{Name: "slots", Concurrency: 1}}}
			_, g := r.take(t, charges...)
			r.Adjust(charges, tt.real)
			g.Release()
			flush(t, r)
			refusal, _ := r.take(t, limit.Charge{Limit: tt.limit, Cost: 10})
			if got := wait(refusal); got != tt.wait {
				t.Errorf("waits %v for a whole bucket, want %v", got, tt.wait)
			}
		})
	}
}

func TestClocksThatGoBack(t *testing.T) {
	server := startRedis(t)
	r, client := open(t, server.url(), redislimit.Options{}), server.client()
	charge := limit.Charge{Limit: &limit.Limit{Name: "clock", Rate: 1, Burst: 2}}
	for i, tt := range []struct {
		at   time.Duration
		wait time.Duration
		why  string
	}{
		{0, 0, "the first of a full bucket"},
		{0, 0, "the second"},
		{0, time.Second, "nothing is left"},
		{-500 * time.Millisecond, 1500 * time.Millisecond, "half a second back: what is repeated gives nothing"},
		{-time.Hour, time.Second, "an hour back: the bucket does not wait for it to pass again"},
		{-time.Hour + time.Second, time.Second, "a refusal keeps nothing, so not the new time either"},
		{1 * time.Second, 0, "and back to normal: one token"},
		{1 * time.Second, time.Second, "but no more"},
	} {
		r.SetClock(start.Add(tt.at))
		refusal, _ := r.take(t, charge)
		keepKeys(t, client)
		if got := wait(refusal); got != tt.wait {
			t.Errorf("%d: waits %v, want %v: %s", i, got, tt.wait, tt.why)
		}
	}
}

func wait(r *limit.Refusal) time.Duration {
	if r == nil {
		return 0
	}
	return r.RetryAfter
}
