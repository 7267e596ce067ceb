package terminal

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// Colour is the number of a colour of ANSI terminals.
type Colour string

// The colours that are used. Plain is none.
const (
	Plain  Colour = ""
	Dim    Colour = "2"
	Red    Colour = "31"
	Green  Colour = "32"
	Yellow Colour = "33"
)

// Paint returns text in the colour.
func (c Colour) Paint(text string) string {
	if c == Plain || text == "" {
		return text
	}
	return "\x1b[" + string(c) + "m" + text + "\x1b[0m"
}

// Look is the appearance of a command's text.
type Look struct {
	// Hang is the additional indent of the later rows of a folded line, in columns.
	Hang int
	// Span returns the part of a line that has a colour, as byte offsets.
	Span func(line string) (from, to int, colour Colour)
}

// ForPeople sets the look of a command's text on a terminal. With --json nothing changes.
func ForPeople(cmd *cobra.Command, environ []string, look Look) *cobra.Command {
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		asJSON, err := cmd.Flags().GetBool("json")
		w := cmd.OutOrStdout()
		if err != nil || asJSON || !Is(w) {
			return run(cmd, args)
		}
		shown := &writer{w: w, width: Width(environ, w), colours: Colours(environ, w), look: look}
		cmd.SetOut(shown)
		return errors.Join(run(cmd, args), shown.flush())
	}
	return cmd
}

// writer folds and paints lines for a terminal.
type writer struct {
	w       io.Writer
	width   int
	colours bool
	look    Look
	rest    []byte // a line that has not ended yet
}

// Write takes any part of a text. It writes lines when they are complete.
func (s *writer) Write(text []byte) (int, error) {
	s.rest = append(s.rest, text...)
	for {
		line, rest, whole := bytes.Cut(s.rest, []byte("\n"))
		if !whole {
			return len(text), nil
		}
		s.rest = rest
		if _, err := io.WriteString(s.w, s.shown(string(line))+"\n"); err != nil {
			return 0, err
		}
	}
}

// flush writes what came after the last end of a line.
func (s *writer) flush() error {
	if len(s.rest) == 0 {
		return nil
	}
	_, err := io.WriteString(s.w, s.shown(string(s.rest)))
	s.rest = nil
	return err
}

func (s *writer) shown(line string) string {
	rows := fold(line, s.width, s.look.Hang)
	if s.colours {
		from, to, colour := s.look.Span(line)
		to = min(to, len(rows[0])) // what is in colour begins in the first row
		if from < to {
			rows[0] = rows[0][:from] + colour.Paint(rows[0][from:to]) + rows[0][to:]
		}
	}
	return strings.Join(rows, "\n")
}

// fold breaks a line between words into rows of at most width columns. All rows but the first get the line's indent
// and hang more columns. A word that is longer than a row stays whole, so that it can be copied.
func fold(line string, width, hang int) []string {
	if utf8.RuneCountInString(line) <= width {
		return []string{line}
	}
	indent := len(line) - len(strings.TrimLeft(line, " ")) + hang
	var rows []string
	row, columns, begun := "", 0, false
	for rest := line; rest != ""; {
		spaces := len(rest) - len(strings.TrimLeft(rest, " "))
		end := spaces + strings.IndexByte(rest[spaces:]+" ", ' ')
		word := rest[spaces:end]
		if n := utf8.RuneCountInString(rest[:end]); begun && columns+n > width {
			rows = append(rows, row)
			row = strings.Repeat(" ", indent) + word
			columns = utf8.RuneCountInString(row)
		} else {
			row += rest[:end]
			columns += n
		}
		begun = true
		rest = rest[end:]
	}
	return append(rows, row)
}
