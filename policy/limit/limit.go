// Package limit decides whether a request may go on now: token buckets for rates and slots for concurrency.
//
// A request takes from every bucket that covers it, all or none. Package policy decides which buckets cover a
// request and which requests share one. Package proxy decides what the caller is answered, and when a slot is
// free again. This package reads no clock and starts no goroutine: time is an argument, and buckets are dropped
// when others are added.
package limit

import (
	"math"
	"time"
)

// A Limit bounds requests by rate, by concurrency, or by both. One with neither bounds nothing.
//
// Buckets belong to the value of a Limit and not to its address. After a reload of the policy, a limit with the
// same value goes on with its buckets, and a limit that changed in any field except Wait, also its name, starts
// with full ones. A Limit must not be changed after it has been passed to Take.
type Limit struct {
	Name        string        // for messages and the record: "limits.tenant", "callers.hr-sync.limit"
	Rate        float64       // units per second, at which a bucket fills; 0: no rate
	Burst       int           // units that a full bucket contains; at least 1 when Rate is not 0, else without meaning
	Concurrency int           // requests in flight at the same time, for each unit; 0: unbounded
	Unit        Unit          // what Rate and Burst count
	Wait        time.Duration // how long a request may wait; 0: not at all. Take ignores it: package queue waits
}

// A Unit is what a rate counts. The zero Unit is Requests.
type Unit uint8

// The units that there are.
const (
	Requests      Unit = iota // each request is one
	ResourceUnits             // each request is the number of units that Graph charges; see policy/graph/service
)

// String returns the unit as a policy writes it.
func (u Unit) String() string {
	if u == ResourceUnits {
		return "resource-units"
	}
	return "requests"
}

// value identifies the buckets of a limit: all fields that the content of a bucket depends on.
func (l *Limit) value() Limit {
	v := *l
	v.Wait = 0
	return v
}

// bounded reports whether there is anything to count.
func (l *Limit) bounded() bool { return l.Rate != 0 || l.Concurrency != 0 }

// valid reports whether the limit can be enforced. NaN fails the first comparison.
func (l *Limit) valid() bool {
	return l.Rate >= 0 && l.Rate <= math.MaxFloat64 && (l.Rate == 0 || l.Burst >= 1) && l.Concurrency >= 0
}

// A Charge names one bucket: a limit has a bucket for each key.
type Charge struct {
	Limit *Limit
	Key   string // "" for the one bucket of a limit that has no per; copied when it must be kept
	Cost  int    // units to take; less than 1 counts as 1, more than Limit.Burst as Limit.Burst
	Slot  bool   // take only a slot, and no units: the rate of the limit does not count
}

// Rate returns the rate that bounds the charge; 0 is none.
func (c *Charge) Rate() float64 {
	if c.Slot {
		return 0
	}
	return c.Limit.Rate
}

// tokens returns what a charge takes. A cost above the burst takes the whole bucket, or it could never be
// granted: such a request goes through when the bucket is full, and Adjust takes the difference as a debt.
func (c *Charge) tokens() int {
	if c.Slot {
		return 0
	}
	return max(1, min(c.Cost, c.Limit.Burst))
}

// A Refusal names the charged bucket that refused, and how long to wait. If several refused, it names the one
// with the longest wait, and among equal ones the one charged first.
type Refusal struct {
	Limit *Limit // the charge's own; never nil
	Key   string // the charge's own. It may name a person: never in another caller's answer
	// more than 0, to the nanosecond: at now plus this, the bucket has enough if no other request took it
	RetryAfter time.Duration
	Remaining  int // whole units that are left in it, fewer than the charge's cost; 0 for slots and for Full
	// its slots are all taken; RetryAfter is then a second, because the time when one is free is unknown
	Concurrency bool
	Full        bool // the Limiter has as many keyed buckets as it may and can drop none; RetryAfter is a second
}
