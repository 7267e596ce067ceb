package oidc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"
)

// CheckJWKSFile returns why a JWK Set in a file cannot be used, or nil. The error names the path.
func CheckJWKSFile(path string) error {
	_, err := readKeyFile(path)
	return err
}

// readKeyFile reads a JWK Set. One without a key that can be used is an error: whoever wrote the file meant something else.
func readKeyFile(path string) (*keySet, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, fmt.Errorf("jwks_file %q: %w", path, err)
	}
	set, err := parseKeySet(data)
	if err != nil {
		return nil, fmt.Errorf("jwks_file %q: %w", path, err)
	}
	if len(set.keys) == 0 {
		return nil, fmt.Errorf("jwks_file %q: none of its keys can be used%s: "+
			"write public RSA keys of at least %d bits, EC keys on P-256, P-384 or P-521, or Ed25519 keys", path, set.because(), minRSA)
	}
	return set, nil
}

func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, cause(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, cause(err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxBody+1))
	if err != nil {
		return nil, cause(err)
	}
	if len(data) > maxBody {
		return nil, fmt.Errorf("it is larger than %d bytes: it is no JWK Set", maxBody)
	}
	return data, nil
}

// cause takes the path off an error of the file system: the message names it already.
func cause(err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}

// file is the keys of an issuer that are in a file. It is looked at when a token comes, at most once in each Poll.
type file struct {
	keys *Keys
	path string

	mu   sync.Mutex
	set  *keySet
	next time.Time // when it is looked at again
	told string    // what was last logged of it; "": it was good
}

func newFile(k *Keys, s Source) (*file, error) {
	set, err := readKeyFile(s.JWKSFile)
	if err != nil {
		return nil, fmt.Errorf("issuer %q: %w", s.Issuer, err)
	}
	k.warnWeak(set, "jwks_file", s.JWKSFile)
	return &file{keys: k, path: s.JWKSFile, set: set, next: k.now().Add(k.poll)}, nil
}

// current implements keySource. The whole file is read each time, because the size and time of a file do not tell that it is
// the same; it is a few kB.
func (f *file) current() *keySet {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.keys.now()
	if now.Before(f.next) {
		return f.set
	}
	f.next = now.Add(f.keys.poll)
	set, err := readKeyFile(f.path)
	if err != nil {
		if f.told != err.Error() {
			f.told = err.Error()
			f.keys.log.Error("the keys of an issuer cannot be read, those from before stay in use", "err", err)
		}
		return f.set
	}
	if f.told = ""; set.digest != f.set.digest {
		f.set = set
		f.keys.log.Info("an issuer has new keys", "jwks_file", f.path, "keys", len(set.keys))
		f.keys.warnWeak(set, "jwks_file", f.path)
	}
	return f.set
}

// renew implements keySource: the file has just been looked at.
func (f *file) renew(context.Context, *keySet) (*keySet, error) { return f.current(), nil }
