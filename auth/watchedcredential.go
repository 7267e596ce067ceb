package auth

import (
	"context"
	"crypto/sha256"
	"fmt"
	"sync/atomic"
	"time"

	"graphproxy/auth/filewatch"
)

// watchedCredential is the credential in use and the file from which it is read again. It is safe for
// concurrent use.
type watchedCredential struct {
	used atomic.Pointer[credential] // the last good one
	// of used, and of the one before it; see Source.LinkKeys
	linkKeys atomic.Pointer[[]LinkKey]
	lock     chan struct{} // holds a value while the fields below are in use; see begin

	file *filewatch.Set // nil: the credential is in no file; written before any other goroutine uses it

	// The file as last read. It is parsed once for each content, because opening a PFX takes tenths of a second
	// by design.
	digest   [sha256.Size]byte
	latest   *credential // nil if parseErr
	parseErr error
	readErr  error
}

// use sets the first credential, which was just loaded.
func (w *watchedCredential) use(c *credential) {
	w.used.Store(c)
	w.noteLinkKey(c)
	w.lock = make(chan struct{}, 1)
	if c.file == "" {
		return
	}
	w.file = filewatch.New(maxFile, c.file)
	w.digest, w.latest = c.digest, c
	_, _ = w.refresh(context.Background(), true, time.Now()) // from now on Changed compares with what is there now
}

// begin takes the lock, and reports false when ctx ends before that. The lock is a channel and not a sync.Mutex
// because the goroutine that has it may sleep for a moment: testing/synctest does not move its clock while a
// goroutine waits for a mutex.
func (w *watchedCredential) begin(ctx context.Context) bool {
	select {
	case w.lock <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// end releases the lock.
func (w *watchedCredential) end() { <-w.lock }

// refresh reads the file again: at once, or when the file has stopped changing (filewatch.Set.Changed). It
// reports whether it found a new and good credential, which is in use from then on. err is the problem of the
// file; the old credential stays in use then. The caller has the lock.
func (w *watchedCredential) refresh(ctx context.Context, atOnce bool, now time.Time) (changed bool, err error) {
	w.read(ctx, atOnce)
	switch {
	case w.readErr != nil:
		return false, w.readErr
	case w.parseErr != nil:
		return false, w.parseErr
	}
	changed = w.latest.digest != w.used.Load().digest
	if !changed && w.latest.early(now) { // there is none from before
		return false, nil
	}
	if err := w.latest.usable(now); err != nil { // at each check: a certificate may become valid later
		return false, err
	}
	if changed {
		w.noteLinkKey(w.latest)
	}
	w.used.Store(w.latest)
	return changed, nil
}

// read records the present content of the file. The caller has the lock.
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
	if contents == nil { // unchanged, or the file is still changing
		return
	}
	w.readErr = nil
	if digest := sha256.Sum256(contents[0]); digest != w.digest {
		w.digest = digest
		w.latest, w.parseErr = used.app.parse(used.kind, contents[0])
	}
}

// Reload reads the credential's file now, as SIGHUP requests, and then returns. A new credential starts a token
// request at once; Reload does not wait for it. A file that cannot be used changes only Status.
func (s *Source) Reload() {
	if s.refreshCredential(context.Background(), true) {
		s.renewNow()
	}
}

// refreshCredential reads the credential's file again (see watchedCredential.refresh), and logs and records its
// problem. It reports whether there is a new credential. It waits for another read that is under way, at most
// until ctx ends.
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
