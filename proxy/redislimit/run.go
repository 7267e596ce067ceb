package redislimit

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	beatEvery = time.Second     // so Redis is found again within one, and its timeout
	beatLasts = 5 * time.Second // a replica that has not been heard of for so long is not counted
	holdsMost = 1000            // hold-backs read at a time; of more, those that last longest
)

// Run keeps what is in Redis alive: it says every second that this replica lives, renews leases, sends what nobody
// waits for, reads hold-backs, and finds Redis again when it was lost. It returns when ctx ends, having given back what
// it can, and closes the connections: later requests are without Redis. Call it once; end it after the last request.
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

// step is one beat, and what is due with it.
func (b *Buckets) step(ctx context.Context, renew bool) {
	was := b.up.Load()
	err := b.beat(ctx, b.silence())
	if err == nil && !was { // the connection is open now, so Redis shows how quick it is
		err = b.beat(ctx, b.timeout)
	}
	if err == nil && !was {
		err = errors.Join(b.handOver(ctx), b.flush(ctx))
	}
	if err == nil && (renew || !was) {
		err = b.renew(ctx)
	}
	switch {
	case ctx.Err() != nil:
	case err != nil:
		b.lost(err)
	case !was:
		b.found()
	default:
		b.deliver(ctx)
	}
}

// deliver sends what waits, unless Redis is away: then it goes on waiting.
func (b *Buckets) deliver(ctx context.Context) {
	if !b.up.Load() {
		return
	}
	// Requests that were still without Redis when it came back may owe something.
	if err := errors.Join(b.handOver(ctx), b.flush(ctx)); err != nil && ctx.Err() == nil {
		b.lost(err)
	}
}

// beat says that this replica lives, hears how many do, and exchanges hold-backs.
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
	b.holds.hear(b.now(), answer[1:])
	return nil
}

// leave tells the others that there is one replica less.
func (b *Buckets) leave(ctx context.Context) {
	b.closed.Store(true)
	if b.up.Swap(false) {
		ctx, cancel := b.within(context.WithoutCancel(ctx))
		defer cancel()
		_ = b.flush(ctx) // what is not given back runs out by itself
		_ = b.client.ZRem(ctx, replicasKey, b.id).Err()
	}
	_ = b.client.Close()
}

// census remembers the last counts of replicas. The largest of them counts: a Redis that starts again has heard of
// nobody, and whoever believed it would take the whole limit as its share if it went away once more.
type census struct {
	last  [10]int
	next  int
	least int // that were declared
}

func (c *census) count(n int) {
	c.last[c.next] = n
	c.next = (c.next + 1) % len(c.last)
}

func (c *census) replicas() int { return max(c.least, c.seen()) }

// seen is how many Redis has heard of.
func (c *census) seen() int {
	most := 1
	for _, n := range c.last {
		most = max(most, n)
	}
	return most
}
