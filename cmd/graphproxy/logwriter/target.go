package logwriter

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// target is what lines are written to.
type target interface {
	io.WriteCloser
	// renew compares the target with its name, and opens the file of that name if it is another one, or if force is set.
	// fresh reports that it did: what is written next begins another file.
	renew(force bool) (fresh bool, err error)
}

// stream is a target without a name.
type stream struct{ io.Writer }

func (stream) Close() error             { return nil }
func (stream) renew(bool) (bool, error) { return false, nil }

// file is a target with a name. Other programs may rename or remove it.
type file struct {
	path string
	open *os.File
	info fs.FileInfo // of the file that is open; only what identifies it counts
}

// openFile opens the file at path.
func openFile(path string) (*file, error) {
	f, err := openAppend(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		_ = f.Close()
		return nil, openError(err)
	}
	return &file{path, f, info}, nil
}

func (t *file) Write(p []byte) (int, error) { return t.open.Write(p) }
func (t *file) Close() error                { return t.open.Close() }

// renew keeps the file that is open when the file of its name cannot be opened.
func (t *file) renew(force bool) (fresh bool, err error) {
	if !force && t.isCurrent() {
		return false, nil
	}
	f, err := openFile(t.path)
	if err != nil {
		return false, err
	}
	_ = t.open.Close()
	*t = *f
	return true, nil
}

// isCurrent reports whether the file that is open is the file of that name.
func (t *file) isCurrent() bool {
	named, err := os.Stat(t.path)
	return err == nil && os.SameFile(named, t.info)
}

// openAppend opens a file for appending, and creates it if it is not there. A pipe without a reader is an error: the
// process would wait for the reader. When the file ends within a line, because a process was killed while it wrote,
// that line gets its end, so that the next line does not continue it.
func openAppend(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|syscall.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, openError(err)
	}
	if isTorn(f, path) {
		if _, err := f.Write([]byte{'\n'}); err != nil {
			_ = f.Close()
			return nil, openError(err)
		}
	}
	return f, nil
}

// isTorn reports whether a regular file ends within a line. A file that may not be read counts as whole.
func isTorn(f *os.File, path string) bool {
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() == 0 {
		return false
	}
	readable, err := os.Open(path)
	if err != nil {
		return false
	}
	defer readable.Close()
	var last [1]byte
	_, err = readable.ReadAt(last[:], info.Size()-1)
	return err == nil && last[0] != '\n'
}

// openError returns what the operating system reports, and the cure. It leaves out the path, because what was meant for
// another setting may stand there.
func openError(err error) error {
	cure := ""
	switch {
	case errors.Is(err, fs.ErrNotExist):
		cure = ": create the directory, or correct the path"
	case errors.Is(err, fs.ErrPermission):
		cure = ": let the user that graphproxy runs as write there"
	case errors.Is(err, syscall.ENXIO):
		cure = ": start the program that reads this pipe first"
	case errors.Is(err, syscall.EISDIR):
		cure = ": write the path of a file"
	}
	var path *os.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	return fmt.Errorf("cannot be opened: %w%s", err, cure)
}

// Check returns why Open could not open the file at path, or nil. It creates no file.
func Check(path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return checkDirectory(filepath.Dir(path))
	}
	if err != nil {
		return openError(err)
	}
	if info.IsDir() {
		return openError(syscall.EISDIR)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|syscall.O_NONBLOCK, 0)
	if err != nil {
		return openError(err)
	}
	return f.Close()
}

// checkDirectory returns why no file can be created in a directory, or nil. It creates one and removes it.
func checkDirectory(dir string) error {
	probe, err := os.CreateTemp(dir, ".graphproxy-check-*")
	if err != nil {
		return openError(err)
	}
	_ = probe.Close()
	return os.Remove(probe.Name())
}
