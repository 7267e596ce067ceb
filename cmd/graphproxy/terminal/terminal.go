// Package terminal writes for people at a terminal: in colour, within its width, and with progress during long
// work.
//
// It decides the appearance of a text, never its content. A pipe or a file gets the plain text, byte for byte.
package terminal

import (
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/term"
)

// PlainWidth is the width of text that goes to no terminal, in columns.
const PlainWidth = 100

// narrowest is the least width that text is folded to. A terminal that reports less reports a wrong width.
const narrowest = 40

// Is reports whether w is a terminal.
func Is(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// Width returns how many columns a text to w may have: the value of COLUMNS, else the terminal's width, else
// PlainWidth.
func Width(environ []string, w io.Writer) int {
	if n, err := strconv.Atoi(variable(environ, "COLUMNS")); err == nil && n >= narrowest {
		return n
	}
	if Is(w) {
		if n, _, err := term.GetSize(int(w.(*os.File).Fd())); err == nil && n >= narrowest {
			return n
		}
	}
	return PlainWidth
}

// Colours reports whether text to w may be in colour: w is a terminal that knows colours, and NO_COLOR is not set
// (https://no-color.org).
func Colours(environ []string, w io.Writer) bool {
	return Is(w) && variable(environ, "NO_COLOR") == "" && !dumb(environ)
}

// dumb reports whether the terminal ignores all escapes.
func dumb(environ []string) bool { return variable(environ, "TERM") == "dumb" }

// variable returns the last value of a variable, as a process sees it.
func variable(environ []string, name string) string {
	value := ""
	for _, line := range environ {
		if v, ok := strings.CutPrefix(line, name+"="); ok {
			value = v
		}
	}
	return value
}
