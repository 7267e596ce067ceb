package queue

import (
	"container/list"
	"context"
	"slices"
	"time"

	"graphproxy/policy/limit"
)

// waiter is a request that waits.
type waiter struct {
	caller   string
	arrival  uint64
	charged  []chargedBucket // the charges that it may wait for, narrow ones first
	start    time.Time
	deadline time.Time
	ready    chan *limit.Refusal // nil: its turn
	mayWait  func() bool         // nil: it may wait

	line   *line  // in which it waits, or whose turn it has; nil: none
	passes []pass // of lines that it has passed: it need not wait there again, unless the Taker refuses there
	place  *list.Element
	index  int // in line.ends
}

// chargedBucket is a charge and its bucket.
type chargedBucket struct {
	bucket bucket
	charge *limit.Charge
}

func newWaiter(caller string, charges []limit.Charge, now time.Time) *waiter {
	w := &waiter{caller: caller, start: now, deadline: now.Add(1 << 62), ready: make(chan *limit.Refusal, 1)}
	for i := range charges {
		if c := &charges[i]; c.Limit != nil && c.Limit.Wait > 0 {
			w.charged = append(w.charged, chargedBucket{bucketOf(c.Limit, c.Key), c})
		}
	}
	slices.SortStableFunc(w.charged, func(a, b chargedBucket) int { return a.bucket.compare(&b.bucket) })
	return w
}

// chargeOn returns the waiter's charge on the line's bucket. If several are, the Taker uses the one with the
// greatest cost. chargeOn returns the first one, as the cost here only decides when to ask.
func (w *waiter) chargeOn(l *line) *chargedBucket {
	i := slices.IndexFunc(w.charged, func(r chargedBucket) bool { return r.bucket == l.bucket })
	return &w.charged[i]
}

func (w *waiter) cost(l *line) int {
	return max(1, min(w.chargeOn(l).charge.Cost, l.bucket.limit.Burst))
}

// refused returns the waiter's charge that the Taker refused, nil if it may not wait for that one.
func (w *waiter) refused(r *limit.Refusal) *chargedBucket {
	for i := range w.charged {
		if c := w.charged[i].charge; c.Limit == r.Limit && c.Key == r.Key {
			return &w.charged[i]
		}
	}
	return nil
}

// passed returns the index of its pass of the line, or -1.
func (w *waiter) passed(l *line) int {
	return slices.IndexFunc(w.passes, func(p pass) bool { return p.line == l })
}

// limit shortens the time that the waiter may wait.
func (w *waiter) limit(wait time.Duration) {
	if d := w.start.Add(wait); d.Before(w.deadline) {
		w.deadline = d
	}
}

// wait waits for a turn, until one is granted. Refusal is the reason for the wait; nil: other requests wait.
func (q *Queue) wait(
	ctx context.Context, caller string, charges []limit.Charge, g *limit.Grant, refusal *limit.Refusal,
	mayWait func() bool,
) (*limit.Refusal, error) {
	w := newWaiter(caller, charges, q.now())
	w.mayWait = mayWait
	stays, refusal := q.join(w, refusal)
	if !stays && refusal == nil {
		return q.takeOrWait(ctx, caller, charges, g, mayWait) // no request waits for these buckets after all
	}
	for stays {
		select {
		case refusal = <-w.ready:
			if refusal != nil {
				return refusal, nil
			}
		case <-ctx.Done():
			q.leave(w)
			return nil, ctx.Err()
		}
		var err error
		if stays, refusal, err = q.try(ctx, w, charges, g); err != nil {
			return nil, err
		}
	}
	return refusal, nil
}

// try uses the turn.
func (q *Queue) try(ctx context.Context, w *waiter, charges []limit.Charge,
	g *limit.Grant) (stays bool, _ *limit.Refusal, _ error) {
	returned := false
	defer func() {
		if !returned {
			q.leave(w) // a panic of the Taker must not stop the line
		}
	}()
	refusal, err := q.taker.Take(ctx, charges, g)
	returned = true
	stays = q.endTurn(w, refusal, err)
	if err != nil || refusal != nil {
		return stays, refusal, err
	}
	q.watch(charges, g)
	if err := ctx.Err(); err != nil {
		g.Release()
		return false, nil, err
	}
	return false, nil, nil
}
