package limit_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"graphproxy/policy/limit"
)

// Adjust depends on these properties: ReserveN goes into debt, gives back for a negative number, and the tokens
// never exceed the burst. AllowN refuses to give back as long as the bucket stays in debt.
func TestAReservationOfLessThanNothingGivesBack(t *testing.T) {
	l := rate.NewLimiter(1, 10)
	at := func(want float64) {
		t.Helper()
		if got := l.TokensAt(start); math.Abs(got-want) > 1e-9 {
			t.Fatalf("%v tokens, want %v", got, want)
		}
	}
	l.ReserveN(start, 10)
	l.ReserveN(start, 8)
	at(-8)
	if l.AllowN(start, -3) {
		t.Error("AllowN gives back to a bucket in debt, so Adjust may use it")
	}
	at(-8)
	l.ReserveN(start, -3)
	at(-5)
	l.ReserveN(start, -20)
	at(10)
	if !l.AllowN(start, 10) || l.AllowN(start, 1) {
		t.Error("what was given back above the burst can be taken")
	}
	l.ReserveN(start, 10)
	at(-10)
	if got := l.TokensAt(start.Add(4 * time.Second)); math.Abs(got+6) > 1e-9 {
		t.Errorf("a debt of 10 is %v after 4 s at 1/s", got)
	}
}

func units(rate float64, burst int) *limit.Limit {
	return &limit.Limit{Name: "units", Rate: rate, Burst: burst, Unit: limit.ResourceUnits}
}

func cost(l *limit.Limit, n int) []limit.Charge { return []limit.Charge{{Limit: l, Cost: n}} }

// left counts the tokens that a bucket still grants, one by one.
func left(l *limit.Limiter, now time.Time, lim *limit.Limit) (n int) {
	for {
		if _, r := take(l, now, one(lim)); r != nil {
			return n
		}
		n++
	}
}

func TestCosts(t *testing.T) {
	for _, tt := range []struct {
		name            string
		burst, first, n int // after the first request, one of cost n
		wait            time.Duration
		remaining       int
	}{
		{"room for the whole cost", 10, 4, 6, 0, 0},
		{"a cost that is not there waits for what is missing", 10, 4, 7, time.Second, 6},
		{"all that is missing", 10, 10, 5, 5 * time.Second, 0},
		{"no cost is one", 10, 9, 0, 0, 0},
		{"a negative cost is one", 10, 10, -5, time.Second, 0},
		{"a cost above the burst takes the burst, so it passes when the bucket is full", 10, 1, 1000, time.Second, 9},
		{"the first one, too", 10, 1000, 1, time.Second, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l, lim := limit.New(), units(1, tt.burst)
			mustTake(t, l, start, cost(lim, tt.first))
			_, r := take(l, start, cost(lim, tt.n))
			if tt.wait == 0 {
				if r != nil {
					t.Fatalf("refused: %+v", r)
				}
				return
			}
			if r == nil || r.RetryAfter != tt.wait || r.Remaining != tt.remaining {
				t.Fatalf("Take = %+v, want a wait of %v with %d left", r, tt.wait, tt.remaining)
			}
			mustTake(t, l, start.Add(tt.wait), cost(lim, tt.n))
		})
	}
	t.Run("a limit in requests is asked for its charge's cost as well", func(t *testing.T) {
		l, lim := limit.New(), &limit.Limit{Name: "requests", Rate: 1, Burst: 5}
		mustTake(t, l, start, cost(lim, 3))
		if n := left(l, start, lim); n != 2 {
			t.Errorf("%d left of 5 after a cost of 3", n)
		}
	})
	t.Run("a cost takes one slot", func(t *testing.T) {
		l, lim := limit.New(), &limit.Limit{Name: "both", Rate: 1, Burst: 9, Concurrency: 2}
		mustTake(t, l, start, cost(lim, 3))
		mustTake(t, l, start, cost(lim, 3))
		if _, r := take(l, start, cost(lim, 3)); r == nil || !r.Concurrency || r.Remaining != 0 {
			t.Errorf("Take = %+v, want no slot, and none remaining", r)
		}
	})
	t.Run("a bucket that is charged twice is asked for the greater cost, in either order", func(t *testing.T) {
		for _, both := range [][]int{{2, 5}, {5, 2}} {
			l, lim := limit.New(), units(1, 10)
			mustTake(t, l, start, append(cost(lim, both[0]), cost(lim, both[1])...))
			if n := left(l, start, lim); n != 5 {
				t.Errorf("costs %v: %d left of 10", both, n)
			}
		}
	})
	t.Run("nothing is taken of any bucket when one has not enough", func(t *testing.T) {
		l, a, b := limit.New(), units(1, 10), &limit.Limit{Name: "b", Rate: 1, Burst: 3}
		charges := append(cost(a, 5), cost(b, 3)...)
		mustTake(t, l, start, charges)
		if _, r := take(l, start, charges); r == nil || r.Limit != b {
			t.Fatalf("Take = %+v, want b in the way", r)
		}
		if n := left(l, start, a); n != 5 {
			t.Errorf("%d left of 10 after one of two requests of 5", n)
		}
	})
}

func TestAdjust(t *testing.T) {
	for _, tt := range []struct {
		name         string
		burst, taken int
		cost         int
		after        time.Duration // between Take and Adjust
		want         int           // tokens left then; below 0: the debt
	}{
		{"as much as was thought", 10, 3, 3, 0, 7},
		{"more is taken", 10, 3, 5, 0, 5},
		{"less is given back", 10, 3, 1, 0, 9},
		{"nothing is all given back", 10, 3, 0, 0, 10},
		{"less than nothing is nothing", 10, 3, -7, 0, 10},
		{"more than there is becomes a debt", 10, 8, 15, 0, -5},
		{"a debt is at most a burst", 10, 1, 1000, 0, -10},
		{"of one request, more than was taken when it costs more than the bucket holds", 10, 1000, 15, 0, -5},
		{"a bucket that is full again is not filled above", 10, 3, 1, time.Minute, 10},
		{"a bucket that is nearly full is not, either", 10, 3, 0, time.Second, 10},
		{"a full bucket goes down to a debt of a burst", 10, 3, 1 << 40, time.Minute, -10},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l, lim := limit.New(), units(1, tt.burst)
			charges := cost(lim, tt.taken)
			mustTake(t, l, start, charges)
			now := start.Add(tt.after)
			l.Adjust(now, charges, tt.cost)
			if tt.want < 0 {
				_, r := take(l, now, one(lim))
				if wait := time.Duration(1-tt.want) * time.Second; r == nil || r.RetryAfter != wait || r.Remaining != 0 {
					t.Errorf("Take = %+v, want a wait of %v", r, wait)
				}
				return
			}
			if n := left(l, now, lim); n != tt.want {
				t.Errorf("%d left, want %d", n, tt.want)
			}
		})
	}
	t.Run("only resource units are corrected, each for its own charge", func(t *testing.T) {
		l := limit.New()
		requests, slots := &limit.Limit{
			Name:  "requests",
			Rate:  1,
			Burst: 10,
		}, &limit.Limit{Name: "slots", Concurrency: 1, Unit: limit.ResourceUnits}
		charges := []limit.Charge{
			{Limit: requests},
			{Limit: slots},
			{Limit: units(1, 10), Key: "a", Cost: 2},
			{Limit: units(1, 20), Key: "b", Cost: 4},
			{},
			{Limit: &limit.Limit{Name: "bad", Rate: 1, Unit: limit.ResourceUnits}},
		}
		mustTake(t, l, start, charges[:4])
		l.Adjust(start, charges, 5)
		for i, want := range []int{9, 0, 5, 15} {
			n := 0
			for ; n < 100; n++ {
				c := charges[i]
				c.Cost = 1
				if _, r := take(l, start, []limit.Charge{c}); r != nil {
					break
				}
			}
			if n != want {
				t.Errorf("charge %d: %d left, want %d", i, n, want)
			}
		}
	})
	t.Run("no slot is given back", func(t *testing.T) {
		l, lim := limit.New(), units(1, 10)
		lim.Concurrency = 1
		charges := cost(lim, 5)
		g := mustTake(t, l, start, charges)
		l.Adjust(start, charges, 1)
		if _, r := take(l, start, charges); r == nil || !r.Concurrency {
			t.Errorf("Take = %+v, want the slot to be held", r)
		}
		g.Release()
		mustTake(t, l, start, charges)
	})
	t.Run("a bucket in debt is not dropped", func(t *testing.T) {
		l, lim := limit.NewSize(1), units(1, 10)
		a := []limit.Charge{{Limit: lim, Key: "a", Cost: 6}}
		mustTake(t, l, start, a)
		l.Adjust(start, a, 16)
		if _, r := take(l, start.Add(15*time.Second), key(lim, "b")); r == nil || !r.Full {
			t.Errorf("Take = %+v, want no place for b", r)
		}
		mustTake(t, l, start.Add(16*time.Second), key(lim, "b"))
	})
	t.Run("what was dropped was full, and is made again to take more", func(t *testing.T) {
		l, lim := limit.NewSize(1), units(1, 10)
		a, later := []limit.Charge{{Limit: lim, Key: "a", Cost: 2}}, start.Add(time.Minute)
		mustTake(t, l, start, a)
		mustTake(t, l, later, key(lim, "b"))
		l.Adjust(later, a, 5) // no place
		later = later.Add(time.Minute)
		l.Adjust(later, a, 5)
		if n := left(l, later, &limit.Limit{Name: "other", Rate: 1, Burst: 3}); n != 3 {
			t.Errorf("another limit has %d left of 3", n)
		}
		if _, r := take(l, later, []limit.Charge{{Limit: lim, Key: "a", Cost: 8}}); r == nil || r.Remaining != 7 {
			t.Errorf("Take = %+v, want 7 left of 10", r)
		}
	})
	t.Run("an old time gives nothing twice", func(t *testing.T) {
		l, lim := limit.New(), units(1, 10)
		charges := cost(lim, 10)
		mustTake(t, l, start.Add(time.Minute), charges)
		l.Adjust(start, charges, 12)
		if _, r := take(l, start.Add(time.Minute), one(lim)); r == nil || r.RetryAfter != 3*time.Second {
			t.Errorf("Take = %+v, want a wait of 3 s for a debt of 2", r)
		}
	})
	t.Run("it allocates nothing", func(t *testing.T) {
		l, lim := limit.New(), units(1e9, 1<<30)
		charges := cost(lim, 5)
		mustTake(t, l, start, charges)
		if n := testing.AllocsPerRun(100, func() { l.Adjust(start, charges, 1); l.Adjust(start, charges, 9) }); n != 0 {
			t.Errorf("Adjust allocates %v times", n)
		}
	})
}

// Each kind of limit is combined with each other: the test counts what a burst of requests gets at once, and
// again after a second.
func TestEveryCombinationOfRateBurstKeyConcurrencyAndCost(t *testing.T) {
	for _, perSecond := range []float64{0, 1, 10} {
		for _, burst := range []int{1, 6, 20} {
			for _, concurrency := range []int{0, 2} {
				for _, n := range []int{1, 3, 50} {
					for _, keys := range []int{1, 3} {
						lim := &limit.Limit{Name: "l", Rate: perSecond, Burst: burst, Concurrency: concurrency}
						name := fmt.Sprintf("%v/s burst %d, %d at once, cost %d, %d keys", perSecond, burst, concurrency, n, keys)
						t.Run(name, func(t *testing.T) { combination(t, lim, n, keys) })
					}
				}
			}
		}
	}
}

func combination(t *testing.T, lim *limit.Limit, n, keys int) {
	l, each := limit.New(), min(n, lim.Burst)
	// rush sends 100 requests with each key, gives their slots back if release is set, and returns how many
	// passed.
	rush := func(now time.Time, release bool) (granted int) {
		for i := range 100 * keys {
			g, r := take(l, now, []limit.Charge{{Limit: lim, Key: fmt.Sprint("key", i%keys), Cost: n}})
			if r == nil {
				granted++
			}
			if release {
				g.Release()
			}
		}
		return granted
	}
	want := func(tokens int) int {
		if lim.Rate == 0 {
			return 100 * keys
		}
		return min(tokens/each, 100) * keys
	}
	if got := rush(start, true); got != want(lim.Burst) {
		t.Errorf("%d at once, want %d", got, want(lim.Burst))
	}
	rest := lim.Burst - lim.Burst/each*each
	if got, now := rush(start.Add(time.Second), true), min(lim.Burst, rest+int(lim.Rate)); got != want(now) {
		t.Errorf("%d a second later, want %d", got, want(now))
	}
	if lim.Concurrency > 0 {
		if got, now := rush(start.Add(time.Hour), false), min(want(lim.Burst), lim.Concurrency*keys); got != now {
			t.Errorf("%d with slots that are held, want %d", got, now)
		}
	}
}
