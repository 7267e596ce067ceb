package filewatch

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"time"
)

// deadline is how long a file system may take to answer.
const deadline = 5 * time.Second

var errHangs = errors.New("cannot be read: its file system has not answered for 5s")

// File is one file that is read again and again. Make it with NewFile. It is not safe for concurrent use.
type File struct {
	root  string // the name is below it, and so is the file; "": the name is a path
	name  string
	most  int64
	under attempt[outcome]
}

// attempt is something that the file system does. At most one is under way, however long it hangs.
type attempt[T any] struct{ pending chan T }

// wait returns what do returns. A file system that hangs is an error after 5 s, and from then on at once until it
// answers.
func (a *attempt[T]) wait(do func() T) (result T, err error) {
	wait := time.Duration(0) // for an attempt that has been waited for before
	if a.pending == nil {
		wait = deadline
		a.pending = make(chan T, 1)
		go func(done chan<- T) { done <- do() }(a.pending)
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case result = <-a.pending:
		a.pending = nil
		return result, nil
	case <-timer.C:
		return result, errHangs
	}
}

type outcome struct {
	data []byte
	info fs.FileInfo
	err  error
}

// NewFile returns the file at a path, which may hold at most most bytes. It does not touch the file.
func NewFile(name string, most int64) *File { return &File{name: name, most: most} }

// Read returns the content of the file, and its identity (os.SameFile). Only a regular file is read: a pipe or
// a device could block the process. A file system that hangs is an error after 5 s, and from then on at once
// until it answers. Errors continue a sentence that begins with the name of the setting, and end with the cure.
// They leave out the path, because a secret may stand there by mistake.
func (f *File) Read() ([]byte, fs.FileInfo, error) {
	root, name, most := f.root, f.name, f.most
	o, err := f.under.wait(func() outcome { return read(root, name, most) })
	if err != nil {
		return nil, nil, err
	}
	return o.data, o.info, o.err
}

var errNotRegular = errors.New("is a directory, a pipe or a device: write the path of a regular file")

func read(root, name string, most int64) (o outcome) {
	file, err := openFile(root, name)
	if err != nil {
		return outcome{err: openError(err)}
	}
	defer file.Close()
	if o.info, err = file.Stat(); err != nil {
		return outcome{err: openError(err)}
	}
	if !o.info.Mode().IsRegular() {
		return outcome{info: o.info, err: errNotRegular}
	}
	o.data, err = io.ReadAll(io.LimitReader(file, most+1))
	switch {
	case err != nil:
		return outcome{err: openError(err)}
	case int64(len(o.data)) > most:
		return outcome{err: fmt.Errorf("is larger than %d KiB: it is not the right file", most>>10)}
	}
	return o
}

// openFile opens a file, or a directory. Below a root, no symbolic link leads out of it.
func openFile(root, name string) (*os.File, error) {
	// O_NONBLOCK: opening a pipe would wait for its writer
	const flags = os.O_RDONLY | syscall.O_NONBLOCK
	if root == "" {
		return os.OpenFile(name, flags, 0)
	}
	dir, err := os.OpenRoot(root)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	return dir.OpenFile(name, flags, 0)
}

// openError returns the operating system's error for a file, and the cure.
func openError(err error) error {
	cure := ""
	switch {
	case errors.Is(err, fs.ErrNotExist):
		cure = ": correct the path, or create the file"
	case errors.Is(err, fs.ErrPermission):
		cure = ": let the user that graphproxy runs as read it"
	}
	if strings.Contains(err.Error(), "path escapes from parent") { // os.Root has no error to compare with
		cure = ": put the file itself there, not a link to another directory"
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	return fmt.Errorf("cannot be opened: %w%s", err, cure)
}
