package diff

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// widest is the length of the longest line after which places are aligned in one column.
const widest = 60

// WriteText writes one fact a line: "+" for added, "-" for removed, "~" for changed, each with its place. The error
// is the writer's.
func (d Difference) WriteText(w io.Writer) error {
	var b strings.Builder
	if d.Empty() {
		b.WriteString("no difference\n")
	}
	if len(d.File) > 0 {
		b.WriteString("file\n")
		writeChanges(&b, d.File)
	}
	if len(d.Limits) > 0 {
		b.WriteString("limits\n")
		writeChanges(&b, d.Limits)
	}
	for _, c := range d.Callers {
		b.WriteString(c.Name + "\n")
		writeChanges(&b, c.Changes)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func writeChanges(b *strings.Builder, changes []Change) {
	for _, c := range changes {
		writeLine(b, c.Sign+" "+c.Text, c.Where)
	}
}

func writeLine(b *strings.Builder, text, where string) {
	room := strings.Repeat(" ", max(0, widest-utf8.RuneCountInString(text)))
	fmt.Fprintf(b, "  %s%s  %s\n", text, room, where)
}
