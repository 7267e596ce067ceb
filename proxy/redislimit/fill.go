package redislimit

import (
	"sync"
	"time"
)

// fills are what this replica saw of buckets and slots in Redis, by their keys there. Like levels they are bounded.
type fills struct {
	mu  sync.Mutex
	all map[string]seen
}

// seen is a bucket, or the slots, of a limit as Redis answered.
type seen struct {
	name        string // of the limit
	rate        float64
	burst       int // 0: of slots
	tokens      float64
	slots, held int
	at          time.Time
}

// record records what an answer said, unless a later one was recorded.
func (r *fills) record(key string, s seen) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.all == nil {
		r.all = map[string]seen{}
	}
	old, found := r.all[key]
	if found && old.at.After(s.at) {
		return // a late answer
	}
	if !found && len(r.all) >= levelsBound {
		for oldKey := range r.all {
			delete(r.all, oldKey)
			break
		}
	}
	r.all[key] = s
}

// fill is how much was left, and will have been refilled at now if no other replica took from it. Of slots that were
// taken longer ago than a lease lasts, nothing is known.
func (s seen) fill(now time.Time) float64 {
	since := max(0, now.Sub(s.at))
	switch {
	case s.burst > 0:
		return min(1, max(0, (s.tokens+since.Seconds()*s.rate)/float64(s.burst)))
	case since < leaseLength:
		return max(0, 1-float64(s.held)/float64(s.slots))
	}
	return 1
}

// Fill returns the fill that limits have, by name, from 0 (none) to 1 (all), as far as this replica knows from what
// Redis answered to its own requests. Of several buckets it is the least. While Redis is gone it is the fill in the
// replica's own buckets. A limit that is left out has all.
func (b *Buckets) Fill() map[string]float64 {
	now := b.now()
	if !b.up.Load() {
		return b.local.Fill(now)
	}
	b.fills.mu.Lock()
	defer b.fills.mu.Unlock()
	fill := map[string]float64{}
	for key, s := range b.fills.all {
		left := s.fill(now)
		if left == 1 {
			delete(b.fills.all, key) // it is as if it had never been asked for
			continue
		}
		if least, found := fill[s.name]; !found || left < least {
			fill[s.name] = left
		}
	}
	return fill
}
