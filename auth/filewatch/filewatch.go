// Package filewatch reads small files of settings, and finds out when they change.
//
// It decides when a changed file counts. A file that took the place of another by a rename or a symbolic link
// counts at once. A file that was overwritten in place counts when it has stopped changing, because half a
// policy can be a valid policy that lacks the denials at its end. It does not decide what is in the files and
// how often they are read: its callers do.
package filewatch

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io/fs"
	"os"
	"slices"
	"time"
)

const (
	// Every is how often callers check their files.
	Every = 2 * time.Second
	// settle is how long a file that took the place of another must stay as it is before it counts.
	settle = 100 * time.Millisecond
	// rest is how long a file that was overwritten in place must stay unchanged: from one check to the next.
	rest = Every - settle
)

// Set is a few files that belong together, with their content at the last check. Make it with New. It is not
// safe for concurrent use. It compares content and not time stamps, because Kubernetes replaces mounted files
// by swapping a symbolic link.
type Set struct {
	files  []*File
	find   func(*Look) error // instead of files
	known  map[fileName]*File
	dirs   map[fileName]*directory
	settle time.Duration
	rest   time.Duration

	seen  state     // what Read or Changed returned last; the zero state: nothing
	fresh state     // the present content, which may still be changing
	noted time.Time // when fresh was seen first
}

// state is the content of the files, and their identity.
type state struct {
	digest [sha256.Size]byte
	names  []fileName // of a Set that was made with Found
	sums   [][sha256.Size]byte
	infos  []fs.FileInfo
}

// New returns a Set of the files of these names. Each may hold at most most bytes. It does not touch the files.
func New(most int64, names ...string) *Set {
	s := &Set{settle: settle, rest: rest}
	for _, name := range names {
		s.files = append(s.files, NewFile(name, most))
	}
	return s
}

// Impatient makes changes count at the first check, for tests.
func (s *Set) Impatient() { s.settle, s.rest = 0, 0 }

// Read returns the files' contents, and remembers them as seen. The errors are those of File.Read.
func (s *Set) Read() ([][]byte, error) {
	contents, now, err := s.read()
	s.seen, s.fresh = now, state{}
	return contents, err
}

// Changed returns the files' contents if they differ from the contents that were seen last. It returns nil if
// they do not, or if the change does not count yet. After an error, a file that is back counts as overwritten
// in place. Changed takes up to 0.1 s when something has changed.
func (s *Set) Changed(ctx context.Context) ([][]byte, error) {
	contents, now, err := s.read()
	if err != nil {
		s.seen, s.fresh = state{}, state{}
		return nil, err
	}
	if now.digest == s.seen.digest {
		s.seen, s.fresh = now, state{}
		return nil, nil
	}
	if !s.rested(now) || !s.stays(ctx, now) {
		return nil, nil
	}
	s.seen, s.fresh = now, state{}
	return contents, nil
}

// Pending reports whether the last check found a change that does not count yet.
func (s *Set) Pending() bool { return s.fresh.infos != nil }

// rested reports whether a change counts now: each changed file is another file, or an earlier check saw the same
// content.
func (s *Set) rested(now state) bool {
	if s.rest == 0 || s.seen.infos != nil && !now.isWritten(s.seen) {
		return true
	}
	if now.digest != s.fresh.digest {
		s.fresh, s.noted = now, time.Now()
		return false
	}
	return time.Since(s.noted) >= s.rest
}

// stays reports whether the files are the same a moment later.
func (s *Set) stays(ctx context.Context, now state) bool {
	select {
	case <-time.After(s.settle):
	case <-ctx.Done():
		return false
	}
	_, again, err := s.read()
	return err == nil && again.digest == now.digest
}

func (s *Set) read() ([][]byte, state, error) {
	if s.find != nil {
		return s.look()
	}
	contents, now := make([][]byte, 0, len(s.files)), state{}
	for _, f := range s.files {
		data, info, err := f.Read()
		if err != nil {
			return nil, state{}, err
		}
		contents = append(contents, data)
		now.add(fileName{}, data, info)
	}
	now.digest = now.whole()
	return contents, now, nil
}

func (s *state) add(name fileName, data []byte, info fs.FileInfo) {
	s.names, s.infos = append(s.names, name), append(s.infos, info)
	s.sums = append(s.sums, sha256.Sum256(data))
}

// isWritten reports whether a file has changed in place since before, so that it may be half written. A file that was
// not there before may be, too, and one that has gone may be about to come back.
func (s *state) isWritten(before state) bool {
	if !slices.Equal(s.names, before.names) {
		return true
	}
	for i := range s.sums {
		if s.sums[i] != before.sums[i] && os.SameFile(s.infos[i], before.infos[i]) {
			return true
		}
	}
	return false
}

// whole distinguishes names and contents, and how they are divided into files.
func (s *state) whole() [sha256.Size]byte {
	var all bytes.Buffer
	for i := range s.sums {
		name := sha256.Sum256([]byte(s.names[i].root + "\x00" + s.names[i].name))
		all.Write(name[:])
		all.Write(s.sums[i][:])
	}
	return sha256.Sum256(all.Bytes())
}
