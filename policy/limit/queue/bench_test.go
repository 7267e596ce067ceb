package queue_test

import (
	"context"
	"runtime"
	"strconv"
	"testing"
	"time"

	"graphproxy/policy/limit"
	"graphproxy/policy/limit/queue"
)

func plenty(name string, concurrency int, wait time.Duration) []limit.Charge {
	return charge(&limit.Limit{Name: name, Rate: 1e9, Burst: 1 << 40, Concurrency: concurrency, Wait: wait})
}

// never charges a bucket of its own that, once empty, does not refill in a lifetime.
func never() []limit.Charge {
	return charge(&limit.Limit{Name: time.Now().String(), Rate: 1e-9, Burst: 1, Wait: 1 << 62})
}

// BenchmarkTake compares a request that does not wait with the Taker alone. The only allocation is the Grant.
func BenchmarkTake(b *testing.B) {
	taker := queue.Taker(local{limit.New()})
	q, err := queue.New(taker, queue.Options{Now: time.Now})
	if err != nil {
		b.Fatal(err)
	}
	alone := func(ctx context.Context, _ string, c []limit.Charge, g *limit.Grant) (*limit.Refusal, error) {
		return taker.Take(ctx, c, g)
	}
	rate := plenty("rate", 0, time.Second)
	for _, bb := range []struct {
		name    string
		take    func(context.Context, string, []limit.Charge, *limit.Grant) (*limit.Refusal, error)
		charges []limit.Charge
		others  bool // wait for another bucket
	}{
		{"the taker alone", alone, rate, false},
		{"a limit without a wait", q.Take, plenty("no wait", 0, 0), false},
		{"a limit with a wait", q.Take, rate, false},
		{"a limit with a wait, others wait elsewhere", q.Take, rate, true},
		{"slots, the taker alone", alone, plenty("slots", 1<<20, time.Second), false},
		{"slots with a wait", q.Take, plenty("slots", 1<<20, time.Second), false},
	} {
		b.Run(bb.name, func(b *testing.B) {
			ctx, cancel := context.WithCancel(b.Context())
			if bb.others {
				defer wait(b, ctx, q, never(), 100)()
			}
			defer cancel()
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					var g limit.Grant
					if r, err := bb.take(ctx, "app", bb.charges, &g); r != nil || err != nil {
						b.Error(r, err)
						return
					}
					g.Release()
				}
			})
		})
	}
}

// wait starts n requests of ten callers that wait forever, and returns a function that waits for their end.
func wait(b *testing.B, ctx context.Context, q *queue.Queue, charges []limit.Charge, n int) func() {
	done := make(chan struct{})
	var first limit.Grant
	_, _ = q.Take(ctx, "app", charges, &first)
	for i := range n {
		go func() {
			var g limit.Grant
			_, _ = q.Take(ctx, strconv.Itoa(i%10), charges, &g)
			done <- struct{}{}
		}()
	}
	for q.Len() < n {
		runtime.Gosched()
	}
	return func() {
		for range n {
			<-done
		}
	}
}

// BenchmarkHandOn measures how a slot goes from one request to the next, with n requests in the line.
func BenchmarkHandOn(b *testing.B) {
	for _, n := range []int{10, 1000} {
		b.Run("waiting="+strconv.Itoa(n), func(b *testing.B) {
			q, err := queue.New(local{limit.New()}, queue.Options{Now: time.Now})
			if err != nil {
				b.Fatal(err)
			}
			slot := charge(&limit.Limit{Name: "slot", Concurrency: 1, Wait: time.Hour})
			left := make(chan struct{}, b.N)
			for range b.N {
				left <- struct{}{}
			}
			close(left)
			done := make(chan struct{})
			b.ReportAllocs()
			b.ResetTimer()
			for i := range n {
				go func() {
					for range left {
						var g limit.Grant
						if r, err := q.Take(context.Background(), strconv.Itoa(i%10), slot, &g); r != nil || err != nil {
							b.Error(r, err)
						}
						g.Release()
					}
					done <- struct{}{}
				}()
			}
			for range n {
				<-done
			}
		})
	}
}

// BenchmarkWaiting reports how much heap a waiting request uses, and refuses a request when the queue is full.
func BenchmarkWaiting(b *testing.B) {
	const n = queue.DefaultMaxWaiting
	q, err := queue.New(local{limit.New()}, queue.Options{Now: time.Now, MaxPerCaller: n})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	charges, before := never(), live()
	end := wait(b, ctx, q, charges, n)
	bytes := float64(live()-before) / n // without the goroutines' stacks, which exist anyway
	b.ReportAllocs()
	for b.Loop() {
		var g limit.Grant
		if r, err := q.Take(ctx, "1", charges, &g); r == nil || err != nil {
			b.Fatal(r, err)
		}
	}
	b.ReportMetric(bytes, "B/waiting")
	cancel()
	end()
}

func live() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
