package edit_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"graphproxy/policy"
	"graphproxy/policy/analysis/edit"
)

// some are two rules to add.
func some() []edit.Rule {
	return []edit.Rule{
		{Text: "GET /users/{id}", Comment: "2 requests", Comments: []string{"look at this"}},
		{Text: "PATCH /x", Comment: "1 request"},
	}
}

func TestRulesAreAddedToWhatACallerIsAllowed(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"a list in a block",
			"callers:\n  app:\n    allow:\n      - GET /a # why\n    deny: []\n",
			"callers:\n  app:\n    allow:\n      - GET /a # why\n      # look at this\n      - GET /users/{id}  # " +
				"2 requests\n" +
				"      - PATCH /x         # 1 request\n    deny: []\n"},
		{"a list beside its key, behind a rule with settings",
			"callers:\n  app:\n    allow:\n    - GET /a:\n        where: {id: [x]}  # why\n    # end\n  b: {}\n",
			"callers:\n  app:\n    allow:\n    - GET /a:\n        where: {id: [x]}  # why\n    # look at this\n" +
				"    - GET /users/{id}  # 2 requests\n    - PATCH /x         # 1 request\n    # end\n  b: {}\n"},
		{"the last line has no end",
			"callers:\n  app:\n    allow:\n      - GET /a",
			"callers:\n  app:\n    allow:\n      - GET /a\n      # look at this\n      - GET /users/{id}  # 2 " +
				"requests\n" +
				"      - PATCH /x         # 1 request"},
		{"lines that end in CR LF",
			"callers:\r\n  app:\r\n    allow:\r\n      - GET /a\r\n",
			"callers:\r\n  app:\r\n    allow:\r\n      - GET /a\r\n      # look at this\r\n      - GET /users/{id} " +
				" # 2 requests\r\n" +
				"      - PATCH /x         # 1 request\r\n"},
		{"an empty list",
			"callers:\n  app:\n    allow: []  # nothing\n    app: x\n",
			"callers:\n  app:\n    allow:  # nothing\n      # look at this\n      - GET /users/{id}  # 2 requests\n" +
				"      - PATCH /x         # 1 request\n    app: x\n"},
		{"a list in brackets",
			"callers:\n  app:\n    allow: [GET /a, {include: x}]  # why\n",
			"callers:\n  app:\n    allow: [GET /a, {include: x}, \"GET /users/{id}\", \"PATCH /x\"]  # why\n"},
		{"a caller in braces",
			"callers:\n  app: {allow: [], deny: [GET /b]}\n",
			"callers:\n  app: {allow: [\"GET /users/{id}\", \"PATCH /x\"], deny: [GET /b]}\n"},
		{"a list in brackets on several lines",
			"callers:\n  app:\n    allow: [\n      GET /a, # why\n      GET /b # too\n    ]\n",
			"callers:\n  app:\n    allow: [\n      GET /a, # why\n      GET /b, # too\n      \"GET /users/{id}\",\n" +
				"      \"PATCH /x\"\n    ]\n"},
		{"such a list with a comma at its end",
			"callers:\n  app:\n    allow: [\n      GET /a, # why\n    ]\n",
			"callers:\n  app:\n    allow: [\n      GET /a, # why\n      \"GET /users/{id}\",\n      \"PATCH /x\"\n " +
				"   ]\n"},
		{"a byte order mark, and a path in brackets without quotes",
			"\ufeffx: {targets: [/users/{id}]}\ncallers:\n  app: {allow: [GET /a], y: [/a/{b}]}\n",
			"\ufeffx: {targets: [/users/{id}]}\ncallers:\n  app: {allow: [GET /a, \"GET /users/{id}\", \"PATCH " +
				"/x\"], y: [/a/{b}]}\n"},
		{"letters of other scripts before it", "# é\ncallers: {\"ü\": {}, app: {allow: [GET /日]}}\n",
			"# é\ncallers: {\"ü\": {}, app: {allow: [GET /日, \"GET /users/{id}\", \"PATCH /x\"]}}\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, err := edit.AddRules([]byte(c.text), "app", some())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, string(out)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			patched(t, c.text, string(out))
		})
	}
}

func TestACallerIsAddedWithoutAnIdentity(t *testing.T) {
	const block = "    # Write what proves this caller. The policy does not load without its identity, such as:\n" +
		"    # identity: [{key: {sha256: the hash that graphproxy key prints}}]\n    allow:\n      # look at this\n" +
		"      - GET /users/{id}  # 2 requests\n      - PATCH /x         # 1 request"
	for _, c := range []struct{ name, text, want string }{
		{"behind the others",
			"version: 1\ncallers:\n  app:\n    identity: [anyone]\n    allow: []\n\n# tests\ntests: []\n",
			"version: 1\ncallers:\n  app:\n    identity: [anyone]\n    allow: []\n  new:\n" + block + "\n\n# " +
				"tests\ntests: []\n"},
		{"to a file that has none",
			"version: 1\ninclude: [a.yaml]\n", "version: 1\ninclude: [a.yaml]\ncallers:\n  new:\n" + block + "\n"},
		{"behind others in braces",
			"version: 1\ncallers: {app: {identity: [anyone], allow: []}}\n",
			"version: 1\ncallers: {app: {identity: [anyone], allow: []},\n" +
				"           # Write what proves this caller. The policy does not load without its identity, such " +
				"as:\n" +
				"           # identity: [{key: {sha256: the hash that graphproxy key prints}}]\n" +
				"           new: {allow: [\"GET /users/{id}\", \"PATCH /x\"]}}\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, err := edit.AddCaller([]byte(c.text), "new", some())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, string(out)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if _, err := policy.ParseUntested("policy.yaml", out); err == nil ||
				!strings.Contains(err.Error(), `callers.new: the key "identity" is missing`) {
				t.Errorf("it loads, or for another reason not: %v", err)
			}
			patched(t, c.text, string(out))
		})
	}
}

func TestNamesThatYAMLTakesForSomethingElseGetQuotes(t *testing.T) {
	out, err := edit.AddCaller([]byte("version: 1\ncallers:\n  app: {}\n"), "null", some()[1:])
	if err != nil || !strings.Contains(string(out), "\n  \"null\":\n") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestWhatCannotBeAddedToIsRefused(t *testing.T) {
	for _, text := range []string{"", "a: [", "- x\n", "callers: []\n", "callers:\n  app: {allow: x}\n",
		"callers:\n  app:\n",
		"{version: 1}\n"} {
		if out, err := edit.AddRules([]byte(text), "app", some()); err == nil {
			t.Errorf("%q becomes %q", text, out)
		}
		if out, err := edit.AddCaller([]byte(text), "new", some()); err == nil && !strings.HasPrefix(text,
			"callers:\n  app:") {
			t.Errorf("%q becomes %q", text, out)
		}
	}
}

// patched fails unless git apply and patch make the one text from the other by a patch.
func patched(t *testing.T, before, after string) {
	t.Helper()
	for _, name := range []string{"policy.yaml", "teams/a b.yaml"} {
		patch := edit.Patch(name, []byte(before), []byte(after))
		for _, tool := range [][]string{{"git", "apply", "-"}, {"patch", "-p1", "--binary", "-s"}} {
			if _, err := exec.LookPath(tool[0]); err != nil {
				t.Skipf("NOT CHECKED: %s is not installed", tool[0])
			}
			dir := t.TempDir()
			if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o700); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(dir, name)
			if err := os.WriteFile(file, []byte(before), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(tool[0], tool[1:]...)
			cmd.Dir, cmd.Stdin = dir, strings.NewReader(string(patch))
			cmd.Env = append(os.Environ(), "GIT_CEILING_DIRECTORIES="+filepath.Dir(dir))
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v: %v\n%s\n%s", tool, err, out, patch)
			}
			got, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(after, string(got)); diff != "" {
				t.Errorf("%v (-want +got):\n%s", tool, diff)
			}
		}
	}
}

func TestPatchesAreTakenByGitAndPatch(t *testing.T) {
	for _, c := range []struct{ name, before, after string }{
		{"a line in the middle", "a\nb\nc\nd\ne\nf\n", "a\nb\nc\nx\nd\ne\nf\n"},
		{"two places far apart", "a\n" + strings.Repeat("m\n", 30) + "z\n", "b\n" + strings.Repeat("m\n", 30) + "y\n"},
		{"no end of the last line before", "a\nb", "a\nb\n"},
		{"no end of the last line after", "a\nb\n", "a\nb"},
		{"no end of the last line at all", "a\nb", "c\na\nb"},
		{"lines that look like a header", "--- a\n+++ b\n@@ -1 +1 @@\n", "--- a\n+++ c\n@@ -1 +1 @@\n-- x\n"},
	} {
		t.Run(c.name, func(t *testing.T) { patched(t, c.before, c.after) })
	}
	if patch := edit.Patch("x", []byte("a"), []byte("a")); patch != nil {
		t.Errorf("no change is the patch %q", patch)
	}
}
