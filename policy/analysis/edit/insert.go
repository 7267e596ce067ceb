package edit

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// document is a file that lines are added to. Its source is the file without a byte order mark, and perhaps with quotes
// that the file does not have.
type document struct {
	*source
	data string // the file
}

func parse(data []byte) (*document, error) {
	s, err := read(withoutMark(data))
	if err != nil {
		return nil, err
	}
	return &document{s, string(data)}, nil
}

// field returns a key of a mapping with its value; nil if there is none.
func (d *document) field(n *yaml.Node, name string) (key, value *yaml.Node) {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil, nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i], n.Content[i+1]
		}
	}
	return nil, nil
}

// origin returns the place in the file of a place in the source, which has quotes that the file lacks.
func (d *document) origin(place int) int {
	at := len(d.data) - len(withoutMark([]byte(d.data)))
	for i := 0; i < place; i++ {
		if at < len(d.data) && d.data[at] == d.text[i] {
			at++
		}
	}
	return at
}

// lineBreak returns what ends the lines of the file.
func (d *document) lineBreak() string {
	if first, _, found := strings.Cut(d.data, "\n"); found && strings.HasSuffix(first, "\r") {
		return "\r\n"
	}
	return "\n"
}

// piece is text that stands at a place of the source instead of what is there up to its end.
type piece struct {
	at, end int
	text    string
}

// with returns the file with pieces, in the order of their places.
func (d *document) with(pieces ...piece) []byte {
	out, last := "", 0
	for _, p := range pieces {
		out += d.data[last:d.origin(p.at)] + p.text
		last = d.origin(p.end)
	}
	return []byte(out + d.data[last:])
}

// insertLines adds lines after the line of a place.
func (d *document) insertLines(place int, lines []string) []byte {
	at := d.lineEnd(place)
	return d.with(piece{at, at, d.lineBreak() + strings.Join(lines, d.lineBreak())})
}

// startsLine reports whether a key is the first on its line, or stands behind dashes.
func (d *document) startsLine(key *yaml.Node) bool {
	at := d.spans[key].start
	return strings.Trim(d.text[d.lineStart(at):at], " -") == ""
}

// replaceEmpty puts lines in the place of an empty list in brackets. What stands behind it on its line stays.
func (d *document) replaceEmpty(key, list *yaml.Node, lines []string) []byte {
	colon := d.skip(d.spans[key].end) + 1
	end := d.lineEnd(d.spans[list].end)
	return d.with(piece{colon, d.spans[list].end, ""},
		piece{end, end, d.lineBreak() + strings.Join(lines, d.lineBreak())})
}

// insertInBrackets adds items at the end of a list or mapping in brackets, on lines of their own if comments stand
// above them or the closing bracket is on a line of its own.
func (d *document) insertInBrackets(n *yaml.Node, items, comments []string) []byte {
	closing := d.spans[n].end - 1
	if len(n.Content) == 0 {
		return d.with(piece{closing, closing, strings.Join(items, ", ")})
	}
	last := n.Content[len(n.Content)-1]
	end := d.spans[last].end
	first := d.lineStart(d.spans[n.Content[0]].start)
	in := d.text[first:d.skip(first)]
	between := d.text[end:closing]
	switch {
	case len(comments) > 0:
		in = strings.Repeat(" ", d.column(d.spans[n].start)+indent)
		lines := slices.Clone(comments)
		for i := range lines {
			lines[i] = in + "# " + lines[i]
		}
		lines = append(lines, in+strings.Join(items, ","+d.lineBreak()+in))
		return d.with(d.comma(end, between), piece{closing, closing, d.lineBreak() + strings.Join(lines,
			d.lineBreak())})
	case strings.Contains(between, "\n"):
		at := d.lineEnd(end)
		return d.with(d.comma(end, between),
			piece{at, at, d.lineBreak() + in + strings.Join(items, ","+d.lineBreak()+in)})
	case strings.Contains(between, ","):
		return d.with(piece{closing, closing, " " + strings.Join(items, ", ")})
	}
	return d.with(piece{end, end, ", " + strings.Join(items, ", ")})
}

// comma is a comma at the end of a value, unless one follows.
func (d *document) comma(end int, between string) piece {
	if at := d.skip(end); strings.Contains(between, ",") && at < len(d.text) && d.text[at] == ',' {
		return piece{end, end, ""}
	}
	return piece{end, end, ","}
}
