// Package oidc decides whether an issuer that the policy trusts has signed a JWT, and whether the token is
// valid now. The signature is RS, PS, ES or EdDSA, by one of the keys that the issuer publishes, or that a file
// contains.
//
// Package auth/caller decides to which caller a token belongs: it matches audience, subject and claims. A token
// that verifies here proves nothing by itself. Ambiguous tokens are refused: doubled members, other spellings
// of base64url, headers that contain a key. Tokens that cannot be verified are refused, too: an issuer whose
// keys could never be fetched verifies nothing.
//
// The formats are those of RFC 7519 (JWT), RFC 7515 (JWS compact serialisation), RFC 7517 (JWK) and OpenID Connect
// Discovery 1.0; the advice of RFC 8725 (JWT best current practices) is followed.
package oidc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"graphproxy/auth/loopback"
)

// Source is an issuer and the place of its keys.
type Source struct {
	// Issuer is the exact text of the iss claim: an https address without query, or http on loopback. With a JWKSFile
	// it may be any text.
	Issuer   string
	JWKSFile string // path of a file with the issuer's JWK Set (RFC 7517 §5); "": the keys are discovered over HTTP
}

// Options are settings for fetching keys. The zero value is good for production; nothing is logged then.
type Options struct {
	// for discovery; its CheckRedirect is replaced; nil: one with timeouts and the proxy of the environment
	Client *http.Client
	Log    *slog.Logger     // nil: nothing is logged
	Now    func() time.Time // the clock, safe for concurrent use; nil is time.Now
	Poll   time.Duration    // how often a JWKSFile is checked while tokens come; 0: 2 s
}

// Keys holds the keys of issuers for the life of the process, so that a policy that is loaded again need not
// fetch them again. It is safe for concurrent use. Make it with NewKeys. Its only goroutines are fetches, each
// of which ends within 10 s.
type Keys struct {
	client *http.Client
	log    *slog.Logger
	now    func() time.Time
	poll   time.Duration

	mu      sync.Mutex
	sources map[Source]keySource
	cache   cache
}

// NewKeys returns Keys that know no issuer yet.
func NewKeys(o Options) *Keys {
	k := &Keys{client: newClient(o.Client), log: o.Log, now: o.Now, poll: o.Poll, sources: map[Source]keySource{}}
	if k.log == nil {
		k.log = slog.New(slog.DiscardHandler)
	}
	if k.now == nil {
		k.now = time.Now
	}
	if k.poll <= 0 {
		k.poll = 2 * time.Second
	}
	return k
}

// keySource is where the keys of one issuer come from: a fetched one or a file.
type keySource interface {
	// current returns the present keys without waiting for the network, nil if there are none.
	current() *keySet
	// renew is called when had does not verify a token. It waits for newer keys if a fetch may start now. An
	// error means that the keys cannot be had now; the keys returned with it are the present ones.
	renew(ctx context.Context, had *keySet) (*keySet, error)
}

// Verifier verifies the tokens of the issuers of one policy. It is immutable and safe for concurrent use. The zero
// value trusts no issuer.
type Verifier struct {
	keys    *Keys
	issuers map[string]keySource
}

// Verifier returns a Verifier that trusts these issuers. It reads each JWKSFile before it returns. It fetches
// missing keys of other issuers in the background, so that they are there when the first token comes. If a file
// that these Keys have read before is bad now, its old keys stay in use, and the problem is logged.
//
// The error holds all problems at once: files that cannot be used, issuers that are no addresses, an issuer with two
// places for its keys.
func (k *Keys) Verifier(sources []Source) (*Verifier, error) {
	v := &Verifier{keys: k, issuers: make(map[string]keySource)}
	where := make(map[string]Source)
	var problems []error
	for _, s := range sources {
		before, doubled := where[s.Issuer]
		where[s.Issuer] = s
		switch {
		case doubled && before == s:
			continue
		case doubled:
			problems = append(problems, fmt.Errorf("the keys of issuer %q are to come from two places: "+
				"write the same jwks_file everywhere", s.Issuer))
		case s.JWKSFile == "" && !isAddress(s.Issuer):
			problems = append(problems, fmt.Errorf("%.80q is no issuer: "+
				"write an https:// address without query, or http:// on loopback", s.Issuer))
		default:
			source, err := k.source(s)
			if err != nil {
				problems = append(problems, err)
			}
			v.issuers[s.Issuer] = source
		}
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return v, nil
}

// source returns the one source of its kind, and starts to fetch its keys if they are missing.
func (k *Keys) source(s Source) (keySource, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	known, found := k.sources[s]
	if found {
		known.current()
		return known, nil
	}
	if s.JWKSFile == "" {
		f := newFetched(k, s.Issuer)
		f.current()
		k.sources[s] = f
		return f, nil
	}
	f, err := newFile(k, s)
	if err != nil {
		return nil, err
	}
	k.sources[s] = f
	return f, nil
}

// isAddress reports whether s is an address that keys may be fetched from: https, or http on loopback, where no
// other machine can read or change the answer.
func isAddress(s string) bool {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.User != nil || strings.ContainsAny(s, "?#") {
		return false
	}
	return u.Scheme == "https" || u.Scheme == "http" && loopback.Host(u.Hostname())
}
