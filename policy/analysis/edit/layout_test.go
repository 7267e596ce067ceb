package edit_test

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"graphproxy/policy"
	"graphproxy/policy/analysis/diff"
	"graphproxy/policy/analysis/edit"
)

func layout(t testing.TB, text string) string {
	t.Helper()
	out, err := edit.Layout([]byte(text))
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	again, err := edit.Layout(out)
	if err != nil {
		t.Fatalf("%v in the second run, in\n%s", err, out)
	}
	if diff := cmp.Diff(string(out), string(again)); diff != "" {
		t.Errorf("the layout changes in a second run (-first +second):\n%s", diff)
	}
	return string(out)
}

func TestTheLayout(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"what is in the layout stays",
			"# head\n\nversion: 1\n\ncallers:\n  # who\n  app:  # the app\n    identity: [anyone]\n    allow:\n    " +
				"  - GET /users\n",
			"# head\n\nversion: 1\n\ncallers:\n  # who\n  app:  # the app\n    identity: [anyone]\n    allow:\n    " +
				"  - GET /users\n"},
		{"four blanks become two", "a:\n    b:\n        c: 1\n", "a:\n  b:\n    c: 1\n"},
		{"a list beside its key moves in", "a:\n- x\n- y: 1\n  z: 2\nb: 1\n", "a:\n  - x\n  - y: 1\n    z: 2\nb: 1\n"},
		{"dashes with several blanks", "a:\n  -   x\n  -   y: 1\n      z:\n        -  1\n",
			"a:\n  - x\n  - y: 1\n    z:\n      - 1\n"},
		{"a list in a list", "a:\n- - x\n  - y\n-\n  - z\n", "a:\n  - - x\n    - y\n  - - z\n"},
		{"a dash on a line of its own", "a:\n  -\n    b: 1\n    c: 2\n", "a:\n  - b: 1\n    c: 2\n"},
		{"a value on the line after its key", "a:\n  b\nc:\n  [x]\n", "a: b\nc: [x]\n"},
		{"blank lines: one at most, none at the ends and after a key that opens a block",
			"\n\na:\n\n  b: 1\n\n\n\n  c: 2\n\n\n", "a:\n  b: 1\n\n  c: 2\n"},
		{"blanks at the ends of lines", "a:  \n  b: 1 \t\n", "a:\n  b: 1\n"},
		{"no line end at the end", "a: 1", "a: 1\n"},
		{"CR LF", "a: 1 # x\r\nb:\r\n  - c\r\n", "a: 1  # x\nb:\n  - c\n"},
		{"a byte order mark", "\ufeffa: 1\n", "a: 1\n"},
		{"marks of the document", "# x\n---\na: 1\n...\n", "# x\na: 1\n"},
		{"brackets", "a: [ x,y , z ]\nb: {c: 1,d:   [ ], e: { }}\n", "a: [x, y, z]\nb: {c: 1, d: [], e: {}}\n"},
		{"a comma too many", "a: [x, y,]\n", "a: [x, y]\n"},
		{"brackets on several lines", "a: [\n      x,\n   y, z\n   ]\nb:\n  - {c: 1,\n     d: 2}\n",
			"a: [\n  x,\n  y, z\n]\nb:\n  - {c: 1,\n      d: 2}\n"},
		{"comments in brackets", "a: [ # one\n   # two\n   x, # three\n   y # four\n   # five\n ]\n",
			"a: [  # one\n  # two\n  x,  # three\n  y   # four\n  # five\n]\n"},
		{"brackets in brackets on several lines", "a: {b: [\n x,\n y],\n c: {d: 1\n}}\n",
			"a: {b: [\n    x,\n    y],\n  c: {d: 1\n  }}\n"},
		{"a pair in a list gets braces", "a: [b: 1, c]\n", "a: [{b: 1}, c]\n"},
		{"a path in brackets gets quotes", "a: {targets: [/users/{id}/messages]}\n",
			"a: {targets: [\"/users/{id}/messages\"]}\n"},
		{"quotes stay", "a: 'x'\n\"b\": \"y\"\nc: 'it''s'\n", "a: 'x'\n\"b\": \"y\"\nc: 'it''s'\n"},
		{"comments behind lines stand in one column", "a: 1 # x\nbcd: 2      # y\n\ne: 3     # z\n",
			"a: 1    # x\nbcd: 2  # y\n\ne: 3  # z\n"},
		{"a long line does not decide the column",
			"a: 1 # x\nb: " + strings.Repeat("x", 80) + " # y\n", "a: 1  # x\nb: " + strings.Repeat("x",
				80) + "  # y\n"},
		{"a comment between a key and its value", "a: # x\n  b\nc: # y\n  # z\n  - d\n",
			"a:  # x\n  b\nc:  # y\n  # z\n  - d\n"},
		{"a comment behind a dash", "a:\n  - # x\n    b: 1\n", "a:\n  # x\n  - b: 1\n"},
		{"a comment stands as far in as the block that it ends",
			"a:\n    b:\n        - x\n        # of the list\n    # of a\n# of c\nc: 1\n",
			"a:\n  b:\n    - x\n    # of the list\n  # of a\n# of c\nc: 1\n"},
		{"comments at the end", "a:\n    b: 1\n    # of a\n\n# of the file\n",
			"a:\n  b: 1\n  # of a\n\n# of the file\n"},
		{"a comment that stands nowhere", "a:\n   # x\n b:\n       c: 1\n     # y\n d: 2\n",
			"a:\n  # x\n  b:\n    c: 1\n  # y\n  d: 2\n"},
		{"a number sign in a text is none", "a: x#y\nb: 'x # y'\nc: \"x # y\" # z\n",
			"a: x#y\nb: 'x # y'\nc: \"x # y\"  # z\n"},
		{"a text over several lines", "a: one\n      two\n\n      three\nb: 'x\n\n  y'\n",
			"a: one\n  two\n\n  three\nb: 'x\n\n  y'\n"},
		{"a text after |", "a:\n    b: | # c\n          x\n            y\n\n          z\n    d: >-\n     w\n",
			"a:\n  b: |  # c\n    x\n      y\n\n    z\n  d: >-\n    w\n"},
		{"a text after | that begins with a blank", "a: |1\n   x\n  y\n", "a: |2\n    x\n   y\n"},
		{"nothing written", "a:\nb: [c]\nd:\n  -\n  - e\n", "a:\nb: [c]\nd:\n  -\n  - e\n"},
		{"all in braces", "{version: 1,\n  a: {b: [c]}}\n", "{version: 1,\n  a: {b: [c]}}\n"},
		{"a rule with settings", "a:\n- GET /users/{id}:   # x\n    where: {id: [\"*@contoso.com\",y]}\n- \"GET " +
			"/x/{a}:\"\n",
			"a:\n  - GET /users/{id}:  # x\n      where: {id: [\"*@contoso.com\", y]}\n  - \"GET /x/{a}:\"\n"},
		{"letters of other scripts", "ä: [ü, 日本] # é\nb: 1 # x\n", "ä: [ü, 日本]  # é\nb: 1        # x\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, layout(t, c.text)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatIsNoFileIsRefused(t *testing.T) {
	for _, text := range []string{"", "# only this\n", "a: [\n", "a: &x 1\nb: *x\n"} {
		if out, err := edit.Layout([]byte(text)); err == nil && text[0] != 'a' {
			t.Errorf("%q is laid out as %q", text, out)
		}
	}
}

// files are the policies in the repository: files, what scripts hold, and the examples in docs.
func files(t testing.TB) map[string]string {
	t.Helper()
	found := make(map[string]string)
	top := filepath.Join("..", "..", "..")
	fenced := regexp.MustCompile("(?s)```yaml\n(.*?)```")
	member := regexp.MustCompile(`(?m)^-- (.*) --$`)
	for _, dir := range []string{"docs", "policy", "cmd", "proxy", "deploy"} {
		err := filepath.WalkDir(filepath.Join(top, dir), func(path string, _ os.DirEntry, err error) error {
			if err != nil || !slices.Contains([]string{".yaml", ".md", ".txtar"}, filepath.Ext(path)) {
				return err
			}
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			switch text := string(data); filepath.Ext(path) {
			case ".yaml":
				found[path] = text
			case ".md":
				for i, m := range fenced.FindAllStringSubmatch(text, -1) {
					found[fmt.Sprintf("%s, example %d", path, i)] = m[1]
				}
			case ".txtar":
				at := member.FindAllStringSubmatchIndex(text, -1)
				for i, m := range at {
					end := len(text)
					if i+1 < len(at) {
						end = at[i+1][0]
					}
					found[path+", "+text[m[2]:m[3]]] = strings.TrimPrefix(text[m[1]:end], "\n")
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return found
}

// policies are those of the files that load by themselves.
func policies(t testing.TB) map[string]string {
	t.Helper()
	loading := make(map[string]string)
	for name, text := range files(t) {
		if _, err := policy.ParseUntested("policy.yaml", []byte(text)); err == nil {
			loading[name] = text
		}
	}
	if len(loading) < 40 {
		t.Fatalf("only %d policies load", len(loading))
	}
	return loading
}

// same fails unless a text loads as the same policy as another, with the same comments.
func same(t testing.TB, before, after string) {
	t.Helper()
	old, err := policy.ParseUntested("policy.yaml", []byte(before))
	if err != nil {
		t.Fatal(err)
	}
	laidOut, err := policy.ParseUntested("policy.yaml", []byte(after))
	if err != nil {
		t.Fatalf("it does not load any more: %v\n%s", err, after)
	}
	if d := diff.Policies(old, laidOut); !d.Empty() {
		t.Errorf("it differs: %+v\n%s", d, after)
	}
	if diff := cmp.Diff(words(before), words(after)); diff != "" {
		t.Errorf("text was lost or has moved (-before +after):\n%s", diff)
	}
}

// words are the words of a text without blanks, and without what the layout may add or remove: signs of lists, brackets
// of a pair, and quotes.
func words(text string) string {
	text = strings.TrimPrefix(text, "\ufeff")
	return strings.NewReplacer(" ", "", "\t", "", "\n", "", "\r", "", "-", "", ",", "", "\"", "", "{", "", "}",
		"").Replace(text)
}

func TestEveryPolicyOfTheRepositoryStaysWhatItIs(t *testing.T) {
	for name, text := range policies(t) {
		t.Run(name, func(t *testing.T) { same(t, text, layout(t, text)) })
	}
}

// small is the size of the files that are tried in many layouts: to compare large policies takes long.
const small = 1000

// disorder changes the layout of a text in ways that YAML does not see: how far lines stand in, blank lines, comments.
func disorder(random *rand.Rand, text string) string {
	var out strings.Builder
	factor := 1 + random.IntN(4)
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	for i, line := range lines {
		body := strings.TrimLeft(line, " ")
		in := strings.Repeat(" ", factor*(len(line)-len(body)))
		if strings.Contains(text, "|\n") || strings.Contains(text, ">\n") {
			in = line[:len(line)-len(body)]
		}
		switch random.IntN(6) {
		case 0:
			out.WriteString(strings.Repeat("\n", 1+random.IntN(3)))
		case 1:
			fmt.Fprintf(&out, "%s# comment %d\n", strings.Repeat(" ", random.IntN(12)), i)
		}
		if after, ok := strings.CutPrefix(body, "- "); ok && factor > 1 {
			body = "-" + strings.Repeat(" ", 2*factor-1) + after
		}
		out.WriteString(in + body)
		if !strings.Contains(body, "#") && random.IntN(5) == 0 {
			fmt.Fprintf(&out, "%s# behind %d", strings.Repeat(" ", 1+random.IntN(9)), i)
		}
		out.WriteByte('\n')
	}
	return out.String()
}

func TestPoliciesInAnyLayoutStayWhatTheyAre(t *testing.T) {
	texts := policies(t)
	random := rand.New(rand.NewPCG(1, 2))
	tried := 0
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		for range 2 {
			if len(texts[name]) > small {
				continue
			}
			text := disorder(random, texts[name])
			if _, err := policy.ParseUntested("policy.yaml", []byte(text)); err != nil {
				continue // a comment in a text over several lines
			}
			tried++
			same(t, text, layout(t, text))
			if t.Failed() {
				t.Fatalf("%s:\n%s", name, text)
			}
		}
	}
	t.Logf("%d texts", tried)
	if tried < 80 {
		t.Errorf("only %d texts were tried", tried)
	}
}

func TestFourBlanksOrTwoAreOneLayout(t *testing.T) {
	for name, text := range policies(t) {
		if len(text) > small {
			continue
		}
		var wide bytes.Buffer
		for line := range strings.Lines(text) {
			body := strings.TrimLeft(line, " ")
			wide.WriteString(strings.Repeat(" ", 2*(len(line)-len(body))))
			if after, ok := strings.CutPrefix(body, "- "); ok {
				body = "-   " + after
			}
			wide.WriteString(body)
		}
		if _, err := policy.ParseUntested("policy.yaml", wide.Bytes()); err != nil {
			continue
		}
		if diff := cmp.Diff(layout(t, text), layout(t, wide.String())); diff != "" && !strings.Contains(diff, "#") {
			t.Errorf("%s has two layouts:\n%s", name, diff)
		}
	}
}

func FuzzLayout(f *testing.F) {
	for _, text := range files(f) {
		if len(text) < 2000 {
			f.Add(text)
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		before, err := policy.ParseUntested("policy.yaml", []byte(text))
		if err != nil {
			return
		}
		out, err := edit.Layout([]byte(text))
		if err != nil {
			return
		}
		after, err := policy.ParseUntested("policy.yaml", out)
		if err != nil {
			t.Fatalf("it does not load any more: %v\n%s", err, out)
		}
		if d := diff.Policies(before, after); !d.Empty() {
			t.Errorf("it differs: %+v\n%s", d, out)
		}
		if again, err := edit.Layout(out); err != nil || !bytes.Equal(out, again) {
			t.Errorf("a second run changes it: %v\n%s\n%s", err, out, again)
		}
	})
}
