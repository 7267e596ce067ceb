package redislimit_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"graphproxy/policy/limit"
	"graphproxy/proxy/redislimit"
)

// BenchmarkTake is a round trip to a Redis on the same machine, by a unix socket.
func BenchmarkTake(b *testing.B) {
	for _, n := range []int{1, 5} {
		b.Run("buckets="+strconv.Itoa(n), func(b *testing.B) {
			r := open(b, startRedis(b).url(), redislimit.Options{})
			var charges []limit.Charge
			for i := range n {
				charges = append(charges, limit.Charge{
					Limit: &limit.Limit{Name: "limits." + strconv.Itoa(i), Rate: 1e9, Burst: 1e9},
					Key:   "adele@contoso.com",
				})
			}
			b.ReportAllocs()
			for b.Loop() {
				r.take(b, charges...)
			}
		})
	}
	b.Run("slot", func(b *testing.B) {
		r := running(b, startRedis(b).url(), redislimit.Options{})
		charge := limit.Charge{Limit: &limit.Limit{Name: "slots", Concurrency: 1e6}}
		b.ReportAllocs()
		for b.Loop() {
			_, g := r.take(b, charge)
			g.Release()
		}
	})
}

// BenchmarkParallel is what one Redis does for many callers at once.
func BenchmarkParallel(b *testing.B) {
	r := open(b, startRedis(b).url(), redislimit.Options{})
	charge := limit.Charge{Limit: &limit.Limit{Name: "limits.tenant", Rate: 1e9, Burst: 1e9}}
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r.take(b, charge)
		}
	})
}

// BenchmarkAlone is the same request while Redis is away.
func BenchmarkAlone(b *testing.B) {
	r := open(b, "unix:///nowhere", redislimit.Options{})
	charge := limit.Charge{Limit: &limit.Limit{Name: "limits.tenant", Rate: 1e9, Burst: 1e9}}
	b.ReportAllocs()
	for b.Loop() {
		r.take(b, charge)
	}
}

// BenchmarkKeys reports what a bucket for each of many keys costs Redis.
func BenchmarkKeys(b *testing.B) {
	const keys = 50_000
	s := startRedis(b)
	r, client, ctx := open(b, s.url(), redislimit.Options{}), s.client(), context.Background()
	lim := &limit.Limit{Name: "limits.mailbox", Rate: 0.001, Burst: 1000}
	before := memory(b, client.Info(ctx, "memory").Val())
	for i := range keys {
		r.take(b, limit.Charge{Limit: lim, Key: fmt.Sprintf("adele%d@contoso.com", i)})
	}
	bytes := memory(b, client.Info(ctx, "memory").Val()) - before
	i := 0
	for b.Loop() {
		r.take(b, limit.Charge{Limit: lim, Key: fmt.Sprintf("adele%d@contoso.com", i%keys)})
		i++
	}
	b.ReportMetric(bytes/keys, "B/key")
}

func memory(b *testing.B, info string) float64 {
	_, after, _ := strings.Cut(info, "used_memory:")
	text, _, _ := strings.Cut(after, "\r")
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		b.Fatal(err)
	}
	return n
}
