package redislimit

import (
	"sync"
	"time"
)

const levelsBound = 100_000 // buckets whose level is kept; beyond it an arbitrary one is removed for each new one

// levels are what this replica knows about the buckets in Redis, by their keys there.
type levels struct {
	mu  sync.Mutex
	all map[string]known
}

// known is what a bucket held at a time.
type known struct {
	tokens float64
	at     time.Time
}

// record records what a bucket held, according to the answer to a command that was sent at the time asked.
func (l *levels) record(key string, tokens float64, asked time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all == nil {
		l.all = map[string]known{}
	}
	old, found := l.all[key]
	if found && old.at.After(asked) {
		return // a late answer
	}
	if !found && len(l.all) >= levelsBound {
		for oldKey := range l.all {
			delete(l.all, oldKey)
			break
		}
	}
	l.all[key] = known{tokens, asked}
}

// at returns what a bucket holds now as far as this replica knows. Other replicas may have taken tokens since.
func (l *levels) at(key string, rate float64, burst int, now time.Time) (tokens float64, found bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	k, found := l.all[key]
	if !found {
		return 0, false
	}
	return min(float64(burst), k.tokens+max(0, now.Sub(k.at).Seconds())*rate), true
}

// hint returns the argument of a script for what a bucket holds now: "" where that is not known.
func (l *levels) hint(key string, rate float64, burst int, now time.Time) string {
	tokens, found := l.at(key, rate, burst, now)
	if !found {
		return ""
	}
	return number(tokens)
}
