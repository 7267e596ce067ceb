package oidc

import (
	"crypto/sha256"
	"sync"
	"time"
)

const (
	maxCached  = 2048            // tokens; one is some kB, and a caller has one at a time
	longestUse = 5 * time.Minute // of what was verified once
)

// cache holds tokens that were verified, by the hash of their whole text, because a caller sends the same one with each
// request and an RSA signature takes 50 µs to verify. An entry is good for the key set that it was verified with only,
// so a key that is withdrawn takes its tokens along. The zero cache is empty. It is safe for concurrent use.
type cache struct {
	mu      sync.Mutex
	entries map[[sha256.Size]byte]verified
}

type verified struct {
	token  *Token
	source keySource
	set    *keySet
	until  time.Time
}

func (c *cache) get(sum [sha256.Size]byte) (verified, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, found := c.entries[sum]
	return e, found
}

// put keeps a token until it expires, for five minutes at most. A full cache loses another token, whichever it is.
func (c *cache) put(sum [sha256.Size]byte, e verified, now time.Time) {
	if e.until = now.Add(longestUse); e.until.After(e.token.Expires) {
		e.until = e.token.Expires
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries == nil {
		c.entries = make(map[[sha256.Size]byte]verified)
	}
	if len(c.entries) >= maxCached {
		for other := range c.entries {
			delete(c.entries, other)
			break
		}
	}
	c.entries[sum] = e
}
