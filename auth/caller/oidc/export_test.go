package oidc

// Settle returns when no fetch is under way.
func (k *Keys) Settle() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, source := range k.sources {
		if f, ok := source.(*fetched); ok {
			f.mu.Lock()
			flight := f.flight
			f.mu.Unlock()
			if flight != nil {
				<-flight
			}
		}
	}
}

// Forget empties the cache of verified tokens.
func (k *Keys) Forget() {
	k.cache.mu.Lock()
	defer k.cache.mu.Unlock()
	clear(k.cache.entries)
}

// Cached returns how many tokens the cache holds.
func (k *Keys) Cached() int {
	k.cache.mu.Lock()
	defer k.cache.mu.Unlock()
	return len(k.cache.entries)
}

// MaxCached is the most that the cache holds.
const MaxCached = maxCached
