package limit_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"graphproxy/policy/limit"
)

func limits() *rapid.Generator[*limit.Limit] {
	return rapid.Custom(func(t *rapid.T) *limit.Limit {
		l := &limit.Limit{
			Name:        rapid.StringMatching(`[a-d]`).Draw(t, "name"),
			Rate:        rapid.SampledFrom([]float64{0, 0.01, 1.0 / 3, 1, 10, 1000.0 / 3, 1e5}).Draw(t, "rate"),
			Burst:       rapid.IntRange(1, 6).Draw(t, "burst"),
			Concurrency: rapid.IntRange(0, 3).Draw(t, "concurrency"),
		}
		if l.Rate == 0 {
			l.Concurrency = max(l.Concurrency, 1)
		}
		return l
	})
}

// ledger is what one bucket has granted.
type ledger struct {
	limit limit.Limit
	times []time.Time // as the bucket counts them: never before the last one
	held  int
}

// check compares every period that ends with the last grant with rate·t + burst.
func (b *ledger) check(t *rapid.T) {
	last := b.times[len(b.times)-1]
	for i, first := range b.times {
		got, room := float64(len(b.times)-i), b.limit.Rate*last.Sub(first).Seconds()+float64(b.limit.Burst)
		if b.limit.Rate > 0 && got > room+1e-6+b.limit.Rate*1e-9 {
			t.Fatalf("%v requests in %v, more than %v by %+v", got, last.Sub(first), room, b.limit)
		}
	}
	if b.limit.Concurrency > 0 && b.held > b.limit.Concurrency {
		t.Fatalf("%d slots held of %+v", b.held, b.limit)
	}
}

type bucketName struct {
	limit limit.Limit
	key   string
}

type held struct {
	grants  [2]*limit.Grant
	buckets []*ledger
}

// TestTakeKeepsEveryLimit runs two Limiters: a small one, which must drop buckets and gets every request, and a
// large one, which gets only the requests that the small one granted. If refusals took anything, or dropping
// gave anything, the two would differ. Both have one shard, so both have one clock, which only charges move.
func TestTakeKeepsEveryLimit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		small, large := limit.NewSize(rapid.IntRange(2, 9).Draw(t, "size")), limit.NewSize(2000)
		pool := rapid.SliceOfN(limits(), 1, 5).Draw(t, "limits")
		charge := rapid.Custom(func(t *rapid.T) limit.Charge {
			return limit.Charge{
				Limit: rapid.SampledFrom(pool).Draw(t, "limit"),
				Key:   rapid.StringMatching(`[u-z]?`).Draw(t, "key"),
			}
		})
		books := map[bucketName]*ledger{}
		var flight []held
		now, latest := start, time.Time{}
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.Int64Range(-1e8, 1e9).Draw(t, "passed")))
			if len(flight) > 0 && rapid.Bool().Draw(t, "release") {
				release(t, &flight)
			}
			charges := rapid.SliceOfN(charge, 1, 10).Draw(t, "charges")
			if now.After(latest) {
				latest = now
			}
			g, r := take(small, now, charges)
			if r != nil {
				checkRefusal(t, small, now, charges, r)
				continue
			}
			again, r := take(large, latest, charges) // refusals moved only the small one's clock
			if r != nil {
				t.Fatalf("granted, but another Limiter that saw the same grants and no refusals says %+v", r)
			}
			flight = append(flight, held{[2]*limit.Grant{g, again}, record(t, books, latest, charges)})
		}
		for len(flight) > 0 {
			release(t, &flight)
		}
		for _, b := range books {
			if b.held != 0 {
				t.Fatalf("%d slots did not come back", b.held)
			}
		}
		drain(t, small, latest.Add(1000*time.Hour), pool)
	})
}

func release(t *rapid.T, flight *[]held) {
	i := rapid.IntRange(0, len(*flight)-1).Draw(t, "which")
	h := (*flight)[i]
	for _, g := range h.grants {
		g.Release()
		g.Release()
	}
	for _, b := range h.buckets {
		b.held--
	}
	*flight = append((*flight)[:i], (*flight)[i+1:]...)
}

func record(t *rapid.T, books map[bucketName]*ledger, now time.Time, charges []limit.Charge) []*ledger {
	seen := map[bucketName]bool{}
	var out []*ledger
	for _, c := range charges {
		name := bucketName{*c.Limit, c.Key}
		if seen[name] {
			continue
		}
		seen[name] = true
		b := books[name]
		if b == nil {
			b = &ledger{limit: *c.Limit}
			books[name] = b
		}
		b.times = append(b.times, now)
		b.held++
		b.check(t)
		out = append(out, b)
	}
	return out
}

// checkRefusal checks that the refusal names one of the charges, and that it stays valid as long as nothing
// else happens.
func checkRefusal(t *rapid.T, l *limit.Limiter, now time.Time, charges []limit.Charge, r *limit.Refusal) {
	named := false
	for _, c := range charges {
		named = named || c.Limit == r.Limit && c.Key == r.Key
	}
	if !named || r.RetryAfter <= 0 {
		t.Fatalf("refusal %+v by a bucket that was not charged, or with no wait", r)
	}
	if r.Concurrency && r.Limit.Concurrency == 0 {
		t.Fatalf("refusal %+v for slots by a limit that has none", r)
	}
	if _, again := take(l, now, charges); again == nil {
		t.Fatalf("refused with %+v, then granted at the same time", r)
	}
}

// drain checks that after long idleness every bucket has its whole burst and all its slots again, and no more.
func drain(t *rapid.T, l *limit.Limiter, now time.Time, pool []*limit.Limit) {
	done := map[limit.Limit]bool{}
	for _, lim := range pool {
		want := lim.Burst
		if lim.Rate == 0 || lim.Concurrency > 0 && lim.Concurrency < want {
			want = lim.Concurrency
		}
		if done[*lim] {
			continue
		}
		done[*lim] = true
		for i := range want + 1 {
			if _, r := take(l, now, []limit.Charge{{Limit: lim}}); (r == nil) != (i < want) {
				t.Fatalf("request %d to the idle bucket of %+v: %+v", i+1, *lim, r)
			}
		}
	}
}

func TestTakeIsExactUnderConcurrency(t *testing.T) {
	// Every goroutine requests a scarce bucket and plentiful ones, in its own order. The plentiful ones must
	// have lost exactly what the scarce one granted: a refused request that took something, or only a part,
	// would show in the count.
	l := limit.New()
	const burst, plenty, slots = 500, 2000, 3
	scarce := &limit.Limit{Name: "scarce", Rate: 1e-9, Burst: burst}
	others := []*limit.Limit{
		{Name: "a", Rate: 1e-9, Burst: plenty},
		{Name: "b", Rate: 1e-9, Burst: plenty},
		{Name: "c", Rate: 1e-9, Burst: plenty},
	}
	inFlight := &limit.Limit{Name: "slots", Concurrency: slots}
	var granted, flying, most atomic.Int64
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			charges := []limit.Charge{
				{Limit: scarce},
				{Limit: others[0]},
				{Limit: others[1]},
				{Limit: others[2]},
				{Limit: inFlight},
			}
			for i := range charges {
				j := (i + g) % len(charges)
				charges[i], charges[j] = charges[j], charges[i]
			}
			for i := range 3000 {
				grant, r := take(l, start.Add(time.Duration(i-g*100)), charges)
				if r != nil {
					continue
				}
				granted.Add(1)
				if n := flying.Add(1); n > most.Load() {
					most.Store(n)
				}
				flying.Add(-1)
				var both sync.WaitGroup
				both.Go(grant.Release)
				both.Go(grant.Release)
				both.Wait()
			}
		})
	}
	wg.Wait()
	if granted.Load() != burst || most.Load() > slots {
		t.Errorf("%d granted of a burst of %d, %d at once of %d slots", granted.Load(), burst, most.Load(), slots)
	}
	for _, o := range others {
		left := 0
		for ; ; left++ {
			if _, r := take(l, start, []limit.Charge{{Limit: o}}); r != nil {
				break
			}
		}
		if left != plenty-burst {
			t.Errorf("bucket %s has %d left, want %d: only granted requests take", o.Name, left, plenty-burst)
		}
	}
	for i := range slots + 1 {
		if _, r := take(l, start, []limit.Charge{{Limit: inFlight}}); (r == nil) != (i < slots) {
			t.Errorf("slot %d afterwards: %+v", i+1, r)
		}
	}
}

func TestDroppingUnderConcurrency(t *testing.T) {
	// A small Limiter drops buckets all the time while others use and release them.
	l := limit.NewSize(20)
	const slots = 2
	lim := &limit.Limit{Name: "slots", Rate: 1e6, Burst: 1, Concurrency: slots}
	var flying [40]atomic.Int64
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 3000 {
				k := (i*7 + g*13) % len(flying)
				grant, r := take(l, start.Add(time.Duration(i)*time.Millisecond), key(lim, string(rune('A'+k))))
				if r != nil {
					continue
				}
				if n := flying[k].Add(1); n > slots {
					t.Errorf("%d at once of %d slots", n, slots)
				}
				flying[k].Add(-1)
				grant.Release()
			}
		})
	}
	wg.Wait()
	if n := l.Len(); n > 20 {
		t.Errorf("Len = %d, want at most 20", n)
	}
}
