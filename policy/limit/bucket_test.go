package limit_test

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"graphproxy/policy/limit"
)

func key(l *limit.Limit, k string) []limit.Charge { return []limit.Charge{{Limit: l, Key: k}} }

func mustTake(t *testing.T, l *limit.Limiter, now time.Time, c []limit.Charge) *limit.Grant {
	t.Helper()
	g, r := take(l, now, c)
	if r != nil {
		t.Fatalf("Take(%q) = %+v, want a grant", c[0].Key, r)
	}
	return g
}

func TestBucketsAreBounded(t *testing.T) {
	hourly := &limit.Limit{Name: "hourly", Rate: 1.0 / 3600, Burst: 1}
	slots := &limit.Limit{Name: "slots", Concurrency: 1}

	t.Run("a new key is refused when no bucket can be dropped, and let in when one can", func(t *testing.T) {
		l := limit.NewSize(3)
		for i, k := range []string{"a", "b", "c"} {
			mustTake(t, l, start.Add(time.Duration(i)*time.Minute), key(hourly, k))
		}
		for range 3 {
			_, r := take(l, start.Add(10*time.Minute), key(hourly, "d"))
			if got, want := summarise(r), (summary{Name: "hourly", Key: "d", After: time.Second, Full: true}); got != want {
				t.Fatalf("Take = %+v, want %+v", got, want)
			}
		}
		mustTake(t, l, start.Add(time.Hour), key(hourly, "d"))
		if _, r := take(l, start.Add(time.Hour), key(hourly, "b")); r == nil {
			t.Error("the bucket of b was dropped before it was full again")
		}
		if n := l.Len(); n != 3 {
			t.Errorf("Len = %d, want 3", n)
		}
	})
	t.Run("when full, a longer wait of another bucket is the one told, and nothing is taken", func(t *testing.T) {
		l, tenant := limit.NewSize(1), &limit.Limit{Name: "tenant", Rate: 1, Burst: 1}
		mustTake(t, l, start, key(hourly, "a"))
		both := append(key(hourly, "b"), limit.Charge{Limit: tenant})
		if _, r := take(l, start, both); r == nil || !r.Full {
			t.Fatalf("Take = %+v, want full", r)
		}
		mustTake(t, l, start, one(tenant))
		both = append(both, limit.Charge{Limit: hourly, Key: "a"})
		if _, r := take(l, start, both); r == nil || r.Key != "a" || r.RetryAfter != time.Hour {
			t.Fatalf("Take = %+v, want an hour for a", r)
		}
	})
	t.Run("buckets without a key have room when those with one are too many", func(t *testing.T) {
		l := limit.NewSize(1)
		mustTake(t, l, start, key(hourly, "a"))
		for i := range 10 {
			mustTake(t, l, start, one(&limit.Limit{Name: strconv.Itoa(i), Rate: 1, Burst: 1}))
		}
	})
	t.Run("a bucket whose slots are held is not dropped", func(t *testing.T) {
		l := limit.NewSize(1)
		g := mustTake(t, l, start, key(slots, "a"))
		if _, r := take(l, start.Add(time.Hour), key(slots, "b")); r == nil || !r.Full {
			t.Fatalf("Take = %+v, want full", r)
		}
		g.Release()
		g = mustTake(t, l, start.Add(time.Hour), key(slots, "b"))
		if _, r := take(l, start.Add(time.Hour), key(slots, "b")); r == nil || !r.Concurrency {
			t.Fatalf("Take = %+v, want b's slot to be held", r)
		}
		g.Release()
	})
	t.Run("charges of one request do not drop each other's buckets", func(t *testing.T) {
		l := limit.NewSize(1)
		if _, r := take(l, start, append(key(hourly, "a"), key(hourly, "b")...)); r == nil || !r.Full {
			t.Fatalf("Take = %+v, want full: one place for two new buckets", r)
		}
		mustTake(t, l, start, key(hourly, "b"))
	})
	t.Run("a size below 1 is 1", func(t *testing.T) {
		l := limit.NewSize(-5)
		mustTake(t, l, start, key(hourly, "a"))
		if _, r := take(l, start, key(hourly, "b")); r == nil || !r.Full {
			t.Fatalf("Take = %+v, want full", r)
		}
	})
	t.Run("the bound holds over many shards", func(t *testing.T) {
		const size = 4096
		l, refused := limit.NewSize(size), 0
		for i := range 2 * size {
			if _, r := take(l, start, key(hourly, strconv.Itoa(i))); r != nil {
				refused++
			}
		}
		if n := l.Len(); n > size || n < size*9/10 || n+refused != 2*size {
			t.Errorf("Len = %d and %d refused of %d keys, want at most %d and not many fewer", n, refused, 2*size, size)
		}
	})
}

func TestIdleBucketsDoNotPileUp(t *testing.T) {
	l, second := limit.New(), &limit.Limit{Name: "second", Rate: 1, Burst: 1}
	for i := range 50_000 { // 100 keys a second, each full again after one
		mustTake(t, l, start.Add(time.Duration(i)*10*time.Millisecond), key(second, strconv.Itoa(i)))
	}
	if n := l.Len(); n > 1000 {
		t.Errorf("Len = %d with 100 buckets in use at a time", n)
	}
}

func TestDroppingNeverResetsALimit(t *testing.T) {
	// Many other keys come and go, and time goes back and forth; the watched bucket grants what it grants
	// alone.
	l, alone := limit.NewSize(64), limit.New()
	lim := &limit.Limit{Name: "watched", Rate: 0.5, Burst: 2}
	fast := &limit.Limit{Name: "crowd", Rate: 1000, Burst: 1}
	for i := range 1500 {
		now := start.Add(time.Duration(i)*100*time.Millisecond - time.Duration(i%7)*90*time.Millisecond)
		for k := range 20 {
			take(l, now, key(fast, fmt.Sprint(i, k)))
		}
		_, r := take(l, now, key(lim, "w"))
		if _, want := take(alone, now, key(lim, "w")); (r == nil) != (want == nil) {
			t.Fatalf("step %d: %+v among others, %+v alone", i, r, want)
		}
	}
}
