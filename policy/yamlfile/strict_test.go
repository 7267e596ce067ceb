package yamlfile_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"graphproxy/policy/yamlfile"
)

// read parses text, goes through all of it by its kinds, and returns the problems.
func read(text string, use func(yamlfile.Value)) []string {
	r := yamlfile.Report{File: "f.yaml"}
	if root, ok := yamlfile.Parse(&r, []byte(text)); ok && use != nil {
		use(root)
	}
	var problems []string
	for _, e := range r.Errors() {
		problems = append(problems, strings.TrimPrefix(e.Error(), "f.yaml:"))
	}
	return problems
}

func TestYAMLThatIsNotPlainIsReportedWithItsLine(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       []string
	}{
		{"a plain file has no problems", "a: {b: [1, two, \"three\"]}\n", nil},
		{"a byte order mark is no problem", "\ufeffa: 1\n", nil},
		{"an end mark is no problem", "---\na: 1\n...\n", nil},
		{"nothing", "", []string{"1: the file is empty"}},
		{"comments only", "# a\n", []string{"1: the file is empty"}},
		{"an empty document and another", "---\n---\na: 1\n",
			[]string{"1: the file is empty",
				"2: a second document begins here; a policy is one document, so take the line \"---\" out"}},
		{"a broken second document", "a: 1\n---\nb: [\n",
			[]string{"4: not YAML: a value is missing, or a bracket is not closed"}},
		{"text after the end", "a: 1\n...\nb: 2\n", []string{"3: not YAML: text follows the end of the document"}},
		{"not UTF-8", "a: 1\nb: \xff\n", []string{"2: the file is not UTF-8; save it as UTF-8"}},
		{"UTF-16", "\xff\xfea\x00", []string{"1: the file is not UTF-8; save it as UTF-8"}},
		{"too large", "a: " + strings.Repeat("x", yamlfile.MaxSize),
			[]string{"1: the file has 4194307 bytes; at most 4194304 are read"}},
		{"a doubled key far below", "a:\n  - b: 1\n    c: 2\n    b: 3\n",
			[]string{"4: a[0]: the key \"b\" is there twice, first on line 2; keep one"}},
		{"keys that differ in quotes only", "a: 1\n\"a\": 2\n",
			[]string{"2: the key \"a\" is there twice, first on line 1; keep one"}},
		{"an anchor and an alias", "a: &x 1\nb: *x\n", []string{
			"1: a: anchors (&x) are not read; write the value without one, or in quotes if the text begins with &",
			"2: b: aliases (*x) are not read; write the value out, or in quotes if the text begins with *"}},
		{"an alias as a key", "a: &x 1\n*x : 2\n", []string{
			"1: a: anchors (&x) are not read; write the value without one, or in quotes if the text begins with &",
			"2: a key must be a text, not a list, mapping or alias"}},
		{"a merge key", "a: {b: 1}\nc:\n  <<: {b: 1}\n", []string{"3: c: merge keys (<<) are not read; write the keys out"}},
		{"a list as a key", "? [a]\n: b\n", []string{"1: a key must be a text, not a list, mapping or alias"}},
		{"tags", "a: !!str 5\nb: !x {c: 1}\nd: ! 5\n", []string{
			"1: a: tags (!!str) are not read; write the value without one",
			"2: b: tags (!x) are not read; write the value without one"}},
		{"an unknown alias", "a: 1\nb:\n  - *contoso\n",
			[]string{"3: not YAML: a value begins with *, which means something to YAML; put the value in quotes"}},
		{"a tab", "a:\n\tb: 1\n", []string{"2: not YAML: a tab indents this line; YAML is indented by spaces"}},
		{"a reserved character", "a: 1\nb: @x\n",
			[]string{"2: not YAML: a value begins with a character that means something to YAML (@ ` % *); put the value " +
				"in quotes"}},
		{"wrong indentation", "a:\n  b: 1\n c: 2\nd: 3\n",
			[]string{"3: not YAML: the indentation of this line fits nothing above it"}},
		{"a list that goes on as a mapping", "a: 1\nb:\n- x\nc\n", []string{"4: not YAML: a key has no colon after it"}},
		{"a colon too many", "a: b: c\n",
			[]string{"1: not YAML: a colon where no key can be: check the indentation of this line, or put the text in quotes"}},
		{"a list beside its key", "a: - b\n",
			[]string{"1: not YAML: a list begins with - on the line after its key, indented"}},
		{"braces without quotes", "a:\n  b: [GET /users/{id}/x]\n",
			[]string{"2: not YAML: a list in [ ] is not closed, or a text in it holds { } [ ] , or ? without quotes"}},
		{"an open brace", "a: {b: 1\nc: 2\n",
			[]string{"2: not YAML: a mapping in { } is not closed, or a text in it holds { } [ ] , or ? without quotes"}},
		{"a control character", "a: \x01\n", []string{"1: not YAML: the file holds a control character"}},
		{"a directive", "%YAML 1.2\n---\na: 1\n", []string{"1: not YAML: take the %YAML line out"}},
		{"a line that ends in CR LF", "a: 1\r\nb: 2\r\n", nil},
		{"a comment in letters of other scripts",
			"a: 1 # Äpfel, 日本語, עברית, العربية, हिन्दी, ไทย, ❤️\n", nil},
		{"escapes of line breaks and format characters in double quotes", `a: "\u0085\u2028\u2029\u202e\u200b\r"` + "\n",
			nil},
		{"a sign that is displayed before an Arabic number", "a: 1 # \u0600\u0661\u0662\n", nil},
		{"a line break NEL that begins a rule in a comment", "a:\n  - b # note\u0085  - c\n", []string{
			`2: the file holds the line break U+0085, which ends a line for some readers only; use a line feed, or write ` +
				`"\u0085" in double quotes`}},
		{"a line separator in a comment", "# a\u2028b: 1\n", []string{
			`1: the file holds the line break U+2028, which ends a line for some readers only; use a line feed, or write ` +
				`"\u2028" in double quotes`}},
		{"a paragraph separator in quotes", "a: \"\u2029\"\n", []string{
			`1: the file holds the line break U+2029, which ends a line for some readers only; use a line feed, or write ` +
				`"\u2029" in double quotes`}},
		{"a lone carriage return", "a: 1\n# b\rc: 2\n", []string{
			"2: the file holds a carriage return (U+000D) without a line feed, which ends a line for some readers only; end " +
				"lines with a line feed, or with both"}},
		{"a carriage return at the end of the file", "a: 1\r", []string{
			"1: the file holds a carriage return (U+000D) without a line feed, which ends a line for some readers only; end " +
				"lines with a line feed, or with both"}},
		{"a carriage return before CR LF", "a: 1\r\r\n", []string{
			"1: the file holds a carriage return (U+000D) without a line feed, which ends a line for some readers only; end " +
				"lines with a line feed, or with both"}},
		{"a right-to-left override in a comment and a zero-width space in a name", "a: 1 # \u202ecba\nb\u200b: 2\n", []string{
			`1: the file holds the format character U+202E, which is not displayed and can change how the line looks; take ` +
				`it out, or write "\u202e" in double quotes`,
			`2: the file holds the format character U+200B, which is not displayed and can change how the line looks; take ` +
				`it out, or write "\u200b" in double quotes`}},
		{"an inner byte order mark", "\ufeffa: 1\n\ufeffb: 2\n", []string{
			`2: the file holds the format character U+FEFF, which is not displayed and can change how the line looks; take ` +
				`it out, or write "\ufeff" in double quotes`}},
		{"a second byte order mark", "\ufeff\ufeffa: 1\n", []string{
			`1: the file holds the format character U+FEFF, which is not displayed and can change how the line looks; take ` +
				`it out, or write "\ufeff" in double quotes`}},
		{"several on one line are one problem", "# \u2066\u2067\u2068\u2069\u200e\u200f\u061c\u200d\u00ad\n", []string{
			`1: the file holds the format character U+2066, which is not displayed and can change how the line looks; take ` +
				`it out, or write "\u2066" in double quotes`}},
		{"a character beyond the first plane", "a: 1 # \U000E0041\n", []string{
			`1: the file holds the format character U+E0041, which is not displayed and can change how the line looks; take ` +
				`it out, or write "\U000e0041" in double quotes`}},
		{"a backslash", "a: \"\\q\"\n",
			[]string{"1: not YAML: a backslash in double quotes begins an escape; use single quotes"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, read(c.text, nil)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestValuesOfAnotherKindAreReported(t *testing.T) {
	for _, c := range []struct {
		name, text string
		use        func(yamlfile.Value)
		want       []string
	}{
		{"a mapping reads its keys, and tells of others", "one: 1\ntow: 2\nxyz: 3\n", func(v yamlfile.Value) {
			if m := v.Mapping("one", "two"); len(m) != 1 || !m["one"].IsSet() || m["two"].IsSet() {
				t.Errorf("%v", m)
			}
		}, []string{"2: unknown key \"tow\"; did you mean \"two\"?", "3: unknown key \"xyz\"; known here: one, two"}},
		{"a list is no mapping", "[a]", func(v yamlfile.Value) { v.Mapping("a") },
			[]string{"1: this is a list; expected a mapping with a"}},
		{"an empty mapping says nothing", "a: {}", func(v yamlfile.Value) { v.Mapping("a")["a"].Fields("names") },
			[]string{"1: a: this is empty; expected names"}},
		{"nothing written", "a:\n", func(v yamlfile.Value) { v.Mapping("a")["a"].Text("a text") },
			[]string{"1: a: nothing is written here; expected a text"}},
		{"an empty text", "a: ''\n", func(v yamlfile.Value) { v.Mapping("a")["a"].Text("a text") },
			[]string{"1: a: this is empty; expected a text"}},
		{"texts are as they are written", "a: [007, yes, 1e3, 0x1F, 2026-11-21]", func(v yamlfile.Value) {
			if diff := cmp.Diff([]string{"007", "yes", "1e3", "0x1F", "2026-11-21"},
				v.Mapping("a")["a"].Texts("texts")); diff != "" {
				t.Error(diff)
			}
		}, nil},
		{"one text stands for a list of one", "a: b", func(v yamlfile.Value) {
			if diff := cmp.Diff([]string{"b"}, v.Mapping("a")["a"].Texts("texts")); diff != "" {
				t.Error(diff)
			}
		}, nil},
		{"an empty list is no list of something", "a: []", func(v yamlfile.Value) { v.Mapping("a")["a"].Items("names") },
			[]string{"1: a: the list is empty; expected names"}},
		{"an empty list is a list", "a: []", func(v yamlfile.Value) { v.Mapping("a")["a"].List("names") }, nil},
		{"numbers are in plain digits", "a: [5, 05, 0x5, 5.0, -5, 1_000, five, 99999999999]", func(v yamlfile.Value) {
			for i, item := range v.Mapping("a")["a"].List("numbers") {
				if n, ok := item.Int(1); ok != (i == 0) || ok && n != 5 {
					t.Errorf("item %d: %d, %v", i, n, ok)
				}
			}
		}, []string{
			`1: a[1]: "05" is not a whole number of at least 1 and at most 1000000000`,
			`1: a[2]: "0x5" is not a whole number of at least 1 and at most 1000000000`,
			`1: a[3]: "5.0" is not a whole number of at least 1 and at most 1000000000`,
			`1: a[4]: "-5" is not a whole number of at least 1 and at most 1000000000`,
			`1: a[5]: "1_000" is not a whole number of at least 1 and at most 1000000000`,
			`1: a[6]: "five" is not a whole number of at least 1 and at most 1000000000`,
			`1: a[7]: "99999999999" is not a whole number of at least 1 and at most 1000000000`}},
		{"a missing value reads as nothing and tells nothing", "a: 1", func(v yamlfile.Value) {
			missing := v.Mapping("a", "b")["b"]
			missing.Errorf("never told")
			if _, ok := missing.Text("x"); ok || missing.IsSet() || missing.Line() != 0 || missing.Items("x") != nil ||
				missing.Fields("x") != nil {
				t.Error("a missing value reads as something")
			}
		}, nil},
		{"long text is cut in messages", "a: " + strings.Repeat("ü", 100),
			func(v yamlfile.Value) { v.Mapping("a")["a"].List("names") },
			[]string{`1: a: this is the text "` + strings.Repeat("ü", 40) + `"...; expected names`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, read(c.text, c.use)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestTheNearestNameIsTheOneThatWasMeant(t *testing.T) {
	known := []string{"identity", "allow", "deny", "limit", "app", "mode", "hr-sync"}
	for name, want := range map[string]string{
		"alow":                   "allow",
		"Allow":                  "allow",
		"allwo":                  "allow",
		"indentity":              "identity",
		"dney":                   "deny",
		"limits":                 "limit",
		"ap":                     "app",
		"hr_sync":                "hr-sync",
		"hrsync":                 "hr-sync",
		"xyz":                    "",
		"":                       "",
		"permissions":            "",
		strings.Repeat("a", 100): "",
	} {
		if got := yamlfile.Nearest(name, known); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

func TestErrorsAreSortedByLine(t *testing.T) {
	r := yamlfile.Report{File: "policy.yaml"}
	r.Add(12, "callers.hr-sync.allow[3]", "unknown key %q", "methds")
	r.Add(0, "", "first")
	r.Add(12, "", "later")
	const want = "policy.yaml:1: first\npolicy.yaml:12: callers.hr-sync.allow[3]: unknown key \"methds\"\n" +
		"policy.yaml:12: later"
	if got := r.Errors().Error(); got != want {
		t.Errorf("%s", got)
	}
	if new(yamlfile.Report).Errors() != nil {
		t.Error("a report without problems has errors")
	}
}
