package yamlfile_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"graphproxy/policy/yamlfile"
)

// flow returns the value under the key a of a file, on one line, or the problems.
func flow(text string) string {
	var value string
	problems := read(text, func(root yamlfile.Value) {
		for _, f := range root.Fields("fields") {
			if f.Key == "a" {
				value = fmt.Sprintf("%d: %s", f.Line, f.Value.Flow())
			}
		}
	})
	if problems != nil {
		return strings.Join(problems, "\n")
	}
	return value
}

func TestTemplatesInBracketsNeedNoQuotes(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"in a list", "a: [/users/{id}/messages]\n", `1: ["/users/{id}/messages"]`},
		{"in a list in a mapping", "a: {targets: [/users/{id}/messages], required: true}\n",
			`1: {targets: ["/users/{id}/messages"], required: true}`},
		{"as the value of a mapping", "a: {targets: /users/{id}}\n", `1: {targets: "/users/{id}"}`},
		{"as a key", "a: [/users/{id}: {where: {id: [x]}}]\n", `1: [{"/users/{id}": {where: {id: [x]}}}]`},
		{"as the key of a mapping", "a: {/users/{id}: 1}\n", `1: {"/users/{id}": 1}`},
		{"with a method", "a: [GET /users/{id}]\n",
			"1: not YAML: a list in [ ] is not closed, or a text in it holds { } [ ] , or ? without quotes"},
		{"a path in colons", "a: [/drives/{d}/root:/{path}:, /users/{id}]\n",
			`1: ["/drives/{d}/root:/{path}:", "/users/{id}"]`},
		{"several variables and /**", "a: [/users/{id}/mailFolders/{folder}/**]\n",
			`1: ["/users/{id}/mailFolders/{folder}/**"]`},
		{"on several lines", "x: 1 # it's [/a\na: [\n  /users/{id}, # [/b/{c}]\n  /groups/{id}\n  ]\n",
			`2: ["/users/{id}", "/groups/{id}"]`},
		{"beside texts in quotes", "a: ['it''s [/a/{b}]', \"\\\"[/c/{d}]\", /users/{id}]\n",
			`1: ['it''s [/a/{b}]', "\"[/c/{d}]", "/users/{id}"]`},
		{"below a rule that holds braces", "b:\n  - POST /users/{id}/sendMail: 1\na: [/users/{id}]\n", `3: ["/users/{id}"]`},
		{"in a file that is YAML without that, nothing changes", "b: '[/users/{id}]'\na: [/users, x]\n", `2: [/users, x]`},
		{"with arguments", "a: [\"/users/delta(a={x},b={y})\", /users/{id}]\n",
			`1: ["/users/delta(a={x},b={y})", "/users/{id}"]`},
		{"what is no variable", "a: [/users/{a b}]\n",
			"1: not YAML: a list in [ ] is not closed, or a text in it holds { } [ ] , or ? without quotes"},
		{"braces that are not closed", "a: [/users/{id]\n",
			"1: not YAML: a list in [ ] is not closed, or a text in it holds { } [ ] , or ? without quotes"},
		{"no path", "a: [users/{id}]\n",
			"1: not YAML: a list in [ ] is not closed, or a text in it holds { } [ ] , or ? without quotes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := flow(c.text)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func FuzzQuotesAroundTemplatesChangeNothingElse(f *testing.F) {
	for _, text := range []string{"a: [/users/{id}]\n", "a: {GET /x/{y}: [\"'\", '\"', # x\n/a/{b}: c]}\n",
		"a: |\n  [/b/{c}]\n"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		read(text, func(root yamlfile.Value) { root.Flow() })
	})
}
