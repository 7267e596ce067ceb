package limit_test

import (
	"runtime"
	"strconv"
	"testing"
	"time"
	"weak"

	"graphproxy/policy/limit"
)

func TestALimitThatWasChangedHasOtherBuckets(t *testing.T) {
	l, now := limit.New(), time.Now()
	one := &limit.Limit{Name: "one", Rate: 1, Burst: 1}
	charges := []limit.Charge{{Limit: one}}
	if r := l.Take(now, charges, new(limit.Grant)); r != nil {
		t.Fatal("the first request is refused")
	}
	if r := l.Take(now, charges, new(limit.Grant)); r == nil {
		t.Fatal("the second request is not refused")
	}
	one.Burst = 2
	for n := range 2 {
		if r := l.Take(now, charges, new(limit.Grant)); r != nil {
			t.Fatalf("request %d with two units is refused", n+1)
		}
	}
	one.Burst = 1
	if r := l.Take(now, charges, new(limit.Grant)); r == nil {
		t.Error("the limit as it was before has other buckets than before")
	}
}

// Each reload of a policy has other limits. Those of old policies do not stay.
func TestLimitsOfOldPoliciesAreForgotten(t *testing.T) {
	l, now := limit.New(), time.Now()
	old := &limit.Limit{Name: "old", Concurrency: 1}
	kept := weak.Make(old)
	l.Take(now, []limit.Charge{{Limit: old}}, new(limit.Grant))
	old = nil
	for n := range 20_000 {
		lim := &limit.Limit{Name: "limit " + strconv.Itoa(n%10), Concurrency: 1 + n/10}
		var g limit.Grant
		if r := l.Take(now, []limit.Charge{{Limit: lim}}, &g); r != nil {
			t.Fatalf("limit %d refuses its first request", n)
		}
		g.Release()
	}
	runtime.GC()
	if kept.Value() != nil {
		t.Error("a limit that was charged before 20,000 others is still in memory")
	}
	runtime.KeepAlive(l)
}
