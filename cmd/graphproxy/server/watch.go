package server

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

const (
	pollEvery  = 2 * time.Second        // how often files are looked at
	settleTime = 100 * time.Millisecond // how long a changed file must stay as it is before it counts
	maxFile    = 16 << 20               // bytes of a policy or certificate file: what is larger is something else
)

// fileSet is a few files that belong together, as they were last seen. It is not safe for concurrent use. Content counts and
// not time stamps, because Kubernetes replaces mounted files by swapping a symbolic link.
type fileSet struct {
	names  []string
	settle time.Duration
	digest [sha256.Size]byte
}

func newFileSet(names ...string) fileSet { return fileSet{names: names, settle: settleTime} }

// read returns the files' contents, and takes them as seen.
func (f *fileSet) read() ([][]byte, error) {
	contents, err := readFiles(f.names)
	if err != nil {
		f.digest = [sha256.Size]byte{}
		return nil, err
	}
	f.digest = digest(contents)
	return contents, nil
}

// changed returns the files' contents if they differ from what was last seen, and nil if not. A file that is being
// written has not changed yet: half a policy can be a valid one that lacks the denials at its end.
func (f *fileSet) changed(ctx context.Context) ([][]byte, error) {
	contents, err := readFiles(f.names)
	if err != nil {
		f.digest = [sha256.Size]byte{} // whatever is there next is news
		return nil, err
	}
	now := digest(contents)
	if now == f.digest {
		return nil, nil
	}
	select {
	case <-time.After(f.settle):
	case <-ctx.Done():
		return nil, nil
	}
	if again, err := readFiles(f.names); err != nil || digest(again) != now {
		return nil, nil // the next look sees what became of it
	}
	f.digest = now
	return contents, nil
}

func readFiles(names []string) ([][]byte, error) {
	contents := make([][]byte, 0, len(names))
	for _, name := range names {
		data, err := readFile(name)
		if err != nil {
			return nil, err
		}
		contents = append(contents, data)
	}
	return contents, nil
}

func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fileError(err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	switch {
	case err != nil:
		return nil, fileError(err)
	case len(data) > maxFile:
		return nil, fmt.Errorf("is larger than %d MiB: it is not the right file", maxFile>>20)
	}
	return data, nil
}

// fileError is what the operating system says of a file, and the cure, without the path: what was meant to be in the file
// may have been put in the place of its name.
func fileError(err error) error {
	cure := ""
	switch {
	case errors.Is(err, os.ErrNotExist):
		cure = ": correct the path, or create the file"
	case errors.Is(err, os.ErrPermission):
		cure = ": let the user that graphproxy runs as read it"
	}
	var path *os.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	return fmt.Errorf("cannot be opened: %w%s", err, cure)
}

// digest tells contents apart, and how they are divided into files.
func digest(contents [][]byte) [sha256.Size]byte {
	var sums bytes.Buffer
	for _, data := range contents {
		sum := sha256.Sum256(data)
		sums.Write(sum[:])
	}
	return sha256.Sum256(sums.Bytes())
}
