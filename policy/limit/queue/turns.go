package queue

import (
	"slices"
	"strings"
	"time"

	"graphproxy/policy/limit"
)

// join puts a new waiter into the line of the bucket that refused it, or, if it has not called the Taker, of a
// bucket for which others wait. If it cannot stay, join returns the refusal; nil when it has not called the
// Taker and no request waits.
func (q *Queue) join(w *waiter, refusal *limit.Refusal) (stays bool, _ *limit.Refusal) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := q.now()
	r, l := q.blockedBy(w, refusal)
	if r == nil {
		return false, refusal
	}
	var at time.Time
	var known bool
	if l == nil {
		at, known = now.Add(refusal.RetryAfter), !refusal.Concurrency
	} else {
		at, known = l.earliest(w, now), l.rated()
		refusal = l.refusal(r, at, now)
	}
	late := known && at.After(w.start.Add(r.charge.Limit.Wait))
	if late || q.waiting >= q.maxWaiting || q.callers[w.caller] >= q.maxPerCaller || w.mayWait != nil && !w.mayWait() {
		return false, refusal
	}
	if l == nil {
		l = q.newLine(w, r, refusal, now)
	}
	q.begin(w)
	q.enter(w, l)
	q.settle(now)
	return true, nil
}

// blockedBy returns the charge that a new waiter must wait for, and the line of its bucket if there is one.
func (q *Queue) blockedBy(w *waiter, refusal *limit.Refusal) (*chargedBucket, *line) {
	if refusal != nil {
		r := w.refused(refusal)
		if r == nil {
			return nil, nil
		}
		return r, q.lines[r.bucket]
	}
	if l := q.ahead(w, nil); l != nil {
		return w.chargeOn(l), l
	}
	return nil, nil
}

// newLine begins a line. A slot may have been given back after the Taker refused and before the line existed,
// so the first waiter of a line for slots calls the Taker once more. A rate has capacity at the time in the
// refusal.
func (q *Queue) newLine(w *waiter, refused *chargedBucket, r *limit.Refusal, now time.Time) *line {
	b := refused.bucket
	b.key = strings.Clone(b.key) // it may be a piece of a request's much longer target
	l := newLine(b, q.hash(b.limit.Name, b.key))
	if l.block(r, w.cost(l), now); l.slots {
		l.at = now
	}
	q.lines[b] = l
	q.hashed[l.hash].Add(1)
	q.open.Add(1)
	return l
}

func (q *Queue) begin(w *waiter) {
	q.arrived++
	w.arrival = q.arrived
	q.callers[w.caller]++
	q.waiting++
}

// end ends a waiter that is in no line any more. The capacity of its passes was used if the request was
// granted. Otherwise it is free for others.
func (q *Queue) end(w *waiter, granted bool) {
	for _, p := range w.passes {
		q.endPass(p, granted)
	}
	w.passes = nil
	q.waiting--
	if q.callers[w.caller]--; q.callers[w.caller] == 0 {
		delete(q.callers, w.caller)
	}
}

func (q *Queue) endPass(p pass, used bool) {
	p.end(used)
	q.mark(p.line)
}

// enter lets a waiter wait in the line. It cancels the waiter's passes of this line and of wider ones, because
// no waiter may have capacity in a wider bucket than the one that it waits for.
func (q *Queue) enter(w *waiter, l *line) {
	w.passes = slices.DeleteFunc(w.passes, func(p pass) bool {
		if p.line.bucket.compare(&l.bucket) < 0 {
			return false
		}
		q.endPass(p, false)
		return true
	})
	w.limit(w.chargeOn(l).charge.Limit.Wait)
	l.push(w)
	q.mark(l)
}

// leave removes a waiter whose caller has gone away. If it has been refused in the meantime, leave does
// nothing.
func (q *Queue) leave(w *waiter) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now, l := q.now(), w.line
	switch {
	case l == nil:
		return
	case l.turn == w:
		l.turn, w.line = nil, nil
		l.turnUnused()
	default:
		l.remove(w)
	}
	q.mark(l)
	q.end(w, false)
	q.settle(now)
}

// endTurn records the result of a turn. It reports whether the waiter is in a line again.
func (q *Queue) endTurn(w *waiter, refusal *limit.Refusal, err error) (stays bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := q.now()
	l := w.line
	l.turn, w.line = nil, nil
	q.mark(l)
	switch {
	case err != nil:
		l.turnUnused()
		q.end(w, false)
	case refusal == nil:
		l.free++ // there may be more: the next waiter will find out
		q.end(w, true)
	default:
		stays = q.waitAgain(w, l, refusal, now)
	}
	q.settle(now)
	return stays
}

// waitAgain lets a waiter wait once more that was refused on its turn in l. It reports false if waiting cannot
// help.
func (q *Queue) waitAgain(w *waiter, l *line, refusal *limit.Refusal, now time.Time) (stays bool) {
	r := w.refused(refusal)
	if r != nil {
		w.limit(r.charge.Limit.Wait)
	}
	late := !refusal.Concurrency && now.Add(refusal.RetryAfter).After(w.deadline)
	stays = r != nil && !late && waitable(refusal)
	var next *line
	if r != nil {
		next = q.lines[r.bucket]
	}
	switch {
	case next != nil:
		q.cancelPass(w, next)
		next.block(refusal, w.cost(next), now)
	case stays:
		next = q.newLine(w, r, refusal, now)
	}
	if next != l {
		l.turnUnused()
	}
	switch {
	case !stays:
		q.end(w, false)
	case next == l:
		l.pushBack(w)
	default:
		q.move(w, l, next, now)
	}
	return stays
}

// cancelPass ends a pass of the line when the Taker refused it. Other waiters do not get the capacity, because
// there is none.
func (q *Queue) cancelPass(w *waiter, l *line) {
	if i := w.passed(l); i >= 0 {
		q.endPass(w.passes[i], true)
		w.passes = slices.Delete(w.passes, i, i+1)
	}
	q.mark(l)
}

// move moves a waiter, whose turn in l it is, to the next line. It gets a pass of l only if l is narrower.
func (q *Queue) move(w *waiter, l, next *line, now time.Time) {
	if l.bucket.compare(&next.bucket) < 0 {
		w.passes = append(w.passes, l.spend(w, now))
	}
	q.enter(w, next)
}

// ahead returns the first line in which the waiter, whose turn in l it is, must wait before it may call the
// Taker: a line that it has not passed, or one with an older request of its caller.
func (q *Queue) ahead(w *waiter, l *line) *line {
	for i := range w.charged {
		next := q.lines[w.charged[i].bucket]
		if next != nil && next != l && (w.passed(next) < 0 || next.older(w)) {
			return next
		}
	}
	return nil
}

// mark marks the line for settle.
func (q *Queue) mark(l *line) {
	if !l.marked {
		l.marked = true
		q.marked = append(q.marked, l)
	}
}

// settle handles all lines that have changed. Each step either uses up known capacity, or removes a waiter, or
// moves one behind an older one, so it ends.
func (q *Queue) settle(now time.Time) {
	for i := 0; i < len(q.marked); i++ { // it grows
		l := q.marked[i]
		l.marked = false
		q.expire(l, now.Add(-1)) // in its last instant, a waiter may still have its turn
		for l.due(now) {
			q.giveTurn(l, l.pop(), now)
		}
		q.expire(l, now)
		q.setTimer(l, now)
	}
	clear(q.marked)
	q.marked = q.marked[:0]
}

// giveTurn gives a waiter its turn: it goes on to the next line, or may call the Taker.
func (q *Queue) giveTurn(l *line, w *waiter, now time.Time) {
	if next := q.ahead(w, l); next != nil {
		q.move(w, l, next, now)
		return
	}
	l.fromFreedSlot = l.free > 0
	l.turn, l.free, w.line = w, 0, l
	w.ready <- nil
}

// expire refuses the waiters whose time is over.
func (q *Queue) expire(l *line, now time.Time) {
	for len(l.ends) > 0 && !l.ends[0].deadline.After(now) {
		w := l.ends[0]
		l.remove(w)
		q.mark(l)
		q.end(w, false)
		w.ready <- l.refusal(w.chargeOn(l), l.at, now)
	}
}

// setTimer sets the timer to the time of the next event in the line, or ends the line if it is not needed any more.
func (q *Queue) setTimer(l *line, now time.Time) {
	if l.ring.Len() > 0 {
		next := l.ends[0].deadline
		if at := l.when(); l.turn == nil && at.Before(next) {
			next = at
		}
		l.wake(next.Sub(now), q.tick)
		return
	}
	l.sleep()
	if l.turn == nil && l.passes == 0 && !l.gone {
		l.gone = true
		delete(q.lines, l.bucket)
		q.hashed[l.hash].Add(-1)
		q.open.Add(-1)
	}
}

// tick runs when a line's timer has run out.
func (q *Queue) tick(l *line) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !l.gone {
		q.mark(l)
		q.settle(q.now())
	}
}
