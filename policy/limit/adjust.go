package limit

import (
	"math"
	"slices"
	"time"
)

// Adjust corrects the amounts that charges in ResourceUnits took, when Graph has reported the real cost of the
// request (in its header x-ms-resource-unit). Charges are those that Take granted; charges in Requests do not
// change. A cost below 0 counts as 0.
//
// If the real cost was higher, the difference is taken at once, even if the bucket does not have enough: it
// then goes below zero, and grants nothing until it has filled up again. It goes at most one burst below zero,
// so that one answer cannot close a bucket for hours. If the cost was lower, the difference is given back:
// never more than Take took, and never above the burst. A bucket that was dropped in the meantime was full, so
// nothing needs to be given back.
//
// From its beginning, a bucket never lets through more real cost than the rate and the burst allow, except debt
// above the bound. In a period that begins between a Take and its Adjust, the units that were given back come
// on top.
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

// Return gives back all tokens that the charges took, because their request was refused after all and never
// reached Graph. Charges are those that Take granted. The bounds of Adjust for giving back apply. The Grant has
// the slots.
//
// It is safe for concurrent use.
func (l *Limiter) Return(now time.Time, charges []Charge) {
	for i := range charges {
		if c := &charges[i]; c.Limit != nil && c.Limit.valid() && c.Limit.Rate > 0 && !Repeats(charges, i) {
			l.adjust(now, charges[i:i+1], -c.tokens())
		}
	}
}

// Lower removes the tokens in the charge's bucket above this number, for a bucket that must not begin full
// because its level is known from elsewhere. A bucket with fewer tokens does not change.
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

// Repeats reports whether an earlier charge than the one at i names the same bucket, from which Take took only
// once.
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
	if b := slots[0].bucket; b != nil { // otherwise no bucket can be added, and its requests are refused anyway
		b.adjust(slots[0].shard.last, more)
	}
}

// adjust takes n tokens, into debt if necessary, or gives back -n.
//
// ReserveN takes any n up to the burst and records debt. With a negative n it gives back, and the next access
// to the tokens cuts the excess above the burst. (AllowN cannot be used: it refuses when the bucket would be in
// debt afterwards, in either direction.)
func (b *bucket) adjust(t time.Time, n int) {
	burst := b.rate.Burst()
	n = min(n, max(0, burst+int(math.Floor(b.rate.TokensAt(t))))) // at most a burst below zero
	for ; n > burst; n -= burst {
		b.rate.ReserveN(t, burst)
	}
	b.rate.ReserveN(t, n)
}
