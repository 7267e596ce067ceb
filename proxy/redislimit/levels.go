package redislimit

import (
	"sync"
	"time"
)

const levelsBound = 100_000 // buckets whose level is known; of more, any are forgotten

// levels are what this replica knows of the buckets in Redis, by their keys there.
type levels struct {
	mu  sync.Mutex
	all map[string]known
}

// known is what a bucket held when Redis was asked.
type known struct {
	tokens float64
	at     time.Time
}

// learn notes what a bucket held in an answer to a question that was asked at the given time.
func (l *levels) learn(key string, tokens float64, asked time.Time) {
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
		for any := range l.all {
			delete(l.all, any)
			break
		}
	}
	l.all[key] = known{tokens, asked}
}

// at returns what a bucket holds now, as far as this replica knows: others may have taken since.
func (l *levels) at(key string, rate float64, burst int, now time.Time) (tokens float64, found bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	k, found := l.all[key]
	if !found {
		return 0, false
	}
	return min(float64(burst), k.tokens+max(0, now.Sub(k.at).Seconds())*rate), true
}

// hint is the argument of a script that says what a bucket holds now: "" where that is not known.
func (l *levels) hint(key string, rate float64, burst int, now time.Time) string {
	tokens, found := l.at(key, rate, burst, now)
	if !found {
		return ""
	}
	return number(tokens)
}
