package yamlfile

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// check refuses YAML that has a second reading, in the node and all below it. It ignores what the keys mean, so
// it also checks parts of the file that are not read further.
func check(r *Report, n *yaml.Node, where string) {
	switch {
	case n.Kind == yaml.AliasNode:
		r.Add(n.Line, where, "aliases (*%s) are not read; write the value out, "+
			"or in quotes if the text begins with *", n.Value)
		return
	case n.Anchor != "":
		r.Add(n.Line, where, "anchors (&%s) are not read; write the value without one, "+
			"or in quotes if the text begins with &", n.Anchor)
	case n.Style&yaml.TaggedStyle != 0 || n.Tag == "!":
		r.Add(n.Line, where, "tags (%s) are not read; write the value without one", n.Tag)
	}
	switch n.Kind {
	case yaml.MappingNode:
		checkMapping(r, n, where)
	case yaml.SequenceNode:
		for i, item := range n.Content {
			check(r, item, fmt.Sprintf("%s[%d]", where, i))
		}
	}
}

func checkMapping(r *Report, n *yaml.Node, where string) {
	first := make(map[string]int)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind != yaml.ScalarNode {
			r.Add(key.Line, where, "a key must be a text, not a list, mapping or alias")
			continue
		}
		check(r, key, where)
		if key.Tag == "!!merge" {
			r.Add(key.Line, where, "merge keys (<<) are not read; write the keys out")
			continue
		}
		if line, doubled := first[key.Value]; doubled {
			r.Add(key.Line, where, "the key %s is there twice, first on line %d; keep one", quote(key.Value), line)
		} else {
			first[key.Value] = key.Line
		}
		check(r, value, join(where, key.Value))
	}
}

// join appends a key to a place. A key that is no plain name, such as a rule with its settings under it, is not
// appended: the line number identifies it.
func join(where, key string) string {
	if !IsName(strings.TrimPrefix(key, "$")) {
		return where
	}
	if where == "" {
		return key
	}
	return where + "." + key
}

// IsName reports whether s is made of letters, digits, "-", "_" and "." only, and not empty.
func IsName(s string) bool {
	for _, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '.':
		default:
			return false
		}
	}
	return s != ""
}
