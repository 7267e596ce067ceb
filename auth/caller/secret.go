package caller

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"slices"
	"strings"

	"graphproxy/auth/caller/oidc"
)

const maxKey = 4096 // bytes; a key has about 40, and hashing must be cheap for senders without a valid key

type keyOwner struct {
	hash [32]byte
	Found
	parts []part // nil: it proves the caller alone
}

type tokenOwner struct {
	Identity
	found Found
	all   *conjunction // that it is part of; nil: it proves the caller alone
}

func (o *tokenOwner) owner() owner { return ownerOf(o.found.Name, &o.Identity) }

// secret returns the caller of the token or key in the headers, the zero Found when there is neither. A
// presented token or key that fails is an error.
func (a *Authenticator) secret(r *http.Request) (proof, *Error) {
	if !a.secrets {
		return proof{}, nil
	}
	credential, viaBearer, err := bearer(r.Header["Authorization"])
	if err != nil {
		return proof{}, err
	}
	key, viaHeader, err := apiKey(r.Header["X-Api-Key"])
	if err != nil {
		return proof{}, err
	}
	var found proof
	if viaBearer {
		if found, err = a.bearer(r.Context(), credential); err != nil {
			return proof{}, err
		}
	}
	if !viaHeader {
		return found, nil
	}
	keyed, err := a.key(key)
	if err != nil || !viaBearer {
		return keyed, err
	}
	return both(found, keyed)
}

// both returns what the credential of the Authorization header and the key of the X-Api-Key header prove.
func both(found, keyed proof) (proof, *Error) {
	if keyed.Name != found.Name {
		return proof{}, errAmbiguous("the Authorization and X-Api-Key headers prove different callers: " +
			"send one of them")
	}
	if found.parts != nil && keyed.parts == nil {
		return keyed, nil // which proves the caller alone
	}
	if found.parts != nil {
		found.parts = append(slices.Clone(found.parts), keyed.parts...)
	}
	return found, nil
}

func (a *Authenticator) bearer(ctx context.Context, credential string) (proof, *Error) {
	if strings.Count(credential, ".") != 2 {
		return a.key(credential)
	}
	return a.token(ctx, credential)
}

// token returns the caller that the token belongs to.
func (a *Authenticator) token(ctx context.Context, raw string) (proof, *Error) {
	if a.verifier == nil {
		return proof{}, errNoTokens()
	}
	t, err := a.verifier.Verify(ctx, raw)
	if err != nil {
		return proof{}, errToken(err)
	}
	return a.bearerOf(t)
}

// bearerOf returns the caller that a token belongs to, which was verified.
func (a *Authenticator) bearerOf(t *oidc.Token) (proof, *Error) {
	var whose onlyCaller
	for i := range a.tokens {
		if a.tokens[i].holds(t) {
			whose.add(a.tokens[i].found, a.tokens[i].all)
		}
	}
	switch {
	case whose.several:
		return proof{}, errAmbiguous("the token could be that of several callers: ask the policy's owner to make them differ")
	case whose.Name == "":
		return proof{}, errTokenUnknown()
	}
	return whose.proof(), nil
}

// holds reports whether a verified token matches the identity.
func (o *tokenOwner) holds(t *oidc.Token) bool {
	if t.Issuer != o.Issuer || !slices.Contains(t.Audiences, o.Audience) ||
		o.Subject != "" && !fits(o.Subject, t.Subject) {
		return false
	}
	for claim, allowed := range o.Claims {
		values := t.Values(claim)
		if !slices.ContainsFunc(allowed, func(pattern string) bool {
			return slices.ContainsFunc(values, func(v string) bool { return fits(pattern, v) })
		}) {
			return false
		}
	}
	return true
}

// bearer returns the credential of a bearer Authorization header; presented is false if there is none. The
// scheme is the text before the first blank (RFC 9110 §11.6.2).
func bearer(values []string) (credential string, presented bool, err *Error) {
	if len(values) == 0 {
		return "", false, nil
	}
	if len(values) > 1 {
		return "", true, errAmbiguous("there is more than one Authorization header: send one")
	}
	// Some intermediaries join headers of the same name with a comma; other schemes have commas of their own.
	for part := range strings.SplitSeq(values[0], ",") {
		if isBearer(part) && len(part) < len(values[0]) {
			return "", true, errAmbiguous("the Authorization header holds a comma, as if it were several: " +
				"send one bearer credential and nothing else")
		}
	}
	if !isBearer(values[0]) {
		return "", false, nil
	}
	credential = blanks(blanks(values[0])[len("bearer"):])
	return credential, true, unambiguous(credential, "the Authorization header")
}

// apiKey returns the credential of an X-Api-Key header.
func apiKey(values []string) (credential string, presented bool, err *Error) {
	if len(values) == 0 {
		return "", false, nil
	}
	if len(values) > 1 {
		return "", true, errAmbiguous("there is more than one X-Api-Key header: send one")
	}
	credential = blanks(values[0])
	return credential, true, unambiguous(credential, "the X-Api-Key header")
}

func isBearer(value string) bool {
	value = blanks(value)
	end := strings.IndexAny(value, " \t")
	if end < 0 {
		end = len(value)
	}
	return strings.EqualFold(value[:end], "bearer")
}

// blanks removes the blanks around s, which have no meaning in HTTP.
func blanks(s string) string { return strings.Trim(s, " \t") }

func unambiguous(credential, where string) *Error {
	if strings.ContainsAny(credential, ", \t") {
		return errAmbiguous(where + " holds more than one word: send the credential alone, without blanks and commas")
	}
	return nil
}

// key returns the caller that the key belongs to.
func (a *Authenticator) key(key string) (proof, *Error) {
	if key == "" || len(key) > maxKey {
		return proof{}, errKey()
	}
	var buf [128]byte // a key of usual length stays off the heap
	return a.keyHolder(sha256.Sum256(append(buf[:0], key...)))
}

// keyHolder returns the caller that the key with this SHA-256 belongs to. It compares every configured hash, each in
// constant time, so the time reveals neither how near a guess was nor which caller's key matched. A hash costs 15 ns:
// cheap for up to some thousands.
func (a *Authenticator) keyHolder(sum [32]byte) (proof, *Error) {
	found := -1
	for i := range a.keys {
		same := subtle.ConstantTimeCompare(a.keys[i].hash[:], sum[:])
		found = subtle.ConstantTimeSelect(same, i, found)
	}
	if found < 0 {
		return proof{}, errKey()
	}
	return proof{a.keys[found].Found, a.keys[found].parts}, nil
}
