// Package policyfiles finds and reads the files of a policy: the main file, those that its include names, and, where a
// directory is the policy, all that end in .yaml in it.
//
// It decides which files belong to a policy, and that none of them is outside the main file's directory. What is in
// them is decided by package policy. When a change of them counts is decided by package filewatch.
package policyfiles

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"graphproxy/auth/filewatch"
	"graphproxy/policy"
	"graphproxy/policy/yamlfile"
)

// Main is the name of the main file of a directory.
const Main = "policy.yaml"

// mostBytes bounds one file. A policy's own bound is lower, and its message says more.
const mostBytes = 16 << 20

// Read reads the files of a policy once. In messages, names are as path is: "policies/teams/hr.yaml". Path may be a
// pipe, too, and then it is the only file.
func Read(path string) (policy.Files, error) {
	if info, err := os.Stat(path); err == nil && !info.IsDir() && !info.Mode().IsRegular() {
		return readPipe(path)
	}
	w := Watch(path)
	w.isShownWhole = true
	return w.Read()
}

func readPipe(path string) (policy.Files, error) {
	f, err := os.Open(path)
	if err != nil {
		return policy.Files{}, fmt.Errorf("the file %q cannot be opened: %w", path, errors.Unwrap(err))
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, yamlfile.MaxSize+1)) // the byte too much is for its reader to see
	if err != nil {
		return policy.Files{}, fmt.Errorf("the file %q cannot be read: %w", path, err)
	}
	return policy.Files{All: []policy.File{{Name: path, Data: data}}}, nil
}

// Watcher reads the files of a policy again when they change. Make it with Watch. It is not safe for concurrent use.
type Watcher struct {
	path         string
	isShownWhole bool
	set          *filewatch.Set
	found        policy.Files // by the last look
}

// Watch returns a Watcher of the policy at a path: that of the main file, or of a directory. It touches no file. In
// messages, names begin in the main file's directory: callers see them, and must not learn where the operator keeps the
// files.
func Watch(path string) *Watcher {
	w := &Watcher{path: path}
	w.set = filewatch.Found(mostBytes, w.find)
	return w
}

// Impatient makes changes count at the first look, for tests.
func (w *Watcher) Impatient() { w.set.Impatient() }

// Read returns the files as they are. Errors are sentences without the end, with the file's name and the cure.
func (w *Watcher) Read() (policy.Files, error) {
	_, err := w.set.Read()
	return w.found, err
}

// Changed returns the files if they differ from what Read or Changed returned last, and the change counts. It takes up
// to 0.1 s when something has changed.
func (w *Watcher) Changed(ctx context.Context) (files policy.Files, changed bool, err error) {
	contents, err := w.set.Changed(ctx)
	return w.found, contents != nil, err
}

// Pending reports whether the last look found a change that does not count yet.
func (w *Watcher) Pending() bool { return w.set.Pending() }

// finding is one look.
type finding struct {
	*filewatch.Look
	path  string // of the policy
	dir   string // of the main file
	files policy.Files
}

// find reads all files.
func (w *Watcher) find(l *filewatch.Look) error {
	f := &finding{Look: l, path: w.path}
	if err := f.all(); err != nil {
		return err
	}
	if !w.isShownWhole {
		f.files.Prefix = ""
	}
	w.found = f.files
	return nil
}

func (f *finding) all() error {
	isDirectory := f.IsDirectory(f.path)
	if err := f.main(isDirectory); err != nil {
		return err
	}
	var names []string
	if isDirectory {
		all, err := f.beside()
		if err != nil {
			return err
		}
		names = all
	}
	for _, pattern := range policy.Includes(f.files.All[0].Data) {
		matched, err := f.matching(pattern)
		if err != nil {
			return err
		}
		names = append(names, matched...)
	}
	if err := f.addAll(names); err != nil {
		return err
	}
	return f.addLists()
}

// addLists reads the files of lists that the policy files name. Package policy reports one that is not there, with the
// line that names it.
func (f *finding) addLists() error {
	var names []string
	for _, file := range f.files.All {
		for _, name := range policy.ListFiles(file) {
			names = append(names, f.ifThere(name)...)
		}
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		if err := f.add(name); err != nil {
			return err
		}
		f.files.All[len(f.files.All)-1].IsList = true
	}
	return nil
}

// addAll reads the files of these names, each once.
func (f *finding) addAll(names []string) error {
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		if name == f.files.All[0].Name {
			continue
		}
		if err := f.add(name); err != nil {
			return err
		}
	}
	return nil
}

// main reads the main file.
func (f *finding) main(isDirectory bool) error {
	name, read := filepath.Base(f.path), func() ([]byte, error) { return f.Read(f.path) }
	f.dir = filepath.Dir(f.path)
	f.files.Prefix = strings.TrimSuffix(f.path, name)
	if isDirectory {
		f.dir, name = f.path, Main
		f.files.Prefix = strings.TrimSuffix(f.path, "/") + "/"
		read = func() ([]byte, error) { return f.ReadBelow(f.dir, Main) }
	}
	data, err := read()
	switch {
	case err != nil && isDirectory:
		return fmt.Errorf("the file %q, which is the main one of a directory, %w", f.files.Prefix+Main, err)
	case err != nil:
		return fmt.Errorf("the file %q %w", f.path, err)
	}
	f.files.All = append(f.files.All, policy.File{Name: name, Data: data})
	return nil
}

// beside returns the names of the policy files in the directory that is the policy.
func (f *finding) beside() ([]string, error) {
	names, err := f.List(f.dir, ".")
	if err != nil {
		return nil, fmt.Errorf("the directory %q %w", f.path, err)
	}
	var found []string
	for _, name := range names {
		switch {
		case strings.HasPrefix(name, "."):
		case strings.HasSuffix(name, ".yaml"):
			found = append(found, name)
		case strings.HasSuffix(strings.ToLower(name), ".yml"), strings.HasSuffix(strings.ToLower(name), ".yaml"):
			return nil, fmt.Errorf("the file %q would not be read, because its name does not end in .yaml: rename it",
				f.files.Prefix+name)
		}
	}
	return found, nil
}

// matching returns the names of the files that a pattern of include names. A name without a star may be that of no
// file: package policy reports it, with its line.
func (f *finding) matching(pattern string) ([]string, error) {
	if !strings.Contains(pattern, "*") {
		return f.ifThere(pattern), nil
	}
	dirs := []string{"."}
	parts := strings.Split(pattern, "/")
	for i, part := range parts {
		var next []string
		for _, dir := range dirs {
			if !strings.Contains(part, "*") && i < len(parts)-1 {
				next = append(next, path.Join(dir, part))
				continue
			}
			names, err := f.List(f.dir, dir)
			if err != nil && !filewatch.IsNotThere(err) {
				return nil, fmt.Errorf("the directory %q %w", f.files.Prefix+dir, err)
			}
			for _, name := range names {
				if policy.MatchesPart(part, name) {
					next = append(next, path.Join(dir, name))
				}
			}
		}
		if dirs = next; len(dirs) > policy.MaxFiles && i < len(parts)-1 {
			break
		}
	}
	return dirs, nil
}

func (f *finding) ifThere(name string) []string {
	if f.IsThere(f.dir, name) {
		return []string{name}
	}
	return nil
}

// errTooMany is the end of a sentence.
var errTooMany = errors.New("is one file too many: a policy has at most " + fmt.Sprint(policy.MaxFiles))

// add reads a file below the main file's directory.
func (f *finding) add(name string) error {
	if len(f.files.All) >= policy.MaxFiles {
		return fmt.Errorf("the file %q %w", f.files.Prefix+name, errTooMany)
	}
	data, err := f.ReadBelow(f.dir, name)
	if err != nil {
		return fmt.Errorf("the file %q %w", f.files.Prefix+name, err)
	}
	f.files.All = append(f.files.All, policy.File{Name: name, Data: data})
	total := 0
	for _, file := range f.files.All {
		total += len(file.Data)
	}
	if total > policy.MaxTotal {
		return fmt.Errorf("the file %q makes the policy larger than %d KiB: it is not the right file", f.files.Prefix+name,
			policy.MaxTotal>>10)
	}
	return nil
}
