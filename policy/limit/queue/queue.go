// Package queue lets a request wait a while for capacity instead of refusing it at once, in a fair order.
//
// It decides which request calls the Taker next, and when. The Taker decides whether there is capacity: package
// limit, or a Taker that replicas share. A request waits only for limits that have a Wait, and never longer
// than the shortest Wait among the limits that it has waited for.
//
// A request waits in the line of one bucket, at first the one that refused it. A line is round robin between
// callers, and first come, first served for each, so that an app with a thousand waiting requests gets as many
// turns as an app with one. Requests for other buckets do not wait: a request that waits for one mailbox delays
// neither another mailbox nor a limit that both share. A request that charges several buckets for which others
// wait goes through one line after the other, the narrow ones first, and calls the Taker at the end. If the
// Taker refuses then, the request waits in the line of the bucket that refused, before the younger requests of
// its caller.
//
// A line expects capacity at the time in the refusal, or when a slot is given back, and calls the Taker until
// it refuses again: about two calls for each request that waited, one at a time. With a Taker over a network a
// line therefore grants at most one request in two round trips.
//
// The package reads no clock (Options.Now does), but sets timers: one for each line. It starts no other
// goroutine; a request calls the Taker in its own.
package queue

import (
	"cmp"
	"context"
	"errors"
	"hash/maphash"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"graphproxy/policy/limit"
)

// The default bounds of Options.
const (
	DefaultMaxWaiting   = 10_000
	DefaultMaxPerCaller = 1_000
)

// A Taker takes for a request from every bucket that covers it, all or none. Charges, grants and refusals are
// as in limit.Limiter.Take. It must be safe for concurrent use.
type Taker interface {
	Take(ctx context.Context, charges []limit.Charge, g *limit.Grant) (*limit.Refusal, error)
}

// Options are the settings of a Queue. Bounds less than 1 count as the default.
type Options struct {
	Now          func() time.Time // required: time.Now, whose monotonic reading excludes steps of the wall clock
	MaxWaiting   int              // requests that wait, all together; each uses 1.2 KB besides its goroutine
	MaxPerCaller int              // requests of one caller that wait
}

// A Queue lets requests wait. Make one with New, and keep it as long as the Taker. It is safe for concurrent use.
type Queue struct {
	taker                    Taker
	now                      func() time.Time
	maxWaiting, maxPerCaller int

	// A request reads these before it takes, without a lock: how many lines there are, and how many for a hash
	// of their bucket. They change under mu.
	seed   maphash.Seed
	open   atomic.Int32
	hashed [1 << 10]atomic.Int32

	mu      sync.Mutex // guards the fields below, and every line and waiter; never taken during a call of the Taker
	lines   map[bucket]*line
	callers map[string]int // requests that wait, by caller
	waiting int
	arrived uint64
	marked  []*line // to be settled before mu is released
}

// New returns a Queue in front of the Taker. The error means that the Taker or the clock is missing.
func New(t Taker, o Options) (*Queue, error) {
	if t == nil || o.Now == nil {
		return nil, errors.New("queue: a Taker and Options.Now are required")
	}
	q := &Queue{taker: t, now: o.Now, seed: maphash.MakeSeed(), lines: map[bucket]*line{}, callers: map[string]int{}}
	q.maxWaiting, q.maxPerCaller = DefaultMaxWaiting, DefaultMaxPerCaller
	if o.MaxWaiting > 0 {
		q.maxWaiting = o.MaxWaiting
	}
	if o.MaxPerCaller > 0 {
		q.maxPerCaller = o.MaxPerCaller
	}
	return q, nil
}

// Len returns how many requests wait now.
func (q *Queue) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.waiting
}

// Take takes for a request of the caller as the Taker does, and waits if the bucket that refused has a Wait. It
// returns
//   - no refusal and no error when g has what was taken;
//   - the refusal, when its bucket has no Wait or is Full, when the wait would be longer than the time that
//     is left, when that time is over, or when too many requests wait. RetryAfter begins then, and allows
//     for requests that wait already;
//   - the Taker's error, as soon as it returns one: it fails closed;
//   - ctx's error, when ctx ends first. The request leaves the line at once. If a turn was granted at the
//     same moment, slots are given back; tokens stay taken, like those of a request that was sent.
//
// A request does not overtake: if another request waits for one of the charged buckets, it waits behind that
// one. Requests that arrive while none waits have no order.
//
// A slot that a Grant gives back is passed on at once. For slots that other replicas give back the line checks
// after a second at the latest. Therefore a grant of a limit with both Wait and Concurrency costs two small
// allocations (see limit.Grant.OnRelease). Otherwise a request for buckets without waiting requests costs two
// hashes a charge at most: no lock, no allocation.
func (q *Queue) Take(ctx context.Context, caller string, charges []limit.Charge,
	g *limit.Grant) (*limit.Refusal, error) {
	return q.TakeUnless(ctx, caller, charges, g, nil)
}

// TakeUnless is Take for a request that needs a permission to wait: mayWait is called before the wait begins.
// If it reports false, the request is refused as when too many wait. It is called at most twice, under a lock:
// it must neither block nor call the Queue.
func (q *Queue) TakeUnless(
	ctx context.Context, caller string, charges []limit.Charge, g *limit.Grant, mayWait func() bool,
) (*limit.Refusal, error) {
	if q.open.Load() > 0 && q.crowded(charges) {
		return q.wait(ctx, caller, charges, g, nil, mayWait)
	}
	return q.takeOrWait(ctx, caller, charges, g, mayWait)
}

// takeOrWait calls the Taker for a request for whose buckets no other waits, and waits if it is refused.
func (q *Queue) takeOrWait(
	ctx context.Context, caller string, charges []limit.Charge, g *limit.Grant, mayWait func() bool,
) (*limit.Refusal, error) {
	refusal, err := q.taker.Take(ctx, charges, g)
	switch {
	case err != nil:
		return nil, err
	case refusal == nil:
		q.watch(charges, g)
		return nil, nil
	case !waitable(refusal):
		return refusal, nil
	}
	return q.wait(ctx, caller, charges, g, refusal, mayWait)
}

// waitable reports whether a request may wait after this refusal. A Limiter that is Full has no memory for
// keys, and waiting requests would use more. (A rate that is NaN would be a key that a map never finds again.)
func waitable(r *limit.Refusal) bool {
	return r.Limit.Wait > 0 && !r.Full && !math.IsNaN(r.Limit.Rate)
}

// crowded reports whether requests may wait for one of the charged buckets; if not, none does.
func (q *Queue) crowded(charges []limit.Charge) bool {
	for i := range charges {
		c := &charges[i]
		if c.Limit != nil && c.Limit.Wait > 0 && q.hashed[q.hash(c.Limit.Name, c.Key)].Load() > 0 {
			return true
		}
	}
	return false
}

func (q *Queue) hash(name, key string) int {
	h := maphash.String(q.seed, name)*31 + maphash.String(q.seed, key)
	return int(h % uint64(len(q.hashed)))
}

// watch arranges that the slots of a grant are passed on when they are given back.
func (q *Queue) watch(charges []limit.Charge, g *limit.Grant) {
	for i := range charges {
		if l := charges[i].Limit; l != nil && l.Wait > 0 && l.Concurrency > 0 {
			q.watchSlot(l, charges[i].Key, g)
		}
	}
}

// watchSlot is separate from watch so that its closure does not move variables of watch to the heap.
func (q *Queue) watchSlot(l *limit.Limit, key string, g *limit.Grant) {
	g.OnRelease(func() { q.freed(l, key) })
}

// freed records that a slot was given back. It runs after the return, so a request that was refused before, and
// is not in a line yet, will find the slot when it asks once more: see join.
func (q *Queue) freed(l *limit.Limit, key string) {
	if q.open.Load() == 0 || q.hashed[q.hash(l.Name, key)].Load() == 0 {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if line := q.lines[bucketOf(l, key)]; line != nil {
		line.free++
		line.pause = firstPause
		q.mark(line)
		q.settle(q.now())
	}
}

// bucket is one of the Taker's buckets.
type bucket struct {
	limit limit.Limit // without Wait, which does not distinguish buckets
	key   string
}

func bucketOf(l *limit.Limit, key string) bucket {
	b := bucket{*l, key}
	b.limit.Wait = 0
	return b
}

// width estimates how many requests the bucket lets through in a second, if each uses a slot for a tenth of
// one.
func (b *bucket) width() float64 {
	w := math.Inf(1)
	if b.limit.Rate > 0 {
		w = b.limit.Rate
	}
	if b.limit.Concurrency > 0 {
		w = min(w, 10*float64(b.limit.Concurrency))
	}
	return w
}

// compare defines the one order in which a request goes through the lines of buckets: narrow ones first. A
// waiter that has passed a line may have capacity in that bucket while it waits in the next line, and that
// should be the shorter wait: for the tenant's bucket while it has a mailbox's, not the other way round. No
// waiter has capacity in a wider bucket, so none can wait in a circle.
func (b *bucket) compare(o *bucket) int {
	return cmp.Or(
		cmp.Compare(b.width(), o.width()), cmp.Compare(b.limit.Name, o.limit.Name), cmp.Compare(b.key, o.key),
		cmp.Compare(b.limit.Rate, o.limit.Rate), cmp.Compare(b.limit.Burst, o.limit.Burst),
		cmp.Compare(b.limit.Concurrency, o.limit.Concurrency), cmp.Compare(b.limit.Unit, o.limit.Unit),
	)
}

// Waiting returns how many requests wait now, and how many for each limit, by its name. Limits without waiting
// requests are left out.
func (q *Queue) Waiting() (all int, byLimit map[string]int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	byLimit = map[string]int{}
	for b, l := range q.lines {
		n := len(l.ends)
		if l.turn != nil {
			n++
		}
		if n > 0 {
			byLimit[b.limit.Name] += n
		}
	}
	return q.waiting, byLimit
}
