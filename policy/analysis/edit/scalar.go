package edit

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

const (
	quoted  = yaml.DoubleQuotedStyle | yaml.SingleQuotedStyle
	literal = yaml.LiteralStyle | yaml.FoldedStyle
)

// scalarEnd returns where a text that begins at start ends. Parent is the column of the block that it is in.
func (s *source) scalarEnd(n *yaml.Node, start, parent int) (int, error) {
	var end int
	switch {
	case n.Style&quoted != 0:
		end = s.quotedEnd(start)
	case n.Style&literal != 0:
		end = s.blockTextEnd(start, parent)
	default:
		end = s.plainEnd(n.Value, start)
	}
	if end < 0 {
		return 0, s.errPlace(n)
	}
	return end, nil
}

// quotedEnd returns the end of a text in quotes, or -1.
func (s *source) quotedEnd(start int) int {
	quote := s.text[start]
	for i := start + 1; i < len(s.text); i++ {
		switch c := s.text[i]; {
		case c == '\\' && quote == '"':
			i++
		case c == quote && quote == '\'' && strings.HasPrefix(s.text[i+1:], "'"):
			i++
		case c == quote:
			return i + 1
		}
	}
	return -1
}

// plainEnd returns the end of a text without quotes that has the value, or -1. A text over several lines has a blank
// for one line break, and one line break less for several.
func (s *source) plainEnd(value string, start int) int {
	at := start
	for i := 0; i < len(value); {
		if at < len(s.text) && s.text[at] == value[i] && value[i] != '\n' {
			at++
			i++
			continue
		}
		rest := strings.TrimLeft(s.text[at:], " \t\r\n")
		breaks := strings.Count(s.text[at:len(s.text)-len(rest)], "\n")
		want := " "
		if breaks > 1 {
			want = strings.Repeat("\n", breaks-1)
		}
		if breaks == 0 || !strings.HasPrefix(value[i:], want) {
			return -1
		}
		at, i = len(s.text)-len(rest), i+len(want)
	}
	return at
}

// blockTextEnd returns the end of a text after | or >, with the lines that are blank behind it if they count.
func (s *source) blockTextEnd(start, parent int) int {
	end := s.lineEnd(start)
	keep := strings.Contains(s.header(start), "+")
	for line := s.nextLine(end); line < len(s.text); line = s.nextLine(line) {
		text := s.text[line:s.lineEnd(line)]
		isBlank := strings.Trim(text, " ") == ""
		if indent := len(text) - len(strings.TrimLeft(text, " ")); !isBlank && indent <= parent {
			break
		}
		if !isBlank || keep {
			end = s.lineEnd(line)
		}
	}
	return end
}

// header returns the characters of | or > and what follows them, without a comment.
func (s *source) header(start int) string {
	header, _, _ := strings.Cut(s.text[start:s.lineEnd(start)], " ")
	return header
}

// nextLine returns the beginning of the line after that of a place.
func (s *source) nextLine(at int) int {
	if n := strings.IndexByte(s.text[at:], '\n'); n >= 0 {
		return at + n + 1
	}
	return len(s.text)
}

// blockTextLines returns the lines of a text after | or >, without their indentation, and whether the first line
// that is not blank begins with a blank of its own.
func (s *source) blockTextLines(at span) (lines []string, isIndented bool) {
	first := s.nextLine(at.start)
	if first >= at.end {
		return nil, false
	}
	lines = strings.Split(s.text[first:at.end], "\n")
	indent := -1
	for _, c := range s.header(at.start) {
		if '1' <= c && c <= '9' {
			indent = at.parent + int(c-'0')
		}
	}
	for _, line := range lines {
		if text := strings.TrimLeft(line, " "); text != "" {
			if own := len(line) - len(text); indent < 0 {
				indent = own
			} else {
				isIndented = own > indent
			}
			break
		}
	}
	for i, line := range lines {
		lines[i] = line[min(max(indent, 0), len(line)):]
	}
	return lines, isIndented
}
