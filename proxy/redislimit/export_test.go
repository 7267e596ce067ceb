package redislimit

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"
)

// Parse is how Open reads an address.
func Parse(address string) (*redis.UniversalOptions, error) { return parse(address) }

// SetClock makes Redis go by this time, as if it were its own. Not while anything else is under way.
func (b *Buckets) SetClock(t time.Time) { b.clock = t.UnixMicro() }

// Step is one beat of Run.
func (b *Buckets) Step(ctx context.Context, renew bool) { b.step(ctx, renew) }

// Flush sends what no request waits for.
func (b *Buckets) Flush(ctx context.Context) error { return b.flush(ctx) }
