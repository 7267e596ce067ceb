package auth

import (
	"context"
	"time"
)

// Refusal is what Graph answered with a 401.
type Refusal struct {
	Service string          // the service of Graph that refused; a small set of names
	Claims  ClaimsChallenge // that a new token must carry
	Invalid bool            // Graph says invalid_token (RFC 6750, section 3.1)
}

// definite reports whether Graph refused the token itself. A bare 401 may concern only the resource: OneNote,
// To Do and Planner answer some app-only requests with one.
func (r Refusal) definite() bool { return r.Invalid || r.Claims != "" }

// spare is how long refusals of a service are ignored after it refused a fresh token too.
const spare = 5 * time.Minute

// suspicions is what is known of refusals, by the service that refused and by whether the refusal was definite.
type suspicions map[suspect]*suspicion

type suspect struct {
	service  string
	definite bool
}

// suspicion is the record of one token that a service refused.
type suspicion struct {
	token  *token    // that was refused
	at     time.Time // when it was refused first
	spared time.Time // until then the service's refusals are ignored, because it refused a fresh token too
}

// finds records that the token t was refused, and returns the verdict.
func (all suspicions) finds(t *token, r Refusal, now time.Time) verdict {
	place := suspect{r.Service, r.definite()}
	switch s := all[place]; {
	case s == nil:
	case now.Before(s.spared):
		return known
	case now.Sub(s.at) >= spare:
	case s.token == t:
		return suspicious
	case !t.acquired.Before(s.at):
		s.spared = now.Add(spare)
		return blamed
	}
	all[place] = &suspicion{token: t, at: now}
	return suspicious
}

// verdict is what a refusal was caused by.
type verdict int

const (
	suspicious verdict = iota // the token's, perhaps
	blamed                    // the resource's: it refused a fresh token, too
	known                     // the resource's, as was found before
)

// Renewal is what follows a refusal. The zero Renewal has no newer token.
type Renewal struct {
	source *Source
	place  suspect
	newer  *token  // there already
	flight *flight // that will bring one
	fault  bool
}

// ResourceFault reports whether the refusal is the resource's fault: Graph refused a fresh token for it too.
func (r Renewal) ResourceFault() bool { return r.fault }

// Wait returns a token that is newer than the one that was refused. It waits for the token request under way,
// at most until ctx ends. It reports false when there is no newer token and none can be had now.
func (r Renewal) Wait(ctx context.Context) (Token, bool) {
	if r.newer != nil {
		return Token{r.newer}, true
	}
	if r.flight == nil {
		return Token{}, false
	}
	select {
	case <-r.flight.done:
	case <-ctx.Done():
	}
	if ctx.Err() != nil || r.flight.token == nil {
		return Token{}, false
	}
	return Token{r.flight.token}, true
}

// Taken reports to the source that Graph took the newer token after it had refused the older one. The service's
// next refusal is then about another token again.
func (r Renewal) Taken() {
	if r.source == nil {
		return
	}
	r.source.mu.Lock()
	defer r.source.mu.Unlock()
	delete(r.source.suspicions, r.place)
}

// forced bounds how often a refusal by Graph causes a token request to Entra ID.
type forced struct {
	after time.Time     // no forced request before this
	gap   time.Duration // to the one after
}

// next records a forced request for a token that was refused at the given age. If the refused token was young,
// a forced request probably brought it, and another forced request will probably not help: the gap grows.
func (f *forced) next(now time.Time, age time.Duration) {
	if age > time.Minute {
		f.gap = 0
	}
	f.gap = min(max(2*f.gap, time.Second), time.Minute)
	f.after = now.Add(f.gap)
}

// Refused records that Graph answered 401 to a request with t. It does not wait; the Renewal does.
//
// The token is suspect then: a new one is asked for, and other requests go on using the old one until the new
// one is there. If Graph refused the token itself (claims, or invalid_token), the old one is not used any more.
// If the service refuses also a token that came after its first refusal, the fault is the resource's: for five
// minutes its refusals change nothing.
//
// Refusals force at most one token request a second. If new tokens are refused too, forced requests become
// rarer, down to one a minute. Refusals force no request while Entra ID does not answer, because the scheduled
// attempts are enough.
//
// The attempt that the refusal starts asks for its claims. No later attempt does: claims that Entra ID does not
// take must not prevent every token, and Graph names them again if it still wants them.
func (s *Source) Refused(t Token, r Refusal) Renewal {
	if t.p == nil {
		return Renewal{}
	}
	n, is := s.refused(t.p, r, time.Now().Round(0))
	switch is {
	case blamed:
		s.log.Warn("Graph refused a fresh token as well, so the resource is at fault; "+
			"its refusals are passed on and cause no token requests",
			"service", r.Service, "for", spare)
	case suspicious:
		s.poke()
	}
	return n
}

func (s *Source) refused(t *token, r Refusal, now time.Time) (Renewal, verdict) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := Renewal{source: s, place: suspect{r.Service, r.definite()}}
	current := s.current.Load()
	if current != nil && current != t { // refused late: its successor is there
		n.newer = current
		return n, suspicious
	}
	is := s.suspicions.finds(t, r, now)
	if n.fault = is != suspicious; n.fault {
		return n, is
	}
	n.flight = s.renewSuspect(t, r, now)
	return n, is
}

// renewSuspect returns the attempt that will replace t, or nil when none starts now. The caller has the lock.
func (s *Source) renewSuspect(t *token, r Refusal, now time.Time) *flight {
	away := s.last != nil && now.Before(s.next)
	wished := away && s.last.RetryAfter > 0
	switch {
	case s.stopped:
		return nil
	case s.flight == nil && now.Before(s.forced.after):
		return nil
	case r.definite():
		s.current.Store(nil)
	case s.flight == nil && away:
		return nil
	}
	if s.flight != nil {
		return s.flight
	}
	s.claims = r.Claims
	if wished {
		return nil // without a token our own pause may be skipped, but never the one that Entra asked for
	}
	s.log.Warn("Graph refused the token, asking for a new one", "service", r.Service, "challenged", r.Claims != "")
	s.next = time.Time{}
	s.forced.next(now, now.Sub(t.acquired))
	return s.start()
}
