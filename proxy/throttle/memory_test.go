package throttle_test

import (
	"fmt"
	"math"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"graphproxy/policy/graph/odata"
	"graphproxy/proxy/throttle"
)

func mailbox(t testing.TB, n int) throttle.Scope {
	return scope(t, fmt.Sprintf("GET /users/u%d@contoso.com/messages", n))
}

func TestWhenTheMemoryIsFullTheWholeServiceIsHeldBack(t *testing.T) {
	m := newMemory(func(o *throttle.Options) { o.MaxScopes = 3 })
	for n := range 3 {
		m.Seen(start, mailbox(t, n), nil, 429, headers("Retry-After: 10"))
	}
	if v := m.Check(start, mailbox(t, 7)); v != (throttle.Verdict{}) {
		t.Fatalf("a mailbox of which nothing is known: %+v", v)
	}
	m.Seen(start, mailbox(t, 3), nil, 429, headers("Retry-After: 20"))
	for _, n := range []int{0, 3, 7} {
		if v := m.Check(start, mailbox(t, n)); v.Wait != 20*time.Second {
			t.Errorf("mailbox %d: %+v", n, v)
		}
	}
	if v := m.Check(start, scope(t, "GET /users")); v != (throttle.Verdict{}) {
		t.Errorf("another service: %+v", v)
	}
	t.Run("and the places of holds long over are given to others", func(t *testing.T) {
		later := at(time.Hour)
		for range 3 {
			m.Check(later, mailbox(t, 7)) // each looks at a few
		}
		m.Seen(later, mailbox(t, 4), nil, 429, headers("Retry-After: 20"))
		if v := m.Check(later, mailbox(t, 7)); v != (throttle.Verdict{}) {
			t.Errorf("%+v", v)
		}
		if v := m.Check(later, mailbox(t, 4)); v.Wait != 20*time.Second {
			t.Errorf("%+v", v)
		}
	})
}

// TestOneProbeAtMost runs any sequence of questions, answers and losses on one scope, and looks after each step whether
// what the memory promises holds.
func TestOneProbeAtMost(t *testing.T) {
	s := scope(t, adele)
	statuses := []int{200, 201, 404, 429, 429, 500, 503, 504, 509}
	rapid.Check(t, func(t *rapid.T) {
		m, now := newMemory(), start
		var probe *throttle.Probe
		var held bool
		var until time.Time // the hold has no word that ends it before
		seen := func(p *throttle.Probe) {
			status, after := rapid.SampledFrom(statuses).Draw(t, "status"), rapid.IntRange(0, 40).Draw(t, "after")
			h := http.Header{}
			if after > 0 {
				h.Set("Retry-After", fmt.Sprint(after))
			}
			m.Seen(now, s, p, status, h)
			switch refused := status == 429 || status == 503 || status == 509; {
			case refused:
				if at := now.Add(time.Duration(after) * time.Second); !held || at.After(until) {
					until = at
				}
				held = true
			case p != nil && status < 500:
				held = false
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"time passes": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.IntRange(0, 20_000).Draw(t, "ms")) * time.Millisecond)
			},
			"check": func(t *rapid.T) {
				v := m.Check(now, s)
				switch {
				case v.Probe != nil && probe != nil:
					t.Fatal("two probes at once")
				case v.Probe != nil && (v.Wait != 0 || v.Delay != 0):
					t.Fatalf("a probe that waits: %+v", v)
				case !held && v != (throttle.Verdict{}):
					t.Fatalf("nothing is held: %+v", v)
				case held && v == (throttle.Verdict{}) && now.Sub(until) < time.Minute:
					t.Fatalf("held for another %v, and everyone goes", until.Sub(now))
				case v.Wait == 0 && now.Before(until) && held:
					t.Fatalf("%v early: %+v", until.Sub(now), v)
				}
				if v.Probe != nil {
					probe = v.Probe
				} else if v.Wait == 0 {
					held = false // so long over that it is forgotten
				}
			},
			"an old request is answered": func(t *rapid.T) { seen(nil) },
			"the probe is answered": func(t *rapid.T) {
				if probe != nil {
					seen(probe)
					probe = nil
				}
			},
			"the probe is lost": func(*rapid.T) {
				probe.Lost()
				probe = nil
			},
		})
	})
}

func TestOneProbeAtMostAlsoAtOnce(t *testing.T) {
	m, s := newMemory(), scope(t, adele)
	m.Seen(start, s, nil, 429, headers("Retry-After: 1"))
	for round := range 50 {
		now := at(time.Duration(round+1) * time.Minute)
		var probes atomic.Int64
		var winner atomic.Pointer[throttle.Probe]
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				if v := m.Check(now, s); v.Probe != nil {
					probes.Add(1)
					winner.Store(v.Probe)
				} else if v.Wait <= 0 {
					t.Error("one goes beside the probe")
				}
			})
		}
		all.Wait()
		if probes.Load() != 1 {
			t.Fatalf("round %d: %d probes", round, probes.Load())
		}
		m.Seen(now, s, winner.Load(), 429, headers("Retry-After: 1"))
	}
}

func FuzzHeaders(f *testing.F) {
	f.Add("10", "", "", "", "", "")
	f.Add("2.128", "Mon, 02 Mar 2026 09:00:00 GMT", "1.2", "Tenant_Application/Read/a/b", "5", "12")
	f.Add("Mon, 02 Mar 2026 09:00:20 GMT", "x", "NaN", "Application/Write", "-1", "1e9")
	f.Add("1..2", "", ".", "//", "9223372036854775808", "0x10")
	s := scope(f, "GET /users")
	f.Fuzz(func(t *testing.T, after, date, percentage, about, remaining, reset string) {
		h := http.Header{}
		h.Set("Retry-After", after)
		h.Set("Date", date)
		h.Set("x-ms-throttle-limit-percentage", percentage)
		h.Set("x-ms-throttle-scope", about)
		h.Set("RateLimit-Limit", "10")
		h.Set("RateLimit-Remaining", remaining)
		h.Set("RateLimit-Reset", reset)
		m := newMemory()
		m.Seen(start, s, nil, 200, h)
		if v := m.Check(start, s); v.Delay < 0 || v.Delay > throttle.MaxDelay || v.Wait < 0 || v.Wait > time.Hour ||
			v.Probe != nil {
			t.Fatalf("after 200: %+v", v)
		}
		m.Seen(start, s, nil, 429, h)
		wait := max(m.Check(start, s).Wait, m.Check(start, scope(t, "POST /users")).Wait)
		if wait <= 0 || wait > time.Hour {
			t.Fatalf("after 429: %v", wait)
		}
	})
}

func FuzzParseScope(f *testing.F) {
	f.Add("outlook/any/default/contoso/adele@contoso.com")
	f.Add("other///%2F/%2f")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := throttle.ParseScope(text)
		if err != nil {
			return
		}
		if back, err := throttle.ParseScope(s.Key()); err != nil || back != s {
			t.Fatalf("%q is read as %q and that as %q, %v", text, s.Key(), back.Key(), err)
		}
	})
}

func TestCheckAllocatesNothing(t *testing.T) {
	m, s := newMemory(), scope(t, "GET /users")
	target, err := odata.Parse("/v1.0/users/adele@contoso.com/messages", "")
	if err != nil {
		t.Fatal(err)
	}
	m.Seen(start, scope(t, adele), nil, 429, headers("Retry-After: 3600"))
	for name, f := range map[string]func(){
		"nothing held":       func() { m.Check(start, s) },
		"another one held":   func() { m.Check(start, mailbox0) },
		"this one held":      func() { m.Check(start, throttle.ScopeOf("default", "contoso", "GET", target)) },
		"an ordinary answer": func() { m.Seen(start, s, nil, 200, ordinary) },
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

var (
	mailbox0, _ = throttle.ParseScope("outlook/read/default/contoso/alex@contoso.com")
	ordinary    = http.Header{
		"Content-Type":       {"application/json"},
		"X-Ms-Resource-Unit": {"1"},
		"Date":               {"Mon, 02 Mar 2026 09:00:00 GMT"},
	}
)

func BenchmarkCheck(b *testing.B) {
	run := func(name string, held int, s throttle.Scope) {
		b.Run(name, func(b *testing.B) {
			m := newMemory(func(o *throttle.Options) { o.MaxScopes = math.MaxInt })
			for n := range held {
				m.Seen(start, mailbox(b, n), nil, 429, headers("Retry-After: 3600"))
			}
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					m.Check(start, s)
				}
			})
		})
	}
	run("nothing held", 0, mailbox0)
	run("another service held", 1, scope(b, "GET /users"))
	run("another mailbox held", 1, mailbox0)
	run("100,000 other mailboxes held", 100_000, mailbox0)
	run("this mailbox held", 1, mailbox(b, 0))
}

// BenchmarkScopes reports what a scope that is held costs, in time and in bytes of live heap.
func BenchmarkScopes(b *testing.B) {
	const n = 50_000
	scopes, h := make([]throttle.Scope, n), headers("Retry-After: 3600")
	for i := range scopes {
		scopes[i] = mailbox(b, i)
	}
	b.ReportAllocs()
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		m := newMemory()
		for _, s := range scopes {
			m.Seen(start, s, nil, 429, h)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "B/scope")
		runtime.KeepAlive(m)
	}
}

func BenchmarkScopeOf(b *testing.B) {
	target, err := odata.Parse("/v1.0/users/adele@contoso.com/messages", "")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		throttle.ScopeOf("default", "contoso", "GET", target)
	}
}

func BenchmarkSeen(b *testing.B) {
	m, s := newMemory(), scope(b, "GET /users")
	b.ReportAllocs()
	for b.Loop() {
		m.Seen(start, s, nil, 200, ordinary)
	}
}
