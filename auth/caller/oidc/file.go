package oidc

import (
	"context"
	"fmt"
	"sync"
	"time"

	"graphproxy/auth/filewatch"
)

// CheckJWKSFile returns why a JWK Set in a file cannot be used, or nil. The error names the path.
func CheckJWKSFile(path string) error {
	_, err := readKeyFile(filewatch.NewFile(path, maxBody), path)
	return err
}

// readKeyFile reads a JWK Set. A set without a usable key is an error, because its author meant it to have one.
func readKeyFile(f *filewatch.File, path string) (*keySet, error) {
	data, _, err := f.Read()
	if err != nil {
		return nil, fmt.Errorf("jwks_file %q: it %w", path, err)
	}
	set, err := parseKeySet(data)
	if err != nil {
		return nil, fmt.Errorf("jwks_file %q: %w", path, err)
	}
	if len(set.keys) == 0 {
		return nil, fmt.Errorf("jwks_file %q: none of its keys can be used%s: "+
			"write public RSA keys of at least %d bits, EC keys on P-256, P-384 or P-521, "+
			"or Ed25519 keys", path, set.because(), minRSA)
	}
	return set, nil
}

// file is the keys of an issuer that are in a file. It is read when a token comes, at most once in each Poll.
//
// A file that was overwritten in place counts at once, unlike other files (see filewatch.Set). Half a JWK Set
// is not valid JSON, so it cannot be mistaken for a whole one. The first token after a quiet hour must not be
// verified with a key that has been withdrawn since.
type file struct {
	keys *Keys
	path string

	mu     sync.Mutex
	file   *filewatch.File
	set    *keySet
	next   time.Time // when it is read again
	logged string    // the error that was last logged; "": the file was good
}

func newFile(k *Keys, s Source) (*file, error) {
	f := &file{keys: k, path: s.JWKSFile, file: filewatch.NewFile(s.JWKSFile, maxBody)}
	set, err := readKeyFile(f.file, f.path)
	if err != nil {
		return nil, fmt.Errorf("issuer %q: %w", s.Issuer, err)
	}
	k.warnWeak(set, "jwks_file", f.path)
	f.set, f.next = set, k.now().Add(k.poll)
	return f, nil
}

// current implements keySource. It reads the whole file each time, because a file of the same size and time may be
// another one; it is a few kB.
func (f *file) current() *keySet {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.keys.now()
	if now.Before(f.next) {
		return f.set
	}
	f.next = now.Add(f.keys.poll)
	set, err := readKeyFile(f.file, f.path)
	if err != nil {
		if f.logged != err.Error() {
			f.logged = err.Error()
			f.keys.log.Error("the keys of an issuer cannot be read, those from before stay in use", "err", err)
		}
		return f.set
	}
	if f.logged = ""; set.digest != f.set.digest {
		f.set = set
		f.keys.log.Info("an issuer has new keys", "jwks_file", f.path, "keys", len(set.keys))
		f.keys.warnWeak(set, "jwks_file", f.path)
	}
	return f.set
}

// renew implements keySource: the file has just been read.
func (f *file) renew(context.Context, *keySet) (*keySet, error) { return f.current(), nil }
