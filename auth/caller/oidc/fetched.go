package oidc

import (
	"context"
	"errors"
	"sync"
	"time"
)

const (
	fetchTimeout = 10 * time.Second // discovery and keys together
	missPause    = 30 * time.Second // between two fetches for unknown keys
	firstPause   = time.Second      // after the first failure, doubled with each
	longestPause = time.Minute
	ordinaryAge  = time.Hour // of keys, before they are fetched again
	leastAge     = 5 * time.Minute
	mostAge      = 24 * time.Hour
)

// maxWaiting is how many requests wait for the keys of one issuer at once. Further requests are refused at
// once, because a token that names an unknown key costs nothing to make up.
const maxWaiting = 64

var errCrowd = errors.New("too many tokens wait for the issuer's keys")

// fetched is the keys of an issuer that publishes them over HTTP.
type fetched struct {
	keys   *Keys
	issuer string

	mu       sync.Mutex
	set      *keySet       // nil: never fetched
	flight   chan struct{} // closed when the fetch under way has ended; nil: none is
	waiting  int           // requests that wait for it
	forMiss  bool          // the fetch under way was caused by an unknown key
	due      time.Time     // when the set must be fetched again
	missFrom time.Time     // unknown keys cause no fetch before this
	retry    time.Time     // after a failure, no fetch begins before this
	failures int           // in a row
	err      error         // of the last fetch
}

func newFetched(k *Keys, issuer string) *fetched { return &fetched{keys: k, issuer: issuer} }

// current implements keySource. Old and missing keys are fetched in the background.
func (f *fetched) current() *keySet {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.keys.now()
	if f.flight == nil && !now.Before(f.due) && !now.Before(f.retry) {
		f.start()
	}
	return f.set
}

// renew implements keySource.
func (f *fetched) renew(ctx context.Context, had *keySet) (*keySet, error) {
	f.mu.Lock()
	if f.set != had { // another goroutine has replaced it
		defer f.mu.Unlock()
		return f.set, nil
	}
	now := f.keys.now()
	switch {
	case f.flight != nil:
	case now.Before(f.retry), now.Before(f.missFrom):
		defer f.mu.Unlock()
		return f.set, f.err
	default:
		f.start()
		f.forMiss = true
	}
	if f.waiting >= maxWaiting {
		defer f.mu.Unlock()
		return f.set, errCrowd
	}
	f.waiting++
	flight := f.flight
	f.mu.Unlock()

	err := wait(ctx, flight)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.waiting--
	if err == nil {
		err = f.err
	}
	return f.set, err
}

// start starts a fetch; the caller has f.mu. The fetch has a context of its own, so a caller that goes away
// does not end it for others.
func (f *fetched) start() {
	done := make(chan struct{})
	f.flight = done
	go func() {
		defer close(done)
		ctx, cancel := context.WithTimeout(context.Background(), fetchTimeout)
		defer cancel()
		set, age, err := f.keys.fetch(ctx, f.issuer)
		f.finish(set, age, err)
	}()
}

// finish records the result of a fetch. A failure leaves the keys in use.
func (f *fetched) finish(set *keySet, age time.Duration, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.keys.now()
	before, miss := f.failures, f.forMiss
	f.flight, f.forMiss, f.err = nil, false, err
	if err != nil {
		f.retry = now.Add(min(longestPause, firstPause<<min(before, 6)))
		f.failures++
		if before == 0 {
			f.keys.log.Error("the keys of an issuer cannot be fetched, "+
				"those in hand stay in use", "issuer", f.issuer, "err", err)
		}
		return
	}
	f.failures, f.retry, f.due = 0, time.Time{}, now.Add(age)
	if miss {
		f.missFrom = now.Add(missPause)
	}
	if before > 0 {
		f.keys.log.Info("the keys of an issuer can be fetched again", "issuer", f.issuer)
	}
	// If the keys are the same, the set stays, so that cached tokens stay valid.
	if f.set == nil || f.set.digest != set.digest {
		f.set = set
		f.keys.log.Info("an issuer has new keys", "issuer", f.issuer, "keys", len(set.keys))
		f.keys.warnWeak(set, "issuer", f.issuer)
	}
}
