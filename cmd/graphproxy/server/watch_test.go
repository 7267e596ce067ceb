package server_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"graphproxy/cmd/graphproxy/server"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, name, content string) {
	t.Helper()
	must(t, os.WriteFile(name, []byte(content), 0o600))
}

// look expects what a look at files finds; nothing: they have not changed.
func look(t *testing.T, f *server.FileSet, want ...string) {
	t.Helper()
	contents, err := f.Changed(t.Context())
	must(t, err)
	var got []string
	for _, c := range contents {
		got = append(got, string(c))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestFilesAreSeenToChange(t *testing.T) {
	t.Run("a change is found once", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			one, two := filepath.Join(t.TempDir(), "one"), filepath.Join(t.TempDir(), "two")
			write(t, one, "1")
			write(t, two, "2")
			f, err := server.Watch(one, two)
			must(t, err)
			look(t, f)
			write(t, two, "3")
			look(t, f, "1", "3")
			look(t, f)
		})
	})
	t.Run("a change of time stamps is none", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			name := filepath.Join(t.TempDir(), "file")
			write(t, name, "same")
			f, err := server.Watch(name)
			must(t, err)
			write(t, name, "same")
			must(t, os.Chtimes(name, time.Time{}, time.Unix(1, 0)))
			look(t, f)
		})
	})
	t.Run("a swapped symbolic link is one", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "old"), "old")
			write(t, filepath.Join(dir, "new"), "new")
			link := filepath.Join(dir, "link")
			must(t, os.Symlink("old", link))
			f, err := server.Watch(link)
			must(t, err)
			must(t, os.Symlink("new", link+".tmp"))
			must(t, os.Rename(link+".tmp", link))
			look(t, f, "new")
		})
	})
	t.Run("a file that is being written has not changed yet", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			name := filepath.Join(t.TempDir(), "policy.yaml")
			write(t, name, "old")
			f, err := server.Watch(name)
			must(t, err)
			write(t, name, "allow everything")
			go func() {
				time.Sleep(server.Settle / 2)
				write(t, name, "allow everything, deny a lot")
			}()
			look(t, f)
			look(t, f, "allow everything, deny a lot")
		})
	})
	t.Run("a file that was away is news when it is back", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			name := filepath.Join(t.TempDir(), "file")
			write(t, name, "same")
			f, err := server.Watch(name)
			must(t, err)
			must(t, os.Remove(name))
			if _, err := f.Changed(t.Context()); err == nil || strings.Contains(err.Error(), name) {
				t.Errorf("error %v", err)
			}
			write(t, name, "same")
			look(t, f, "same")
		})
	})
}
