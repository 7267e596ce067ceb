package yamlfile

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Value is one value of a file, with its place. Each method reads it as one type. If the value has another
// type, the method reports that and returns false, or nothing. The zero Value stands for a missing value: it
// reads as nothing and reports nothing.
type Value struct {
	node   *yaml.Node
	file   string
	where  string
	report *Report
}

// Field is one key of a mapping with its value.
type Field struct {
	Key   string
	Line  int // of the key
	Value Value
}

// IsSet reports whether the value is there at all.
func (v Value) IsSet() bool { return v.node != nil }

// Line returns the line where the value begins, 0 for a missing one.
func (v Value) Line() int {
	if v.node == nil {
		return 0
	}
	return v.node.Line
}

// File returns the name of the file that the value stands in.
func (v Value) File() string { return v.file }

// Where returns the value's place: "callers.hr-sync.allow[3]".
func (v Value) Where() string { return v.where }

// Flow returns the value written on one line, as YAML writes it in braces, without comments: [id, displayName].
func (v Value) Flow() string {
	if v.node == nil {
		return ""
	}
	text, err := yaml.Marshal(inFlow(v.node))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

func inFlow(n *yaml.Node) *yaml.Node {
	flow := &yaml.Node{Kind: n.Kind, Tag: n.Tag, Value: n.Value, Style: n.Style | yaml.FlowStyle}
	if n.Kind == yaml.ScalarNode {
		flow.Style = n.Style &^ (yaml.LiteralStyle | yaml.FoldedStyle)
	}
	for _, child := range n.Content {
		flow.Content = append(flow.Content, inFlow(child))
	}
	return flow
}

// Errorf reports a problem of the value, at its line.
func (v Value) Errorf(format string, args ...any) {
	if v.node != nil {
		v.report.AddIn(v.file, v.node.Line, v.where, format, args...)
	}
}

// IsScalar reports whether the value is a single text, number or other scalar, without a problem.
func (v Value) IsScalar() bool {
	return v.node != nil && v.node.Kind == yaml.ScalarNode && !isNull(v.node)
}

// IsMapping reports whether the value is a mapping.
func (v Value) IsMapping() bool { return v.node != nil && v.node.Kind == yaml.MappingNode }

// IsList reports whether the value is a list with at least one item.
func (v Value) IsList() bool {
	return v.node != nil && v.node.Kind == yaml.SequenceNode && len(v.node.Content) > 0
}

// IsInt reports whether the value is a number as YAML sees it, not a text: 50, and not "50".
func (v Value) IsInt() bool { return v.IsScalar() && v.node.ShortTag() == "!!int" }

// Fields returns the keys of a mapping, each once, in file order. Expected describes the expected value, for
// messages. An empty mapping is reported.
func (v Value) Fields(expected string) []Field {
	if !v.is(yaml.MappingNode, expected) {
		return nil
	}
	var fields []Field
	seen := make(map[string]bool)
	for i := 0; i+1 < len(v.node.Content); i += 2 {
		key, value := v.node.Content[i], v.node.Content[i+1]
		if key.Kind != yaml.ScalarNode || key.Tag == "!!merge" || seen[key.Value] {
			continue // check has reported it
		}
		seen[key.Value] = true
		fields = append(fields, Field{
			Key:   key.Value,
			Line:  key.Line,
			Value: Value{node: value, file: v.file, where: join(v.where, key.Value), report: v.report},
		})
	}
	if len(v.node.Content) == 0 {
		v.Errorf("this is empty; expected %s", expected)
	}
	return fields
}

// Mapping returns the values of a mapping that may only have the known keys. Other keys are reported.
func (v Value) Mapping(known ...string) map[string]Value {
	values := make(map[string]Value)
	for _, f := range v.Fields("a mapping with " + strings.Join(known, ", ")) {
		if !slices.Contains(known, f.Key) {
			v.report.AddIn(v.file, f.Line, v.where, "%s", Unknown("key", f.Key, known))
			continue
		}
		values[f.Key] = f.Value
	}
	return values
}

// List returns the items of a list. Expected describes the expected value. An empty list is allowed.
func (v Value) List(expected string) []Value {
	if !v.is(yaml.SequenceNode, expected) {
		return nil
	}
	items := make([]Value, len(v.node.Content))
	for i, n := range v.node.Content {
		items[i] = Value{node: n, file: v.file, where: fmt.Sprintf("%s[%d]", v.where, i), report: v.report}
	}
	return items
}

// Items returns the items of a list that must not be empty.
func (v Value) Items(expected string) []Value {
	items := v.List(expected)
	if v.node != nil && v.node.Kind == yaml.SequenceNode && len(items) == 0 {
		v.Errorf("the list is empty; expected %s", expected)
	}
	return items
}

// OneOrMore returns the items of a list that must not be empty, or one scalar in place of a list.
func (v Value) OneOrMore(expected string) []Value {
	if v.IsScalar() {
		return []Value{v}
	}
	return v.Items(expected)
}

// Text returns a scalar as it is written: 007, 1e3 and yes are texts. An empty text is reported.
func (v Value) Text(expected string) (string, bool) {
	if !v.is(yaml.ScalarNode, expected) {
		return "", false
	}
	if v.node.Value == "" {
		v.Errorf("this is empty; expected %s", expected)
		return "", false
	}
	return v.node.Value, true
}

// Texts returns the texts of a list or of one scalar.
func (v Value) Texts(expected string) []string {
	var texts []string
	for _, item := range v.OneOrMore(expected) {
		if text, ok := item.Text(expected); ok {
			texts = append(texts, text)
		}
	}
	return texts
}

// Int returns a whole number in decimal digits that is at least lowest.
func (v Value) Int(lowest int) (int, bool) {
	expected := fmt.Sprintf("a whole number of at least %d", lowest)
	text, ok := v.Text(expected)
	if !ok {
		return 0, false
	}
	const highest = 1_000_000_000
	n, err := strconv.Atoi(text)
	if err != nil || n < lowest || n > highest || strconv.Itoa(n) != text {
		v.Errorf("%s is not %s and at most %d", quote(text), expected, highest)
		return 0, false
	}
	return n, true
}

// is reports whether the value has the kind, and adds a problem if not.
func (v Value) is(kind yaml.Kind, expected string) bool {
	switch {
	case v.node == nil || v.node.Kind == yaml.AliasNode:
		return false // missing, or reported by check
	case isNull(v.node):
		v.Errorf("nothing is written here; expected %s", expected)
		return false
	case v.node.Kind != kind:
		v.Errorf("this is %s; expected %s", kindName(v.node), expected)
		return false
	}
	return true
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

func kindName(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	return "the text " + quote(n.Value)
}

// quote makes text of the file fit for a message: short and on one line.
func quote(s string) string {
	const most = 80
	if len(s) > most {
		return strconv.Quote(strings.ToValidUTF8(s[:most], "")) + "..."
	}
	return strconv.Quote(s)
}
