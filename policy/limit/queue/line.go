package queue

import (
	"container/heap"
	"container/list"
	"time"

	"graphproxy/policy/limit"
)

const (
	// firstPause is how long after the return of a slot the line asks again, when the Taker did not have the
	// slot yet: another goroutine returns it to Redis. The pause doubles up to longestPause, which is also how
	// often a line checks for slots that were returned without a notice.
	firstPause   = 5 * time.Millisecond
	longestPause = time.Second
)

// line has the requests that wait for one bucket. It exists as long as a request waits in it, has its turn, or
// has a pass of it.
type line struct {
	bucket bucket
	hash   int

	at    time.Time     // when the bucket has one unit that is not promised to a pass, as far as known
	free  int           // additional capacity: slots given back, and passes that were not used
	slots bool          // slots were missing, so at is only the time of the next check
	pause time.Duration // until the next check for slots

	turn          *waiter    // calls the Taker now; it is in no line
	fromFreedSlot bool       // the turn came from a slot that another request freed, not from the refill
	passes        int        // waiters that have gone on to the next line
	promised      int        // units that are promised to them
	ring          *list.List // *callerQueue of callers with waiting requests; the front one is next
	callers       map[string]*callerQueue
	ends          deadlines

	timer  *time.Timer
	marked bool // in Queue.marked
	gone   bool
}

// callerQueue is the requests of one caller in a line, the oldest first.
type callerQueue struct {
	caller  string
	waiters *list.List // *waiter
	place   *list.Element
}

func newLine(b bucket, hash int) *line {
	return &line{bucket: b, hash: hash, pause: longestPause, ring: list.New(), callers: map[string]*callerQueue{}}
}

// due reports whether the next waiter may have its turn.
func (l *line) due(now time.Time) bool {
	return l.turn == nil && l.ring.Len() > 0 && (l.free > 0 || !now.Before(l.when()))
}

// when returns the time of the next turn, if nothing else happens.
func (l *line) when() time.Time { return l.at.Add(l.units(l.next().cost(l) - 1)) }

func (l *line) next() *waiter {
	return l.ring.Front().Value.(*callerQueue).waiters.Front().Value.(*waiter)
}

// push adds a waiter: after the older ones of its caller, and the caller after the others if it is new.
func (l *line) push(w *waiter) {
	o := l.callers[w.caller]
	if o == nil {
		o = &callerQueue{caller: w.caller, waiters: list.New()}
		o.place = l.ring.PushBack(o)
		l.callers[w.caller] = o
	}
	before := o.waiters.Back()
	for before != nil && before.Value.(*waiter).arrival > w.arrival {
		before = before.Prev()
	}
	if before == nil {
		w.place = o.waiters.PushFront(w)
	} else {
		w.place = o.waiters.InsertAfter(w, before)
	}
	w.line = l
	heap.Push(&l.ends, w)
}

// pushBack puts back a waiter whose turn brought nothing: it and its caller remain next.
func (l *line) pushBack(w *waiter) {
	l.push(w)
	l.ring.MoveToFront(l.callers[w.caller].place)
}

// remove removes a waiter.
func (l *line) remove(w *waiter) {
	o := l.callers[w.caller]
	o.waiters.Remove(w.place)
	if o.waiters.Len() == 0 {
		l.ring.Remove(o.place)
		delete(l.callers, w.caller)
	}
	heap.Remove(&l.ends, w.index)
	w.line, w.place = nil, nil
}

// pop removes and returns the next waiter; its caller goes to the end.
func (l *line) pop() *waiter {
	w := l.next()
	l.ring.MoveToBack(l.callers[w.caller].place)
	l.remove(w)
	return w
}

// older reports whether an older request of the same caller is in the line or has the turn.
func (l *line) older(w *waiter) bool {
	if l.turn != nil && l.turn.caller == w.caller && l.turn.arrival < w.arrival {
		return true
	}
	o := l.callers[w.caller]
	return o != nil && o.waiters.Front().Value.(*waiter).arrival < w.arrival
}

// block records the Taker's refusal of this number of units from this bucket.
func (l *line) block(r *limit.Refusal, cost int, now time.Time) {
	wait := r.RetryAfter
	if l.slots = r.Concurrency; l.slots {
		wait = min(wait, l.pause)
		l.pause = min(2*l.pause, longestPause)
	}
	l.at = now.Add(wait - l.units(cost-1) + l.units(l.promised))
}

// turnUnused records that a turn has not been used.
func (l *line) turnUnused() {
	if l.fromFreedSlot {
		l.free++
	}
}

// pass is the capacity of a waiter that has gone on to the next line.
type pass struct {
	line          *line
	cost          int
	fromFreedSlot bool // as in its line
}

// spend promises capacity to a waiter that goes on to the next line.
func (l *line) spend(w *waiter, now time.Time) pass {
	p := pass{l, w.cost(l), l.free > 0}
	switch {
	case p.fromFreedSlot:
		l.free--
	case l.rated():
		l.at = l.at.Add(l.units(p.cost))
	default:
		l.at = now.Add(longestPause)
	}
	l.passes++
	l.promised += p.cost
	return p
}

// end ends a promise. Capacity that was not used is free for others.
func (p pass) end(used bool) {
	l := p.line
	l.passes--
	l.promised -= p.cost
	switch {
	case used:
	case p.fromFreedSlot || !l.rated():
		l.free++
	default:
		l.at = l.at.Add(-l.units(p.cost))
	}
}

// rated reports whether the time of new capacity is known.
func (l *line) rated() bool { return l.bucket.limit.Rate > 0 && !l.slots }

// units returns how long the bucket takes to fill by n; 0 for slots, because a request takes one slot at any
// cost.
func (l *line) units(n int) time.Duration {
	if !l.rated() {
		return 0
	}
	return time.Duration(min(float64(n)/l.bucket.limit.Rate*1e9, 1<<61))
}

// earliest returns when a new waiter has its turn, if no waiter leaves and all others ask for one unit.
func (l *line) earliest(w *waiter, now time.Time) time.Time {
	at := l.at
	if l.free > 0 || at.Before(now) {
		at = now
	}
	return at.Add(l.units(l.ahead(w.caller) + w.cost(l) - 1))
}

// ahead returns how many turns other callers, and older requests of the caller, have before a new request.
func (l *line) ahead(caller string) int {
	rounds, n := 1, 0
	o := l.callers[caller]
	if o != nil {
		rounds += o.waiters.Len()
		n += o.waiters.Len()
	}
	for e := l.ring.Front(); e != nil; e = e.Next() {
		if e.Value.(*callerQueue) == o {
			rounds-- // callers behind it in the ring have one turn less
			continue
		}
		n += min(e.Value.(*callerQueue).waiters.Len(), rounds)
	}
	return n
}

// refusal returns the refusal of a waiter that cannot stay.
func (l *line) refusal(refused *chargedBucket, at, now time.Time) *limit.Refusal {
	c := refused.charge
	r := &limit.Refusal{Limit: c.Limit, Key: c.Key, RetryAfter: longestPause, Concurrency: l.slots}
	if l.rated() {
		r.RetryAfter = max(at.Sub(now), l.units(1), 1)
	}
	return r
}

// wake sets the timer.
func (l *line) wake(after time.Duration, tick func(*line)) {
	if l.timer == nil {
		l.timer = time.AfterFunc(after, func() { tick(l) })
		return
	}
	l.timer.Reset(after)
}

// sleep stops the timer.
func (l *line) sleep() {
	if l.timer != nil {
		l.timer.Stop()
	}
}

// deadlines is a heap, the first one on top.
type deadlines []*waiter

func (d deadlines) Len() int           { return len(d) }
func (d deadlines) Less(i, j int) bool { return d[i].deadline.Before(d[j].deadline) }
func (d deadlines) Swap(i, j int)      { d[i], d[j] = d[j], d[i]; d[i].index, d[j].index = i, j }

// Push is heap.Push's.
func (d *deadlines) Push(x any) {
	w := x.(*waiter)
	w.index = len(*d)
	*d = append(*d, w)
}

// Pop is heap.Pop's.
func (d *deadlines) Pop() any {
	last := len(*d) - 1
	w := (*d)[last]
	(*d)[last] = nil
	*d = (*d)[:last]
	return w
}
