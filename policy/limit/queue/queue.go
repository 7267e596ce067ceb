// Package queue lets a request wait a while for capacity instead of refusing it at once, in a fair order.
//
// It decides who is asked next, and when; the Taker that it asks decides whether there is capacity, package limit or
// one that replicas share. A request waits only for limits that have a Wait, and never longer than the shortest Wait
// among the limits that it has waited for.
//
// A request waits in the line of one bucket, at first the one that refused it. A line is round robin between callers,
// and first come, first served for each, so that an app with a thousand waiting requests gets as many turns as an app
// with one. Requests of other buckets do not wait: a request that waits for one mailbox holds up neither another
// mailbox nor a limit that both share. A request that charges several buckets for which others wait passes one line
// after the other, the narrow ones first, and asks the Taker at the end; if that refuses all the same, it stands in the
// line of the bucket that refused, in front of the younger ones of its caller.
//
// A line knows that there is capacity by the time in the refusal, or by a slot that is given back, and asks until
// it is refused again: about two questions for each request that waited, one at a time. With a Taker behind a network a
// line therefore hands on at most one request in two round trips.
//
// The package reads no clock (Options.Now does), but sets timers: one for each line. It starts no other goroutine; a
// request asks the Taker on its own.
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

// The bounds that Options has by default.
const (
	DefaultMaxWaiting   = 10_000
	DefaultMaxPerCaller = 1_000
)

// A Taker takes for a request from every bucket that covers it, all or none, and keeps to what limit.Limiter.Take says
// of charges, grants and refusals. It must be safe for concurrent use.
type Taker interface {
	Take(ctx context.Context, charges []limit.Charge, g *limit.Grant) (*limit.Refusal, error)
}

// Options are what a Queue needs and bounds. Bounds less than 1 count as the default.
type Options struct {
	Now          func() time.Time // required; time.Now, as it is: its monotonic reading keeps steps of the wall clock out
	MaxWaiting   int              // requests that wait, all together; 1.2 KB each beside their goroutine
	MaxPerCaller int              // requests of one caller that wait
}

// A Queue lets requests wait. Make one with New, and keep it as long as the Taker. It is safe for concurrent use.
type Queue struct {
	taker                    Taker
	now                      func() time.Time
	maxWaiting, maxPerCaller int

	// What a request looks at before it takes, without a lock: how many lines there are, and how many for a hash of
	// their bucket. They change under mu.
	seed   maphash.Seed
	open   atomic.Int32
	hashed [1 << 10]atomic.Int32

	mu      sync.Mutex // guards all below, and every line and waiter; never held while the Taker is asked
	lines   map[bucket]*line
	callers map[string]int // requests that wait, by caller
	waiting int
	arrived uint64
	marked  []*line // to be looked at before mu is given up
}

// New returns a Queue in front of the Taker. The error is that the Taker or the clock is missing.
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

// Take takes for a request of the caller as the Taker does, and waits if the bucket in the way has a Wait. It returns
//   - no refusal and no error when g holds what was taken;
//   - the refusal, when the bucket in the way has no Wait or is Full, when the wait is known to be longer than what is
//     left of it, when it is over, or when too many wait. RetryAfter is from then on, and allows for those who wait
//     already;
//   - the Taker's error, as soon as it returns one: it fails closed;
//   - ctx's error, when that ends first. The request leaves the line at once. If that crosses with a turn that was
//     granted, slots are given back; tokens stay taken, as those of a request that was sent.
//
// It does not overtake: if a request waits for one of the charged buckets, it waits behind that one. Between requests
// that arrive while none waits there is no order.
//
// A slot that a Grant gives back is handed on at once; for slots that other replicas give back the line looks after a
// second at the latest. For that a grant of a limit with both Wait and Concurrency costs two small allocations (see
// limit.Grant.OnRelease). Otherwise a request whose buckets no other waits for costs two hashes a charge at most: no
// lock, no allocation.
func (q *Queue) Take(ctx context.Context, caller string, charges []limit.Charge,
	g *limit.Grant) (*limit.Refusal, error) {
	return q.TakeUnless(ctx, caller, charges, g, nil)
}

// TakeUnless is Take for a request that must be allowed to wait: before it begins to, mayWait is called. If that
// reports false, the request is refused as when too many wait. It is called at most twice, with a lock held: it must
// neither block nor call the Queue.
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

// waitable reports whether to wait for what is in the way. When the Limiter is Full it has run out of memory for keys:
// waiting requests would only hold more. (A rate that is no number would be a key that no map finds again.)
func waitable(r *limit.Refusal) bool {
	return r.Limit.Wait > 0 && !r.Full && !math.IsNaN(r.Limit.Rate)
}

// crowded reports whether a request may wait for one of the charged buckets; if not, none does.
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

// watch has the slots of a grant handed on when they are given back.
func (q *Queue) watch(charges []limit.Charge, g *limit.Grant) {
	for i := range charges {
		if l := charges[i].Limit; l != nil && l.Wait > 0 && l.Concurrency > 0 {
			q.watchSlot(l, charges[i].Key, g)
		}
	}
}

// watchSlot is apart from watch so that its closure does not move anything there to the heap.
func (q *Queue) watchSlot(l *limit.Limit, key string, g *limit.Grant) {
	g.OnRelease(func() { q.freed(l, key) })
}

// freed notes that a slot was given back. It runs after that, so a request that was refused before, and is not seen
// here yet, will see the slot when it asks once more: see join.
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
	limit limit.Limit // but Wait, which does not distinguish buckets
	key   string
}

func bucketOf(l *limit.Limit, key string) bucket {
	b := bucket{*l, key}
	b.limit.Wait = 0
	return b
}

// width is about how many requests the bucket lets through in a second, a slot being held for a tenth of one.
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

// compare puts buckets into the one order in which a request passes their lines: narrow ones first. A waiter that has
// passed a line may hold capacity in that bucket while it stands in the next line, and that should be the short wait:
// for the tenant's bucket while it holds a mailbox's, not the other way round. Because no waiter holds capacity in a
// wider one, none can wait in a circle.
func (b *bucket) compare(o *bucket) int {
	return cmp.Or(
		cmp.Compare(b.width(), o.width()), cmp.Compare(b.limit.Name, o.limit.Name), cmp.Compare(b.key, o.key),
		cmp.Compare(b.limit.Rate, o.limit.Rate), cmp.Compare(b.limit.Burst, o.limit.Burst),
		cmp.Compare(b.limit.Concurrency, o.limit.Concurrency), cmp.Compare(b.limit.Unit, o.limit.Unit),
	)
}

// Waiting returns how many requests wait now, and how many of them for each limit, by its name. Limits for which none
// waits are left out.
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
