// Package filewatch reads small files of settings, and finds out when they change.
//
// It decides when a file counts as changed: a file that was put in the place of another by a rename or a symbolic link
// counts at once; a file that is overwritten in place counts when it has rested, because half a policy can be a valid
// one that lacks the denials at its end. It leaves to its callers what is in the files and how often they are looked
// at.
package filewatch

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io/fs"
	"os"
	"time"
)

const (
	// Every is how often callers look at their files.
	Every = 2 * time.Second
	// settle is how long a file that took the place of another must stay as it is before it counts.
	settle = 100 * time.Millisecond
	// rest is how long a file that was overwritten in place must stay as it is: from one look to the next.
	rest = Every - settle
)

// Set is a few files that belong together, as they were last seen. Make it with New. It is not safe for concurrent use.
// Content counts and not time stamps, because Kubernetes replaces mounted files by swapping a symbolic link.
type Set struct {
	files  []*File
	settle time.Duration
	rest   time.Duration

	seen  state     // what Read or Changed returned last; the zero state: nothing
	fresh state     // what is there now, and has not rested yet
	noted time.Time // when fresh was seen first
}

// state is what is in the files, and which files they are.
type state struct {
	digest [sha256.Size]byte
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

// Impatient makes changes count at the first look, for tests.
func (s *Set) Impatient() { s.settle, s.rest = 0, 0 }

// Read returns the files' contents, and takes them as seen. The errors are those of File.Read.
func (s *Set) Read() ([][]byte, error) {
	contents, now, err := s.read()
	s.seen, s.fresh = now, state{}
	return contents, err
}

// Changed returns the files' contents if they differ from what was last seen, and nil if not, or not yet. After an
// error, a file counts as overwritten in place when it is back. Changed takes up to 0.1 s when something has changed.
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

// Pending reports whether the last look found a change that does not count yet.
func (s *Set) Pending() bool { return s.fresh.infos != nil }

// rested reports whether a change counts by now: the files are other files, or a look before this one saw the same
// content.
func (s *Set) rested(now state) bool {
	if s.rest == 0 || s.seen.infos != nil && !now.sameFiles(s.seen) {
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
	contents, now := make([][]byte, 0, len(s.files)), state{}
	for _, f := range s.files {
		data, info, err := f.Read()
		if err != nil {
			return nil, state{}, err
		}
		contents, now.infos = append(contents, data), append(now.infos, info)
	}
	now.digest = digest(contents)
	return contents, now, nil
}

// sameFiles reports whether every file is the same one, even with other content.
func (s state) sameFiles(other state) bool {
	if len(s.infos) != len(other.infos) {
		return false
	}
	for i := range s.infos {
		if !os.SameFile(s.infos[i], other.infos[i]) {
			return false
		}
	}
	return true
}

// digest distinguishes contents, and how they are divided into files.
func digest(contents [][]byte) [sha256.Size]byte {
	var sums bytes.Buffer
	for _, data := range contents {
		sum := sha256.Sum256(data)
		sums.Write(sum[:])
	}
	return sha256.Sum256(sums.Bytes())
}
