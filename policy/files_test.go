package policy_test

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"graphproxy/policy"
)

// several makes the files of a policy from one text, in which a line "-- teams/hr.yaml --" begins a file. What stands
// before the first is policy.yaml.
func several(text string) policy.Files {
	files := policy.Files{All: []policy.File{{Name: "policy.yaml"}}}
	for line := range strings.Lines(text) {
		name, isHead := strings.CutPrefix(strings.TrimSpace(line), "-- ")
		if isHead {
			files.All = append(files.All, policy.File{Name: strings.TrimSuffix(name, " --")})
			continue
		}
		last := &files.All[len(files.All)-1]
		last.Data = append(last.Data, line...)
	}
	return files
}

// problemsOf are the lines of what keeps files from loading; nil if they load.
func problemsOf(files policy.Files) []string {
	if _, err := policy.ParseFiles(time.Time{}, files); err != nil {
		return strings.Split(err.Error(), "\n")
	}
	return nil
}

const hrFile = `
-- teams/hr.yaml --
version: 1
callers:
  hr-sync:
    identity: [anyone]
    allow:
      - include: people
      - GET /groups/{id}
tests:
  - caller: hr-sync
    allow: GET /users/1
    deny: GET /users/ceo@contoso.com
`

func TestAPolicyOfSeveralFilesIsOne(t *testing.T) {
	files := several(`version: 1
mode: report
contact: security@contoso.com
include: [teams/*.yaml]
rules:
  people: ["GET /users/{id}"]
deny: [ANY /users/ceo@contoso.com/**]
` + hrFile + `
-- teams/ops.yaml --
version: 1
limits: {ops: {rate: 5/s, covers: [GET /devices]}}
callers:
  ops:
    identity: [{network: 10.0.0.0/8}]
    allow: [GET /devices]
`)
	p, err := policy.ParseFiles(time.Time{}, files)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"policy.yaml", "teams/hr.yaml", "teams/ops.yaml"}, p.Files()); diff != "" {
		t.Error(diff)
	}
	if p.File() != "policy.yaml" || !p.Reports("hr-sync") || !p.Reports("ops") || p.Contact() != "security@contoso.com" {
		t.Errorf("file %s, reports %v and %v, contact %s", p.File(), p.Reports("hr-sync"), p.Reports("ops"), p.Contact())
	}
	allow, deny := p.Rules("hr-sync")
	got := []string{allow[0].Where(), allow[1].Where(), deny[0].Where()}
	if diff := cmp.Diff([]string{"policy.yaml:6", "teams/hr.yaml:7", "policy.yaml:7"}, got); diff != "" {
		t.Error(diff)
	}
	var places []string
	for _, c := range p.Callers() {
		places = append(places, fmt.Sprintf("%s:%d %s:%d", c.File, c.Line, c.Identities[0].File, c.Identities[0].Line))
	}
	want := []string{"teams/hr.yaml:3 teams/hr.yaml:4", "teams/ops.yaml:4 teams/ops.yaml:5"}
	if diff := cmp.Diff(want, places); diff != "" {
		t.Error(diff)
	}
	if results := p.Test(); len(results) != 2 || results[0].File != "teams/hr.yaml" {
		t.Errorf("%d tests", len(results))
	}
}

func TestWhatIsWrongWithSeveralFilesIsReportedWithItsFile(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       []string
	}{
		{"one caller in two files", "version: 1\ninclude: teams/*.yaml\ncallers:\n  hr: {identity: [anyone], allow: []}\n" +
			"-- teams/hr.yaml --\nversion: 1\ncallers:\n  hr: {identity: [anyone], allow: []}\n",
			[]string{`teams/hr.yaml:3: callers.hr: the caller "hr" is in policy.yaml:4, too; a name is unique over all files, ` +
				`so rename one`}},
		{"one set of rules in two files", "version: 1\ninclude: teams/*.yaml\nrules: {people: [GET /users]}\n" +
			"-- teams/hr.yaml --\nversion: 1\nrules: {people: [GET /groups]}\ncallers:\n" +
			"  hr: {identity: [anyone], allow: [include: people]}\n",
			[]string{`teams/hr.yaml:2: rules.people: the set of rules "people" is in policy.yaml:3, too; a name is unique ` +
				`over ` +
				`all files, so rename one`}},
		{"one limit in two files", "version: 1\ninclude: teams/*.yaml\nlimits: {all: {rate: 1/s}}\n" +
			"-- teams/hr.yaml --\nversion: 1\nlimits: {all: {rate: 9/s}}\ncallers: {hr: {identity: [anyone], allow: []}}\n",
			[]string{`teams/hr.yaml:2: limits.all: the limit "all" is in policy.yaml:3, too; a name is unique over all files, ` +
				`so rename one`}},
		{"a file without version", "version: 1\ninclude: teams/*.yaml\n-- teams/hr.yaml --\n" +
			"callers: {hr: {identity: [anyone], allow: []}}\n",
			[]string{`teams/hr.yaml:1: the key "version" is missing; write version: 1`}},
		{"what only the main file may say", "version: 1\ninclude: teams/*.yaml\n-- teams/hr.yaml --\nversion: 1\n" +
			"mode: report\ninclude: more.yaml\ncontact: me\ncallers: {hr: {identity: [anyone], allow: []}}\n",
			[]string{
				`teams/hr.yaml:2: "mode" stands in the main file of a policy only, policy.yaml; take it out here`,
				`teams/hr.yaml:3: "include" stands in the main file of a policy only, policy.yaml; take it out here`,
				`teams/hr.yaml:4: "contact" stands in the main file of a policy only, policy.yaml; take it out here`,
			}},
		{"no callers anywhere", "version: 1\ninclude: teams/*.yaml\n-- teams/hr.yaml --\nversion: 1\n",
			[]string{`policy.yaml:1: the key "callers" is missing; a policy without callers denies everything`}},
		{"errors come file by file", "version: 1\ninclude: teams/*.yaml\ncallers: {b: {identity: [anyone], alow: []}}\n" +
			"-- teams/hr.yaml --\nversion: 2\n",
			[]string{
				`policy.yaml:3: callers.b: unknown key "alow"; did you mean "allow"?`,
				`policy.yaml:3: callers.b: the key "allow" is missing; write allow: [] if this caller may do nothing`,
				`teams/hr.yaml:1: version: version 2 is not known to this graphproxy; write version: 1`,
			}},
		{"YAML that cannot be read, in two files", "version: 1\ninclude: teams/*.yaml\n-- teams/a.yaml --\na: [\n" +
			"-- teams/b.yaml --\n",
			[]string{"teams/a.yaml:2: not YAML: a value is missing, or a bracket is not closed",
				"teams/b.yaml:1: the file is empty"}},
		{"a test that fails", "version: 1\ninclude: teams/*.yaml\nrules: {people: [\"GET /users/{id}\"]}" + hrFile,
			[]string{"teams/hr.yaml:11: tests[0].deny: GET /users/ceo@contoso.com is allowed, by policy.yaml:3: GET " +
				"/users/{id}"}},
		{"a deny of another file that names nothing", "version: 1\ninclude: teams/*.yaml\n-- teams/hr.yaml --\nversion: 1\n" +
			"deny: [ANY /userz/**]\ncallers: {hr: {identity: [anyone], allow: []}}\n",
			[]string{"teams/hr.yaml:2: deny: ANY /userz/** denies nothing, because it names nothing in the v1.0 of Graph: "}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := problemsOf(several(c.text))
			for i := range min(len(got), len(c.want)) {
				if strings.HasSuffix(c.want[i], ": ") && strings.HasPrefix(got[i], c.want[i]) {
					got[i] = c.want[i]
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestIncludeNamesFilesBelowTheMainFileOnly(t *testing.T) {
	for pattern, want := range map[string]string{
		"teams/hr.yaml": "",
		"teams/*.yaml":  "",
		"*/hr.yaml":     "",
		"*/*.yaml":      "",
		"team/*.yaml":   "names no file besides this one; correct it, or take it out",
		"*.yaml":        "names no file besides this one; correct it, or take it out",
		"teams/**.yaml": "has two stars; one star stands for any characters of one directory or file, such as " +
			"teams/*/*.yaml",
		"/etc/passwd.yaml": "is absolute; write the path from the directory of this file",
		"../teams/hr.yaml": "leaves the directory by ..; write the path of a file in the directory of this file or below " +
			"it",
		"teams/../../x.yaml": "leaves the directory by ..; write the path of a file in the directory of this file or below " +
			"it",
		"./teams/hr.yaml": "is not the plain path of a file; write it without ./ and doubled slashes",
		"teams//hr.yaml":  "is not the plain path of a file; write it without ./ and doubled slashes",
		".git/hr.yaml":    "names a hidden file; files that begin with a dot are not read",
		"teams/.hr.yaml":  "names a hidden file; files that begin with a dot are not read",
		"teams/h?.yaml": "has a character that is not read; only a star stands for other characters, such as " +
			"teams/*.yaml",
		"teams/[h]r.yaml": "has a character that is not read; only a star stands for other characters, such as " +
			"teams/*.yaml",
		`teams\hr.yaml`: "has a character that is not read; only a star stands for other characters, such as " +
			"teams/*.yaml",
		"teams/*":      "does not end in .yaml; write such as teams/*.yaml",
		"teams":        "does not end in .yaml; write such as teams/*.yaml",
		"teams/hr.yml": "does not end in .yaml; write such as teams/*.yaml",
	} {
		t.Run(pattern, func(t *testing.T) {
			got := problemsOf(
				several(fmt.Sprintf("version: 1\ninclude: ['%s']\nrules: {people: [GET /users/1]}"+hrFile, pattern)),
			)
			if want != "" {
				want = fmt.Sprintf("policy.yaml:2: include[0]: %q %s", pattern, want)
			}
			if diff := cmp.Diff(want, strings.Join(got, "\n")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestOneFileAloneIncludesNothing(t *testing.T) {
	_, err := policy.Parse(
		"policy.yaml",
		[]byte("version: 1\ninclude: [teams/*.yaml]\ncallers: {a: {identity: [anyone], allow: []}}\n"),
	)
	if err == nil || !strings.Contains(err.Error(), `policy.yaml:2: include[0]: "teams/*.yaml" names no file`) {
		t.Error(err)
	}
}

func TestTheHashIsThatOfAllFiles(t *testing.T) {
	const text = "version: 1\ninclude: teams/*.yaml\nrules: {people: [GET /users/1]}" + hrFile
	hash := func(files policy.Files) string {
		p, err := policy.ParseFilesUntested(files)
		if err != nil {
			t.Fatal(err)
		}
		return p.Hash()
	}
	seen := map[string]string{hash(several(text)): "the files"}
	for name, changed := range map[string]string{
		"a comment in the main file":  "# x\n" + text,
		"a comment in a team's file":  text + "# x\n",
		"another name of a file":      strings.Replace(text, "hr.yaml --", "ops.yaml --", 1),
		"one file more":               text + "-- teams/x.yaml --\nversion: 1\n",
		"a comment that moves across": strings.Replace(text, "[GET /users/1]}\n", "[GET /users/1]}\n\n", 1),
	} {
		h := hash(several(changed))
		if seen[h] != "" {
			t.Errorf("%s: the hash is that of %s", name, seen[h])
		}
		seen[h] = name
	}
	const one = "version: 1\ncallers: {a: {identity: [anyone], allow: []}}\n"
	if want := fmt.Sprintf("%x", sha256.Sum256([]byte(one)))[:12]; hash(several(one)) != want {
		t.Errorf("the hash of one file is %s, not the beginning of its SHA-256, %s", hash(several(one)), want)
	}
}

func TestAPolicyIsNoLargerThanItMayBe(t *testing.T) {
	many := policy.Files{All: make([]policy.File, policy.MaxFiles+1)}
	for i := range many.All {
		many.All[i] = policy.File{Name: fmt.Sprintf("%d.yaml", i), Data: []byte("version: 1\n")}
	}
	large := policy.Files{All: make([]policy.File, 5)}
	for i := range large.All {
		large.All[i] = policy.File{Name: fmt.Sprintf("%d.yaml", i), Data: []byte(strings.Repeat("#", policy.MaxTotal/4))}
	}
	for want, files := range map[string]policy.Files{
		"0.yaml:1: the policy has 1001 files; at most 1000 are read":                                many,
		"0.yaml:1: the files of the policy have 20971520 bytes together; at most 16777216 are read": large,
	} {
		if diff := cmp.Diff(want, strings.Join(problemsOf(files), "\n")); diff != "" {
			t.Error(diff)
		}
	}
	if got := problemsOf(policy.Files{}); len(got) != 1 {
		t.Errorf("no file at all: %v", got)
	}
}
