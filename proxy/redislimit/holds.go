package redislimit

import (
	"sync"
	"time"
)

// holdSlack is how much later a hold must end to count as changed: a smaller difference comes from round trips.
const holdSlack = 500 * time.Millisecond

// Hold reports to the other replicas that key is held until then, by Options.Now. They receive it within two seconds.
// The package does not interpret key; it stands in Redis as it is, until its time has passed. A hold that ends before
// the one that is known changes nothing. While Redis does not answer, holds wait; those that are over by then are not
// sent.
func (b *Buckets) Hold(key string, until time.Time) { b.holds.add(key, until) }

// holds are the holds that this replica knows.
type holds struct {
	notify func(key string, until time.Time)
	mu     sync.Mutex
	all    map[string]*held
}

type held struct {
	until         time.Time
	unsent, going bool
}

func newHolds(notify func(string, time.Time)) holds {
	return holds{notify: notify, all: map[string]*held{}}
}

func (h *holds) add(key string, until time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if known := h.all[key]; known != nil && !until.After(known.until) {
		return
	}
	h.all[key] = &held{until: until, unsent: true}
}

// unsent returns the holds that must be sent, as arguments of the script, and removes those that are over.
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

// sent records that what unsent returned has arrived.
func (h *holds) sent() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, hold := range h.all {
		if hold.going {
			hold.unsent, hold.going = false, false
		}
	}
}

// receive reads what the script returned: keys, and how long each is still held, in microseconds.
func (h *holds) receive(now time.Time, answer []any) {
	if h.notify == nil {
		return
	}
	for i := 0; i+1 < len(answer); i += 2 {
		key, isKey := answer[i].(string)
		left, isTime := answer[i+1].(int64)
		if until := now.Add(time.Duration(left) * time.Microsecond); isKey && isTime && left > 0 && h.update(key, until) {
			h.notify(key, until)
		}
	}
}

// update records a hold, and reports whether it is new or ends later than the one that was known.
func (h *holds) update(key string, until time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	known := h.all[key]
	if known != nil && until.Before(known.until.Add(holdSlack)) {
		return false
	}
	h.all[key] = &held{until: until}
	return true
}
