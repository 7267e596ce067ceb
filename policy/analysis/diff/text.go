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
	b.WriteString(d.Summary() + "\n")
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
	if len(d.Tests) > 0 {
		b.WriteString("tests\n")
		writeChanges(&b, d.Tests)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Summary returns the difference in one line: "2 callers may gain, 1 may lose, 3 tests are removed".
func (d Difference) Summary() string {
	if d.Empty() {
		return "no difference"
	}
	var gain, lose, other int
	for _, c := range d.Callers {
		switch {
		case c.Gains():
			gain++
		case !c.Loses():
			other++
		}
		if c.Loses() {
			lose++
		}
	}
	var parts []string
	for _, part := range []struct {
		n    int
		what string
	}{
		{gain, "may gain"}, {lose, "may lose"}, {other, "differ without gain or loss"},
	} {
		if part.n > 0 {
			parts = append(parts, counted(part.n, "caller")+" "+part.what)
		}
	}
	if n := len(d.Limits); n > 0 {
		parts = append(parts, counted(n, "change")+" of common limits")
	}
	if n := len(d.File); n > 0 {
		parts = append(parts, counted(n, "change")+" of the whole file")
	}
	if n := len(d.Tests); n > 0 {
		parts = append(parts, counted(n, "test")+" removed")
	}
	return strings.Join(parts, ", ")
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
