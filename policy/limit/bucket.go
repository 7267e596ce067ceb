package limit

import (
	"hash/maphash"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unique"

	"golang.org/x/time/rate"
)

// DefaultKeys is how many keyed buckets a Limiter made by New holds at most.
const DefaultKeys = 1_000_000

const (
	shards   = 64   // locks; a power of two
	perShard = 1024 // keys at least for each shard, so that an uneven spread of keys does not fill one early
	sweep    = 4    // buckets checked for each one added: more than one, so that idle buckets cannot pile up
	search   = 256  // buckets checked for one to drop when the shard is full: bounds the time under the lock
)

// A Limiter holds the state of all buckets. Make one with New or NewSize and keep it for the life of the process,
// across policies. It is safe for concurrent use.
type Limiter struct {
	seed    maphash.Seed
	shards  []*shard
	handles handles
}

// New returns a Limiter of at most DefaultKeys keyed buckets, all full.
func New() *Limiter { return NewSize(DefaultKeys) }

// NewSize returns a Limiter of at most keys keyed buckets (less than 1 counts as 1). Buckets with an empty key
// are not counted: a policy has as many as it has limits.
//
// A bucket may be dropped only when it is full again and has no slot taken: the bucket that replaces it then
// starts in the same state, so dropping never resets a limit. Each new bucket checks a few old ones, in turn.
// Nothing else drops buckets, and the tables keep their largest size. When there are too many buckets and none
// of the checked ones may be dropped, a request with a new key is refused for a second: it fails closed. Keys
// spread over shards by chance, and each shard has its part of the bound, so with the default this can begin 3
// % below the bound.
func NewSize(keys int) *Limiter {
	keys = max(keys, 1)
	n := shards
	for n > 1 && keys/n < perShard {
		n /= 2
	}
	l := &Limiter{seed: maphash.MakeSeed(), shards: make([]*shard, n)}
	for i := range l.shards {
		l.shards[i] = &shard{order: i, bound: keys / n, buckets: map[identity]*bucket{}}
	}
	return l
}

// Len returns the number of keyed buckets now, including idle ones that have not been dropped yet.
func (l *Limiter) Len() int {
	n := 0
	for _, s := range l.shards {
		s.mu.Lock()
		n += s.keyed
		s.mu.Unlock()
	}
	return n
}

// shard returns the shard of a bucket. The hash has a random seed for each process, so an attacker cannot
// choose keys that fill one shard.
func (l *Limiter) shard(name, key string) *shard {
	h := maphash.String(l.seed, name)*31 + maphash.String(l.seed, key)
	return l.shards[h&uint64(len(l.shards)-1)]
}

// identity identifies a bucket: two charges with the same identity share it. The handle stands for the limit's
// value in 8 bytes instead of 40, and does not keep an old policy in memory as a pointer would.
type identity struct {
	limit unique.Handle[Limit]
	key   string
}

// shard is a part of the buckets under one lock, which guards everything in it but bucket.held.
type shard struct {
	order   int // of locking
	mu      sync.Mutex
	last    time.Time // latest now seen. It outlives dropped buckets, or an old now could fill their successors twice
	bound   int
	keyed   int
	buckets map[identity]*bucket
	ring    []*bucket // the same buckets, in the order in which they are checked
	hand    int
}

// bucket returns the bucket, and adds it if there was none; nil if it cannot be added.
func (s *shard) bucket(id identity, l *Limit) *bucket {
	if b := s.buckets[id]; b != nil {
		return b
	}
	s.drop(sweep)
	if id.key != "" && s.keyed >= s.bound {
		if s.drop(search); s.keyed >= s.bound {
			return nil
		}
	}
	return s.add(id, l)
}

func (s *shard) add(id identity, l *Limit) *bucket {
	id.key = strings.Clone(id.key) // it may be a piece of a request's much longer target
	b := &bucket{id: id}
	if l.Rate > 0 {
		b.rate = rate.NewLimiter(rate.Limit(l.Rate), l.Burst)
	}
	s.buckets[id] = b
	s.ring = append(s.ring, b)
	if id.key != "" {
		s.keyed++
	}
	return b
}

// drop checks the next n buckets, and drops the idle ones.
func (s *shard) drop(n int) {
	for range min(n, len(s.ring)) {
		if s.hand >= len(s.ring) {
			s.hand = 0
		}
		if b := s.ring[s.hand]; b.idle(s.last) {
			s.remove(b)
		} else {
			s.hand++
		}
	}
}

// remove removes b, the bucket to be checked next. The last bucket of the ring takes its place.
func (s *shard) remove(b *bucket) {
	last := len(s.ring) - 1
	s.ring[s.hand], s.ring[last] = s.ring[last], nil
	s.ring = s.ring[:last]
	delete(s.buckets, b.id)
	if b.id.key != "" {
		s.keyed--
	}
}

// bucket is the state of one limit for one key.
type bucket struct {
	id   identity
	rate *rate.Limiter // nil: no rate
	held atomic.Int32  // slots taken: up under the shard's lock, down without
	busy bool          // in use by the Take that has the lock
}

// idle reports whether a new bucket would be in the same state.
func (b *bucket) idle(t time.Time) bool {
	return !b.busy && b.held.Load() == 0 && (b.rate == nil || b.rate.TokensAt(t) >= float64(b.rate.Burst()))
}

// wait returns how long after t the bucket has enough for this cost, and whether it waits for slots.
func (b *bucket) wait(t time.Time, cost int, l *Limit) (d time.Duration, concurrency bool) {
	if b.rate != nil && cost > 0 {
		d = until(b.rate.TokensAt(t), cost, l.Rate)
	}
	if l.Concurrency > 0 && int(b.held.Load()) >= l.Concurrency && d <= unknown {
		return unknown, true
	}
	return d, false
}

// take takes tokens and a slot from a bucket that has them, because wait returned 0 under the same lock.
func (b *bucket) take(t time.Time, cost int, g *Grant) {
	if b.rate != nil && cost > 0 {
		b.rate.AllowN(t, cost)
	}
	if b.id.limit.Value().Concurrency > 0 {
		b.held.Add(1)
		g.hold(b)
	}
}
