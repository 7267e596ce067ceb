package filewatch

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
)

// fileName is a path, or a name below a root.
type fileName struct{ root, name string }

// Found returns a Set of files that are found anew at each look: find reads them, and what one says may lead it to
// others. Each may hold at most most bytes. A file that comes or goes counts when it has rested.
func Found(most int64, find func(*Look) error) *Set {
	s := &Set{settle: settle, rest: rest, known: make(map[fileName]*File), dirs: make(map[fileName]*directory)}
	s.find = func(l *Look) error {
		l.most = most
		return find(l)
	}
	return s
}

// look lets find read the files.
func (s *Set) look() ([][]byte, state, error) {
	l := &Look{set: s}
	if err := s.find(l); err != nil {
		return nil, state{}, err
	}
	s.forget(l.now.names)
	l.now.digest = l.now.whole()
	return l.contents, l.now, nil
}

// forget drops the files that are no longer read, but for those that hang.
func (s *Set) forget(names []fileName) {
	kept := make(map[fileName]bool, len(names))
	for _, name := range names {
		kept[name] = true
	}
	for name, f := range s.known {
		if !kept[name] && f.under.pending == nil {
			delete(s.known, name)
		}
	}
}

// Look is one look at the files of a Set that was made with Found.
type Look struct {
	set      *Set
	most     int64
	now      state
	contents [][]byte
}

// Read returns what is in the file at a path. Errors are those of File.Read.
func (l *Look) Read(path string) ([]byte, error) { return l.read(fileName{name: path}) }

// ReadBelow returns what is in a file below a directory. No symbolic link leads out of that directory.
func (l *Look) ReadBelow(root, name string) ([]byte, error) { return l.read(fileName{root, name}) }

func (l *Look) read(name fileName) ([]byte, error) {
	f := l.set.known[name]
	if f == nil {
		f = &File{root: name.root, name: name.name, most: l.most}
		l.set.known[name] = f
	}
	data, info, err := f.Read()
	if err != nil {
		return nil, err
	}
	l.contents = append(l.contents, data)
	l.now.add(name, data, info)
	return data, nil
}

// IsDirectory reports whether a path is that of a directory.
func (l *Look) IsDirectory(path string) bool {
	info, err := l.directory(fileName{name: path}, 0)
	return err == nil && info.isDir
}

// IsThere reports whether there is anything of a name below a directory.
func (l *Look) IsThere(root, name string) bool {
	_, err := l.directory(fileName{root, name}, 0)
	return !errors.Is(err, fs.ErrNotExist)
}

// maxNames bounds the names that a directory is read for.
const maxNames = 10_000

// List returns the names in a directory below another one, sorted. "." is the other one itself.
func (l *Look) List(root, name string) ([]string, error) {
	found, err := l.directory(fileName{root, name}, maxNames)
	switch {
	case err != nil:
		return nil, err
	case !found.isDir:
		return nil, nil
	case len(found.names) > maxNames:
		return nil, fmt.Errorf("holds more than %d names: it is not the right directory", maxNames)
	}
	slices.Sort(found.names)
	return found.names, nil
}

func (l *Look) directory(name fileName, most int) (listing, error) {
	d := l.set.dirs[name]
	if d == nil {
		d = new(directory)
		l.set.dirs[name] = d
	}
	found, err := d.under.wait(func() listing { return list(name, most) })
	if err != nil {
		return listing{}, err
	}
	return found, found.err
}

// directory is a directory that is read again and again.
type directory struct{ under attempt[listing] }

type listing struct {
	isDir bool
	names []string
	err   error
}

// list reads a directory. What is no directory holds nothing.
func list(name fileName, most int) listing {
	dir, err := openFile(name.root, name.name)
	if err != nil {
		return listing{err: openError(err)}
	}
	defer dir.Close()
	info, err := dir.Stat()
	switch {
	case err != nil:
		return listing{err: openError(err)}
	case !info.IsDir() || most == 0:
		return listing{isDir: info.IsDir()}
	}
	names, err := dir.Readdirnames(most + 1)
	if err != nil && !errors.Is(err, io.EOF) {
		return listing{err: openError(err)}
	}
	return listing{isDir: true, names: names}
}

// IsNotThere reports whether a file or directory was not there.
func IsNotThere(err error) bool { return errors.Is(err, fs.ErrNotExist) }
