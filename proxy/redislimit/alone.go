package redislimit

import (
	"context"
	"sync"
	"time"

	"graphproxy/policy/limit"
)

// takeAlone enforces this replica's share. With late it replaces one late answer, while Redis goes on granting.
func (b *Buckets) takeAlone(charges []limit.Charge, g *limit.Grant, late bool) *limit.Refusal {
	now, n := b.now(), b.replicas()
	own := shares(charges, n)
	b.lower(now, charges, own, n, late)
	refusal := b.local.Take(now, own, g)
	if refusal != nil {
		for i := range own {
			if own[i].Limit == refusal.Limit {
				refusal.Limit = charges[i].Limit
				break
			}
		}
		return refusal
	}
	c := b.newCall(charges, "")
	for _, taken := range c.buckets {
		if charges[taken.charge].Slot {
			continue
		}
		part := &own[taken.charge]
		b.owed.add(taken.name, &charges[taken.charge], part, float64(min(taken.cost, part.Limit.Burst)), now)
	}
	// The slots are sent to Redis when it answers again.
	b.hold(g, b.leases.next(b.id), c.slots)
	return nil
}

// lower makes the replica's own buckets begin with its share of what is known about those in Redis, instead of full. If
// the level is not known and Redis is slow or in use, Redis may still grant the burst; then the own bucket begins with
// one token.
func (b *Buckets) lower(now time.Time, charges, own []limit.Charge, n int, late bool) {
	for i := range charges {
		l := charges[i].Limit
		if charges[i].Rate() <= 0 {
			continue
		}
		switch tokens, found := b.levels.at(rateKey(bucketName(&charges[i])), l.Rate, l.Burst, now); {
		case found && !late:
			b.local.Lower(now, &own[i], tokens/float64(n))
		case found:
			b.local.Lower(now, &own[i], min(1, tokens/float64(n)))
		case late || b.slow.Load():
			b.local.Lower(now, &own[i], 1)
		}
	}
}

func (b *Buckets) adjustAlone(charges []limit.Charge, cost int) {
	now, own := b.now(), shares(charges, b.replicas())
	b.local.Adjust(now, own, cost)
	for i := range charges {
		if l := charges[i].Limit; l != nil && l.Unit == limit.ResourceUnits && l.Rate > 0 {
			b.owed.add(bucketName(&charges[i]), &charges[i], &own[i], excess(&own[i], cost), now)
		}
	}
}

func (b *Buckets) returnAlone(charges []limit.Charge) {
	now, own := b.now(), shares(charges, b.replicas())
	b.local.Return(now, own)
	for i := range charges {
		if l := charges[i].Limit; l != nil && l.Rate > 0 && !limit.Repeats(charges, i) {
			b.owed.add(bucketName(&charges[i]), &charges[i], &own[i], float64(-cost(&own[i])), now)
		}
	}
}

func (b *Buckets) replicas() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.census.replicas()
}

// shares returns the charges with the n-th part of their limits.
func shares(charges []limit.Charge, n int) []limit.Charge {
	if n <= 1 {
		return charges
	}
	own, limits := make([]limit.Charge, len(charges)), make([]limit.Limit, len(charges))
	for i := range charges {
		own[i] = charges[i]
		if charges[i].Limit != nil {
			limits[i] = share(*charges[i].Limit, n)
			own[i].Limit = &limits[i]
		}
	}
	return own
}

func share(l limit.Limit, n int) limit.Limit {
	l.Rate /= float64(n)
	if l.Rate > 0 {
		l.Burst = max(1, l.Burst/n)
	}
	if l.Concurrency > 0 {
		l.Concurrency = max(1, l.Concurrency/n)
	}
	return l
}

const owedBound = 100_000 // buckets; what is taken from further ones is not recorded: each may grant its burst again

// owed is what this replica took by itself and its own buckets have not yet refilled. When Redis answers again, it is
// taken there, so that nothing is granted twice.
type owed struct {
	mu  sync.Mutex
	all map[string]*debt // by bucketName
}

type debt struct {
	rate, share float64 // the limit's, and this replica's part of it
	burst       int     // the limit's
	tokens      float64
	at          time.Time // the time that tokens is for
}

func (d *debt) settle(now time.Time) {
	if passed := now.Sub(d.at); passed > 0 {
		d.tokens = max(0, d.tokens-passed.Seconds()*d.share)
		d.at = now
	}
}

// add records tokens that were taken, or given back if less than 0. own is the charge to the local bucket.
func (o *owed) add(name string, c, own *limit.Charge, tokens float64, now time.Time) {
	if c.Limit.Rate <= 0 {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	d := o.all[name]
	if d == nil {
		if o.forget(now); len(o.all) >= owedBound {
			return
		}
		d = &debt{rate: c.Limit.Rate, share: own.Limit.Rate, burst: c.Limit.Burst, at: now}
		o.all[name] = d
	}
	d.settle(now)
	d.tokens = max(0, d.tokens+tokens)
}

// forget checks a few debts, in no order, and removes those that are settled.
func (o *owed) forget(now time.Time) {
	if o.all == nil {
		o.all = map[string]*debt{}
	}
	looked := 0
	for name, d := range o.all {
		if d.settle(now); d.tokens == 0 {
			delete(o.all, name)
		}
		if looked++; looked == 4 {
			return
		}
	}
}

// take returns all debts, and empties o.
func (o *owed) take() map[string]*debt {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := o.all
	o.all = nil
	return all
}

// restore puts back what take returned.
func (o *owed) restore(all map[string]*debt) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for name, d := range o.all {
		if old := all[name]; old != nil {
			d.tokens += old.tokens
		}
		all[name] = d
	}
	o.all = all
}

// handOver takes in Redis what was taken without it. When that fails, all of it is sent again later, even if a part has
// arrived: a limit that counts too much is better than one that counts too little.
func (b *Buckets) handOver(ctx context.Context) error {
	all, now := b.owed.take(), b.now()
	corrections := make([]correction, 0, len(all))
	for name, d := range all {
		if d.settle(now); d.tokens > 0 {
			corrections = append(corrections, correction{rateKey(name), d.rate, d.burst, d.tokens})
		}
	}
	err := b.sendCorrections(ctx, corrections)
	if err != nil {
		b.owed.restore(all)
	}
	return err
}
