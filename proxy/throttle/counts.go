package throttle

import (
	"math"
	"sync/atomic"
	"time"

	"graphproxy/policy/graph/service"
)

// Counts are what happened at one of Graph's services since the Memory was made.
type Counts struct {
	Service   string // in one word: "outlook"
	Throttled uint64 // answers that refused a request: 429, 503 and 509
	Held      uint64 // requests that Check held back
	Holding   int    // scopes that are held back: since a refusal, and until Graph took a request again
	// x-ms-throttle-limit-percentage, the greatest of about a minute: 1 is the whole limit. 0: none came
	Percentage float64
}

// Counts returns what happened at each service. It takes no lock.
func (m *Memory) Counts(now time.Time) []Counts {
	all := make([]Counts, 0, service.Count)
	for i := range m.counts {
		c := &m.counts[i]
		all = append(all, Counts{
			Service:    service.Service(i).String(),
			Throttled:  c.throttled.Load(),
			Held:       c.held.Load(),
			Holding:    int(m.shards[i].held.Load()),
			Percentage: c.percentage(now),
		})
	}
	return all
}

// shown is how long the greatest percentage is shown. It is longer than the intervals at which metrics are read.
const shown = time.Minute

// mostShown bounds the percentage. Graph says at most 1.8.
const mostShown = 100

// counts are those of one service.
type counts struct {
	throttled, held atomic.Uint64
	share           atomic.Pointer[share] // the greatest percentage of late
}

// share is a percentage that Graph said, and when.
type share struct {
	value float64
	at    time.Time
}

func (c *counts) note(now time.Time, refused bool, info limitInfo) {
	if refused {
		c.throttled.Add(1)
	}
	if info.share <= 0 {
		return
	}
	info.share = math.Min(info.share, mostShown)
	if info.share >= c.percentage(now) {
		c.share.Store(&share{info.share, now})
	}
}

func (c *counts) percentage(now time.Time) float64 {
	if s := c.share.Load(); s != nil && now.Sub(s.at) < shown {
		return s.value
	}
	return 0
}
