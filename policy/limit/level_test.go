package limit_test

import (
	"testing"
	"time"

	"graphproxy/policy/limit"
)

// Level agrees with Take about every bucket, and changes none.
func TestALevelIsWhatTakeFinds(t *testing.T) {
	both := &limit.Limit{Name: "both", Rate: 1, Burst: 3, Concurrency: 2}
	l := limit.New()
	charge := limit.Charge{Limit: both, Key: "a"}
	if got := l.Level(start, &charge); got != (limit.Level{Tokens: 3}) || l.Len() != 0 {
		t.Errorf("a bucket that is not there: %+v, and %d buckets", got, l.Len())
	}
	for i := range 2 {
		if level := l.Level(start, &charge); !level.Has(&charge) {
			t.Errorf("after %d: %+v does not have enough", i, level)
		}
		if _, r := take(l, start, []limit.Charge{charge}); r != nil {
			t.Fatal(r)
		}
	}
	got := l.Level(start, &charge)
	if got != (limit.Level{Tokens: 1, Held: 2}) || got.Has(&charge) {
		t.Errorf("all slots are taken: %+v, has %t", got, got.Has(&charge))
	}
	if later := l.Level(start.Add(time.Second), &charge); later.Tokens != 2 {
		t.Errorf("a second later: %+v", later)
	}
	if other := l.Level(start, &limit.Charge{Limit: both, Key: "b"}); !other.Has(&charge) {
		t.Errorf("another key: %+v", other)
	}
}

func TestALevelOfARateIsNotEnoughWhenItsTokensAreGone(t *testing.T) {
	slow := &limit.Limit{Name: "slow", Rate: 0.5, Burst: 1}
	l := limit.New()
	charge := limit.Charge{Limit: slow}
	if _, r := take(l, start, []limit.Charge{charge}); r != nil {
		t.Fatal(r)
	}
	for after, want := range map[time.Duration]bool{0: false, time.Second: false, 2 * time.Second: true} {
		if level := l.Level(start.Add(after), &charge); level.Has(&charge) != want {
			t.Errorf("after %s: %+v, has %t", after, level, !want)
		}
	}
}

func TestWhichChargesAreTheSame(t *testing.T) {
	of := func(l limit.Limit, key string, cost int) *limit.Charge {
		return &limit.Charge{Limit: &l, Key: key, Cost: cost}
	}
	a := limit.Limit{Name: "a", Rate: 1, Burst: 5}
	waits, other := a, a
	waits.Wait, other.Burst = time.Second, 6
	for name, c := range map[string]struct {
		charge *limit.Charge
		same   bool
	}{
		"the same value at another address": {of(a, "k", 1), true},
		"only wait differs":                 {of(waits, "k", 1), true},
		"another key":                       {of(a, "l", 1), false},
		"another cost":                      {of(a, "k", 2), false},
		"another burst":                     {of(other, "k", 1), false},
	} {
		if got := of(a, "k", 1).Same(c.charge); got != c.same {
			t.Errorf("%s: %t", name, got)
		}
	}
}
