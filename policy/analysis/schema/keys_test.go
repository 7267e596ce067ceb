package schema_test

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

// place is the place of an object's description in the schema: "#/definitions/caller".
type place string

// walker reads a policy and the schema together, and keeps the first node that it finds for each place.
type walker struct {
	schema   map[string]any
	mappings map[place]*yaml.Node            // of objects with properties
	keys     map[place]map[string]*yaml.Node // of their properties
}

func (w *walker) visit(s any, at place, n *yaml.Node) {
	described, _ := s.(map[string]any)
	for described["$ref"] != nil {
		at = place(described["$ref"].(string))
		described = w.schema["definitions"].(map[string]any)[strings.TrimPrefix(string(at),
			"#/definitions/")].(map[string]any)
	}
	switch n.Kind {
	case yaml.SequenceNode:
		for _, item := range n.Content {
			w.visit(described["items"], at+"/items", item)
		}
	case yaml.MappingNode:
		w.mapping(described, at, n)
	}
}

func (w *walker) mapping(described map[string]any, at place, n *yaml.Node) {
	properties, _ := described["properties"].(map[string]any)
	if w.mappings[at] == nil && properties != nil {
		w.mappings[at], w.keys[at] = n, make(map[string]*yaml.Node)
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i].Value
		if properties[key] != nil {
			if w.keys[at][key] == nil {
				w.keys[at][key] = n.Content[i]
			}
			w.visit(properties[key], at+place("/properties/"+key), n.Content[i+1])
			continue
		}
		next := described["additionalProperties"]
		patterns, _ := described["patternProperties"].(map[string]any)
		for pattern, s := range patterns {
			if s != false && regexp.MustCompile(pattern).MatchString(key) {
				next = s
			}
		}
		w.visit(next, at+"/*", n.Content[i+1])
	}
}

// properties returns the names of all properties in a part of the schema, by place.
func properties(s any, at place, into map[place][]string) {
	part, _ := s.(map[string]any)
	for key, below := range part {
		names, _ := below.(map[string]any)
		switch {
		case key == "definitions" || key == "properties":
			for name, p := range names {
				properties(p, at+place("/"+key+"/"+name), into)
			}
			if key == "properties" {
				into[at] = slices.Sorted(maps.Keys(names))
			}
		default:
			properties(below, at+place("/"+key), into)
		}
	}
}

// walk visits every key of the examples.
func walk(t *testing.T) (w *walker, documents []*yaml.Node) {
	t.Helper()
	w = &walker{schema: tree(t), mappings: make(map[place]*yaml.Node), keys: make(map[place]map[string]*yaml.Node)}
	for _, text := range [][]byte{read(t, "../../testdata/example.yaml"), everyOption(t)} {
		var document yaml.Node
		if err := yaml.Unmarshal(text, &document); err != nil {
			t.Fatal(err)
		}
		w.visit(w.schema, "#", document.Content[0])
		documents = append(documents, &document)
	}
	return w, documents
}

// problems returns the loader's messages about the documents.
func problems(t *testing.T, documents []*yaml.Node) string {
	t.Helper()
	var all []string
	for _, d := range documents {
		text, err := yaml.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parse(text); err != nil {
			all = append(all, err.Error())
		}
	}
	return strings.Join(all, "\n")
}

func TestEveryKeyOfTheSchemaIsOneOfTheLoader(t *testing.T) {
	w, documents := walk(t)
	if got := problems(t, documents); got != "" {
		t.Fatal(got)
	}
	wanted := make(map[place][]string)
	properties(w.schema, "#", wanted)
	for at, names := range wanted {
		for _, name := range names {
			key := w.keys[at][name]
			if key == nil {
				t.Errorf("%s: no example has the key %q", at, name)
				continue
			}
			key.Value += "x"
			if got, want := problems(t, documents), `"`+name+`x"; did you mean "`+name+`"?`; !strings.Contains(got, want) {
				t.Errorf("%s: misspelled, %q is not missed: %s", at, name, got)
			}
			key.Value = name
		}
	}
	if len(wanted) < 15 {
		t.Errorf("only %d objects have keys", len(wanted))
	}
}

// Where the loader finds another value than a mapping, its message lists the keys of the mapping.
func TestEveryKeyOfTheLoaderIsInTheSchema(t *testing.T) {
	w, documents := walk(t)
	wanted := make(map[place][]string)
	properties(w.schema, "#", wanted)
	// Under deny, limit, app, tenant and priority are known and refused.
	wanted["#/definitions/denySettings"] = []string{"app", "body", "description", "limit", "owner", "priority", "query",
		"references", "tenant", "ticket", "unknown", "until", "where"}
	told, expected := 0, regexp.MustCompile(`this is a list; expected a mapping with ([a-z0-9_, ]+)`)
	for at, n := range w.mappings {
		before := *n
		*n = yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{{Kind: yaml.ScalarNode, Value: "x"}}}
		found := expected.FindStringSubmatch(problems(t, documents))
		*n = before
		if found == nil {
			continue // rules, queries and identities: below
		}
		told++
		names := strings.Split(found[1], ", ")
		slices.Sort(names)
		if diff := cmp.Diff(names, wanted[at]); diff != "" {
			t.Errorf("%s (-loader +schema):\n%s", at, diff)
		}
	}
	if told != 18 {
		t.Errorf("the loader told the keys of %d kinds of mapping", told)
	}
}

// callerWith returns a policy with these lines in its one caller, besides what must be there.
func callerWith(lines string) []byte {
	text := "version: 1\ncallers:\n  app:\n"
	for _, must := range []string{"identity: [anyone]", "allow: []"} {
		if key, _, _ := strings.Cut(must, ":"); !strings.Contains("\n"+lines, "\n"+key+":") {
			text += "    " + must + "\n"
		}
	}
	return []byte(text + "    " + strings.ReplaceAll(lines, "\n", "\n    ") + "\n")
}

// The loader has no list of these, so the test tries all possible names.
func TestKindsOfEvidenceAndQueryOptionsAreTheLoaders(t *testing.T) {
	s := compile(t)
	evidence := tree(t)["definitions"].(map[string]any)["identity"].(map[string]any)["properties"].(map[string]any)
	for _, kind := range strings.Fields(
		"certificate token key unix network anyone jwt header password oidc mtls spiffe ip cidr user peer",
	) {
		_, err := parse(callerWith("identity: [" + kind + ": {x: y}]"))
		known := err == nil || !strings.Contains(err.Error(), "unknown identity")
		if inSchema := evidence[kind] != nil || kind == "anyone"; inSchema != known {
			t.Errorf("%s: the loader knows it: %v, the schema: %v", kind, known, inSchema)
		}
	}
	words := "select expand filter orderby search top skip count format skiptoken deltatoken id apply compute index " +
		"levels schemaversion" +
		" it root value ref metadata batch entity all crossjoin this query root delta links inlinecount at aggregate"
	for _, word := range strings.Fields(words) {
		for _, name := range []string{word, "$" + word, "$" + strings.ToUpper(word), strings.ToUpper(word), "@" + word,
			"$$" + word} {
			for _, rules := range []string{"allow", "deny"} {
				text := callerWith(rules + ":\n  - GET /users:\n      query: {" + `"` + name + `": [id]}`)
				_, err := parse(text)
				if got, schemaErr := judge(s, text); (got == unmarked) != (err == nil) {
					t.Errorf("%s of %s: the loader says %v, and %s: %v", name, rules, err, got, schemaErr)
				}
			}
		}
	}
}
