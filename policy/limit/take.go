package limit

import (
	"math"
	"slices"
	"sync/atomic"
	"time"
	"unique"
)

const (
	inline   = 8           // claims for which Take allocates nothing; a request is seldom covered by more than five
	unknown  = time.Second // the wait to tell where the real one cannot be known
	farthest = 1 << 61     // ns; so that neither a sum of two waits nor rounding one up to seconds overflows
)

// slot is one claim on its way through Take.
type slot struct {
	claim  int // its index, which breaks ties
	limit  *Limit
	id     identity
	shard  *shard
	bucket *bucket // nil: there is no room for a new bucket, or an earlier claim already names this one
	double bool
}

// Take asks every claimed bucket for one request, at the time now. If all have room it takes from all of them; the Grant's
// Release then gives the concurrency slots back, but not the tokens. If any has none, it takes from no bucket and
// says which one to wait for. A bucket that is claimed twice is asked once. No claims, no refusal.
//
// It fails closed: a claim without a limit, or with one that cannot be kept (a rate with a burst below 1, a negative or
// infinite number), is refused, and so is a new key when the Limiter is full and can drop none (see NewSize).
//
// It is safe for concurrent use, and exact under it: the locks of all claimed buckets are held, in one fixed order, from
// the first look to the last taking, so a request in the middle of a refusal is never seen to have taken
// anything. (Reservations of x/time/rate cannot be given back exactly once later ones have come in between.) Nothing waits under
// these locks: they are held for about a hundred nanoseconds a claim, and for some tens of microseconds at worst, when a
// new key makes a table grow or has to look for a bucket to drop. Buckets share 64 locks by their hash, so unrelated
// ones rarely meet. Take allocates only for buckets that are new, for a refusal, and above 8 claims.
//
// Pass time.Now as it is: its monotonic reading keeps steps of the wall clock out. A now before one that a bucket has seen
// counts as the later one, so time that goes backwards, or arrives out of order, gives no tokens twice.
func (l *Limiter) Take(now time.Time, claims []Claim) (g Grant, _ *Refusal) {
	var array [inline]slot
	slots, refusal := l.slots(array[:0], claims)
	if refusal != nil || len(slots) == 0 {
		return Grant{}, refusal
	}
	lock(slots)
	defer unlock(slots)
	for i := range slots {
		slots[i].find(now)
	}
	if r := longest(now, slots, claims); r != nil {
		return Grant{}, r
	}
	for i := range slots {
		if b := slots[i].bucket; b != nil {
			b.take(slots[i].shard.last, &g)
		}
	}
	return
}

// slots resolves claims as far as that needs no lock, in the order in which their locks must be taken.
func (l *Limiter) slots(slots []slot, claims []Claim) ([]slot, *Refusal) {
	for i := range claims {
		c := &claims[i]
		if c.Limit == nil {
			return nil, &Refusal{Limit: &Limit{Name: "a claim without a limit"}, Key: c.Key, RetryAfter: unknown}
		}
		if !c.Limit.valid() {
			return nil, &Refusal{Limit: c.Limit, Key: c.Key, RetryAfter: unknown}
		}
		if c.Limit.bounded() {
			id := identity{unique.Make(*c.Limit), c.Key}
			slots = append(slots, slot{claim: i, limit: c.Limit, id: id, shard: l.shard(c.Limit.Name, c.Key)})
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

// find looks the bucket up, or adds it, and marks it busy: adding the next one must not drop it.
func (s *slot) find(now time.Time) {
	if now.After(s.shard.last) {
		s.shard.last = now
	}
	b := s.shard.bucket(s.id, s.limit)
	if b != nil && b.busy {
		s.double = true
		return
	}
	if b != nil {
		b.busy = true
	}
	s.bucket = b
}

// wait returns how long after now there is room for the slot's claim, and what it waits for.
func (s *slot) wait(now time.Time) (d time.Duration, concurrency, full bool) {
	switch {
	case s.double:
		return 0, false, false
	case s.bucket == nil:
		return unknown, false, true
	}
	d, concurrency = s.bucket.wait(s.shard.last, s.limit)
	if d > 0 && !concurrency {
		d += min(s.shard.last.Sub(now), farthest)
	}
	return d, concurrency, false
}

// longest returns the refusal by the bucket that makes the request wait longest, nil if none does.
func longest(now time.Time, slots []slot, claims []Claim) *Refusal {
	var worst Refusal
	at := -1
	for i := range slots {
		d, concurrency, full := slots[i].wait(now)
		claim := slots[i].claim
		if d > worst.RetryAfter || d > 0 && d == worst.RetryAfter && claim < at {
			at = claim
			worst = Refusal{claims[at].Limit, claims[at].Key, d, concurrency, full}
		}
	}
	if at < 0 {
		return nil
	}
	r := worst // only a refusal pays for the heap
	return &r
}

// until returns how long a bucket with this many tokens takes to have one, rounded up to a nanosecond. Less than a
// nanosecond is no wait, as in rate.Limiter itself: otherwise a caller that comes back exactly when told could be refused
// again by the rounding of a float64. The bucket goes that little below zero, so nothing is given away.
func until(tokens, rate float64) time.Duration {
	ns := (1 - tokens) / rate * 1e9
	if ns < 1 {
		return 0
	}
	if ns > farthest {
		return farthest
	}
	return time.Duration(math.Ceil(ns))
}

// A Grant holds the concurrency slots of one request. The zero Grant holds none. A Grant must not be copied once it is
// where Take put it (go vet tells): each copy would give the same slots back.
type Grant struct {
	few      [inline]*bucket
	n        int
	more     []*bucket
	released atomic.Bool
}

// Release gives the slots back; the tokens stay taken. Call it when the response body has ended, on every path. The second
// call and later ones do nothing. It is safe for concurrent use and takes no lock.
func (g *Grant) Release() {
	if g.released.Swap(true) {
		return
	}
	for _, b := range g.few[:g.n] {
		b.held.Add(-1)
	}
	for _, b := range g.more {
		b.held.Add(-1)
	}
}

func (g *Grant) hold(b *bucket) {
	if g.n < len(g.few) {
		g.few[g.n] = b
		g.n++
		return
	}
	g.more = append(g.more, b)
}
