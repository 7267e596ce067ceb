package shared

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"graphproxy/policy/limit"
)

const unknown = time.Second // the wait to tell where the real one cannot be known, as in package limit

// Take asks every claimed bucket for its cost, as limit.Limiter.Take does: all or none, a bucket that is claimed twice is
// asked once for the greater cost, the Refusal names the longest wait, and g's Release gives concurrency slots back. Waits are exact to a
// microsecond, by Redis' clock. No claims, no refusal, and no round trip.
//
// A slot is a lease: Run renews it until g is released, and it ends by itself within 30 s when the process dies.
//
// When Redis does not answer within Options.Timeout, then and until Run has found it again each replica enforces its share:
// rate, burst and concurrency divided by the number of replicas last seen, rounded down, but at least a burst and a slot
// of 1, so that a limit of fewer slots than replicas may be passed. With Options.Deny the error is ErrUnavailable
// instead. The only other error is ctx's own, when it ends first. It fails closed like Limiter.Take: a claim that cannot
// be kept is refused.
func (b *Buckets) Take(ctx context.Context, claims []limit.Claim, g *limit.Grant) (*limit.Refusal, error) {
	if refusal := impossible(claims); refusal != nil {
		return refusal, nil
	}
	if len(claims) == 0 {
		return nil, nil
	}
	if b.up.Load() {
		refusal, err := b.ask(ctx, claims, g)
		if err == nil {
			return refusal, nil
		}
		if ended := ctx.Err(); ended != nil {
			return nil, ended
		}
		b.lost(err)
	}
	if b.deny {
		return nil, ErrUnavailable
	}
	return b.alone(claims, g), nil
}

// impossible refuses a claim without a limit, or with one that cannot be kept. NaN fails the first comparison.
func impossible(claims []limit.Claim) *limit.Refusal {
	for i := range claims {
		l := claims[i].Limit
		if l == nil {
			return &limit.Refusal{Limit: &limit.Limit{Name: "a claim without a limit"}, Key: claims[i].Key, RetryAfter: unknown}
		}
		if !(l.Rate >= 0 && l.Rate <= math.MaxFloat64) || l.Rate > 0 && l.Burst < 1 || l.Concurrency < 0 {
			return &limit.Refusal{Limit: l, Key: claims[i].Key, RetryAfter: unknown}
		}
	}
	return nil
}

// call is what the script is asked.
type call struct {
	buckets []bucket
	keys    []string
	args    []any
	slots   []string // the keys among keys that are leased
}

// bucket is one that is claimed.
type bucket struct {
	name  string
	claim int // the index of the first claim that names it
	cost  int // the greatest of all that do
}

func (b *Buckets) newCall(claims []limit.Claim, lease string) *call {
	c := &call{buckets: make([]bucket, 0, len(claims))}
	for i := range claims {
		if l := claims[i].Limit; claims[i].Rate() > 0 || l.Concurrency > 0 {
			c.add(i, &claims[i])
		}
	}
	c.keys, c.args = make([]string, 0, 2*len(c.buckets)), make([]any, 0, 3+4*len(c.buckets))
	c.args = append(c.args, b.clock, lease, leaseLength.Microseconds())
	for _, asked := range c.buckets {
		l, rate := claims[asked.claim].Limit, claims[asked.claim].Rate()
		if rate > 0 {
			c.keys = append(c.keys, rateKey(asked.name))
		}
		if l.Concurrency > 0 {
			key := slotsKey(asked.name)
			c.keys, c.slots = append(c.keys, key), append(c.slots, key)
		}
		c.args = append(c.args, number(rate), l.Burst, asked.cost, l.Concurrency)
	}
	return c
}

func (c *call) add(i int, claim *limit.Claim) {
	name := bucketName(claim)
	for k := range c.buckets {
		if known := &c.buckets[k]; known.name == name {
			known.cost = max(known.cost, cost(claim))
			return
		}
	}
	c.buckets = append(c.buckets, bucket{name, i, cost(claim)})
}

// cost is the tokens that a claim takes. More than the bucket can hold would never be there, so then it takes all.
func cost(c *limit.Claim) int { return max(1, min(c.Cost, c.Limit.Burst)) }

// number is the shortest text that is read as exactly this.
func number(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }

// ask asks Redis.
func (b *Buckets) ask(ctx context.Context, claims []limit.Claim, g *limit.Grant) (*limit.Refusal, error) {
	lease := b.leases.next(b.id)
	c := b.newCall(claims, lease)
	if len(c.keys) == 0 {
		return nil, nil
	}
	answer, err := b.run(ctx, c)
	if err != nil {
		b.giveBack(lease, c.slots) // in case only the answer was lost
		return nil, err
	}
	if answer[0] == 0 {
		b.hold(g, lease, c.slots)
		return nil, nil
	}
	claim := &claims[c.buckets[answer[0]-1].claim]
	return &limit.Refusal{
		Limit: claim.Limit, Key: claim.Key, RetryAfter: time.Duration(answer[1]) * time.Microsecond,
		Concurrency: answer[2] == 1, Remaining: int(answer[3]),
	}, nil
}

// run makes the round trip, and checks the answer.
func (b *Buckets) run(ctx context.Context, c *call) ([]int64, error) {
	ctx, cancel := b.within(ctx)
	defer cancel()
	start := b.now()
	answer, err := b.scripts.take.Run(ctx, b.client, c.keys, c.args...).Int64Slice()
	b.metrics.roundTrip.Observe(b.now().Sub(start).Seconds())
	switch {
	case err != nil:
		return nil, fmt.Errorf("taking: %w", err)
	case len(answer) != 4 || answer[0] < 0 || answer[0] > int64(len(c.buckets)) || answer[0] > 0 && answer[1] <= 0:
		return nil, errors.New("taking: redis gave an answer that makes no sense")
	}
	return answer, nil
}

// Adjust corrects what the resource-unit claims of a granted request took to what it really cost, as limit.Limiter.Adjust
// does, but without waiting for it: it is sent together with others, soon. What is still unsent when the process ends, or
// Redis is away for long, is lost.
func (b *Buckets) Adjust(claims []limit.Claim, cost int) {
	if !b.up.Load() {
		b.adjustAlone(claims, cost)
		return
	}
	for i := range claims {
		if l := claims[i].Limit; l != nil && l.Unit == limit.ResourceUnits && l.Rate > 0 {
			b.outbox.adjust(correction{key: rateKey(bucketName(&claims[i])), rate: l.Rate, burst: l.Burst, take: excess(&claims[i], cost)})
		}
	}
}

// Return gives the tokens back that the claims took, as limit.Limiter.Return does, and as soon as Adjust does.
func (b *Buckets) Return(claims []limit.Claim) {
	if !b.up.Load() {
		b.returnAlone(claims)
		return
	}
	for i := range claims {
		if l := claims[i].Limit; l != nil && l.Rate > 0 && !limit.Repeats(claims, i) {
			b.outbox.adjust(correction{key: rateKey(bucketName(&claims[i])), rate: l.Rate, burst: l.Burst, take: float64(-cost(&claims[i]))})
		}
	}
}

// excess is what a claim should have taken beyond what it took.
func excess(c *limit.Claim, real int) float64 {
	return float64(min(max(real, 0), 2*c.Limit.Burst) - cost(c))
}
