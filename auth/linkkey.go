package auth

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"io"
)

// LinkKey is a key that links are marked with, so that a later request can prove that graphproxy wrote one. It is
// derived, by HKDF (RFC 5869) with SHA-256, from something secret that all replicas have, which it does not reveal: it
// has no way out of its type, and does not print. The zero LinkKey is none. A LinkKey is immutable and safe for
// concurrent use.
type LinkKey struct{ p *[sha256.Size]byte }

// aboutLinks is what keys are derived for, so that one that is derived for another end is another key.
const aboutLinks = "graphproxy links 1"

// NewLinkKey derives the key from a secret of at least 32 characters that cannot be guessed.
func NewLinkKey(secret []byte) LinkKey {
	key, err := hkdf.Key(sha256.New, secret, nil, aboutLinks, sha256.Size)
	if err != nil { // only of a longer key than HKDF can give
		return LinkKey{}
	}
	return LinkKey{(*[sha256.Size]byte)(key)}
}

// Format implements fmt.Formatter for every verb.
func (LinkKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hiddenSecret) }

// IsSet reports whether there is a key.
func (k LinkKey) IsSet() bool { return k.p != nil }

// Equal reports whether two keys are the same.
func (k LinkKey) Equal(other LinkKey) bool {
	return k.IsSet() && other.IsSet() && hmac.Equal(k.p[:], other.p[:])
}

// Sum returns the HMAC-SHA256 of a text. The key must be set.
func (k LinkKey) Sum(text []byte) []byte {
	mac := hmac.New(sha256.New, k.p[:])
	mac.Write(text)
	return mac.Sum(nil)
}

// Verify reports whether a sum is that of a text. It takes the same time for all sums of the same length.
func (k LinkKey) Verify(text, sum []byte) bool { return k.IsSet() && hmac.Equal(k.Sum(text), sum) }

// linkKey derives the key of a credential. A managed identity and a federated token give none: what they show to
// Entra ID changes every hour, and is not the same for all replicas.
func (c *credential) linkKey() LinkKey {
	switch c.kind {
	case secretKind:
		return NewLinkKey([]byte(c.secret.reveal()))
	case certificateKind:
		der, err := x509.MarshalPKCS8PrivateKey(c.key)
		if err != nil { // it was read from such a text
			return LinkKey{}
		}
		return NewLinkKey(der)
	}
	return LinkKey{}
}

// LacksLinkKey reports whether the app's credential is of a kind that gives no LinkKey.
func (a App) LacksLinkKey() bool {
	kind, err := a.kind()
	return err == nil && (kind == federatedKind || kind == managedKind)
}

// LinkKeys returns the keys of the app's credential: the one to mark links with, and behind it that of the credential
// that it took the place of while this process ran. It is empty for a credential that gives none.
func (s *Source) LinkKeys() []LinkKey { return *s.credential.linkKeys.Load() }

// noteLinkKey makes the key of a credential that was taken into use the first one. It is called by one goroutine at a
// time.
func (w *watchedCredential) noteLinkKey(c *credential) {
	var keys []LinkKey
	if key := c.linkKey(); key.IsSet() {
		keys = append(keys, key)
	}
	if before := w.linkKeys.Load(); before != nil && len(*before) > 0 && len(keys) > 0 {
		if (*before)[0].Equal(keys[0]) {
			return
		}
		keys = append(keys, (*before)[0])
	}
	w.linkKeys.Store(&keys)
}
