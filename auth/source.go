package auth

import (
	"context"
	"crypto/x509"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Options are settings of a Source that do not belong to the app registration. The zero value is good for
// production.
type Options struct {
	Roots *x509.CertPool // that sign the sign-in server's certificate; nil: those of the system
	Log   *slog.Logger   // nil: nothing is logged
	Poll  time.Duration  // how often a credential's file is checked; 0: every 2 s
}

// Source keeps a token of one app ready. All its methods are safe for concurrent use.
//
// However many callers wait, one token request is under way at a time. It has its own goroutine and context, so
// a caller that goes away does not disturb others. While a token lives it is served, even if its renewal fails
// (see Refused for a token that Graph refused). Without a token, callers wait for the request under way. When
// that has failed and the next one is not due, they get its error at once. A Source fails closed: without a
// token no request goes to Graph.
type Source struct {
	app     App
	log     *slog.Logger
	poll    time.Duration
	acquire acquirer
	wake    chan struct{} // wakes Run when something has changed; holds one value

	current atomic.Pointer[token] // read without a lock; written under mu

	mu         sync.Mutex
	flight     *flight   // the attempt under way, or nil
	again      bool      // start another after flight: it began with an older credential
	stopped    bool      // Run has ended: no attempt starts any more
	failures   int       // in a row
	next       time.Time // no attempt before this
	last       *Error    // of the attempt before, nil after a success
	forced     forced
	suspicions suspicions
	claims     ClaimsChallenge // for the next attempt
	tokens     uint64          // acquired
	failed     uint64          // attempts
	failedBy   map[int]uint64  // attempts that failed, by AADSTS code; see countFailure
	fileErr    string          // what is wrong with the credential's file now
	logged     logged

	credential watchedCredential // has a lock of its own, because to read a file may take time
}

// flight is one attempt to acquire a token. token, err and retry are written before done is closed, and read after.
type flight struct {
	cancel context.CancelFunc
	claims ClaimsChallenge // that the token must carry
	done   chan struct{}
	token  *token
	err    *Error
	retry  bool // failed with a credential that has been replaced since: wait for the next attempt
}

// NewSource returns a Source for a. It reads the credential's file and uses no network; the error holds all problems
// that App.Check finds. Without Run, tokens are acquired when they are asked for, and not renewed ahead.
func NewSource(a App, o Options) (*Source, error) {
	a = a.withDefaults()
	cred, problems := a.check(time.Now())
	if err := a.errorsOf(problems); err != nil {
		return nil, err
	}
	return newSource(a, o, cred, newAcquirer(a, o)), nil
}

func newSource(a App, o Options, cred *credential, acquire acquirer) *Source {
	s := &Source{
		app:        a,
		log:        o.Log,
		poll:       o.Poll,
		acquire:    acquire,
		wake:       make(chan struct{}, 1),
		suspicions: suspicions{},
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.log = s.log.With("app", a.Name)
	if s.poll <= 0 {
		s.poll = 2 * time.Second
	}
	s.credential.use(cred)
	return s
}

// Token returns a token for a request to Graph now. While a valid token is cached, Token takes no lock,
// allocates nothing and ignores ctx. Else it waits for the token request under way, at most until ctx ends. The
// error is an *Error; its RetryAfter is the time until the next attempt begins.
func (s *Source) Token(ctx context.Context) (Token, error) {
	if t := s.usable(time.Now()); t != nil {
		return Token{t}, nil
	}
	for {
		f, err := s.join()
		if err != nil {
			return Token{}, err
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			return Token{}, &Error{Cause: "the request was given up before a token came", Err: ctx.Err()}
		}
		if f.retry {
			continue
		}
		if f.err != nil {
			return Token{}, f.err
		}
		return Token{f.token}, nil
	}
}

// usable returns the current token if it can be served at now, else nil.
func (s *Source) usable(now time.Time) *token {
	if t := s.current.Load(); t != nil && now.Before(t.usable) {
		return t
	}
	return nil
}

// join returns the attempt under way, or a new one if one may start now. If a token arrived after the caller's
// last check, join returns it as an attempt that has ended.
func (s *Source) join() (*flight, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	switch t := s.usable(now); {
	case t != nil:
		return landed(t), nil
	case s.flight != nil:
		return s.flight, nil
	case s.stopped:
		return nil, &Error{Cause: "there is no token and the proxy is stopping"}
	case s.last != nil && now.Before(s.next):
		return nil, s.last.until(s.next.Sub(now))
	}
	return s.start(), nil
}

func landed(t *token) *flight {
	f := &flight{done: make(chan struct{}), token: t}
	close(f.done)
	return f
}

// until returns a copy of e for a caller, with the time until the next attempt as RetryAfter.
func (e *Error) until(d time.Duration) *Error {
	c := *e
	c.RetryAfter = d
	return &c
}

// Status is the state of a Source, for health checks and metrics. It holds no secret.
type Status struct {
	App          string    // name of the app
	Tenant       string    // that it is used in, as configured
	Ready        bool      // a token can be served now
	Expires      time.Time // of the current token; zero if none
	Roles        []string  // application permissions in the token, if it could be read; for diagnostics only
	Acquired     time.Time // of the current token; zero if none
	Acquisitions uint64    // tokens acquired
	Failures     uint64    // attempts that failed
	Err          *Error    // of the last attempt; nil if it succeeded. Ready and Err together: a renewal failed
	File         bool      // the credential is read from a file
	FileErr      string    // why the credential's file as it is now is not used; "" if it is, or there is none

	FailuresByCode map[int]uint64    // Failures by AADSTS code; 0: without a code; OtherCodes: see there
	Certificate    *x509.Certificate // of the credential; nil for another kind. Must not be changed
}

// Status returns the state. It waits only for a short lock.
func (s *Source) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := Status{
		App:          s.app.Name,
		Tenant:       s.app.TenantID,
		Acquisitions: s.tokens,
		Failures:     s.failed,
		Err:          s.last,
		File:         s.credential.file != nil,
		FileErr:      s.fileErr,

		FailuresByCode: maps.Clone(s.failedBy),
	}
	if c := s.credential.used.Load(); len(c.chain) > 0 {
		st.Certificate = c.chain[0]
	}
	if t := s.current.Load(); t != nil {
		st.Ready = time.Now().Before(t.usable)
		st.Acquired, st.Expires = t.acquired, t.expires
		st.Roles = slices.Clone(t.roles)
	}
	return st
}

func jitter() float64 { return rand.Float64() }
