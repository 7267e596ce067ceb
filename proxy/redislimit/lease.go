package redislimit

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"graphproxy/policy/limit"
)

const (
	leaseLength = 30 * time.Second // how long a dead replica's slots stay taken
	renewEvery  = 10               // beats; so that two renewals in a row may be lost
	renewChunk  = 500              // leases that one script renews: Redis does nothing else for some milliseconds
)

// leases are the slots that this replica holds, by lease.
type leases struct {
	count atomic.Uint64
	mu    sync.Mutex
	held  map[string][]string // the keys of the slots
}

// next returns a lease that no other request or replica has.
func (l *leases) next(replica string) string {
	return replica + strconv.FormatUint(l.count.Add(1), 36)
}

// hold keeps the lease until g is released.
func (b *Buckets) hold(g *limit.Grant, lease string, keys []string) {
	if len(keys) == 0 {
		return
	}
	b.leases.mu.Lock()
	if b.leases.held == nil {
		b.leases.held = map[string][]string{}
	}
	b.leases.held[lease] = keys
	b.leases.mu.Unlock()
	g.OnRelease(func() { b.giveBack(lease, keys) })
}

// giveBack ends the lease. It removes the lease first: Run sends both the renewals and the outbox, so a renewal that
// still contains the lease is sent before the lease's end.
func (b *Buckets) giveBack(lease string, keys []string) {
	if len(keys) == 0 {
		return
	}
	b.leases.mu.Lock()
	delete(b.leases.held, lease)
	b.leases.mu.Unlock()
	b.outbox.release(lease, keys)
}

// renew renews all leases.
func (b *Buckets) renew(ctx context.Context) error {
	var keys []string
	var args []any
	b.leases.mu.Lock()
	for lease, held := range b.leases.held {
		for _, key := range held {
			keys, args = append(keys, key), append(args, lease)
		}
	}
	b.leases.mu.Unlock()
	for len(keys) > 0 {
		n := min(renewChunk, len(keys))
		with := append([]any{b.clock, leaseLength.Microseconds()}, args[:n]...)
		if err := b.send(ctx, b.scripts.renew, keys[:n], with).Err(); err != nil {
			return err
		}
		keys, args = keys[n:], args[n:]
	}
	return nil
}
