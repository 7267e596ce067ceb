package proxy_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// callerOfRecipe is a caller of docs/recipes.md with its identity.
var callerOfRecipe = regexp.MustCompile(`(?m)^  ([a-z]+):\n    identity: .*$`)

// keyEnd makes a key of a test from a name. No key may be a common word.
const keyEnd = "-Vq7xW2mLk9"

// recipes are the rules of docs/recipes.md, each example for one caller, whose key is its name and keyEnd.
func recipes(t *testing.T) string {
	t.Helper()
	policy := "version: 1\ncallers:\n"
	for _, block := range strings.Split(readFile(t, "../docs/recipes.md"), "```yaml\n")[1:] {
		text, _, _ := strings.Cut(block, "```")
		_, callers, _ := strings.Cut(text, "\ncallers:\n")
		callers, _, _ = strings.Cut(callers, "\ntests:\n")
		policy += callerOfRecipe.ReplaceAllStringFunc(callers, func(m string) string {
			name := callerOfRecipe.FindStringSubmatch(m)[1]
			sum := sha256.Sum256([]byte(name + keyEnd))
			return fmt.Sprintf("  %s:\n    identity: [{key: {sha256: %x}}]", name, sum)
		}) + "\n"
	}
	return policy
}

// recipeEntries are the requests of one file of testdata/recipes, which has its caller's name. They have the format
// of testdata/bypass.
func recipeEntries(t *testing.T, file string) (all []entry) {
	t.Helper()
	text, err := os.ReadFile(file)
	must(t, err)
	name := filepath.Base(file)
	for i, line := range strings.Split(strings.TrimRight(string(text), "\n"), "\n") {
		at := fmt.Sprintf("%s:%d", name, i+1)
		var problem string
		if all, problem = addLine(all, at, line); problem != "" {
			t.Fatalf("%s: %s: %q", at, problem, line)
		}
	}
	for i := range all {
		all[i].headers = append(all[i].headers, "X-Api-Key: "+strings.TrimSuffix(name, ".txt")+keyEnd)
	}
	return all
}

// zip is the entry with a body of gzip.
func (e entry) zip(t *testing.T) entry {
	e.body = zipped(t, e.body)
	e.headers = append(slices.Clone(e.headers), "Content-Encoding: gzip")
	return e
}

// isPlainJSON reports whether the entry can also be sent as an item of a batch: its body does not make the batch
// invalid, and is not null, which means no body there.
func (e entry) isPlainJSON() bool {
	if strings.Count(e.body, "{") > 60 || !utf8.ValidString(e.body) || e.body == "null" {
		return false
	}
	hasType := slices.ContainsFunc(e.headers, func(h string) bool { return strings.HasPrefix(h, "Content-") })
	return !hasType && (e.body == "" || json.Valid([]byte(e.body)) && !strings.HasPrefix(e.body, "\xef\xbb\xbf"))
}

// inBatch is the entry as the one item of a batch.
func (e entry) inBatch() entry {
	_, version, _ := strings.Cut(e.target, "/")
	version, path, _ := strings.Cut(version, "/")
	item := fmt.Sprintf(`{"id":"1","method":%q,"url":"/%s"`, e.method, path)
	if e.body != "" {
		item += `,"headers":{"Content-Type":"application/json"},"body":` + e.body
	}
	expect := e.expect
	return entry{
		at:      e.at + " in a batch",
		expect:  "batch",
		method:  "POST",
		target:  "/" + version + "/$batch",
		headers: e.headers,
		items:   "1=" + expect,
		body:    `{"requests":[` + item + "}]}",
	}
}

// Each request that tries to get mail, links, webhooks or rights out past a recipe is refused, in its original
// form, compressed and in a batch, and Graph receives nothing. The honest ones pass byte for byte.
func TestTheRecipesHold(t *testing.T) {
	files, err := filepath.Glob("testdata/recipes/*.txt")
	must(t, err)
	r := newRig(t, recipes(t))
	refused, honest := 0, 0
	for _, file := range files {
		for _, e := range recipeEntries(t, file) {
			if e.expect == "allow" {
				honest++
			} else {
				refused++
			}
			t.Run(e.at, func(t *testing.T) {
				r.checkRecipe(t, e, e.body)
				if e.body != "" && e.expect != "415" {
					r.checkRecipe(t, e.zip(t), e.body)
				}
				if e.isPlainJSON() {
					r.audit.reset()
					r.graph.Reset()
					r.checkRecipeItem(t, e)
				}
			})
		}
	}
	if t.Logf("%d refused, %d honest", refused, honest); refused < 150 || honest < 60 {
		t.Errorf("the corpus has %d requests that are refused and %d honest ones, want 150 and 60", refused, honest)
	}
}

// checkRecipe sends an entry. An honest one must reach Graph with this body.
func (r *rig) checkRecipe(t *testing.T, e entry, body string) {
	t.Helper()
	r.audit.reset()
	r.graph.Reset()
	a := r.raw(t, e.bytes())
	if e.expect != "allow" {
		r.checkRefused(t, e, a)
		return
	}
	got := r.graph.Requests()
	if len(got) != 1 || got[0].Method != e.method || string(got[0].Body) != body ||
		got[0].Header.Get("Content-Encoding") != "" {
		t.Fatalf("%s: answered %d %s; Graph received %+v", e.at, a.status, a.body, got)
	}
	if rec := r.one(t); rec["decision"] != "allow" {
		t.Errorf("record %v", rec)
	}
}

func (r *rig) checkRecipeItem(t *testing.T, e entry) {
	t.Helper()
	a := r.raw(t, e.inBatch().bytes())
	answers := a.responses(t)
	got, ran := answers["1"], 0
	for _, q := range r.graph.Requests() {
		if q.Item == "1" {
			ran++
			if string(q.Body) != e.body {
				t.Errorf("%s in a batch: Graph ran it with the body %q", e.at, q.Body)
			}
		}
	}
	if e.expect == "allow" {
		if ran != 1 || got.Headers["Proxy-Status"] != "" {
			t.Errorf("%s in a batch: ran %d times, answered %d %s", e.at, ran, got.Status, got.Body)
		}
		return
	}
	want := 403
	if e.expect != "deny" {
		want = atoi(t, e.expect)
	}
	if ran != 0 || got.Status != want {
		t.Errorf("%s in a batch: ran %d times, answered %d %s, want %d", e.at, ran, got.Status, got.Body, want)
	}
}
