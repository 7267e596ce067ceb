package edit

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// comment is one comment of a file.
type comment struct {
	text        string // with #, without blanks at its end
	column      int
	isBehind    bool // it stands behind something on its line
	blankBefore bool // a blank line stands before it
}

// gap is what stands between two values.
type gap struct {
	comments   []comment
	blankAfter bool // a blank line stands after the last comment
	broken     bool // a line ends in it
}

// gap returns the comments between two places of the text, where no value is.
func (s *source) gap(from, to int) gap {
	var g gap
	isUsed, blank := true, false // the line holds something; a blank line stands after it
	for at := from; at < to; at++ {
		switch c := s.text[at]; {
		case c == '\n':
			blank = blank || !isUsed
			isUsed, g.broken = false, true
		case c == '#':
			end := s.lineEnd(at)
			g.comments = append(g.comments, comment{
				text:        strings.TrimRight(s.text[at:end], " \t"),
				column:      s.column(at),
				isBehind:    strings.Trim(s.text[s.lineStart(at):at], " \t-") != "",
				blankBefore: blank,
			})
			isUsed, blank = true, false
			at = end - 1
		default:
			isUsed = isUsed || !isSpace(c)
		}
	}
	g.blankAfter = blank
	return g
}

// headerComment returns the comment behind | or >.
func (s *source) headerComment(start int) string {
	line := s.text[start:s.lineEnd(start)]
	if at := strings.Index(line, " #"); at > 0 {
		return strings.TrimRight(line[at+1:], " \t")
	}
	return ""
}

// comments returns the texts of all comments, in their order.
func (s *source) comments() []string {
	var all []string
	at := 0
	add := func(to int) {
		for _, c := range s.gap(at, to).comments {
			all = append(all, c.text)
		}
	}
	s.eachScalar(s.root, func(n *yaml.Node) {
		add(s.spans[n].start)
		at = max(at, s.spans[n].end)
		if text := s.headerComment(s.spans[n].start); n.Style&literal != 0 && text != "" {
			all = append(all, text)
		}
	})
	add(len(s.text))
	return all
}

// eachScalar calls each for each text that is written, in their order.
func (s *source) eachScalar(n *yaml.Node, each func(*yaml.Node)) {
	if n.Kind == yaml.ScalarNode && !isEmpty(n) {
		each(n)
	}
	for _, child := range n.Content {
		s.eachScalar(child, each)
	}
}
