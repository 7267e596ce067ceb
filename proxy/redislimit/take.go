package redislimit

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"graphproxy/policy/limit"
)

const unknown = time.Second // the wait to report where the real one is not known, as in package limit

// Take takes each charge's cost from its bucket, as limit.Limiter.Take does: from all buckets or from none. A bucket
// that is charged twice gives the greater cost once. The Refusal names the longest wait. g's Release gives concurrency
// slots back. Waits are exact to a microsecond, by the clock of Redis. Without charges Take grants without a round
// trip.
//
// A slot is a lease. Run renews it until g is released. If the process dies, the lease ends within 30 s.
//
// When Redis does not answer within Options.Timeout, this one request is decided by the replica's share. After an
// error, three late answers in a row, or a second without an answer, each replica enforces its share until Run gets
// answers from Redis again. A share is the rate, burst and concurrency divided by the number of replicas last seen,
// rounded down, but at least a burst and a slot of 1. So a limit with fewer slots than replicas can be exceeded. With
// Options.Deny Take returns ErrUnavailable instead. The only other error is that of ctx, when it ends first. Take fails
// closed like Limiter.Take: it refuses a charge that cannot be enforced.
func (b *Buckets) Take(ctx context.Context, charges []limit.Charge, g *limit.Grant) (*limit.Refusal, error) {
	if refusal := impossible(charges); refusal != nil {
		return refusal, nil
	}
	if len(charges) == 0 {
		return nil, nil
	}
	late := false
	if b.up.Load() {
		refusal, err := b.takeShared(ctx, charges, g)
		if err == nil {
			b.late.Store(0)
			return refusal, nil
		}
		if ended := ctx.Err(); ended != nil {
			return nil, ended
		}
		if !errors.Is(err, errNotSent) {
			b.countMissed(err)
		}
		late = isSlow(err)
	}
	if b.deny {
		return nil, ErrUnavailable
	}
	return b.takeAlone(charges, g, late), nil
}

// connecting is how many halves of Options.Timeout a command may wait until it is written: a new connection takes
// several round trips.
const connecting = 5

// errLate is the error of an answer that did not come in time. It may still come.
var errLate = errors.New("taking: redis did not answer in time")

// errNotSent is the error of a command that was not yet written when Redis was suspended because of a hard error. Redis
// cannot have granted anything.
var errNotSent = errors.New("taking: the command was not sent, because redis failed before")

// isSlow reports whether err means that Redis is late. It may have executed the command.
func isSlow(err error) bool {
	return errors.Is(err, errLate) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded)
}

// countMissed records that a command got no answer, and suspends Redis if there were too many.
func (b *Buckets) countMissed(err error) {
	if errors.Is(err, errLate) && b.late.Add(1) < mostLate {
		b.metrics.failures.Inc()
		return
	}
	b.suspend(err)
}

// impossible refuses a charge without a limit, or with a limit that cannot be enforced. NaN fails the first comparison.
func impossible(charges []limit.Charge) *limit.Refusal {
	for i := range charges {
		l := charges[i].Limit
		if l == nil {
			return &limit.Refusal{
				Limit:      &limit.Limit{Name: "a charge without a limit"},
				Key:        charges[i].Key,
				RetryAfter: unknown,
			}
		}
		if !(l.Rate >= 0 && l.Rate <= math.MaxFloat64) || l.Rate > 0 && l.Burst < 1 || l.Concurrency < 0 {
			return &limit.Refusal{Limit: l, Key: charges[i].Key, RetryAfter: unknown}
		}
	}
	return nil
}

// call is one run of the script take.
type call struct {
	lease   string
	buckets []bucket
	rated   []string // the keys of buckets with a rate
	keys    []string
	args    []any
	slots   []string     // the keys of buckets with slots
	returns []correction // give back what the call took

	ratedBy, slottedBy []*limit.Limit // of rated and of slots
}

// bucket is a bucket that is charged.
type bucket struct {
	name   string
	charge int // the index of the first charge for it
	cost   int // the greatest cost of the charges for it
}

func (b *Buckets) newCall(charges []limit.Charge, lease string) *call {
	now := b.now()
	c := &call{lease: lease, buckets: make([]bucket, 0, len(charges))}
	for i := range charges {
		if l := charges[i].Limit; charges[i].Rate() > 0 || l.Concurrency > 0 {
			c.add(i, &charges[i])
		}
	}
	c.keys, c.args = make([]string, 0, 2*len(c.buckets)), make([]any, 0, 3+5*len(c.buckets))
	c.args = append(c.args, b.clock, lease, leaseLength.Microseconds())
	for _, bucket := range c.buckets {
		l, rate := charges[bucket.charge].Limit, charges[bucket.charge].Rate()
		hint := ""
		if rate > 0 {
			key := rateKey(bucket.name)
			c.keys, c.rated, c.ratedBy = append(c.keys, key), append(c.rated, key), append(c.ratedBy, l)
			c.returns = append(c.returns, correction{key, rate, l.Burst, float64(-bucket.cost)})
			hint = b.levels.hint(key, rate, l.Burst, now)
		}
		if l.Concurrency > 0 {
			key := slotsKey(bucket.name)
			c.keys, c.slots, c.slottedBy = append(c.keys, key), append(c.slots, key), append(c.slottedBy, l)
		}
		c.args = append(c.args, number(rate), l.Burst, bucket.cost, l.Concurrency, hint)
	}
	return c
}

func (c *call) add(i int, charge *limit.Charge) {
	name := bucketName(charge)
	for k := range c.buckets {
		if known := &c.buckets[k]; known.name == name {
			known.cost = max(known.cost, cost(charge))
			return
		}
	}
	c.buckets = append(c.buckets, bucket{name, i, cost(charge)})
}

// cost returns the tokens that a charge takes: no more than the bucket can hold, because they would never be there.
func cost(c *limit.Charge) int { return max(1, min(c.Cost, c.Limit.Burst)) }

// number returns the shortest text that is read as exactly f.
func number(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }

// takeShared takes the charges in Redis.
func (b *Buckets) takeShared(ctx context.Context, charges []limit.Charge, g *limit.Grant) (*limit.Refusal, error) {
	lease := b.leases.next(b.id)
	c := b.newCall(charges, lease)
	if len(c.keys) == 0 {
		return nil, nil
	}
	answer, err := b.run(ctx, c)
	if err != nil {
		return nil, err
	}
	if answer[0] == 0 {
		b.hold(g, lease, c.slots)
		return nil, nil
	}
	charge := &charges[c.buckets[answer[0]-1].charge]
	return &limit.Refusal{
		Limit: charge.Limit, Key: charge.Key, RetryAfter: time.Duration(answer[1]) * time.Microsecond,
		Concurrency: answer[2] == 1, Remaining: int(answer[3]),
	}, nil
}

// outcome is Redis' answer to a call, or why there is none.
type outcome struct {
	answer []int64
	err    error
}

// run sends the call, and waits for the answer until it is late.
func (b *Buckets) run(ctx context.Context, c *call) ([]int64, error) {
	written, gone := b.wire.expect(c.lease), *b.gone.Load()
	answered, decided := make(chan outcome, 1), new(atomic.Bool)
	go b.exchange(c, answered, decided)
	deadline := time.NewTimer(connecting * b.timeout / 2)
	defer deadline.Stop()
	for {
		err := errLate
		select {
		case o := <-answered:
			return o.answer, o.err
		case <-written:
			written = nil
			deadline.Reset(b.timeout)
			continue
		case <-deadline.C:
		case <-gone:
			if written != nil && !b.slow.Load() {
				err = errNotSent
			}
		case <-ctx.Done():
			err = ctx.Err()
		}
		if decided.CompareAndSwap(false, true) {
			return nil, err
		}
		o := <-answered // the answer came at the same moment
		return o.answer, o.err
	}
}

// exchange runs the script, which may take longer than the request waits. A late answer is still recorded. What it
// granted is given back, because the request has been decided without it.
func (b *Buckets) exchange(c *call, answered chan<- outcome, decided *atomic.Bool) {
	defer b.wire.forget(c.lease)
	ctx, cancel := b.within(context.Background())
	defer cancel()
	start := b.now()
	answer, err := b.scripts.take.Run(ctx, b.client, c.keys, c.args...).Int64Slice()
	b.metrics.roundTrip.Observe(b.now().Sub(start).Seconds())
	switch {
	case err != nil:
		err = fmt.Errorf("taking: %w", err)
	case len(answer) != 5+len(c.rated)+len(c.slots) || answer[0] < 0 || answer[0] > int64(len(c.buckets)) ||
		answer[0] > 0 && answer[1] <= 0:
		err = errors.New("taking: redis gave an answer that makes no sense")
	default:
		b.recordLevels(c, answer, start)
	}
	if !decided.CompareAndSwap(false, true) {
		b.undo(c, answer, err)
		return
	}
	if err != nil {
		b.giveBack(c.lease, c.slots) // in case only the answer was lost
	}
	answered <- outcome{answer, err}
}

// recordLevels records the levels of the buckets in an answer.
func (b *Buckets) recordLevels(c *call, answer []int64, asked time.Time) {
	for i, key := range c.rated {
		l, tokens := c.ratedBy[i], float64(answer[5+i])/1000
		b.levels.record(key, tokens, asked)
		b.fills.record(key, seen{name: l.Name, rate: l.Rate, burst: l.Burst, tokens: tokens, at: asked})
	}
	for i, key := range c.slots {
		l, held := c.slottedBy[i], answer[5+len(c.rated)+i]
		if held >= 0 {
			b.fills.record(key, seen{name: l.Name, slots: l.Concurrency, held: int(held), at: asked})
		}
	}
	b.metrics.restored.Add(float64(answer[4]))
}

// undo gives back what a call took whose answer came too late.
func (b *Buckets) undo(c *call, answer []int64, err error) {
	b.giveBack(c.lease, c.slots)
	switch {
	case err != nil:
		if b.up.Load() && !b.closed.Load() {
			b.suspend(err)
		}
	case answer[0] == 0:
		for _, r := range c.returns {
			b.outbox.adjust(r)
		}
	}
}

// Adjust corrects what the resource-unit charges of a granted request took to its real cost, as limit.Limiter.Adjust
// does. It does not wait: Run sends corrections together, soon. Those that are unsent when the process ends, or when
// Redis is unreachable for long, are lost.
func (b *Buckets) Adjust(charges []limit.Charge, cost int) {
	if !b.up.Load() {
		b.adjustAlone(charges, cost)
		return
	}
	for i := range charges {
		if l := charges[i].Limit; l != nil && l.Unit == limit.ResourceUnits && l.Rate > 0 {
			b.outbox.adjust(correction{
				key:   rateKey(bucketName(&charges[i])),
				rate:  l.Rate,
				burst: l.Burst,
				take:  excess(&charges[i], cost),
			})
		}
	}
}

// Return gives back the tokens that the charges took, as limit.Limiter.Return does. It does not wait, as Adjust.
func (b *Buckets) Return(charges []limit.Charge) {
	if !b.up.Load() {
		b.returnAlone(charges)
		return
	}
	for i := range charges {
		if l := charges[i].Limit; l != nil && l.Rate > 0 && !limit.Repeats(charges, i) {
			b.outbox.adjust(correction{
				key:   rateKey(bucketName(&charges[i])),
				rate:  l.Rate,
				burst: l.Burst,
				take:  float64(-cost(&charges[i])),
			})
		}
	}
}

// excess is what a charge should have taken beyond what it took.
func excess(c *limit.Charge, actual int) float64 {
	return float64(min(max(actual, 0), 2*c.Limit.Burst) - cost(c))
}
