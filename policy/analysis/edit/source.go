// Package edit changes the text of policy files for people: it writes a file in one layout, adds rules to one, and
// writes the difference of two texts as a patch. Comments stay.
//
// It decides where text goes, and refuses what it cannot place. What a policy means is decided by package policy, and
// which rules to add by package suggest. It reads and writes no files.
package edit

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"graphproxy/policy/yamlfile"
)

const byteOrderMark = "\ufeff"

// source is the text of a file with the places of its values. The file is one that package yamlfile reads: it has no
// anchors, aliases, tags and directives.
type source struct {
	text  string
	root  *yaml.Node
	lines []int // where each line begins
	spans map[*yaml.Node]span
}

// span is where a value stands, from its first byte to the byte after its last, and the column of the block that it is
// in, from 0.
type span struct{ start, end, parent int }

// read finds the values in a text, which has no byte order mark.
func read(text string) (*source, error) {
	s := &source{text: string(yamlfile.Standard([]byte(text))), lines: []int{0}, spans: make(map[*yaml.Node]span)}
	for i := range len(s.text) {
		if s.text[i] == '\n' {
			s.lines = append(s.lines, i+1)
		}
	}
	var document yaml.Node
	if err := yaml.Unmarshal([]byte(s.text), &document); err != nil {
		return nil, fmt.Errorf("the file is not YAML: %w", err)
	}
	if document.Kind != yaml.DocumentNode || len(document.Content) == 0 {
		return nil, fmt.Errorf("the file is empty")
	}
	s.root = document.Content[0]
	if _, err := s.find(s.root, 0, 0); err != nil {
		return nil, err
	}
	return s, nil
}

// errPlace is the error where the text of a value is not where its place says.
func (s *source) errPlace(n *yaml.Node) error {
	return fmt.Errorf("line %d: this is written in a way that cannot be edited; write it in another way", n.Line)
}

// place returns where a node begins by its line and column.
func (s *source) place(n *yaml.Node) (int, error) {
	if n.Line < 1 || n.Line > len(s.lines) {
		return 0, s.errPlace(n)
	}
	at := s.lines[n.Line-1]
	for range n.Column - 1 {
		if at >= len(s.text) {
			return 0, s.errPlace(n)
		}
		_, size := utf8.DecodeRuneInString(s.text[at:])
		at += size
	}
	return at, nil
}

// find finds the spans of a node, which begins at or after from, and of all below it. It returns the end. Parent is the
// column of the block that the node is in, from 0.
func (s *source) find(n *yaml.Node, from, parent int) (int, error) {
	if isEmpty(n) {
		at := s.skip(from)
		if at < len(s.text) && (s.text[at] == ':' || s.text[at] == '-') && s.isBlank(at+1) {
			from = at + 1
		}
		s.spans[n] = span{from, from, parent}
		return from, nil
	}
	start, err := s.place(n)
	if err != nil {
		return 0, err
	}
	end := start
	switch {
	case n.Kind == yaml.ScalarNode:
		end, err = s.scalarEnd(n, start, parent)
	case len(n.Content) == 0 && s.isBracket(n, start):
		end, err = s.closing(n, start+1)
	default:
		end, err = s.collection(n, start)
	}
	switch {
	case err != nil:
		return 0, err
	case end < start || start < from:
		return 0, s.errPlace(n)
	}
	s.spans[n] = span{start, end, parent}
	return end, nil
}

// collection finds the spans of what a list or mapping holds, and returns its end.
func (s *source) collection(n *yaml.Node, start int) (int, error) {
	end, err := start, error(nil)
	if s.isBracket(n, start) {
		end++
	}
	for _, child := range n.Content {
		if end, err = s.find(child, end, s.column(start)); err != nil {
			return 0, err
		}
	}
	if s.isBracket(n, start) {
		return s.closing(n, end)
	}
	return end, nil
}

// isBracket reports whether a list or mapping is written in brackets. A pair in a list, [a: b], is not.
func (s *source) isBracket(n *yaml.Node, start int) bool {
	return n.Kind == yaml.SequenceNode && strings.HasPrefix(s.text[start:], "[") && n.Style&yaml.FlowStyle != 0 ||
		n.Kind == yaml.MappingNode && strings.HasPrefix(s.text[start:], "{") && n.Style&yaml.FlowStyle != 0
}

// closing returns the place after the bracket that closes a list or mapping.
func (s *source) closing(n *yaml.Node, from int) (int, error) {
	for at := s.skip(from); at < len(s.text); at = s.skip(at + 1) {
		switch s.text[at] {
		case ']', '}':
			return at + 1, nil
		case ',', ':':
		default:
			return 0, s.errPlace(n)
		}
	}
	return 0, s.errPlace(n)
}

// skip returns the place of the next character that is neither blank nor in a comment.
func (s *source) skip(at int) int {
	for at < len(s.text) {
		switch c := s.text[at]; {
		case isSpace(c):
			at++
		case c == '#':
			at = s.lineEnd(at)
		default:
			return at
		}
	}
	return at
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// isBlank reports whether a blank or the end of the text is at a place.
func (s *source) isBlank(at int) bool { return at >= len(s.text) || isSpace(s.text[at]) }

// lineEnd returns the end of the line of a place, before the characters that end it.
func (s *source) lineEnd(at int) int {
	end := len(s.text)
	if n := strings.IndexByte(s.text[at:], '\n'); n >= 0 {
		end = at + n
	}
	if end > at && s.text[end-1] == '\r' {
		end--
	}
	return end
}

// lineStart returns the beginning of the line of a place.
func (s *source) lineStart(at int) int { return strings.LastIndexByte(s.text[:at], '\n') + 1 }

// column returns the number of characters before a place in its line.
func (s *source) column(at int) int { return utf8.RuneCountInString(s.text[s.lineStart(at):at]) }

// isEmpty reports whether nothing is written for a value.
func isEmpty(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.Value == "" && n.ShortTag() == "!!null"
}

// withoutMark takes the byte order mark off.
func withoutMark(data []byte) string { return string(bytes.TrimPrefix(data, []byte(byteOrderMark))) }
