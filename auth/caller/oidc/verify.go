package oidc

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"
)

// maxWait is how long a token waits for keys that are being fetched. The fetch itself goes on for others.
const maxWait = 5 * time.Second

// wait returns when done is closed, or with an error when the caller has gone or has waited long enough.
func wait(ctx context.Context, done <-chan struct{}) error {
	timeout := time.NewTimer(maxWait)
	defer timeout.Stop()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-timeout.C:
		return errors.New("the issuer takes long to answer")
	}
}

// Verify returns the token if one of the issuers signed it and it is valid now, with a minute of leeway for
// exp, nbf and iat. The error is an *Error.
//
// A token must have alg, iss, aud and exp; it is refused when it has crit, b64, jwk, jku, x5u or x5c in its header, a
// type other than JWT or at+jwt, a member twice (in the outermost objects without regard to letter case) or more than
// 16 KiB. A token without kid is taken only if exactly one of the issuer's keys fits its algorithm.
//
// Verify waits for the network only when the present keys do not include the token's key, at most 5 s and not
// beyond ctx. One fetch at a time is under way for each issuer, and unknown keys cause at most one in 30 s; in
// between such tokens are refused at once. When the issuer cannot be reached, the present keys stay in use
// until it answers again. Tokens of other issuers never cause a fetch. At most 64 tokens wait for the keys of
// one issuer; more are refused at once with issuerUnavailable.
func (v *Verifier) Verify(ctx context.Context, raw string) (*Token, error) {
	if v.keys == nil {
		return nil, errIssuer()
	}
	if len(raw) > maxToken {
		return nil, errLarge()
	}
	now, sum := v.keys.now(), sha256.Sum256([]byte(raw))
	if e, found := v.keys.cache.get(sum); found && v.stillGood(e, now) {
		return e.token, nil
	}
	t, err := read(raw)
	if err != nil {
		return nil, err
	}
	source, trusted := v.issuers[t.token.Issuer]
	if !trusted {
		return nil, errIssuer()
	}
	if err := t.timely(now); err != nil {
		return nil, err
	}
	set, err := signed(ctx, source, t)
	if err != nil {
		return nil, err
	}
	v.keys.cache.put(sum, verified{token: t.token, source: source, set: set}, now)
	return t.token, nil
}

// stillGood reports whether a token that was verified is still of a trusted issuer, by the same keys.
func (v *Verifier) stillGood(e verified, now time.Time) bool {
	return now.Before(e.until) && v.issuers[e.token.Issuer] == e.source && e.source.current() == e.set
}

// signed returns the key set that verified the token. It renews the keys only if the present keys do not
// include the token's key. If a known key refuses the signature, the signature is wrong: many such tokens cause
// no fetch.
func signed(ctx context.Context, source keySource, t *jwt) (*keySet, *Error) {
	had := source.current()
	switch {
	case had.signed(t):
		return had, nil
	case had.names(t.kid):
		return nil, errSignature()
	}
	set, err := source.renew(ctx, had)
	switch {
	case set != had && set.signed(t):
		return set, nil
	case err != nil:
		return nil, errUnavailable(err)
	}
	return nil, errSignature()
}
