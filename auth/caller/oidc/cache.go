package oidc

import (
	"crypto/sha256"
	"sync"
	"time"
)

const (
	maxCached  = 2048            // tokens; one is some kB, and a caller has one at a time
	longestUse = 5 * time.Minute // of a token that was verified once
)

// cache holds tokens that were verified, by the hash of their whole text. A caller sends the same token with
// each request, and an RSA signature takes 50 µs to verify. An entry is valid only with the key set that
// verified it, so a key that is withdrawn invalidates its tokens. The zero cache is empty. It is safe for
// concurrent use.
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

// put keeps a token until it expires, for five minutes at most. A full cache drops any one of its other tokens.
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
