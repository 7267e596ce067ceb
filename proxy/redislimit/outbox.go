package redislimit

import (
	"context"
	"fmt"
	"sync"

	"github.com/redis/go-redis/v9"
)

const (
	outboxBound = 65_536 // entries of each kind; beyond it new ones are dropped: only without Redis do so many wait
	outboxChunk = 500
)

// outbox is what is sent to Redis without a request that waits for it.
type outbox struct {
	mu          sync.Mutex
	ends        []ended
	corrections []correction
	wake        chan struct{} // holds one value when there is a new entry
}

// ended is a slot whose lease has ended. If it is dropped, the slot is free when the lease runs out.
type ended struct{ lease, key string }

// correction is tokens to take from a bucket, or to give back if less than 0.
type correction struct {
	key   string
	rate  float64
	burst int
	take  float64
}

func newOutbox() outbox { return outbox{wake: make(chan struct{}, 1)} }

func (o *outbox) release(lease string, keys []string) {
	o.mu.Lock()
	for _, key := range keys {
		if len(o.ends) < outboxBound {
			o.ends = append(o.ends, ended{lease, key})
		}
	}
	o.mu.Unlock()
	o.ring()
}

func (o *outbox) adjust(c correction) {
	if c.take == 0 {
		return
	}
	o.mu.Lock()
	if len(o.corrections) < outboxBound {
		o.corrections = append(o.corrections, c)
	}
	o.mu.Unlock()
	o.ring()
}

func (o *outbox) ring() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// take returns all entries, and empties o.
func (o *outbox) take() ([]ended, []correction) {
	o.mu.Lock()
	defer o.mu.Unlock()
	ends, corrections := o.ends, o.corrections
	o.ends, o.corrections = nil, nil
	return ends, corrections
}

// flush sends what is in the outbox. What fails is not sent again: slots become free when their leases end, and a lost
// correction matters little.
func (b *Buckets) flush(ctx context.Context) error {
	ends, corrections := b.outbox.take()
	for len(ends) > 0 {
		n := min(outboxChunk, len(ends))
		if err := b.sendEnds(ctx, ends[:n]); err != nil {
			return err
		}
		ends = ends[n:]
	}
	return b.sendCorrections(ctx, corrections)
}

func (b *Buckets) sendEnds(ctx context.Context, ends []ended) error {
	ctx, cancel := b.within(ctx)
	defer cancel()
	_, err := b.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, e := range ends {
			p.ZRem(ctx, e.key, e.lease)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("giving slots back: %w", err)
	}
	return nil
}

func (b *Buckets) sendCorrections(ctx context.Context, all []correction) error {
	now := b.now()
	for len(all) > 0 {
		n := min(outboxChunk, len(all))
		keys, args := make([]string, 0, n), make([]any, 0, 1+4*n)
		args = append(args, b.clock)
		for _, c := range all[:n] {
			keys, args = append(keys, c.key), append(args, number(c.rate), c.burst, number(c.take),
				b.levels.hint(c.key, c.rate, c.burst, now))
		}
		restored, err := b.send(ctx, b.scripts.adjust, keys, args).Int()
		if err != nil {
			return fmt.Errorf("adjusting: %w", err)
		}
		b.metrics.restored.Add(float64(max(0, restored)))
		all = all[n:]
	}
	return nil
}

// send runs a script, and waits for the answer as long as silence allows.
func (b *Buckets) send(ctx context.Context, s *redis.Script, keys []string, args []any) *redis.Cmd {
	ctx, cancel := b.within(ctx)
	defer cancel()
	return s.Run(ctx, b.client, keys, args...)
}
