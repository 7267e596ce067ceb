package console

import (
	"crypto/rand"
	"crypto/sha256"
	"net/http"
	"sync"
	"time"
)

// How long a session lasts, and how many there are. A further one ends the one that ends first.
const (
	sessionLife  = 8 * time.Hour
	mostSessions = 256
)

// cookieName begins with __Host-, so that browsers take it over TLS only, for this host only, and for all paths
// (https://httpwg.org/http-extensions/draft-ietf-httpbis-rfc6265bis.html#name-the-__host-prefix).
const cookieName = "__Host-graphproxy-console"

// sessions are the visitors who signed in with a key. A session has the key, so that each request proves anew that the
// policy in force accepts it. It is safe for concurrent use.
type sessions struct {
	mu  sync.Mutex
	all map[[32]byte]session // by the hash of the cookie's value
}

type session struct {
	key  string
	ends time.Time
}

// start begins a session and returns its cookie.
func (s *sessions) start(key string, now time.Time) *http.Cookie {
	id := rand.Text() + rand.Text()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = map[[32]byte]session{}
	}
	s.clean(now)
	s.all[sha256.Sum256([]byte(id))] = session{key, now.Add(sessionLife)}
	return cookie(id, int(sessionLife/time.Second))
}

// clean drops sessions that have ended, and one more if there are too many. The caller holds the lock.
func (s *sessions) clean(now time.Time) {
	var first [32]byte
	var ends time.Time
	for id, one := range s.all {
		if !now.Before(one.ends) {
			delete(s.all, id)
			continue
		}
		if ends.IsZero() || one.ends.Before(ends) {
			first, ends = id, one.ends
		}
	}
	if len(s.all) >= mostSessions {
		delete(s.all, first)
	}
}

// key returns the key of a request's session.
func (s *sessions) key(r *http.Request, now time.Time) (string, bool) {
	id, ok := sessionID(r)
	if !ok {
		return "", false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	one, found := s.all[id]
	return one.key, found && now.Before(one.ends)
}

// end ends a request's session, and returns the cookie that takes its cookie away.
func (s *sessions) end(r *http.Request) *http.Cookie {
	if id, ok := sessionID(r); ok {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.all, id)
	}
	return cookie("", -1)
}

// sessionID returns the hash of the cookie's value; false if there is not exactly one cookie.
func sessionID(r *http.Request) ([32]byte, bool) {
	all := r.CookiesNamed(cookieName)
	if len(all) != 1 || all[0].Value == "" {
		return [32]byte{}, false
	}
	return sha256.Sum256([]byte(all[0].Value)), true
}

func cookie(value string, seconds int) *http.Cookie {
	return &http.Cookie{
		Name:     cookieName,
		Value:    value,
		Path:     "/",
		MaxAge:   seconds,
		Secure:   true,
		HttpOnly: true,
		SameSite: http.SameSiteStrictMode,
	}
}
