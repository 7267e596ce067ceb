package redislimit

import (
	"sync"
	"time"
)

// a hold-back that ends so much later than before is news: below are round trips
const holdSlack = 500 * time.Millisecond

// Hold tells the other replicas that something is held back until then, by Options.Now; they hear of it within two
// seconds. What key means is theirs and the caller's; it stands in Redis as it is, until its time is up. One that ends
// earlier than what is known changes nothing. While Redis is away the other replicas are not told, unless it is back in
// time.
func (b *Buckets) Hold(key string, until time.Time) { b.holds.add(key, until) }

// holds are the hold-backs known here.
type holds struct {
	tell func(key string, until time.Time)
	mu   sync.Mutex
	all  map[string]*held
}

type held struct {
	until         time.Time
	unsent, going bool
}

func newHolds(tell func(string, time.Time)) holds {
	return holds{tell: tell, all: map[string]*held{}}
}

func (h *holds) add(key string, until time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if known := h.all[key]; known != nil && !until.After(known.until) {
		return
	}
	h.all[key] = &held{until: until, unsent: true}
}

// unsent returns the arguments for the script, and forgets what is over.
func (h *holds) unsent(now time.Time) []any {
	h.mu.Lock()
	defer h.mu.Unlock()
	var args []any
	for key, hold := range h.all {
		left := hold.until.Sub(now)
		if left <= 0 {
			delete(h.all, key)
			continue
		}
		if hold.unsent && len(args) < 2*holdsMost {
			args = append(args, key, left.Microseconds())
			hold.going = true
		}
	}
	return args
}

// sent is told that what unsent returned has arrived.
func (h *holds) sent() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, hold := range h.all {
		if hold.going {
			hold.unsent, hold.going = false, false
		}
	}
}

// hear takes what the script returned: keys, and how long each lasts in microseconds.
func (h *holds) hear(now time.Time, answer []any) {
	if h.tell == nil {
		return
	}
	for i := 0; i+1 < len(answer); i += 2 {
		key, isKey := answer[i].(string)
		left, isTime := answer[i+1].(int64)
		if until := now.Add(time.Duration(left) * time.Microsecond); isKey && isTime && left > 0 && h.learn(key, until) {
			h.tell(key, until)
		}
	}
}

// learn reports whether this is news.
func (h *holds) learn(key string, until time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	known := h.all[key]
	if known != nil && until.Before(known.until.Add(holdSlack)) {
		return false
	}
	h.all[key] = &held{until: until}
	return true
}
