package edit

import (
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// bracket writes a list or mapping in brackets. Lines are broken where the source breaks them. Column is that of the
// block's further lines.
func (w *writer) bracket(n *yaml.Node, column int) {
	at := w.spans[n]
	w.line.WriteByte(w.source.text[at.start])
	w.cursor = at.start + 1
	step := 1
	if n.Kind == yaml.MappingNode {
		step = 2
	}
	for i := 0; i < len(n.Content); i += step {
		if i > 0 {
			w.line.WriteByte(',')
		}
		w.inside(w.spans[n.Content[i]].start, column, i > 0)
		if step == 2 {
			w.pair(n.Content[i], n.Content[i+1], column)
			continue
		}
		w.item(n.Content[i], column)
	}
	if len(n.Content) > 0 {
		w.closed = append(w.closed, level{w.column(w.spans[n.Content[0]].start), column})
	}
	w.inside(at.end-1, column-indent, false)
	w.closed = nil
	w.line.WriteByte(w.source.text[at.end-1])
	w.cursor = at.end
}

// item writes what stands in a list in brackets. A pair gets braces.
func (w *writer) item(n *yaml.Node, column int) {
	switch {
	case n.Kind == yaml.ScalarNode:
		w.scalar(n, column)
	case w.isBracket(n, w.spans[n].start):
		w.bracket(n, column+indent)
	default:
		w.line.WriteByte('{')
		w.pair(n.Content[0], n.Content[1], column)
		w.line.WriteByte('}')
	}
}

// pair writes a key and its value in brackets.
func (w *writer) pair(key, value *yaml.Node, column int) {
	w.scalar(key, column)
	w.line.WriteByte(':')
	if isEmpty(value) {
		return
	}
	w.inside(w.spans[value].start, column+indent, true)
	w.item(value, column)
}

// inside begins what stands at a place in brackets: on a line of its own if the source breaks the line before it, else
// after a blank if it is not the first.
func (w *writer) inside(place, column int, blank bool) {
	g := w.gap(w.cursor, place)
	switch {
	case g.broken || len(g.comments) > 0:
		w.before(place, column, true)
	case blank:
		w.line.WriteByte(' ')
	}
	w.cursor = place
}

// blockText writes a text after | or >.
func (w *writer) blockText(at span, column int) {
	lines, isIndented := w.blockTextLines(at)
	header := strings.Trim(w.header(at.start), "123456789")
	if isIndented {
		header += "2"
	}
	w.line.WriteString(header)
	w.lines = append(w.lines, line{text: w.line.String(), comment: w.headerComment(at.start)})
	w.line.Reset()
	for _, text := range lines {
		if text != "" {
			text = strings.Repeat(" ", column) + text
		}
		w.lines = append(w.lines, line{text: text})
	}
}

// widest is the length of the longest line that decides the column of the comments beside it.
const widest = 70

// text returns the lines with their comments. Those behind lines that follow each other stand in one column.
func (w *writer) text() string {
	w.flush()
	for len(w.lines) > 0 && w.lines[len(w.lines)-1] == (line{}) {
		w.lines = w.lines[:len(w.lines)-1]
	}
	var out strings.Builder
	for i := 0; i < len(w.lines); {
		run := 0
		longest := 0
		for i+run < len(w.lines) && w.lines[i+run].comment != "" {
			if n := utf8.RuneCountInString(w.lines[i+run].text); n <= widest {
				longest = max(longest, n)
			}
			run++
		}
		for _, l := range w.lines[i : i+run] {
			gap := max(longest-utf8.RuneCountInString(l.text), 0)
			out.WriteString(l.text + strings.Repeat(" ", gap) + "  " + l.comment + "\n")
		}
		if i += run; run == 0 {
			out.WriteString(w.lines[i].text + "\n")
			i++
		}
	}
	return out.String()
}
