package limit

import "time"

// lookedAt is how many buckets Fill reads under a lock at a time.
const lookedAt = 256

// Fill returns the free capacity of each limit at now, by its name: from 0 (none) to 1 (all), the least of its
// buckets. A limit without a bucket, because nothing was taken from it or all of it is back, is left out.
// Buckets that are added or dropped in the meantime may be missed.
//
// It is safe for concurrent use. It takes no lock for longer than a Take does at worst.
func (l *Limiter) Fill(now time.Time) map[string]float64 {
	fill := map[string]float64{}
	for _, s := range l.shards {
		for from := 0; ; from += lookedAt {
			if !s.fill(fill, now, from) {
				break
			}
		}
	}
	return fill
}

// fill records the free capacity of some buckets, from the given place of the ring. It reports whether there
// are more.
func (s *shard) fill(fill map[string]float64, now time.Time, from int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last.After(now) {
		now = s.last
	}
	to := min(from+lookedAt, len(s.ring))
	for i := from; i < to; i++ {
		b := s.ring[i]
		name, left := b.id.limit.Value().Name, b.fill(now)
		if least, found := fill[name]; !found || left < least {
			fill[name] = left
		}
	}
	return to < len(s.ring)
}

// fill returns the free part of the bucket: of its tokens or of its slots, the smaller of both.
func (b *bucket) fill(now time.Time) float64 {
	left := 1.0
	if b.rate != nil {
		left = max(0, b.rate.TokensAt(now)/float64(b.rate.Burst()))
	}
	if slots := b.id.limit.Value().Concurrency; slots > 0 {
		left = min(left, max(0, 1-float64(b.held.Load())/float64(slots)))
	}
	return min(1, left)
}
