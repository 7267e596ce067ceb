package main

import (
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/term"
)

// plainWidth is the width of text that goes to no terminal, in columns.
const plainWidth = 100

// terminalWidth returns how many columns a text to w may have: those of the terminal, or of COLUMNS, else plainWidth.
func terminalWidth(environ []string, w io.Writer) int {
	for _, line := range environ {
		if value, ok := strings.CutPrefix(line, "COLUMNS="); ok {
			if n, err := strconv.Atoi(value); err == nil && n >= 40 {
				return n
			}
		}
	}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		if n, _, err := term.GetSize(int(f.Fd())); err == nil && n >= 40 {
			return n
		}
	}
	return plainWidth
}
