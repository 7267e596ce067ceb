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

const unknown = time.Second // the wait to tell where the real one cannot be known, as in package limit

// Take asks every charged bucket for its cost, as limit.Limiter.Take does: all or none, a bucket that is charged twice
// is asked once for the greater cost, the Refusal names the longest wait, and g's Release gives concurrency slots back.
// Waits are exact to a microsecond, by Redis' clock. No charges, no refusal, and no round trip.
//
// A slot is a lease: Run renews it until g is released, and it ends by itself within 30 s when the process dies.
//
// When Redis does not answer within Options.Timeout, the one request is decided by the replica's share. After an error,
// three late answers in a row or a second of silence each replica enforces its share until Run has found Redis again:
// rate, burst and concurrency divided by the number of replicas last seen, rounded down, but at least a burst and a
// slot of 1, so that a limit of fewer slots than replicas may be passed. With Options.Deny the error is ErrUnavailable
// instead. The only other error is ctx's own, when it ends first. It fails closed like Limiter.Take: a charge that
// cannot be kept is refused.
func (b *Buckets) Take(ctx context.Context, charges []limit.Charge, g *limit.Grant) (*limit.Refusal, error) {
	if refusal := impossible(charges); refusal != nil {
		return refusal, nil
	}
	if len(charges) == 0 {
		return nil, nil
	}
	late := false
	if b.up.Load() {
		refusal, err := b.ask(ctx, charges, g)
		if err == nil {
			b.late.Store(0)
			return refusal, nil
		}
		if ended := ctx.Err(); ended != nil {
			return nil, ended
		}
		if !errors.Is(err, errUnasked) {
			b.missed(err)
		}
		late = isSlow(err)
	}
	if b.deny {
		return nil, ErrUnavailable
	}
	return b.alone(charges, g, late), nil
}

// connecting is how many halves of Options.Timeout a question may wait to be written: a new connection takes several
// round trips.
const connecting = 5

// errLate is the error of an answer that did not come in time. It may still come.
var errLate = errors.New("taking: redis did not answer in time")

// errUnasked is the error of a question that was not written when Redis was left because of a hard error. Redis cannot
// have granted anything.
var errUnasked = errors.New("taking: redis was left before it was asked")

// isSlow reports whether an error says that Redis takes its time: it may have done what it was asked.
func isSlow(err error) bool {
	return errors.Is(err, errLate) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded)
}

// missed takes in that a question was not answered.
func (b *Buckets) missed(err error) {
	if errors.Is(err, errLate) && b.late.Add(1) < mostLate {
		b.metrics.failures.Inc()
		return
	}
	b.lost(err)
}

// impossible refuses a charge without a limit, or with one that cannot be kept. NaN fails the first comparison.
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

// call is what the script is asked.
type call struct {
	lease   string
	buckets []bucket
	rated   []string // the keys among keys that are of buckets with a rate
	keys    []string
	args    []any
	slots   []string     // the keys among keys that are leased
	returns []correction // that give back what it took
}

// bucket is one that is charged.
type bucket struct {
	name   string
	charge int // the index of the first charge that names it
	cost   int // the greatest of all that do
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
	for _, asked := range c.buckets {
		l, rate := charges[asked.charge].Limit, charges[asked.charge].Rate()
		hint := ""
		if rate > 0 {
			key := rateKey(asked.name)
			c.keys, c.rated = append(c.keys, key), append(c.rated, key)
			c.returns = append(c.returns, correction{key, rate, l.Burst, float64(-asked.cost)})
			hint = b.levels.hint(key, rate, l.Burst, now)
		}
		if l.Concurrency > 0 {
			key := slotsKey(asked.name)
			c.keys, c.slots = append(c.keys, key), append(c.slots, key)
		}
		c.args = append(c.args, number(rate), l.Burst, asked.cost, l.Concurrency, hint)
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

// cost is the tokens that a charge takes. More than the bucket can hold would never be there, so then it takes all.
func cost(c *limit.Charge) int { return max(1, min(c.Cost, c.Limit.Burst)) }

// number is the shortest text that is read as exactly this.
func number(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }

// ask asks Redis.
func (b *Buckets) ask(ctx context.Context, charges []limit.Charge, g *limit.Grant) (*limit.Refusal, error) {
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

// run makes the round trip, and waits for the answer as long as it may take.
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
				err = errUnasked
			}
		case <-ctx.Done():
			err = ctx.Err()
		}
		if decided.CompareAndSwap(false, true) {
			return nil, err
		}
		o := <-answered // it is there, and only this goroutine was late
		return o.answer, o.err
	}
}

// exchange asks Redis, which may take longer than the request waits. What is answered too late is learned, and what it
// granted is given back: the request has been decided without it.
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
	case len(answer) != 5+len(c.rated) || answer[0] < 0 || answer[0] > int64(len(c.buckets)) ||
		answer[0] > 0 && answer[1] <= 0:
		err = errors.New("taking: redis gave an answer that makes no sense")
	default:
		b.learn(c, answer, start)
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

// learn notes the levels in an answer.
func (b *Buckets) learn(c *call, answer []int64, asked time.Time) {
	for i, key := range c.rated {
		b.levels.learn(key, float64(answer[5+i])/1000, asked)
	}
	b.metrics.restored.Add(float64(answer[4]))
}

// undo gives back what a call took that was answered too late.
func (b *Buckets) undo(c *call, answer []int64, err error) {
	b.giveBack(c.lease, c.slots)
	switch {
	case err != nil:
		if b.up.Load() && !b.closed.Load() {
			b.lost(err)
		}
	case answer[0] == 0:
		for _, r := range c.returns {
			b.outbox.adjust(r)
		}
	}
}

// Adjust corrects what the resource-unit charges of a granted request took to what it really cost, as
// limit.Limiter.Adjust does, but without waiting for it: it is sent together with others, soon. What is still unsent
// when the process ends, or Redis is away for long, is lost.
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

// Return gives the tokens back that the charges took, as limit.Limiter.Return does, and as soon as Adjust does.
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
func excess(c *limit.Charge, real int) float64 {
	return float64(min(max(real, 0), 2*c.Limit.Burst) - cost(c))
}
