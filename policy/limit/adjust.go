package limit

import (
	"math"
	"slices"
	"time"
)

// Adjust corrects what the charges in ResourceUnits took, once Graph has said what the request really cost (its header
// x-ms-resource-unit). Charges are those that Take granted; those in Requests stay as they are. A cost below 0 counts
// as 0.
//
// More is taken at once, even if the bucket has not as much: it then goes below zero, and grants nothing until it has
// filled up again. At most a burst below, so that one answer cannot shut a bucket for hours. Less is given back: never
// more than Take took, and never above the burst. A bucket that was dropped meanwhile was full, so there is nothing to
// give back.
//
// Counted from its beginning, a bucket never lets through more than the rate gives and the burst, in what requests
// really cost, but for what would have been too much debt. In a stretch that begins between a Take and its Adjust, what
// was given back comes on top.
//
// It is safe for concurrent use.
func (l *Limiter) Adjust(now time.Time, charges []Charge, cost int) {
	for i := range charges {
		c := &charges[i]
		if c.Limit != nil && c.Limit.Unit == ResourceUnits && c.Limit.valid() && c.Limit.Rate > 0 {
			l.adjust(now, charges[i:i+1], max(cost, 0)-c.tokens())
		}
	}
}

// Return gives the tokens back that the charges took, all of them, because their request was refused after all and
// It never reached Graph. Charges are those that Take granted; what it says of Adjust's giving back goes for this,
// too. Slots are the Grant's.
//
// It is safe for concurrent use.
func (l *Limiter) Return(now time.Time, charges []Charge) {
	for i := range charges {
		if c := &charges[i]; c.Limit != nil && c.Limit.valid() && c.Limit.Rate > 0 && !Repeats(charges, i) {
			l.adjust(now, charges[i:i+1], -c.tokens())
		}
	}
}

// Lower takes from the charge's bucket what it holds beyond this many tokens, so that it does not begin full where its
// level is known otherwise. A bucket that holds less stays as it is.
//
// It is safe for concurrent use.
func (l *Limiter) Lower(now time.Time, c *Charge, tokens float64) {
	if c.Limit == nil || !c.Limit.valid() || c.Rate() <= 0 {
		return
	}
	var array [1]slot
	slots, _ := l.slots(array[:0], []Charge{*c})
	lock(slots)
	defer unlock(slots)
	find(slots, 0, now)
	if b := slots[0].bucket; b != nil {
		if excess := b.rate.TokensAt(slots[0].shard.last) - tokens; excess > 0 {
			b.adjust(slots[0].shard.last, int(min(math.Ceil(excess), 2*float64(b.rate.Burst()))))
		}
	}
}

// Repeats reports whether a charge before the one at i names the same bucket, from which Take took only once.
func Repeats(charges []Charge, i int) bool {
	c := &charges[i]
	return slices.ContainsFunc(charges[:i], func(d Charge) bool {
		return d.Limit != nil && d.Key == c.Key && d.Limit.value() == c.Limit.value()
	})
}

// adjust takes more units for the one charge, or gives back -more.
func (l *Limiter) adjust(now time.Time, charge []Charge, more int) {
	if more == 0 {
		return
	}
	var array [1]slot
	slots, _ := l.slots(array[:0], charge)
	lock(slots)
	defer unlock(slots)
	find(slots, 0, now)
	if b := slots[0].bucket; b != nil { // else no bucket can be added, and its requests are refused anyway
		b.adjust(slots[0].shard.last, more)
	}
}

// adjust takes n tokens, into debt if need be, or gives back -n.
//
// ReserveN takes any n up to the burst and counts the debt; with a negative n its subtraction gives
// back, and the next look at the tokens cuts what is above the burst. (AllowN does not do: it refuses while the bucket
// is in debt afterwards, in either direction.)
func (b *bucket) adjust(t time.Time, n int) {
	burst := b.rate.Burst()
	n = min(n, max(0, burst+int(math.Floor(b.rate.TokensAt(t))))) // at most a burst below zero
	for ; n > burst; n -= burst {
		b.rate.ReserveN(t, burst)
	}
	b.rate.ReserveN(t, n)
}
