package yamlfile

import (
	"encoding/json"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// JSON returns the value as JSON, with the keys of mappings in their order. Numbers of YAML that JSON does not have,
// such as 0x1F and .inf, are reported; dates are texts.
func (v Value) JSON() (json.RawMessage, bool) {
	if v.node == nil {
		return nil, false
	}
	text, ok := v.appendJSON(nil, v.node)
	return text, ok
}

func (v Value) appendJSON(dst []byte, n *yaml.Node) ([]byte, bool) {
	switch n.Kind {
	case yaml.MappingNode:
		return v.appendObject(dst, n)
	case yaml.SequenceNode:
		dst = append(dst, '[')
		for i, item := range n.Content {
			if i > 0 {
				dst = append(dst, ',')
			}
			var ok bool
			if dst, ok = v.appendJSON(dst, item); !ok {
				return dst, false
			}
		}
		return append(dst, ']'), true
	case yaml.ScalarNode:
		return v.appendScalar(dst, n)
	}
	return dst, false // an alias, which check has reported
}

func (v Value) appendObject(dst []byte, n *yaml.Node) ([]byte, bool) {
	dst = append(dst, '{')
	for i := 0; i+1 < len(n.Content); i += 2 {
		if i > 0 {
			dst = append(dst, ',')
		}
		if n.Content[i].Kind != yaml.ScalarNode {
			return dst, false
		}
		dst = append(appendQuoted(dst, n.Content[i].Value), ':')
		var ok bool
		if dst, ok = v.appendJSON(dst, n.Content[i+1]); !ok {
			return dst, false
		}
	}
	return append(dst, '}'), true
}

func (v Value) appendScalar(dst []byte, n *yaml.Node) ([]byte, bool) {
	switch n.ShortTag() {
	case "!!null":
		return append(dst, "null"...), true
	case "!!bool":
		var b bool
		err := n.Decode(&b)
		return strconv.AppendBool(dst, b), err == nil
	case "!!int", "!!float":
		if !json.Valid([]byte(n.Value)) {
			v.report.AddIn(
				v.file,
				n.Line,
				v.where,
				"%s is no number of JSON; write it in decimal digits, or in quotes as a text",
				quote(n.Value),
			)
			return dst, false
		}
		return append(dst, n.Value...), true
	}
	return appendQuoted(dst, n.Value), true
}

func appendQuoted(dst []byte, s string) []byte {
	text, err := json.Marshal(s)
	if err != nil { // a string: cannot happen
		return append(dst, '"', '"')
	}
	return append(dst, text...)
}
