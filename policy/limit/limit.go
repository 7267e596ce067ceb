// Package limit decides whether there is room for a request now: token buckets for rates and slots for concurrency.
//
// A request takes from every bucket that covers it, all or none. Which buckets cover it, and which share one, policy
// decides; what the caller is told, and when a slot is free again, proxy decides. The package reads no clock and starts no
// goroutine: time is an argument, and buckets are dropped when others are added.
package limit

import (
	"math"
	"time"
)

// A Limit bounds requests by rate, by concurrency, or by both. One with neither bounds nothing.
//
// Buckets belong to a Limit's value and not to its address: a policy that is loaded again with the same limit goes on with
// the buckets as they are, and a limit that changed in any field, its name too, starts with full ones. A Limit must not
// be changed once it has been passed to Take.
type Limit struct {
	Name        string  // for messages and the record: "limits.tenant", "callers.hr-sync.limit"
	Rate        float64 // requests per second, at which a bucket fills; 0: no rate
	Burst       int     // requests that a full bucket holds; at least 1 when Rate is not 0, else without meaning
	Concurrency int     // requests in flight at the same time; 0: unbounded
}

// bounded reports whether there is anything to count.
func (l *Limit) bounded() bool { return l.Rate != 0 || l.Concurrency != 0 }

// valid reports whether the limit can be kept. NaN fails the first comparison.
func (l *Limit) valid() bool {
	return l.Rate >= 0 && l.Rate <= math.MaxFloat64 && (l.Rate == 0 || l.Burst >= 1) && l.Concurrency >= 0
}

// A Claim names one bucket: a limit has a bucket for each key.
type Claim struct {
	Limit *Limit
	Key   string // "" for the one bucket of a limit that has no per; copied when it must be kept
}

// A Refusal says which of the claimed buckets is in the way, and how long. When several are, it is the one whose wait is
// longest, and among equal ones the one claimed first.
type Refusal struct {
	Limit       *Limit        // the claim's own; never nil
	Key         string        // the claim's own. It may name a person: for the log's judgement, not for another caller
	RetryAfter  time.Duration // more than 0, to the nanosecond: at now plus this, the bucket has room if nobody else took it
	Concurrency bool          // its slots are all taken; RetryAfter is then a second, because nobody knows when one is free
	Full        bool          // the Limiter holds as many keyed buckets as it may and none can be dropped; a second, too
}
