package limit_test

import (
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"graphproxy/policy/limit"
)

// Measured on two cores of an AMD EPYC that did other work too, in ns for a request with its Release (-cpu 1,
// then 2). The only allocation is 48 bytes for a refusal:
//
//	one bucket                           206   232
//	five buckets                        1069  1150   2 goroutines at the same five locks
//	five buckets, refused by a sixth    1233  1149
//	one of 950,000 keyed buckets         500   281   244 bytes of heap for each, with a key of 24
//	a keyed bucket that is new          2156  2087   167 bytes, 4 allocations
//	one bucket, adjusted twice           569   598
func benchTake(b *testing.B, charges func(i int) []limit.Charge, n int, l *limit.Limiter) {
	var who atomic.Int64
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		i := int(who.Add(1)) * 7919
		for pb.Next() {
			i++
			var g limit.Grant
			if r := l.Take(start.Add(time.Duration(i)*time.Microsecond), charges(i%n), &g); r != nil {
				b.Fatal(r)
			}
			g.Release()
		}
	})
}

func BenchmarkTake(b *testing.B) {
	limits := func(n int) (c []limit.Charge) {
		for i := range n {
			c = append(c, limit.Charge{
				Limit: &limit.Limit{Name: "limits." + strconv.Itoa(i), Rate: 1e9, Burst: 1 << 40, Concurrency: 1 << 20},
			})
		}
		return c
	}
	for _, n := range []int{1, 5} {
		b.Run("buckets="+strconv.Itoa(n), func(b *testing.B) {
			c := limits(n)
			benchTake(b, func(int) []limit.Charge { return c }, 1, limit.New())
		})
	}
	b.Run("refused", func(b *testing.B) {
		l, c := limit.New(), limits(5)
		c = append(c, limit.Charge{Limit: &limit.Limit{Name: "none left", Rate: 1e-9, Burst: 1}})
		take(l, start, c)
		b.ReportAllocs()
		for b.Loop() {
			var g limit.Grant
			if r := l.Take(start, c, &g); r == nil {
				b.Fatal("granted")
			}
		}
	})
}

// BenchmarkKeys reports what a bucket for each of a million keys costs, in time and in bytes of live heap.
func BenchmarkKeys(b *testing.B) {
	const n = 950_000 // under the bound, so that no shard is full
	lim := &limit.Limit{Name: "limits.mailbox", Rate: 1e-3, Burst: 1 << 40, Concurrency: 4}
	charges := make([][1]limit.Charge, n)
	for i := range charges {
		charges[i][0] = limit.Charge{Limit: lim, Key: "adele" + strconv.Itoa(i) + "@contoso.com"}
	}
	before, l := live(), limit.New()
	for i := range charges {
		if g, r := take(l, start, charges[i][:]); r == nil {
			g.Release()
		}
	}
	bytes := float64(live()-before) / float64(l.Len())
	benchTake(b, func(i int) []limit.Charge { return charges[i][:] }, n, l)
	b.ReportMetric(bytes, "B/key")
	runtime.KeepAlive(l)
}

// BenchmarkAdjust is a request in resource units that costs one more than assumed, and so accesses its bucket
// twice.
func BenchmarkAdjust(b *testing.B) {
	l := limit.New()
	c := []limit.Charge{
		{Limit: &limit.Limit{Name: "limits.directory", Rate: 1e9, Burst: 1 << 40, Unit: limit.ResourceUnits}, Cost: 3},
	}
	b.ReportAllocs()
	for b.Loop() {
		var g limit.Grant
		if r := l.Take(start, c, &g); r != nil {
			b.Fatal(r)
		}
		l.Adjust(start, c, 4)
		g.Release()
		l.Adjust(start, c, 2)
	}
}

// BenchmarkNewKeys is the cost of adding a bucket, while others are dropped.
func BenchmarkNewKeys(b *testing.B) {
	l, lim := limit.New(), &limit.Limit{Name: "second", Rate: 1, Burst: 1}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		take(l, start.Add(time.Duration(i)*10*time.Microsecond), key(lim, strconv.Itoa(i)))
	}
}

// BenchmarkFull is the cost of refusing a new key when no bucket may be dropped.
func BenchmarkFull(b *testing.B) {
	l, lim := limit.NewSize(100_000), &limit.Limit{Name: "never", Rate: 1e-9, Burst: 1}
	for i := range 120_000 {
		take(l, start, key(lim, strconv.Itoa(i)))
	}
	c := key(lim, "new")
	b.ReportAllocs()
	for b.Loop() {
		take(l, start, c)
	}
}

func live() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
