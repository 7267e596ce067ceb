package policycmd

import (
	"fmt"
	"io"
	"strings"

	"graphproxy/policy/analysis/diff"
	"graphproxy/policy/graph/odata"
)

// markdown writes the difference as a comment on a change for review. All texts of the files stand in code spans: they
// can neither format the comment nor mention a user.
func (d difference) markdown(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "**Policy: %s**\n", d.Summary)
	table := markdownTable{out: &b}
	for _, c := range d.Callers {
		table.add(code(c.Name), c.Changes)
	}
	table.add("file", d.File)
	table.add("limits", d.Limits)
	table.add("tests", d.Tests)
	if d.Requests != nil {
		var text strings.Builder
		if err := d.Requests.WriteText(&text); err != nil {
			return err
		}
		fmt.Fprintf(&b, "\n<details><summary>Recorded requests</summary>\n\n%s\n</details>\n", fenced(text.String()))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// markdownTable is a table of changes, with a header before the first row.
type markdownTable struct {
	out     *strings.Builder
	hasRows bool
}

func (t *markdownTable) add(of string, changes []diff.Change) {
	for _, c := range changes {
		if !t.hasRows {
			t.out.WriteString("\n| | | | |\n|---|---|---|---|\n")
			t.hasRows = true
		}
		fmt.Fprintf(t.out, "| %s | %s | %s | %s |\n", of, effect(&c), code(c.Sign+" "+c.Text), code(c.Where))
	}
}

// effect is what a change may do, in a word.
func effect(c *diff.Change) string {
	switch {
	case c.Gains && c.Loses:
		return "**gains**, loses"
	case c.Gains:
		return "**gains**"
	case c.Loses:
		return "loses"
	}
	return ""
}

// code is a text as a code span in a cell of a table.
func code(text string) string {
	if text == "" {
		return ""
	}
	text = strings.ReplaceAll(odata.Visible(text), "|", `\|`)
	fence := "`"
	for strings.Contains(text, fence) {
		fence += "`"
	}
	if len(fence) > 1 {
		text = " " + text + " "
	}
	return fence + text + fence
}

// fenced is a text of several lines as a code block.
func fenced(text string) string {
	fence := "```"
	for strings.Contains(text, fence) {
		fence += "`"
	}
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for i, line := range lines {
		lines[i] = odata.Visible(line)
	}
	return fence + "\n" + strings.Join(lines, "\n") + "\n" + fence + "\n"
}
