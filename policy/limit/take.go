package limit

import (
	"math"
	"slices"
	"time"
)

const (
	inline   = 8           // charges for which Take allocates nothing; a request is seldom covered by more than five
	unknown  = time.Second // the reported wait when the real one cannot be computed
	farthest = 1 << 61     // ns; so that neither a sum of two waits nor rounding one up to seconds overflows
)

// slot is one charge while Take handles it.
type slot struct {
	charge int // its index, which breaks ties
	limit  *Limit
	cost   int
	id     identity
	shard  *shard
	bucket *bucket // nil: no bucket can be added, or an earlier charge already names this one
	double bool
}

// Take requests the charges of one request from all buckets, at the time now. If all have enough it takes from
// all of them, and g, which must be a zero Grant of the caller's, records the concurrency slots: its Release
// gives them back, but not the tokens. If any bucket does not have enough, Take takes from no bucket, does not
// change g, and returns the bucket to wait for. A bucket that is charged twice is charged once, with the
// greater cost. Without charges there is no refusal.
//
// It fails closed: a charge without a limit, or with one that cannot be kept (a rate with a burst below 1, a negative
// or infinite number), is refused, and so is a new key when the Limiter is full and can drop none (see NewSize).
//
// It is safe for concurrent use, and exact: it takes the locks of all charged buckets, in one fixed order, and
// keeps them from the first check to the last taking, so a refused request never takes anything, not even for a
// moment. (Reservations of x/time/rate cannot be given back exactly when others came in between.) Nothing waits
// under these locks: they are kept for about two hundred nanoseconds a charge, and for some tens of
// microseconds at worst, when a new key makes a table grow or a bucket to drop must be found. Buckets share 64
// locks by their hash, so unrelated ones rarely meet. Take allocates only for new buckets, for a refusal, and
// above 8 charges.
//
// Pass time.Now unchanged: its monotonic reading excludes steps of the wall clock. A now before an earlier one
// that a bucket has seen counts as the earlier one, so time that goes backwards, or arrives out of order, gives
// no tokens twice.
func (l *Limiter) Take(now time.Time, charges []Charge, g *Grant) *Refusal {
	var array [inline]slot
	slots, refusal := l.slots(array[:0], charges)
	if refusal != nil || len(slots) == 0 {
		return refusal
	}
	lock(slots)
	defer unlock(slots)
	for i := range slots {
		find(slots, i, now)
	}
	if r := longest(now, slots, charges); r != nil {
		return r
	}
	for i := range slots {
		if s := &slots[i]; s.bucket != nil {
			s.bucket.take(s.shard.last, s.cost, g)
		}
	}
	return nil
}

// slots resolves charges as far as possible without a lock, in the order in which their locks must be taken.
func (l *Limiter) slots(slots []slot, charges []Charge) ([]slot, *Refusal) {
	for i := range charges {
		c := &charges[i]
		if c.Limit == nil {
			return nil, &Refusal{Limit: &Limit{Name: "a charge without a limit"}, Key: c.Key, RetryAfter: unknown}
		}
		if !c.Limit.valid() {
			return nil, &Refusal{Limit: c.Limit, Key: c.Key, RetryAfter: unknown}
		}
		if c.Limit.bounded() {
			id := identity{l.handles.of(c.Limit), c.Key}
			slots = append(slots, slot{charge: i, limit: c.Limit, cost: c.tokens(), id: id, shard: l.shard(c.Limit.Name, c.Key)})
		}
	}
	slices.SortFunc(slots, func(a, b slot) int { return a.shard.order - b.shard.order })
	return slots, nil
}

// lock takes each shard's lock once. Every Take does so in ascending order, so no two can wait for each other.
func lock(slots []slot) {
	for i := range slots {
		if i == 0 || slots[i].shard != slots[i-1].shard {
			slots[i].shard.mu.Lock()
		}
	}
}

func unlock(slots []slot) {
	for i := range slots {
		if b := slots[i].bucket; b != nil {
			b.busy = false
		}
		if i == len(slots)-1 || slots[i].shard != slots[i+1].shard {
			slots[i].shard.mu.Unlock()
		}
	}
}

// find finds the bucket of a slot, or adds it, and marks it busy, so that adding the next one does not drop it.
func find(slots []slot, i int, now time.Time) {
	s := &slots[i]
	if now.After(s.shard.last) {
		s.shard.last = now
	}
	b := s.shard.bucket(s.id, s.limit)
	if b != nil && b.busy {
		s.double = true
		first := slices.IndexFunc(slots, func(s slot) bool { return s.bucket == b })
		slots[first].cost = max(slots[first].cost, s.cost)
		return
	}
	if b != nil {
		b.busy = true
	}
	s.bucket = b
}

// wait returns how long after now the slot's charge can be taken, and what it waits for.
func (s *slot) wait(now time.Time) (d time.Duration, concurrency, full bool) {
	switch {
	case s.double:
		return 0, false, false
	case s.bucket == nil:
		return unknown, false, true
	}
	d, concurrency = s.bucket.wait(s.shard.last, s.cost, s.limit)
	if d > 0 && !concurrency {
		d += min(s.shard.last.Sub(now), farthest)
	}
	return d, concurrency, false
}

// longest returns the refusal by the bucket with the longest wait, nil if none refuses.
func longest(now time.Time, slots []slot, charges []Charge) *Refusal {
	var worst Refusal
	at := -1
	for i := range slots {
		s := &slots[i]
		d, concurrency, full := s.wait(now)
		if d > worst.RetryAfter || d > 0 && d == worst.RetryAfter && s.charge < at {
			at = s.charge
			worst = Refusal{Limit: charges[at].Limit, Key: charges[at].Key, RetryAfter: d, Concurrency: concurrency, Full: full}
			if !concurrency && !full {
				worst.Remaining = max(0, int(s.bucket.rate.TokensAt(s.shard.last)))
			}
		}
	}
	if at < 0 {
		return nil
	}
	r := worst // only a refusal allocates
	return &r
}

// until returns how long a bucket with this many tokens takes to have the needed number, rounded up to a
// nanosecond. Less than a nanosecond counts as no wait, as in rate.Limiter itself. Otherwise a caller that
// comes back exactly at that time could be refused again because of the rounding of a float64. The bucket goes
// that little below zero, so no token is given twice.
func until(tokens float64, need int, rate float64) time.Duration {
	ns := (float64(need) - tokens) / rate * 1e9
	if ns < 1 {
		return 0
	}
	if ns > farthest {
		return farthest
	}
	return time.Duration(math.Ceil(ns))
}
