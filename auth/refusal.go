package auth

import (
	"context"
	"time"
)

// Refusal is what Graph said when it answered 401.
type Refusal struct {
	Service string          // of Graph's that refused; a small set of names
	Claims  ClaimsChallenge // that a new token shall carry
	Invalid bool            // Graph says invalid_token (RFC 6750, section 3.1)
}

// definite reports whether Graph said that the token itself does not do. A bare 401 may be about the resource alone:
// OneNote, To Do and Planner answer some app-only requests so.
func (r Refusal) definite() bool { return r.Invalid || r.Claims != "" }

// spare is how long a token is left alone for a service that refused a fresh one too.
const spare = 5 * time.Minute

// suspicions are what is known of refusals, by the service that refused and by whether it was definite.
type suspicions map[suspect]*suspicion

type suspect struct {
	service  string
	definite bool
}

// suspicion is about one token that a service refused.
type suspicion struct {
	token  *token    // that was refused
	at     time.Time // when it was refused first
	spared time.Time // until when refusals of the service count for nothing, because it refused a fresh token too
}

// finds takes in that the token t was refused, and reports what that means.
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

// verdict says whose fault a refusal is.
type verdict int

const (
	suspicious verdict = iota // the token's, perhaps
	blamed                    // the resource's: it refused a fresh token, too
	known                     // the resource's, as was found before
)

// Renewal is what follows a refusal. The zero Renewal has no other token.
type Renewal struct {
	source *Source
	place  suspect
	newer  *token  // there already
	flight *flight // that will bring one
	fault  bool
}

// ResourceFault reports whether the refusal is the resource's fault: Graph refused a fresh token there, too.
func (r Renewal) ResourceFault() bool { return r.fault }

// Wait returns a token that is newer than the one that was refused. It waits for the token request under way, at most
// until ctx ends. It reports false when there is no such token, and none is to be had now.
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

// Taken reports to the source that Graph took the newer token where it had refused the older one: the next refusal
// there is about another token again.
func (r Renewal) Taken() {
	if r.source == nil {
		return
	}
	r.source.mu.Lock()
	defer r.source.mu.Unlock()
	delete(r.source.suspicions, r.place)
}

// forced bounds how often a refusal by Graph makes us ask Entra ID.
type forced struct {
	after time.Time     // no forced request before this
	gap   time.Duration // to the one after
}

// next notes a forced request for a token that was refused at the given age. One that was refused young came of a
// forced request itself, most likely, and the next will fare no better.
func (f *forced) next(now time.Time, age time.Duration) {
	if age > time.Minute {
		f.gap = 0
	}
	f.gap = min(max(2*f.gap, time.Second), time.Minute)
	f.after = now.Add(f.gap)
}

// Refused takes in that Graph answered 401 to a request with t. It does not wait; the Renewal does.
//
// The token is suspect then: a new one is asked for, and the old one is served to others until the new one is there.
// Where Graph says that the token itself does not do (claims, or invalid_token), the old one is served no more. When
// the service refuses a token too that came after its first refusal, the fault is the resource's: for five minutes its
// refusals change nothing.
//
// A refusal may force one token request a second, and when new tokens are refused too fewer and fewer, down to one a
// minute. It forces none while Entra ID does not answer: the attempts that are due anyway are enough.
//
// The attempt that the refusal starts asks for its claims. No later one does: claims that Entra ID does not take must
// not stand in the way of every token, and Graph names them again if it still wants them.
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

// renewSuspect returns the attempt that will replace t, or nil when none starts now. The lock is held.
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
		return nil // our own pause gives way where there is no token left, and Entra's wish does not
	}
	s.log.Warn("Graph refused the token, asking for a new one", "service", r.Service, "challenged", r.Claims != "")
	s.next = time.Time{}
	s.forced.next(now, now.Sub(t.acquired))
	return s.start()
}
