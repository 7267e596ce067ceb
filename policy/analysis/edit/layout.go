package edit

import (
	"errors"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// The layout: two blanks for each level, the items of a list two blanks further than its key, one blank line at most, a
// blank after each comma and colon, comments behind lines in one column. What the author decides stays: the order, the
// quotes, what stands in brackets, where brackets are broken into lines, and the comments.

// indent is the number of blanks of one level.
const indent = 2

// Layout returns the text of a policy file in the one layout. The file must be one that loads. Values and comments are
// those of the file, in their order: Layout compares both at the end, and returns an error where they differ.
func Layout(data []byte) ([]byte, error) {
	text := strings.ReplaceAll(withoutMark(data), "\r\n", "\n")
	s, err := read(text)
	if err != nil {
		return nil, err
	}
	w := &writer{source: s}
	w.root()
	w.before(len(s.text), 0, false)
	out := []byte(w.text())
	laidOut, err := read(string(out))
	if err != nil {
		return nil, err
	}
	if !sameValues(s.root, laidOut.root) || !slices.Equal(s.comments(), laidOut.comments()) {
		return nil, errors.New("the file cannot be laid out without a change of its values or comments: " +
			"please report this, with the file")
	}
	return out, nil
}

// sameValues reports whether two nodes have the same values.
func sameValues(a, b *yaml.Node) bool {
	return a.Kind == b.Kind && a.ShortTag() == b.ShortTag() && a.Value == b.Value &&
		slices.EqualFunc(a.Content, b.Content, sameValues)
}

// level is a block: its column in the source, and that in the output.
type level struct{ was, is int }

// writer writes a source in the layout.
type writer struct {
	*source
	cursor int // up to here the source is written
	lines  []line
	line   strings.Builder // the last line
	closed []level         // blocks that ended since the last value
}

// line is one line of the output. A comment behind text is kept apart until all lines are known.
type line struct{ text, comment string }

// flush ends the last line.
func (w *writer) flush() {
	if text := strings.TrimRight(w.line.String(), " "); text != "" {
		w.lines = append(w.lines, line{text: text})
	}
	w.line.Reset()
}

// blank adds a blank line, but not a second one and not at the beginning.
func (w *writer) blank() {
	if n := len(w.lines); n > 0 && w.lines[n-1] != (line{}) {
		w.lines = append(w.lines, line{})
	}
}

// before writes the comments that stand before a place of the source, and begins a new line there. Column is where the
// line begins. Opens: the line is the first one of a block, before which there is no blank line.
func (w *writer) before(place, column int, opens bool) {
	g := w.gap(w.cursor, place)
	for _, c := range g.comments {
		if c.isBehind && strings.TrimSpace(w.line.String()) != "" {
			text := strings.TrimRight(w.line.String(), " ")
			w.line.Reset()
			w.lines = append(w.lines, line{text, c.text})
			continue
		}
		w.flush()
		if c.blankBefore && !opens {
			w.blank()
		}
		opens = false
		w.lines = append(w.lines, line{text: strings.Repeat(" ", w.columnOf(c, place, column)) + c.text})
	}
	w.flush()
	if g.blankAfter && !opens && place < len(w.source.text) {
		w.blank()
	}
	w.line.WriteString(strings.Repeat(" ", column))
	w.cursor, w.closed = place, nil
}

// columnOf returns the column of a comment on a line of its own: that of the next line, unless it stands further in, as
// the block does that ended before it.
func (w *writer) columnOf(c comment, place, column int) int {
	was, is := 0, column
	if place < len(w.source.text) {
		was = w.column(w.skip(w.lineStart(place)))
	}
	for _, l := range w.closed {
		if l.was > was && l.was <= c.column && l.is > is {
			was, is = l.was, l.is
		}
	}
	return is
}

// root writes the value that is the file.
func (w *writer) root() {
	n := w.source.root
	if n.Kind == yaml.ScalarNode || w.isBracket(n, w.spans[n].start) {
		w.before(w.spans[n].start, 0, true)
		w.value(n, indent, false)
		return
	}
	w.value(n, 0, true)
}

// value writes a value in a block. Column is that of its further lines. Opens: its first line is to begin; else the
// line has begun.
func (w *writer) value(n *yaml.Node, column int, opens bool) {
	switch {
	case n.Kind == yaml.ScalarNode:
		w.scalar(n, column)
	case w.isBracket(n, w.spans[n].start):
		w.bracket(n, column)
	case n.Kind == yaml.MappingNode:
		w.mapping(n, column, opens)
	default:
		w.list(n, column, opens)
	}
}

// mapping writes a mapping in a block.
func (w *writer) mapping(n *yaml.Node, column int, opens bool) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if i > 0 || opens {
			w.before(w.spans[key].start, column, i == 0)
		}
		w.scalar(key, column)
		w.line.WriteByte(':')
		switch at := w.spans[value]; {
		case isEmpty(value):
		case value.Kind != yaml.ScalarNode && !w.isBracket(value, at.start):
			w.value(value, column+indent, true)
		default:
			w.beside(value, column+indent)
			w.value(value, column+indent, false)
		}
	}
	w.close(n, column)
}

// beside begins a value that stands on the line of its key, if no comment is between.
func (w *writer) beside(value *yaml.Node, column int) {
	at := w.spans[value].start
	if len(w.gap(w.cursor, at).comments) > 0 {
		w.before(at, column, true)
		return
	}
	w.line.WriteByte(' ')
	w.cursor = at
}

// list writes a list in a block.
func (w *writer) list(n *yaml.Node, column int, opens bool) {
	for i, item := range n.Content {
		if i > 0 || opens {
			w.before(w.spans[item].start, column, i == 0)
		}
		w.line.WriteString("- ")
		if w.isBracket(item, w.spans[item].start) {
			w.bracket(item, column+2*indent)
			continue
		}
		w.value(item, column+indent, false)
	}
	w.close(n, column)
}

// close notes that a block has ended.
func (w *writer) close(n *yaml.Node, column int) {
	w.closed = append(w.closed, level{w.column(w.spans[n].start), column})
}

// scalar writes a text. Column is that of its further lines.
func (w *writer) scalar(n *yaml.Node, column int) {
	at := w.spans[n]
	if isEmpty(n) {
		return
	}
	w.cursor = at.end
	if n.Style&literal != 0 {
		w.blockText(at, column)
		return
	}
	for i, text := range strings.Split(w.source.text[at.start:at.end], "\n") {
		if i > 0 {
			w.lines = append(w.lines, line{text: w.line.String()})
			w.line.Reset()
			if text = strings.TrimLeft(text, " \t"); text != "" {
				w.line.WriteString(strings.Repeat(" ", column))
			}
		}
		if n.Style&yaml.DoubleQuotedStyle == 0 { // there, a blank at the end of a line may be escaped
			text = strings.TrimRight(text, " \t")
		}
		w.line.WriteString(text)
	}
}
