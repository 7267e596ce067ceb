package schema_test

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"graphproxy/policy/analysis/schema"
)

func TestTheSchemaIsASchema(t *testing.T) {
	c := jsonschema.NewCompiler()
	meta, err := c.Compile("http://json-schema.org/draft-07/schema#")
	if err != nil {
		t.Fatal(err)
	}
	s := tree(t)
	if err := meta.Validate(s); err != nil {
		t.Fatal(err)
	}
	if s["$schema"] != "http://json-schema.org/draft-07/schema#" {
		t.Errorf("$schema is %v", s["$schema"])
	}
	compile(t)
}

func TestTheTextIsIndentedByTwoSpacesAndEndsInANewline(t *testing.T) {
	var want bytes.Buffer
	if err := json.Indent(&want, bytes.TrimSpace(schema.JSON()), "", "  "); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.String()+"\n", string(schema.JSON())); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTheCallerMayChangeTheBytes(t *testing.T) {
	clear(schema.JSON())
	if first := schema.JSON()[0]; first != '{' {
		t.Errorf("it begins with %q", first)
	}
}

func TestEveryKeyIsExplained(t *testing.T) {
	root := tree(t)
	definitions := root["definitions"].(map[string]any)
	explained := func(at, name string, s any) {
		described, _ := s.(map[string]any)
		if ref, _ := described["$ref"].(string); ref != "" && described["description"] == nil {
			described, _ = definitions[strings.TrimPrefix(ref, "#/definitions/")].(map[string]any)
		}
		if text, _ := described["description"].(string); len(text) < 15 {
			t.Errorf("%s: the key %q is not explained: %q", at, name, text)
		}
	}
	definitions["the file"] = root
	for at, d := range definitions {
		names, _ := d.(map[string]any)["properties"].(map[string]any)
		for name, s := range names {
			explained(at, name, s)
		}
	}
}

func TestPoliciesThatLoadAreAccepted(t *testing.T) {
	s, files := compile(t), goodFiles(t)
	for name, text := range files {
		t.Run(name, func(t *testing.T) {
			if _, err := parse(text); err != nil {
				t.Fatalf("it does not load: %v", err)
			}
			if got, err := judge(s, text); got != unmarked {
				t.Errorf("%s: %v", got, err)
			}
		})
	}
	if len(files) < 9 {
		t.Errorf("only %d files", len(files))
	}
}

// badFiles are the files of policy/testdata/bad. A schema cannot refuse the accepted ones: it cannot check other
// parts of the file, the outcome of a test, or the spelling of YAML.
var badFiles = map[verdict][]string{
	marked: {
		"bad-certificates", "bad-evidence", "bad-identities",
		"bad-limits", "bad-waits", "bad-names", "bad-network", "deny-with-two-readings",
		"empty", "empty-where", "indented-too-little", "missing-in-caller", "missing-keys", "nulls", "query-values",
		"rule-text", "typos", "unknown-caller-in-tests", "unknown-include", "unknown-mode", "unknown-top-key",
		"unknown-version", "unreadable-tests", "wrong-kinds",
	},
	noYAML: {
		"braces-in-flow", "doubled-keys", "indentation", "not-utf8", "open-quote", "star-without-quotes", "tab",
	},
	unmarked: {"anchors", "failing-tests", "hidden-rule", "second-document",
		"tags"},
}

func TestBadFilesAreMarkedAsFarAsASchemaCanSee(t *testing.T) {
	s, want := compile(t), make(map[string]verdict)
	for v, names := range badFiles {
		t.Logf("%s: %d", v, len(names))
		for _, name := range names {
			want[name] = v
		}
	}
	files, err := filepath.Glob("../../testdata/bad/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no bad files: %v", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		t.Run(name, func(t *testing.T) {
			if want[name] == "" {
				t.Fatal("badFiles does not say whether the schema sees what is wrong with this file")
			}
			if got, err := judge(s, read(t, file)); got != want[name] {
				t.Errorf("%s: %v", got, err)
			}
		})
		delete(want, name)
	}
	for name := range want {
		t.Errorf("there is no bad file %s", name)
	}
}
