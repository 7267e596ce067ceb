package filewatch

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// deadline is how long a file system may take to answer.
const deadline = 5 * time.Second

var errHangs = errors.New("cannot be read: its file system has not answered for 5s")

// File is one file that is read again and again. Make it with NewFile. It is not safe for concurrent use.
type File struct {
	name    string
	most    int64
	pending chan outcome // of a read that has not ended; at most one is under way, however long the file system hangs
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
	wait := time.Duration(0) // for a read that has been waited for before
	if f.pending == nil {
		wait = deadline
		f.pending = make(chan outcome, 1)
		go func(done chan<- outcome) { done <- read(f.name, f.most) }(f.pending)
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case o := <-f.pending:
		f.pending = nil
		return o.data, o.info, o.err
	case <-timer.C:
		return nil, nil, errHangs
	}
}

func read(name string, most int64) (o outcome) {
	// O_NONBLOCK: opening a pipe would wait for its writer
	file, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return outcome{err: openError(err)}
	}
	defer file.Close()
	if o.info, err = file.Stat(); err != nil {
		return outcome{err: openError(err)}
	}
	if !o.info.Mode().IsRegular() {
		return outcome{err: errors.New("is a directory, a pipe or a device: write the path of a regular file")}
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

// openError returns the operating system's error for a file, and the cure.
func openError(err error) error {
	cure := ""
	switch {
	case errors.Is(err, fs.ErrNotExist):
		cure = ": correct the path, or create the file"
	case errors.Is(err, fs.ErrPermission):
		cure = ": let the user that graphproxy runs as read it"
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	return fmt.Errorf("cannot be opened: %w%s", err, cure)
}
