package auth

import (
	"crypto/sha256"
	"sync"
	"time"
)

// files is the credential in use and what was last seen in its file.
type files struct {
	mu   sync.Mutex
	used *credential // the last good one

	// The file as last seen: parsed once for each content, because opening a PFX costs tenths of a second by design.
	digest [sha256.Size]byte
	seen   *credential // nil if err
	err    error
}

func (f *files) use(c *credential) {
	f.used, f.seen, f.digest = c, c, c.digest
}

func (f *files) watched() bool { return f.credential().file != "" }

func (f *files) credential() *credential {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.used
}

// refresh reads the file again. changed reports that a new and good credential was found and is in use now; err is
// what is wrong with the file, in which case the credential from before stays in use.
func (f *files) refresh(now time.Time) (changed bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.used.file == "" {
		return false, nil
	}
	data, err := readCredentialFile(f.used.file)
	if err != nil {
		return false, err
	}
	if digest := sha256.Sum256(data); digest != f.digest {
		f.digest = digest
		f.seen, f.err = f.used.app.parse(f.used.kind, data)
	}
	if f.err != nil {
		return false, f.err
	}
	if err := f.seen.usable(now); err != nil { // asked each time: a certificate's time may come
		return false, err
	}
	changed = f.seen.digest != f.used.digest
	f.used = f.seen
	return changed, nil
}

// Reload looks at the credential's file now, as SIGHUP asks for, and returns when it has; a new credential starts a
// token request at once, which Reload does not wait for. A file that cannot be used changes nothing but Status.
func (s *Source) Reload() {
	if s.look() {
		s.renewNow()
	}
}

// look reads the credential's file and notes what is wrong with it. It reports whether there is a new credential.
func (s *Source) look() bool {
	changed, err := s.files.refresh(time.Now())
	text := ""
	if err != nil {
		text = err.Error()
	}
	s.mu.Lock()
	was := s.fileErr
	s.fileErr = text
	if changed {
		s.failures = 0
	}
	s.mu.Unlock()
	switch {
	case changed:
		s.log.Info("the credential's file has changed, using what is in it now")
	case text != "" && text != was:
		s.log.Error("the credential's file cannot be used, the credential from before stays in use", "err", text)
	case text == "" && was != "":
		s.log.Info("the credential's file can be used again")
	}
	return changed
}
