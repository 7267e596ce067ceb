package filewatch_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"graphproxy/auth/filewatch"
)

const most = 1 << 10

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// write overwrites a file in place.
func write(t *testing.T, name, content string) {
	t.Helper()
	must(t, os.WriteFile(name, []byte(content), 0o600))
}

// swap puts another file in the place of one.
func swap(t *testing.T, name, content string) {
	t.Helper()
	write(t, name+".new", content)
	must(t, os.Rename(name+".new", name))
}

// look checks the files and compares the result; no want means that they have not changed.
func look(t *testing.T, s *filewatch.Set, want ...string) {
	t.Helper()
	contents, err := s.Changed(t.Context())
	must(t, err)
	var got []string
	for _, c := range contents {
		got = append(got, string(c))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// watch writes files and returns the Set of them as they are, after a first Read.
func watch(t *testing.T, names ...string) *filewatch.Set {
	t.Helper()
	s := filewatch.New(most, names...)
	_, err := s.Read()
	must(t, err)
	return s
}

func TestFilesAreSeenToChange(t *testing.T) {
	for _, tt := range []struct {
		name string
		run  func(t *testing.T, name string)
	}{
		{"a file put in the place of another counts at once, and once", func(t *testing.T, name string) {
			s := watch(t, name)
			look(t, s)
			swap(t, name, "new")
			look(t, s, "new")
			look(t, s)
		}},
		{"a file overwritten in place counts at the second look", func(t *testing.T, name string) {
			s := watch(t, name)
			write(t, name, "new")
			look(t, s)
			time.Sleep(filewatch.Every)
			look(t, s, "new")
			look(t, s)
		}},
		{"two looks in a row are not two looks with a rest between them", func(t *testing.T, name string) {
			s := watch(t, name)
			write(t, name, "new")
			look(t, s)
			look(t, s)
			time.Sleep(filewatch.Every)
			look(t, s, "new")
		}},
		{"a file that is still being overwritten does not count", func(t *testing.T, name string) {
			s := watch(t, name)
			for _, half := range []string{"allow", "allow everything", "allow everything, deny"} {
				write(t, name, half)
				look(t, s)
				time.Sleep(filewatch.Every)
			}
			write(t, name, "allow everything, deny a lot")
			look(t, s)
			time.Sleep(filewatch.Every)
			look(t, s, "allow everything, deny a lot")
		}},
		{"a file that is overwritten and then as before has not changed", func(t *testing.T, name string) {
			s := watch(t, name)
			write(t, name, "new")
			look(t, s)
			write(t, name, "old")
			time.Sleep(filewatch.Every)
			look(t, s)
			write(t, name, "new")
			look(t, s)
		}},
		{"other time stamps are no change", func(t *testing.T, name string) {
			s := watch(t, name)
			write(t, name, "old")
			must(t, os.Chtimes(name, time.Time{}, time.Unix(1, 0)))
			look(t, s)
			time.Sleep(filewatch.Every)
			look(t, s)
		}},
		{"a swapped symbolic link counts at once", func(t *testing.T, name string) {
			write(t, name+".2", "new")
			link := name + ".link"
			must(t, os.Symlink(name, link))
			s := watch(t, link)
			must(t, os.Symlink(name+".2", link+".tmp"))
			must(t, os.Rename(link+".tmp", link))
			look(t, s, "new")
		}},
		{"one of two files changes both", func(t *testing.T, name string) {
			write(t, name+".key", "1")
			s := watch(t, name, name+".key")
			swap(t, name+".key", "2")
			look(t, s, "old", "2")
		}},
		{"a file that was away counts when it is back and has rested", func(t *testing.T, name string) {
			s := watch(t, name)
			must(t, os.Remove(name))
			if _, err := s.Changed(t.Context()); err == nil || strings.Contains(err.Error(), name) {
				t.Errorf("error %v", err)
			}
			write(t, name, "old")
			look(t, s)
			time.Sleep(filewatch.Every)
			look(t, s, "old")
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			name := filepath.Join(t.TempDir(), "policy.yaml")
			write(t, name, "old")
			synctest.Test(t, func(t *testing.T) { tt.run(t, name) })
		})
	}
}

// A check takes 0.1 s when something has changed. A file that changes again in that time does not count yet.
func TestAFileThatChangesDuringALookCountsAtTheNext(t *testing.T) {
	name := filepath.Join(t.TempDir(), "policy.yaml")
	synctest.Test(t, func(t *testing.T) {
		write(t, name, "old")
		s := watch(t, name)
		old, err := os.Open(name) // so that no later file gets its inode
		must(t, err)
		defer old.Close()
		swap(t, name, "half")
		time.AfterFunc(50*time.Millisecond, func() { swap(t, name, "whole") })
		look(t, s)
		look(t, s, "whole")
	})
}

func TestOnlyRegularFilesAreRead(t *testing.T) {
	dir := t.TempDir()
	must(t, syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600))
	write(t, filepath.Join(dir, "large"), strings.Repeat("x", most+1))
	write(t, filepath.Join(dir, "full"), strings.Repeat("x", most))
	for _, tt := range []struct{ name, file, problem string }{
		{"a pipe that no program writes to", filepath.Join(dir, "pipe"),
			"is a directory, a pipe or a device: write the path of a regular file"},
		{"a directory", dir, "is a directory, a pipe or a device: write the path of a regular file"},
		{"a device", "/dev/zero", "is a directory, a pipe or a device: write the path of a regular file"},
		{"a file that is not there", filepath.Join(dir, "none"),
			"cannot be opened: no such file or directory: correct the path, or create the file"},
		{"a file that is too large", filepath.Join(dir, "large"), "is larger than 1 KiB: it is not the right file"},
		{"a file that is as large as it may be", filepath.Join(dir, "full"), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := filewatch.NewFile(tt.file, most).Read()
			got := ""
			if err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(tt.problem, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
