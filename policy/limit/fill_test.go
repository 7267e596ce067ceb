package limit_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"graphproxy/policy/limit"
)

func TestFillIsTheLeastOfTheBucketsOfEachLimit(t *testing.T) {
	start := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	rate := &limit.Limit{Name: "rate", Rate: 1, Burst: 10}
	slots := &limit.Limit{Name: "slots", Concurrency: 4}
	both := &limit.Limit{Name: "both", Rate: 1, Burst: 10, Concurrency: 2}
	l := limit.New()
	take := func(of *limit.Limit, key string, n int) []*limit.Grant {
		var grants []*limit.Grant
		for range n {
			g := new(limit.Grant)
			if refusal := l.Take(start, []limit.Charge{{Limit: of, Key: key}}, g); refusal != nil {
				t.Fatal(refusal)
			}
			grants = append(grants, g)
		}
		return grants
	}
	fill := func(after time.Duration, want map[string]float64) {
		t.Helper()
		if diff := cmp.Diff(want, l.Fill(start.Add(after))); diff != "" {
			t.Errorf("after %v: %s", after, diff)
		}
	}
	fill(0, map[string]float64{})
	take(rate, "a", 1)
	take(rate, "b", 6)
	held := take(slots, "", 3)
	take(both, "", 1)
	fill(0, map[string]float64{"rate": .4, "slots": .25, "both": .5})
	fill(3*time.Second, map[string]float64{"rate": .7, "slots": .25, "both": .5})
	fill(-time.Hour, map[string]float64{"rate": .4, "slots": .25, "both": .5}) // a clock that goes back fills nothing
	for _, g := range held {
		g.Release()
	}
	take(rate, "b", 4)
	fill(0, map[string]float64{"rate": 0, "slots": 1, "both": .5})
	fill(time.Hour, map[string]float64{"rate": 1, "slots": 1, "both": .5})
}

// There are more buckets than are read under one lock.
func TestFillReadsEveryBucket(t *testing.T) {
	start := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	l := limit.New()
	of := &limit.Limit{Name: "mailbox", Rate: .001, Burst: 100}
	for i := range 100_000 {
		charge := []limit.Charge{{Limit: of, Key: fmt.Sprint(i), Cost: 1}}
		if i == 54_321 {
			charge[0].Cost = 90
		}
		if refusal := l.Take(start, charge, new(limit.Grant)); refusal != nil {
			t.Fatal(refusal)
		}
	}
	of90 := &limit.Limit{Name: "units", Rate: .001, Burst: 100, Unit: limit.ResourceUnits}
	if refusal := l.Take(start, []limit.Charge{{Limit: of90, Cost: 90}}, new(limit.Grant)); refusal != nil {
		t.Fatal(refusal)
	}
	got := l.Fill(start)
	if got["units"] > .11 || got["mailbox"] > .11 {
		t.Errorf("%v", got)
	}
}
