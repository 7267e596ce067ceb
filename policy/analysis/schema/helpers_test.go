package schema_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"graphproxy/policy"
	"graphproxy/policy/analysis/schema"
	"graphproxy/proxy"
)

// compile returns the compiled schema for the values that instance returns.
func compile(t testing.TB) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	if err := c.AddResource("policy.schema.json", tree(t)); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("policy.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// tree returns the schema as plain values.
func tree(t testing.TB) map[string]any {
	t.Helper()
	decoded, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema.JSON()))
	if err != nil {
		t.Fatal(err)
	}
	return decoded.(map[string]any)
}

// instance reads a file as an editor does that compares it with a schema: YAML as JSON. The error is for text that
// is no YAML, or no JSON.
func instance(text []byte) (any, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, err
	}
	if document.Kind == 0 {
		return nil, nil
	}
	return value(document.Content[0])
}

func value(n *yaml.Node) (any, error) {
	switch n.Kind {
	case yaml.AliasNode:
		return value(n.Alias)
	case yaml.MappingNode:
		return mapping(n)
	case yaml.SequenceNode:
		items := make([]any, len(n.Content))
		for i, item := range n.Content {
			var err error
			if items[i], err = value(item); err != nil {
				return nil, err
			}
		}
		return items, nil
	}
	return scalar(n)
}

func mapping(n *yaml.Node) (any, error) {
	all := make(map[string]any)
	for i := 0; i+1 < len(n.Content); i += 2 {
		v, err := value(n.Content[i+1])
		if err != nil {
			return nil, err
		}
		key := n.Content[i]
		if merged, isMapping := v.(map[string]any); isMapping && key.Tag == "!!merge" {
			for k, v := range merged {
				all[k] = v
			}
			continue
		}
		if _, doubled := all[key.Value]; doubled {
			return nil, fmt.Errorf("line %d: the key %q is there twice", key.Line, key.Value)
		}
		all[key.Value] = v
	}
	return all, nil
}

func scalar(n *yaml.Node) (any, error) {
	switch n.ShortTag() {
	case "!!null", "!!bool", "!!int", "!!float":
	default:
		return n.Value, nil // dates too: JSON has none
	}
	var v any
	if err := n.Decode(&v); err != nil {
		return nil, err
	}
	if f, isFloat := v.(float64); isFloat && (math.IsInf(f, 0) || math.IsNaN(f)) {
		return n.Value, nil
	}
	return v, nil
}

// judge returns an editor's verdict on a file.
func judge(s *jsonschema.Schema, text []byte) (verdict, error) {
	v, err := instance(text)
	if err != nil {
		return noYAML, err
	}
	if err := s.Validate(v); err != nil {
		return marked, err
	}
	return unmarked, nil
}

type verdict string

const (
	noYAML   verdict = "the reader of YAML refuses it"
	marked   verdict = "the schema refuses it"
	unmarked verdict = "the schema accepts it"
)

func read(t testing.TB, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// parse loads a policy whose include may name teams/hr.yaml.
func parse(text []byte) (*policy.Policy, error) {
	return policy.ParseFiles(time.Time{}, policy.Files{All: []policy.File{
		{Name: "policy.yaml", Data: text},
		{Name: "teams/hr.yaml", Data: []byte("version: 1\n")},
		{Name: "staff.txt", Data: []byte("adele@contoso.com\n"), IsList: true},
	}}, proxy.CheckEvidence)
}

// goodFiles returns policies that load, by name.
func goodFiles(t testing.TB) map[string][]byte {
	t.Helper()
	files := map[string][]byte{
		"testdata/example.yaml": read(t, "../../testdata/example.yaml"),
		"sandbox.yaml":          read(t, "../../../cmd/graphproxy/sandbox.yaml"),
		"every query option":    everyOption(t),
	}
	for _, document := range []string{"docs/policy.md", "README.md"} {
		for i, block := range strings.Split(string(read(t, "../../../"+document)), "```yaml\n")[1:] {
			if text, _, _ := strings.Cut(block, "```"); strings.Contains("\n"+text, "\ncallers:") {
				files[fmt.Sprintf("%s, example %d", document, i)] = []byte(text)
			}
		}
	}
	if data, err := os.ReadFile("../../../../shared/policy-example.yaml"); err == nil {
		files["shared/policy-example.yaml"] = data
	} else {
		t.Logf("left out: %v", err)
	}
	return files
}

// everyOption returns a policy with each query option that the schema knows by name, in an allow rule and in a deny
// rule, an include under deny, a token whose keys are in a file, and names of evidence.
func everyOption(t testing.TB) []byte {
	t.Helper()
	rules := func(definition string) []any {
		query := make(map[string]any)
		for name := range tree(
			t,
		)["definitions"].(map[string]any)[definition].(map[string]any)["properties"].(map[string]any) {
			query[name] = []string{"id"}
		}
		return []any{map[string]any{"GET /users": map[string]any{"query": query, "unknown": true,
			"description": "x", "owner": "y", "ticket": 12}}}
	}
	where := map[string]any{"GET /users/{id}": map[string]any{"where": map[string]any{"id": map[string]any{
		"list": "staff", "not_list": []string{"vips", "file"}, "not": []any{"a", 5},
	}}}}
	deny := append(rules("denyQuery"), map[string]any{"include": "devices", "until": "2026-12-31"},
		bodyRule("values", "targets"))
	allow := append(rules("query"), where, map[string]any{"include": "devices", "until": "2026-12-31T00:00:00Z"},
		bodyRule("values", "required", "max", "only", "targets"))
	token := map[string]any{
		"issuer":    "https://oidc.contoso.example",
		"audience":  "graphproxy",
		"subject":   "hr",
		"jwks_file": "/etc/graphproxy/keys.json",
		"name":      "pods",
	}
	identities := []any{
		map[string]any{"token": token},
		map[string]any{"name": "old-key", "key": map[string]any{"sha256": strings.Repeat("1", 64)}},
		map[string]any{"key": map[string]any{"sha256": strings.Repeat("2", 64), "name": "new-key"}},
		map[string]any{"certificate": map[string]any{"dns": "hr.contoso.example", "name": "laptop"}},
		map[string]any{"unix": map[string]any{"uid": 1000, "name": "cron"}},
		map[string]any{"name": "both", "all": []any{
			map[string]any{"key": map[string]any{"sha256": strings.Repeat("3", 64)}},
			map[string]any{"network": "10.0.0.0/8"},
		}},
	}
	text, err := json.Marshal(map[string]any{
		"version": 1,
		"include": []string{"teams/*.yaml"},
		"bounds": map[string]any{"teams/*.yaml": map[string]any{
			"allow": []any{
				"GET /users",
				map[string]any{"GET /users/{id}": map[string]any{"where": map[string]any{"id": "1"}}},
			},
			"callers": []string{"hr-*"},
		}},
		"rules": map[string]any{"devices": []string{"GET /devices"}},
		"deny":  []any{map[string]any{"include": "devices"}},
		"lists": map[string]any{
			"vips":  []any{"ceo@contoso.com", 5},
			"staff": map[string]any{"values": []string{"*@contoso.com"}, "description": "x", "owner": "y", "ticket": "z"},
			"file":  map[string]any{"file": "staff.txt"},
		},
		"limits": map[string]any{"new": map[string]any{
			"rate": "5/s", "covers": []any{map[string]any{"GET /users/{id}/new": map[string]any{"unknown": true}}},
		}},
		"callers": map[string]any{
			"app": map[string]any{"identity": identities, "allow": allow, "deny": deny, "until": "2026-12-31",
				"description": "x", "owner": "y", "ticket": "z"},
		},
		"tests": append(evidenceTests(), map[string]any{"caller": "app", "at": "2026-12-01", "deny": []any{
			map[string]any{"POST /users": map[string]any{"body": map[string]any{"id": []any{1, nil, "x"}}}},
		}}),
	})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// evidenceTests returns tests with each kind of evidence.
func evidenceTests() []any {
	certificate := map[string]any{
		"uri":         "spiffe://contoso.example/x",
		"dns":         []string{"hr.contoso.example", "*.contoso.example"},
		"common_name": "hr",
	}
	token := map[string]any{
		"issuer":   "https://oidc.contoso.example",
		"audience": []string{"graphproxy"},
		"subject":  "hr",
		"claims":   map[string]any{"/kubernetes.io/namespace": "hr", "admin": true, "roles": []string{"a"}},
	}
	hash := map[string]any{"sha256": strings.Repeat("2", 64)}
	return []any{
		map[string]any{"caller": "app", "evidence": map[string]any{"certificate": certificate, "key": "new-key"}},
		map[string]any{"caller": "app", "evidence": map[string]any{"token": token, "key": "app/old-key"}},
		map[string]any{"caller": "app", "evidence": map[string]any{"key": []any{"both", hash}, "network": "10.1.2.3"}},
		map[string]any{"caller": "app", "evidence": map[string]any{"unix": map[string]any{
			"uid": 1000, "gid": "5", "user": "cron",
		}}},
		map[string]any{"caller": "none", "evidence": map[string]any{}},
		map[string]any{"caller": "none", "deny": "GET /users", "evidence": map[string]any{
			"key": map[string]any{"sha256": strings.Repeat("4", 64)},
		}},
	}
}

// bodyRule is a rule with a condition on the body that has these settings.
func bodyRule(names ...string) map[string]any {
	all := map[string]any{
		"values":   []any{"a*", 5, true},
		"required": true,
		"max":      5,
		"only":     []string{"id", "manager/id"},
		"targets": []any{"/users/{id}", map[string]any{
			"/beta/groups/{id}": map[string]any{"where": map[string]any{"id": "1"}},
		}},
	}
	settings := make(map[string]any)
	for _, name := range names {
		settings[name] = all[name]
	}
	body := map[string]any{"recipients": []string{"*@contoso.com"}, "a/b": "x", "property": settings}
	if len(names) > 2 {
		body["none"] = "none"
	}
	return map[string]any{"POST,READ /users": map[string]any{"body": body, "until": "2026-12-31T18:00:00+01:00"}}
}
