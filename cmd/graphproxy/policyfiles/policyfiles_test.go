package policyfiles_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"graphproxy/cmd/graphproxy/policyfiles"
	"graphproxy/policy"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// tree writes files below a new directory, by name; a text that begins with -> is a symbolic link.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		name = filepath.Join(dir, name)
		must(t, os.MkdirAll(filepath.Dir(name), 0o700))
		if to, isLink := strings.CutPrefix(text, "->"); isLink {
			must(t, os.Symlink(to, name))
			continue
		}
		must(t, os.WriteFile(name, []byte(text), 0o600))
	}
	return dir
}

func names(files policy.Files) []string {
	var all []string
	for _, f := range files.All {
		all = append(all, f.Name)
	}
	return all
}

func TestTheFilesOfAPolicyAreFound(t *testing.T) {
	for _, c := range []struct {
		name, path string
		files      map[string]string
		want       []string // or the error
	}{
		{"one file", "policy.yaml", map[string]string{"policy.yaml": "version: 1\n", "other.yaml": ""},
			[]string{"policy.yaml"}},
		{"a pattern", "p.yaml", map[string]string{"p.yaml": "include: [teams/*.yaml]\n", "teams/b.yaml": "",
			"teams/a.yaml": "",
			"teams/a.yml":  "", "teams/.hidden.yaml": "", "teams/deep/c.yaml": "", "other.yaml": ""},
			[]string{"p.yaml", "teams/a.yaml", "teams/b.yaml"}},
		{"a star for a directory", "p.yaml", map[string]string{"p.yaml": "include: teams/*/policy.yaml\n",
			"teams/b/policy.yaml": "", "teams/a/policy.yaml": "", "teams/readme": "", "teams/c/none": ""},
			[]string{"p.yaml", "teams/a/policy.yaml", "teams/b/policy.yaml"}},
		{"two patterns that name one file", "p.yaml", map[string]string{"p.yaml": "include: [a.yaml, '*.yaml']\n",
			"a.yaml": ""},
			[]string{"p.yaml", "a.yaml"}},
		{"a file that is not there is left to the loader", "p.yaml", map[string]string{"p.yaml": "include: [a.yaml]\n"},
			[]string{"p.yaml"}},
		{"a directory", ".", map[string]string{"policy.yaml": "version: 1\n", "b.yaml": "", "a.yaml": "", "README.md": "",
			".x.yaml": "", "teams/a.yaml": ""}, []string{"policy.yaml", "a.yaml", "b.yaml"}},
		{"a directory whose main file includes", ".", map[string]string{"policy.yaml": "include: [teams/*.yaml]\n",
			"zz.yaml": "", "teams/a.yaml": ""}, []string{"policy.yaml", "teams/a.yaml", "zz.yaml"}},
		{"a directory as Kubernetes mounts it", ".", map[string]string{"..2026/policy.yaml": "version: 1\n",
			"..2026/a.yaml": "",
			"..data":        "->..2026", "policy.yaml": "->..data/policy.yaml", "a.yaml": "->..data/a.yaml"},
			[]string{"policy.yaml", "a.yaml"}},
		{"a link within the directory", "p.yaml", map[string]string{"p.yaml": "include: teams/*.yaml\n",
			"teams/a.yaml": "->../real/a.yaml", "real/a.yaml": "version: 1"}, []string{"p.yaml", "teams/a.yaml"}},
		{"files of lists", "p.yaml", map[string]string{
			"p.yaml":       "include: t/a.yaml\nlists: {a: {file: a.txt}, b: [x], c: {file: gone.txt}, d: {file: ../x}}\n",
			"t/a.yaml":     "lists: {z: {file: sub/z.txt}}\n",
			"a.txt":        "x\n",
			"t/sub/z.txt":  "x\n",
			"t/gone.txt":   "x\n",
			"t/sub/a.yaml": "",
		}, []string{"p.yaml", "t/a.yaml", "a.txt", "t/sub/z.txt"}},
		{"a pattern that is no pattern is left to the loader", "p.yaml",
			map[string]string{"p.yaml": "include: [../*.yaml]\n"},
			[]string{"p.yaml"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			files, err := policyfiles.Read(filepath.Join(tree(t, c.files), c.path))
			must(t, err)
			if diff := cmp.Diff(c.want, names(files)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWhatCannotBeReadIsAnErrorThatNamesTheFile(t *testing.T) {
	many := map[string]string{"p.yaml": "include: teams/*.yaml\n"}
	for i := range policy.MaxFiles {
		many[fmt.Sprintf("teams/%04d.yaml", i)] = ""
	}
	for _, c := range []struct {
		name, path string
		files      map[string]string
		want       string
	}{
		{"no main file", "p.yaml", nil,
			"the file \"DIR/p.yaml\" cannot be opened: no such file or directory: correct the path, " +
				"or create the file"},
		{"a directory without one", ".", map[string]string{"a.yaml": ""},
			"the file \"DIR/policy.yaml\", which is the main one of " +
				"a directory, cannot be opened: no such file or directory: correct the path, or create the file"},
		{"another ending in a directory", ".", map[string]string{"policy.yaml": "", "hr.yml": ""},
			"the file \"DIR/hr.yml\" would not be read, because its name does not end in .yaml: rename it"},
		{"a directory that is named as a file", "p.yaml", map[string]string{"p.yaml": "include: '*.yaml'\n", "d.yaml/x": ""},
			"the file \"DIR/d.yaml\" is a directory, a pipe or a device: write the path of a regular file"},
		{"a link to outside", "p.yaml", map[string]string{"p.yaml": "include: teams/*.yaml\n",
			"teams/a.yaml": "->/etc/passwd"},
			"the file \"DIR/teams/a.yaml\" cannot be opened: path escapes from parent: put the file itself there, not a link " +
				"to another directory"},
		{"a directory that is a link to outside", "p.yaml", map[string]string{"p.yaml": "include: teams/*.yaml\n",
			"teams": "->/etc"}, "the directory \"DIR/teams\" cannot be opened: path escapes from parent: put the file itself " +
			"there, not a link to another directory"},
		{"a link to nothing", "p.yaml", map[string]string{"p.yaml": "include: '*.yaml'\n", "a.yaml": "->none"},
			"the file \"DIR/a.yaml\" cannot be opened: no such file or directory: correct the path, or create the file"},
		{"too many files", "p.yaml", many,
			"the file \"DIR/teams/0999.yaml\" is one file too many: a policy has at most 1000"},
		{"too much in them", "p.yaml", map[string]string{"p.yaml": "include: '*.yaml'\n", "a.yaml": strings.Repeat("#",
			9<<20),
			"b.yaml": strings.Repeat("#", 9<<20)},
			"the file \"DIR/b.yaml\" makes the policy larger than 16384 KiB: it is not the " +
				"right file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := tree(t, c.files)
			path := dir
			if c.path != "." {
				path = filepath.Join(dir, c.path)
			}
			_, err := policyfiles.Watch(path).Read()
			if err == nil {
				t.Fatal("no error")
			}
			got := strings.ReplaceAll(err.Error(), "DIR", dir)
			if diff := cmp.Diff(shortened(c.want, dir), shortened(got, dir)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// shortened leaves the directory out, which is there for some names only.
func shortened(text, dir string) string {
	return strings.ReplaceAll(strings.ReplaceAll(text, "DIR/", ""), dir+"/", "")
}

func TestNamesInMessages(t *testing.T) {
	dir := tree(t, map[string]string{"p.yaml": "include: teams/*.yaml\n", "policy.yaml": "", "teams/a.yaml": ""})
	for _, path := range []string{dir, dir + "/", dir + "/p.yaml"} {
		read, err := policyfiles.Read(path)
		must(t, err)
		watched, err := policyfiles.Watch(path).Read()
		must(t, err)
		if read.Prefix != dir+"/" || watched.Prefix != "" {
			t.Errorf("%s: the prefixes are %q and %q", path, read.Prefix, watched.Prefix)
		}
	}
}

func TestAPipeIsAPolicyOfOneFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "pipe")
	must(t, syscall.Mkfifo(name, 0o600))
	go func() {
		f, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err == nil {
			_, _ = f.WriteString("version: 1\n")
			f.Close()
		}
	}()
	files, err := policyfiles.Read(name)
	must(t, err)
	if len(files.All) != 1 || string(files.All[0].Data) != "version: 1\n" {
		t.Errorf("%d files", len(files.All))
	}
}

func TestAChangeOfTheMainFileLeadsToOtherFiles(t *testing.T) {
	dir := tree(t, map[string]string{"p.yaml": "include: a.yaml\n", "a.yaml": "a", "b.yaml": "b"})
	w := policyfiles.Watch(dir + "/p.yaml")
	w.Impatient()
	look := func(want ...string) {
		t.Helper()
		files, changed, err := w.Changed(t.Context())
		must(t, err)
		if !changed {
			files = policy.Files{}
		}
		if diff := cmp.Diff(want, names(files)); diff != "" {
			t.Error(diff)
		}
	}
	_, err := w.Read()
	must(t, err)
	look()
	must(t, os.WriteFile(dir+"/b.yaml", []byte("b2"), 0o600))
	look()
	must(t, os.WriteFile(dir+"/p.yaml", []byte("include: [a.yaml, b.yaml]\n"), 0o600))
	look("p.yaml", "a.yaml", "b.yaml")
	must(t, os.Remove(dir+"/b.yaml"))
	look("p.yaml", "a.yaml")
	look()
}
