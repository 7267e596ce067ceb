package auth

import (
	"context"
	"crypto/sha256"
	"fmt"
	"sync/atomic"
	"time"

	"graphproxy/auth/filewatch"
)

// watchedCredential is the credential in use and the file that it is read from again. It is safe for concurrent use.
type watchedCredential struct {
	used atomic.Pointer[credential] // the last good one
	lock chan struct{}              // holds a value while the fields below are in use; see begin

	file *filewatch.Set // nil: the credential is in no file; written before any other goroutine uses it

	// The file as last read. It is parsed once for each content, because opening a PFX takes tenths of a second by
	// design.
	digest   [sha256.Size]byte
	latest   *credential // nil if parseErr
	parseErr error
	readErr  error
}

// use begins with a credential that was just loaded.
func (w *watchedCredential) use(c *credential) {
	w.used.Store(c)
	w.lock = make(chan struct{}, 1)
	if c.file == "" {
		return
	}
	w.file = filewatch.New(maxFile, c.file)
	w.digest, w.latest = c.digest, c
	_, _ = w.refresh(context.Background(), true, time.Now()) // from now on Changed compares with what is there now
}

// begin takes the lock, and reports false when ctx ends before it has it. The lock is a channel and no sync.Mutex
// because its holder may sleep for a moment: testing/synctest does not move its clock while a goroutine waits for a
// mutex.
func (w *watchedCredential) begin(ctx context.Context) bool {
	select {
	case w.lock <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// end gives the lock back.
func (w *watchedCredential) end() { <-w.lock }

// refresh reads the file again: at once, or when a change of it has rested (filewatch.Set.Changed). It reports whether
// a new and good credential was found, which is in use from then on. err is what is wrong with the file; the credential
// from before stays in use then. The lock is held.
func (w *watchedCredential) refresh(ctx context.Context, atOnce bool, now time.Time) (changed bool, err error) {
	w.read(ctx, atOnce)
	switch {
	case w.readErr != nil:
		return false, w.readErr
	case w.parseErr != nil:
		return false, w.parseErr
	}
	if err := w.latest.usable(now); err != nil { // at each look: a certificate's time may come
		return false, err
	}
	changed = w.latest.digest != w.used.Load().digest
	w.used.Store(w.latest)
	return changed, nil
}

// read notes what is in the file now. The lock is held.
func (w *watchedCredential) read(ctx context.Context, atOnce bool) {
	var contents [][]byte
	var err error
	if atOnce {
		contents, err = w.file.Read()
	} else {
		contents, err = w.file.Changed(ctx)
	}
	used := w.used.Load()
	if err != nil {
		_, suffix := used.app.credentialFile(used.kind)
		w.readErr = fmt.Errorf("%s: the file %w", used.app.env(suffix), err)
		return
	}
	if contents == nil { // unchanged, or a change that has not rested yet
		return
	}
	w.readErr = nil
	if digest := sha256.Sum256(contents[0]); digest != w.digest {
		w.digest = digest
		w.latest, w.parseErr = used.app.parse(used.kind, contents[0])
	}
}

// Reload reads the credential's file now, as SIGHUP asks for, and returns when it has. A new credential starts a token
// request at once, which Reload does not wait for. A file that cannot be used changes nothing but Status.
func (s *Source) Reload() {
	if s.refreshCredential(context.Background(), true) {
		s.renewNow()
	}
}

// refreshCredential reads the credential's file again (see watchedCredential.refresh), and logs and notes what is wrong
// with it. It reports whether there is a new credential. It waits for another read that is under way, at most until ctx
// ends.
func (s *Source) refreshCredential(ctx context.Context, atOnce bool) bool {
	if s.credential.file == nil || !s.credential.begin(ctx) {
		return false
	}
	defer s.credential.end()
	changed, err := s.credential.refresh(ctx, atOnce, time.Now())
	text := ""
	if err != nil {
		text = err.Error()
	}
	s.mu.Lock()
	before := s.fileErr
	s.fileErr = text
	if changed {
		s.failures = 0
	}
	s.mu.Unlock()
	switch {
	case changed:
		s.log.Info("the credential's file has changed, using what is in it now")
	case text != "" && text != before:
		s.log.Error("the credential's file cannot be used, the credential from before stays in use", "err", text)
	case text == "" && before != "":
		s.log.Info("the credential's file can be used again")
	}
	return changed
}
