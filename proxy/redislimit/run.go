package redislimit

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	beatEvery = time.Second     // Redis is used again within this time and the timeout
	beatLasts = 5 * time.Second // a replica without a heartbeat for so long is not counted
	holdsMost = 1000            // holds read at a time; if there are more, those that last longest
)

// Run keeps the entries in Redis alive. Every second it sends a heartbeat of this replica and reads holds. It renews
// leases, sends corrections that no request waits for, and finds out when Redis answers again. When ctx ends, Run gives
// back what it can, closes the connections and returns; later requests do not use Redis. Call it once, and end it after
// the last request.
func (b *Buckets) Run(ctx context.Context) {
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	defer b.leave(ctx)
	b.step(ctx, true)
	for beats := 1; ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			b.step(ctx, beats%renewEvery == 0)
			beats++
		case <-b.outbox.wake:
			b.deliver(ctx)
		}
	}
}

// step sends one heartbeat, and what is due with it.
func (b *Buckets) step(ctx context.Context, renew bool) {
	was := b.up.Load()
	err := b.beat(ctx, b.silence())
	if err == nil && !was { // the connection is open now, so this one measures Redis alone
		err = b.beat(ctx, b.timeout)
	}
	if err == nil && !was {
		err = b.sendWaiting(ctx)
	}
	if err == nil && (renew || !was) {
		err = b.renew(ctx)
	}
	switch {
	case ctx.Err() != nil:
	case err != nil:
		b.suspend(err)
	case !was:
		b.resume()
	default:
		b.deliver(ctx)
	}
}

// deliver sends what waits in the outbox, unless Redis is suspended.
func (b *Buckets) deliver(ctx context.Context) {
	if !b.up.Load() {
		return
	}
	if err := b.sendWaiting(ctx); err != nil && ctx.Err() == nil {
		b.suspend(err)
	}
}

// sendWaiting sends what was taken without Redis, and the outbox. Requests that did not use Redis at the moment when it
// came back may have taken tokens by themselves. The end of ctx does not interrupt it, because entries that have left
// the outbox would be lost; each command has its own deadline.
func (b *Buckets) sendWaiting(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	return errors.Join(b.handOver(ctx), b.flush(ctx))
}

// beat sends the heartbeat of this replica, reads how many replicas there are, and exchanges holds.
func (b *Buckets) beat(ctx context.Context, most time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	now := b.now()
	args := append([]any{b.clock, b.id, beatLasts.Microseconds(), holdsMost}, b.holds.unsent(now)...)
	answer, err := b.send(ctx, b.scripts.beat, []string{replicasKey, holdsKey}, args).Slice()
	if err != nil {
		return fmt.Errorf("heartbeat: %w", err)
	}
	count, ok := int64(0), false
	if len(answer)%2 == 1 {
		count, ok = answer[0].(int64)
	}
	if !ok || count < 1 {
		return errors.New("heartbeat: redis gave an answer that makes no sense")
	}
	b.mu.Lock()
	b.census.count(int(count))
	b.metrics.replicas.Set(float64(b.census.seen()))
	b.mu.Unlock()
	b.holds.sent()
	b.holds.receive(b.now(), answer[1:])
	return nil
}

// leave removes this replica from those that Redis counts.
func (b *Buckets) leave(ctx context.Context) {
	b.closed.Store(true)
	if b.up.Swap(false) {
		ctx, cancel := b.within(context.WithoutCancel(ctx))
		defer cancel()
		_ = b.handOver(ctx)
		_ = b.flush(ctx) // leases that are not given back end by themselves
		_ = b.client.ZRem(ctx, replicasKey, b.id).Err()
	}
	_ = b.client.Close()
}

// census remembers the last counts of replicas, and the largest of them counts. A Redis that was restarted counts no
// replica at first; if it failed again then, each replica would take the whole limit as its share.
type census struct {
	last  [10]int
	next  int
	least int // Options.Replicas
}

func (c *census) count(n int) {
	c.last[c.next] = n
	c.next = (c.next + 1) % len(c.last)
}

func (c *census) replicas() int { return max(c.least, c.seen()) }

// seen returns the largest of the last counts.
func (c *census) seen() int {
	most := 1
	for _, n := range c.last {
		most = max(most, n)
	}
	return most
}
