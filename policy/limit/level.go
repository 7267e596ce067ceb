package limit

import "time"

// Level is what a bucket has at one moment.
type Level struct {
	Tokens float64 // units that are left; 0 for a limit without a rate
	Held   int     // slots that are taken; 0 for a limit without concurrency
}

// Level returns what the bucket of a charge has now. It takes nothing and adds no bucket: one that is not there is
// full. The charge's limit must be one that Take accepts.
func (l *Limiter) Level(now time.Time, c *Charge) Level {
	s := l.shard(c.Limit.Name, c.Key)
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.buckets[identity{l.handles.of(c.Limit), c.Key}]
	if b == nil {
		return Level{Tokens: full(c.Limit)}
	}
	level := Level{Held: int(b.held.Load())}
	if b.rate != nil {
		if s.last.After(now) {
			now = s.last
		}
		level.Tokens = b.rate.TokensAt(now)
	}
	return level
}

func full(l *Limit) float64 {
	if l.Rate == 0 {
		return 0
	}
	return float64(l.Burst)
}

// Has reports whether a bucket at this level has enough for the charge.
func (level Level) Has(c *Charge) bool {
	return (c.Rate() == 0 || until(level.Tokens, c.tokens(), c.Limit.Rate) == 0) &&
		(c.Limit.Concurrency == 0 || level.Held < c.Limit.Concurrency)
}

// Same reports whether two charges take the same from the same bucket.
func (c *Charge) Same(other *Charge) bool {
	return c.Key == other.Key && c.Slot == other.Slot && c.tokens() == other.tokens() &&
		c.Limit.value() == other.Limit.value()
}
