package proxy_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"graphproxy/proxy/graphtest"
)

// readReferences reads which references a rule allows, as readRule reads rules.
func readReferences(t testing.TB, values []yaml.Node) []plainRule {
	t.Helper()
	var refs []plainRule
	for _, v := range values {
		r := plainRule{methods: []string{"GET"}, text: v.Value}
		if v.Kind == yaml.MappingNode {
			r.text = v.Content[0].Value
			var conditions struct{ Where map[string]any }
			must(t, v.Content[1].Decode(&conditions))
			r.where = map[string][]string{}
			for name, value := range conditions.Where {
				r.where[name] = texts(value)
			}
		}
		var err error
		r.path, err = graphtest.Read("/v1.0" + r.text)
		must(t, err)
		refs = append(refs, r)
	}
	return refs
}

// refersBeyond explains why a body should not have been allowed under the rule: Graph may read a reference in it
// that the rule does not list. It is empty if the body may pass, or if the rule lists nothing.
func (r plainRule) refersBeyond(target string, body []byte) string {
	if r.refs == nil || len(body) == 0 {
		return ""
	}
	var object map[string]any
	if err := json.Unmarshal(body, &object); err != nil {
		return fmt.Sprintf("the body is no JSON object: %v", err)
	}
	path, _, _ := strings.Cut(target, "?")
	if _, single := object["@odata.id"].(string); strings.HasSuffix(path, "$ref") && (len(object) != 1 || !single) {
		return fmt.Sprintf("the body has %d members", len(object))
	}
	return r.beyond("", object)
}

func (r plainRule) beyond(key string, v any) string {
	switch v := v.(type) {
	case map[string]any:
		for k, member := range v {
			if problem := r.beyond(k, member); problem != "" {
				return problem
			}
		}
	case []any:
		for _, element := range v {
			if problem := r.beyond(key, element); problem != "" {
				return problem
			}
		}
	case string:
		name := strings.ToLower(key)
		if (strings.Contains(name, "odata") || strings.HasPrefix(v, "http") || strings.HasPrefix(v, "/")) && !r.lists(v) {
			return fmt.Sprintf("%q names %q, which the rule does not list", key, v)
		}
	}
	return ""
}

// lists reports whether the rule lists the resource that an address names.
func (r plainRule) lists(address string) bool {
	if _, rest, whole := strings.Cut(address, "://"); whole {
		_, path, _ := strings.Cut(rest, "/")
		address = "/" + path
	}
	address = "/" +
		strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(address, "/"), "v1.0"), "beta"), "/")
	reading, err := graphtest.Read("/v1.0" + address)
	for _, ref := range r.refs {
		if err == nil && ref.covers("GET", reading) {
			return true
		}
	}
	return false
}
