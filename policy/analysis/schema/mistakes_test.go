package schema_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"graphproxy/policy"
)

var update = flag.Bool("update", false, "write golden files")

// mistakes returns the policies of policy/analysis/lint/testdata/mistakes, by the name of the mistake and the file.
func mistakes(t *testing.T) map[string][]txtar.File {
	t.Helper()
	files, err := filepath.Glob("../lint/testdata/mistakes/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no mistakes: %v", err)
	}
	all := make(map[string][]txtar.File)
	for _, file := range files {
		for _, f := range txtar.Parse(read(t, file)).Files {
			name, rest, _ := strings.Cut(f.Name, "/")
			if rest != "want" && rest != "cure" && rest != "allows" {
				text := strings.NewReplacer("<U+200B>", "\u200b", "<U+2028>", "\u2028").Replace(string(f.Data))
				all[name] = append(all[name], txtar.File{Name: rest, Data: []byte(text)})
			}
		}
	}
	return all
}

// A file that loads is not marked. Of the others, testdata/unseen.golden has those that a schema cannot see.
func TestTheSchemaSeesTheMistakesThatASchemaCanSee(t *testing.T) {
	s, seen := compile(t), 0
	var unseen []string
	for name, files := range mistakes(t) {
		var parts policy.Files
		got := unmarked
		for _, f := range files {
			isList := strings.HasSuffix(f.Name, ".txt")
			parts.All = append(parts.All, policy.File{Name: f.Name, Data: f.Data, IsList: isList})
			if isList {
				continue
			}
			if v, _ := judge(s, f.Data); v != unmarked {
				got = v
			}
		}
		_, err := policy.ParseFiles(time.Time{}, parts)
		var errs policy.Errors
		switch {
		case err != nil && !errors.As(err, &errs):
			t.Errorf("%s: %v", name, err)
		case err == nil && got != unmarked:
			t.Errorf("%s loads, and %s", name, got)
		case err != nil && got == unmarked:
			unseen = append(unseen, name)
		case err != nil:
			seen++
		}
	}
	slices.Sort(unseen)
	text := strings.Join(unseen, "\n") + "\n"
	const golden = "testdata/unseen.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(string(read(t, golden)), text); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	t.Logf("the schema sees %d mistakes and cannot see %d", seen, len(unseen))
}
