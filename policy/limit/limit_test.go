package limit_test

import (
	"math"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"graphproxy/policy/limit"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func one(l *limit.Limit) []limit.Charge { return []limit.Charge{{Limit: l}} }

func take(l *limit.Limiter, now time.Time, charges []limit.Charge) (*limit.Grant, *limit.Refusal) {
	var g limit.Grant
	r := l.Take(now, charges, &g)
	return &g, r
}

// summary is a Refusal in the form of tables; the zero value is "granted".
type summary struct {
	Name, Key   string
	After       time.Duration
	Concurrency bool
	Full        bool
}

func summarise(r *limit.Refusal) summary {
	if r == nil {
		return summary{}
	}
	return summary{r.Limit.Name, r.Key, r.RetryAfter, r.Concurrency, r.Full}
}

func TestTake(t *testing.T) {
	fast := &limit.Limit{Name: "fast", Rate: 10, Burst: 2}
	slow := &limit.Limit{Name: "slow", Rate: 0.5, Burst: 1}
	third := &limit.Limit{Name: "third", Rate: 3, Burst: 1}
	long := &limit.Limit{Name: "long", Rate: 10000.0 / 600, Burst: 3}
	slots := &limit.Limit{Name: "slots", Concurrency: 2}
	both := &limit.Limit{Name: "both", Rate: 0.5, Burst: 3, Concurrency: 1}
	none := &limit.Limit{Name: "none"}
	mailbox := func(key string) limit.Charge { return limit.Charge{Limit: slow, Key: key} }

	type step struct {
		at      time.Duration
		charges []limit.Charge
		release int // number (from 1) of the granted step to release before
		want    summary
	}
	for _, tt := range []struct {
		name  string
		steps []step
	}{
		{"a request that nothing covers is granted", []step{{}, {charges: one(none)}}},
		{"a bucket gives its burst and then the rate", []step{
			{charges: one(fast)},
			{charges: one(fast)},
			{charges: one(fast), want: summary{Name: "fast", After: 100 * time.Millisecond}},
			{at: 40 * time.Millisecond, charges: one(fast), want: summary{Name: "fast", After: 60 * time.Millisecond}},
			{at: 100 * time.Millisecond, charges: one(fast)},
			{at: 100 * time.Millisecond, charges: one(fast), want: summary{Name: "fast", After: 100 * time.Millisecond}},
			{at: time.Hour, charges: one(fast)},
			{at: time.Hour, charges: one(fast)},
			{at: time.Hour, charges: one(fast), want: summary{Name: "fast", After: 100 * time.Millisecond}},
		}},
		{"a wait is rounded up to the nanosecond at which there is room", []step{
			{charges: one(third)},
			{charges: one(third), want: summary{Name: "third", After: 333333334}},
			{at: 333333332, charges: one(third), want: summary{Name: "third", After: 2}},
			{at: 333333334, charges: one(third)},
		}},
		{"a rate over several minutes is as exact", []step{
			{charges: one(long)}, {charges: one(long)}, {charges: one(long)},
			{charges: one(long), want: summary{Name: "long", After: 60 * time.Millisecond}},
			{at: 60 * time.Millisecond, charges: one(long)},
		}},
		{"a refusal names the bucket with the longest wait", []step{
			{charges: []limit.Charge{{Limit: fast}, {Limit: slow}}},
			{charges: one(fast)},
			{charges: []limit.Charge{{Limit: fast}, {Limit: slow}}, want: summary{Name: "slow", After: 2 * time.Second}},
			{charges: []limit.Charge{{Limit: slow}, {Limit: fast}}, want: summary{Name: "slow", After: 2 * time.Second}},
		}},
		{"of equal waits the first charge's is named", []step{
			{charges: []limit.Charge{mailbox("a"), mailbox("b"), mailbox("c")}},
			{charges: []limit.Charge{mailbox("c"), mailbox("a"), mailbox("b")},
				want: summary{Name: "slow", Key: "c", After: 2 * time.Second}},
			{charges: []limit.Charge{mailbox("b"), mailbox("c"), mailbox("a")},
				want: summary{Name: "slow", Key: "b", After: 2 * time.Second}},
		}},
		{"a refused request takes from no bucket", []step{
			{charges: one(slow)},
			{charges: []limit.Charge{{Limit: fast}, {Limit: slots}, {Limit: slow}},
				want: summary{Name: "slow", After: 2 * time.Second}},
			{charges: []limit.Charge{{Limit: fast}, {Limit: slots}, {Limit: slow}},
				want: summary{Name: "slow", After: 2 * time.Second}},
			{charges: []limit.Charge{{Limit: slow}, {Limit: fast}, {Limit: slots}},
				want: summary{Name: "slow", After: 2 * time.Second}},
			{charges: []limit.Charge{{Limit: fast}, {Limit: slots}}},
			{charges: []limit.Charge{{Limit: fast}, {Limit: slots}}},
			{charges: one(fast), want: summary{Name: "fast", After: 100 * time.Millisecond}},
			{charges: one(slots), want: summary{Name: "slots", After: time.Second, Concurrency: true}},
		}},
		{"a bucket that is charged twice is asked once", []step{
			{charges: []limit.Charge{{Limit: slow}, {Limit: slots}, {Limit: slow}, {Limit: slots}}},
			{charges: []limit.Charge{{Limit: slots}}},
			{charges: []limit.Charge{{Limit: slots}}, want: summary{Name: "slots", After: time.Second, Concurrency: true}},
		}},
		{"each key has its own bucket", []step{
			{charges: []limit.Charge{mailbox("adele")}},
			{charges: []limit.Charge{mailbox("alex")}},
			{charges: one(slow)},
			{charges: []limit.Charge{mailbox("adele")}, want: summary{Name: "slow", Key: "adele", After: 2 * time.Second}},
		}},
		{"slots come back when they are released", []step{
			{charges: one(slots)},
			{charges: one(slots)},
			{charges: one(slots), want: summary{Name: "slots", After: time.Second, Concurrency: true}},
			{at: time.Hour, charges: one(slots), want: summary{Name: "slots", After: time.Second, Concurrency: true}},
			{at: time.Hour, release: 1, charges: one(slots)},
			{at: time.Hour, release: 1, charges: one(slots),
				want: summary{Name: "slots", After: time.Second, Concurrency: true}},
			{at: time.Hour, release: 2, charges: one(slots)},
		}},
		{"releasing gives no token back", []step{
			{charges: one(both)},
			{release: 1, charges: one(both)},
			{release: 2, charges: one(both)},
			{release: 3, charges: one(both), want: summary{Name: "both", After: 2 * time.Second}},
		}},
		{"a limit by both tells the longer wait of its two", []step{
			{charges: one(both)},
			{charges: one(both), want: summary{Name: "both", After: time.Second, Concurrency: true}},
			{release: 1, charges: one(both)},
			{release: 3, charges: one(both)},
			{charges: one(both), want: summary{Name: "both", After: 2 * time.Second}},
			{at: 1500 * time.Millisecond, charges: one(both),
				want: summary{Name: "both", After: time.Second, Concurrency: true}},
		}},
		{"time that goes backwards gives no token twice", []step{
			{at: time.Minute, charges: one(slow)},
			{at: 0, charges: one(slow), want: summary{Name: "slow", After: time.Minute + 2*time.Second}},
			{at: time.Minute + 1*time.Second, charges: one(slow), want: summary{Name: "slow", After: time.Second}},
			{at: 0, charges: one(slow), want: summary{Name: "slow", After: time.Minute + 2*time.Second}},
			{at: time.Minute + 2*time.Second, charges: one(slow)},
			{at: 0, charges: one(fast)},
			{at: 0, charges: one(fast)},
			{at: time.Minute + 2*time.Second, charges: one(slow), want: summary{Name: "slow", After: 2 * time.Second}},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := limit.New()
			grants := make([]*limit.Grant, len(tt.steps)+1)
			grants[0] = &limit.Grant{}
			for i, s := range tt.steps {
				grants[s.release].Release()
				var r *limit.Refusal
				grants[i+1], r = take(l, start.Add(s.at), s.charges)
				if d := cmp.Diff(s.want, summarise(r)); d != "" {
					t.Fatalf("step %d at %v (-want +got):\n%s", i+1, s.at, d)
				}
			}
		})
	}
}

func TestTakeBackwardsLetsOldAndNewTimesShareTokens(t *testing.T) {
	// rate.Limiter by itself sets its clock back and then counts the same stretch again.
	l, slow := limit.New(), &limit.Limit{Name: "slow", Rate: 1, Burst: 5}
	granted := 0
	for range 100 {
		for _, at := range []time.Duration{time.Second, 0} {
			if _, r := take(l, start.Add(at), one(slow)); r == nil {
				granted++
			}
		}
	}
	if granted != 5 {
		t.Errorf("granted %d requests of a burst of 5, going back and forth by a second", granted)
	}
}

func TestRetryAfterIsTheTimeOfNewCapacity(t *testing.T) {
	rates := []float64{1e-6, 1.0 / 86400, 1.0 / 3600, 0.1, 1.0 / 3, 1, 7, 49, 1000.0 / 3, 12345.678, 1e6, 3e8}
	for i := range 2000 { // so slow that the last bit of a float64 is about a nanosecond
		rates = append(rates, 1e-6+float64(i)*1e-9)
	}
	for _, rate := range rates {
		l, lim := limit.New(), &limit.Limit{Name: "l", Rate: rate, Burst: 1}
		now := start
		for i := range 20 {
			if _, r := take(l, now, one(lim)); r != nil {
				t.Fatalf("rate %v, round %d: refused for another %v when told that there is room", rate, i, r.RetryAfter)
			}
			_, r := take(l, now, one(lim))
			if r == nil || r.RetryAfter <= 0 {
				t.Fatalf("rate %v, round %d: %+v, want a refusal with a wait", rate, i, r)
			}
			if r.RetryAfter > 100 {
				if _, r := take(l, now.Add(r.RetryAfter-100), one(lim)); r == nil {
					t.Fatalf("rate %v, round %d: there was room before the time that was told", rate, i)
				}
			}
			now = now.Add(r.RetryAfter)
		}
	}
}

func TestLimitsThatCannotBeKeptAreRefused(t *testing.T) {
	good := &limit.Limit{Name: "good", Rate: 1, Burst: 1}
	for name, bad := range map[string]*limit.Limit{
		"no limit at all":        nil,
		"a rate without a burst": {Rate: 1},
		"a negative burst":       {Rate: 1, Burst: -1},
		"a negative rate":        {Rate: -1, Burst: 1},
		"an infinite rate":       {Rate: math.Inf(1), Burst: 1},
		"a rate that is NaN":     {Rate: math.NaN(), Burst: 1},
		"negative concurrency":   {Concurrency: -1},
	} {
		t.Run(name, func(t *testing.T) {
			l := limit.New()
			_, r := take(l, start, []limit.Charge{{Limit: good}, {Limit: bad, Key: "k"}})
			if r == nil || r.Limit == nil || r.Key != "k" || r.RetryAfter <= 0 {
				t.Fatalf("Take = %+v, want a refusal that names the limit and a wait", r)
			}
			if _, r := take(l, start, one(good)); r != nil {
				t.Errorf("the refused request took from the other bucket: %+v", r)
			}
		})
	}
	t.Run("the slowest rate has a wait that can be rounded up to seconds", func(t *testing.T) {
		l, lim := limit.New(), &limit.Limit{Name: "never", Rate: math.SmallestNonzeroFloat64, Burst: 1}
		take(l, start, one(lim))
		_, r := take(l, start.Add(-1<<62), one(lim))
		if r == nil || r.RetryAfter <= 0 || r.RetryAfter+time.Second < 0 {
			t.Errorf("Take = %+v, want a long wait", r)
		}
	})
}

func TestBucketsBelongToTheLimitsValue(t *testing.T) {
	before := limit.Limit{Name: "callers.hr.limit", Rate: 1, Burst: 1, Concurrency: 1}
	for name, tt := range map[string]struct {
		change func(*limit.Limit)
		fresh  bool
	}{
		"the same limit of a new policy goes on":       {func(*limit.Limit) {}, false},
		"a limit with another name starts afresh":      {func(l *limit.Limit) { l.Name = "callers.it.limit" }, true},
		"a limit with another rate starts afresh":      {func(l *limit.Limit) { l.Rate = 2 }, true},
		"a limit with another burst starts afresh":     {func(l *limit.Limit) { l.Burst = 2 }, true},
		"a limit with more concurrency starts afresh":  {func(l *limit.Limit) { l.Concurrency = 2 }, true},
		"a limit without concurrency is another limit": {func(l *limit.Limit) { l.Concurrency = 0 }, true},
		"a limit that counts something else does, too": {func(l *limit.Limit) { l.Unit = limit.ResourceUnits }, true},
		"a limit that only lets wait longer goes on":   {func(l *limit.Limit) { l.Wait = time.Minute }, false},
	} {
		t.Run(name, func(t *testing.T) {
			l, old, after := limit.New(), before, before
			if _, r := take(l, start, one(&old)); r != nil {
				t.Fatal(r)
			}
			tt.change(&after)
			if _, r := take(l, start, one(&after)); (r == nil) != tt.fresh {
				t.Errorf("Take after the change = %+v, want a fresh bucket: %v", r, tt.fresh)
			}
		})
	}
}

func TestRelease(t *testing.T) {
	t.Run("a zero Grant holds nothing", func(t *testing.T) {
		var g limit.Grant
		g.Release()
		g.Release()
	})
	t.Run("all slots come back, of more buckets than Grant has places for", func(t *testing.T) {
		l := limit.New()
		var charges []limit.Charge
		for i := range 30 {
			charges = append(charges, limit.Charge{Limit: &limit.Limit{Name: "slots", Concurrency: 1}, Key: strconv.Itoa(i)})
		}
		for range 3 {
			g, r := take(l, start, charges)
			if r != nil {
				t.Fatalf("Take = %+v with all slots free", r)
			}
			for _, c := range charges {
				if _, r := take(l, start, []limit.Charge{c}); r == nil || !r.Concurrency || r.Key != c.Key {
					t.Fatalf("Take = %+v with slot %q taken", r, c.Key)
				}
			}
			g.Release()
			g.Release()
		}
	})
}

func TestTakeAllocatesNothing(t *testing.T) {
	l := limit.New()
	var charges []limit.Charge
	for i := range 8 {
		charges = append(charges, limit.Charge{
			Limit: &limit.Limit{Name: "l", Rate: 1e9, Burst: 1 << 30, Concurrency: 9},
			Key:   strconv.Itoa(i),
		})
	}
	take := func() {
		var g limit.Grant
		if r := l.Take(start, charges, &g); r != nil {
			t.Fatal(r)
		}
		g.Release()
	}
	if n := testing.AllocsPerRun(100, take); n != 0 {
		t.Errorf("Take and Release allocate %v times for 8 buckets that exist", n)
	}
}
