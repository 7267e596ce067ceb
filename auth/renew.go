package auth

import (
	"context"
	"time"
)

// longestSleep bounds how long Run trusts its timer: timers stand still while a machine is suspended, but
// tokens expire.
const longestSleep = time.Minute

// Run acquires the first token at once, renews it in time, tries again after failures even without requests,
// and reads the credential's file again when it changes. It returns when ctx ends and the attempt under way has
// been given up. From then on the current token is served as long as it lives, and no new one is asked for.
// Call it once, in a goroutine.
func (s *Source) Run(ctx context.Context) {
	defer s.stop()
	var looks <-chan time.Time
	if s.credential.file != nil {
		ticker := time.NewTicker(s.poll)
		defer ticker.Stop()
		looks = ticker.C
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		timer.Reset(s.due())
		select {
		case <-ctx.Done():
			return
		case <-looks:
			if s.refreshCredential(ctx, false) {
				s.renewNow()
			}
		case <-timer.C:
		case <-s.wake:
		}
	}
}

// due starts an attempt if it is time for one, and returns the time until it must be called again.
func (s *Source) due() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.flight != nil || s.stopped {
		return longestSleep // the end of the attempt wakes Run
	}
	now := time.Now()
	at := s.next
	if t := s.current.Load(); t != nil {
		// After a failure only the pause counts: the attempt may have been for a new credential, long before the renewal.
		if s.last == nil {
			at = t.refresh
		}
		// Tokens that have nearly expired when they come must not cause a loop.
		if soonest := t.acquired.Add(time.Second); soonest.After(at) {
			at = soonest
		}
	}
	if wait := at.Sub(now); wait > 0 {
		return min(wait, longestSleep)
	}
	s.start()
	return longestSleep
}

// start begins an attempt. The caller has the lock, and no attempt is under way.
func (s *Source) start() *flight {
	ctx, cancel := context.WithTimeout(context.Background(), attemptTimeout)
	f := &flight{cancel: cancel, claims: s.claims, done: make(chan struct{})}
	s.flight, s.claims = f, ""
	go s.attempt(ctx, f)
	return f
}

// attempt asks for a token once, with the credential as it is on disk now.
func (s *Source) attempt(ctx context.Context, f *flight) {
	defer f.cancel()
	s.refreshCredential(ctx, false)
	cred := s.credential.used.Load()
	if err := cred.valid(time.Now()); err != nil {
		s.finish(f, acquired{}, err)
		return
	}
	got, err := s.acquire(ctx, cred, f.claims)
	s.finish(f, got, err)
}

// finish records the outcome of an attempt and wakes the callers that wait for it.
func (s *Source) finish(f *flight, got acquired, err *Error) {
	now := time.Now()
	var t *token
	if err == nil {
		var ok bool
		if t, ok = newToken(got, now, jitter()); !ok {
			err = &Error{Cause: "the answer held no token that can be used", Cure: "check the clock of this " +
				"machine, and what answers in Entra's place"}
		}
	}
	var writeLog func()
	s.mu.Lock()
	s.flight = nil
	if err == nil {
		f.token = t
		writeLog = s.succeeded(t)
	} else {
		f.err, writeLog = s.failedWith(err, now)
	}
	if s.again && !s.stopped {
		f.retry = err != nil
		s.start()
	}
	s.again = false
	s.mu.Unlock()
	writeLog()
	close(f.done)
	s.poke()
}

// succeeded takes a new token into use. The caller has the lock, and calls writeLog after releasing it.
func (s *Source) succeeded(t *token) (writeLog func()) {
	s.current.Store(t)
	s.tokens++
	writeLog = s.tokenLog(t, s.last != nil || s.tokens == 1)
	s.failures, s.next, s.last = 0, time.Time{}, nil
	return writeLog
}

// failedWith records a failure and returns it in the form for waiting callers. The caller has the lock, and
// calls writeLog after releasing it.
func (s *Source) failedWith(err *Error, now time.Time) (forCallers *Error, writeLog func()) {
	if s.stopped {
		return err, func() {} // given up by us: nothing is wrong
	}
	s.countFailure(err.Code)
	s.failures++
	var left time.Duration
	if t := s.usable(now); t != nil {
		left = t.usable.Sub(now)
	}
	wait := pause(s.failures, left, err.RetryAfter, jitter())
	s.next, s.last = now.Add(wait), err
	return err.until(wait), s.failureLog(err, now, left, wait)
}

// renewNow asks for a token with a new credential and ignores pauses: while the old token lives there is time
// to find a mistake.
func (s *Source) renewNow() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failures, s.next = 0, time.Time{}
	switch {
	case s.stopped:
	case s.flight != nil:
		s.again = true
	default:
		s.start()
	}
}

// poke wakes Run.
func (s *Source) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// stop ends the source's work and waits for the attempt under way to end.
func (s *Source) stop() {
	s.mu.Lock()
	s.stopped = true
	f := s.flight
	s.mu.Unlock()
	if f != nil {
		f.cancel()
		<-f.done
	}
}
