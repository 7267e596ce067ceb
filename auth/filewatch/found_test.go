package filewatch_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"graphproxy/auth/filewatch"
)

// below returns a Set of the files in a directory, all of them.
func below(dir string) *filewatch.Set {
	return filewatch.Found(most, func(l *filewatch.Look) error {
		names, err := l.List(dir, ".")
		if err != nil {
			return err
		}
		for _, name := range names {
			if _, err := l.ReadBelow(dir, name); err != nil {
				return err
			}
		}
		return nil
	})
}

func TestFilesAreFoundAnew(t *testing.T) {
	for _, tt := range []struct {
		name string
		run  func(t *testing.T, dir string, s *filewatch.Set)
	}{
		{"nothing has changed", func(t *testing.T, _ string, s *filewatch.Set) { look(t, s) }},
		{"a file put in the place of another counts at once", func(t *testing.T, dir string, s *filewatch.Set) {
			write(t, dir+"/../new", "2")
			must(t, os.Rename(dir+"/../new", dir+"/a"))
			look(t, s, "2", "b")
		}},
		{"a file that is overwritten counts at the second look", func(t *testing.T, dir string, s *filewatch.Set) {
			write(t, dir+"/b", "2")
			look(t, s)
			time.Sleep(filewatch.Every)
			look(t, s, "a", "2")
		}},
		{"a file that is overwritten beside one that is replaced counts at the second look",
			func(t *testing.T, dir string, s *filewatch.Set) {
				write(t, dir+"/../new", "2")
				must(t, os.Rename(dir+"/../new", dir+"/a"))
				write(t, dir+"/b", "half")
				look(t, s)
				write(t, dir+"/b", "whole")
				time.Sleep(filewatch.Every)
				look(t, s)
				time.Sleep(filewatch.Every)
				look(t, s, "2", "whole")
			}},
		{"a new file counts at the second look", func(t *testing.T, dir string, s *filewatch.Set) {
			write(t, dir+"/c", "half")
			look(t, s)
			write(t, dir+"/c", "whole")
			time.Sleep(filewatch.Every)
			look(t, s)
			time.Sleep(filewatch.Every)
			look(t, s, "a", "b", "whole")
		}},
		{"a file that has gone counts at the second look", func(t *testing.T, dir string, s *filewatch.Set) {
			must(t, os.Remove(dir+"/b"))
			look(t, s)
			time.Sleep(filewatch.Every)
			look(t, s, "a")
		}},
		{"a file that comes back as it was has not changed", func(t *testing.T, dir string, s *filewatch.Set) {
			must(t, os.Remove(dir+"/b"))
			look(t, s)
			write(t, dir+"/b", "b")
			time.Sleep(filewatch.Every)
			look(t, s)
		}},
		{"a file with another name and the same content is a change", func(t *testing.T, dir string, s *filewatch.Set) {
			must(t, os.Rename(dir+"/b", dir+"/c"))
			look(t, s)
			time.Sleep(filewatch.Every)
			look(t, s, "a", "b")
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "teams")
			must(t, os.Mkdir(dir, 0o700))
			write(t, dir+"/a", "a")
			write(t, dir+"/b", "b")
			synctest.Test(t, func(t *testing.T) {
				s := below(dir)
				_, err := s.Read()
				must(t, err)
				tt.run(t, dir, s)
			})
		})
	}
}

func TestNoLinkLeadsOutOfADirectory(t *testing.T) {
	top := t.TempDir()
	dir := filepath.Join(top, "policies")
	must(t, os.MkdirAll(filepath.Join(dir, "teams"), 0o700))
	write(t, top+"/secret", "secret")
	write(t, dir+"/real", "real")
	must(t, os.Symlink("../secret", dir+"/out"))
	must(t, os.Symlink(top+"/secret", dir+"/absolute"))
	must(t, os.Symlink("..", dir+"/up"))
	must(t, os.Symlink("../real", dir+"/teams/inside"))
	must(t, syscall.Mkfifo(dir+"/pipe", 0o600))
	for name, want := range map[string]string{
		"real":          "",
		"teams/inside":  "",
		"out":           "escapes",
		"absolute":      "escapes",
		"up/secret":     "escapes",
		"../secret":     "escapes",
		top + "/secret": "escapes",
		"teams":         "write the path of a regular file",
		"pipe":          "write the path of a regular file",
		"none":          "no such file or directory",
	} {
		t.Run(name, func(t *testing.T) {
			var got []byte
			_, err := filewatch.Found(most, func(l *filewatch.Look) (err error) {
				got, err = l.ReadBelow(dir, name)
				return err
			}).Read()
			if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
				t.Errorf("error %v", err)
			}
			if strings.Contains(string(got), "secret") {
				t.Errorf("read %q", got)
			}
		})
	}
}
