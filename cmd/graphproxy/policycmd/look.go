package policycmd

import (
	"regexp"
	"strings"

	"graphproxy/cmd/graphproxy/terminal"
)

// place is the beginning of a problem: policy.yaml:12.
var place = regexp.MustCompile(`^\S+:[0-9]+: `)

func checkLook() terminal.Look {
	return terminal.Look{Hang: 4, Span: func(line string) (int, int, terminal.Colour) {
		at := place.FindString(line)
		warning := strings.Index(line, "warning: ")
		switch {
		case at != "" && warning > 0:
			return warning, warning + len("warning"), terminal.Yellow
		case at != "":
			return 0, len(at) - len(": "), terminal.Red
		case strings.Contains(line, " does not load: "):
			return 0, len(line), terminal.Red
		}
		return 0, len(line), terminal.Green
	}}
}

func testLook() terminal.Look {
	return terminal.Look{Hang: 6, Span: func(line string) (int, int, terminal.Colour) {
		switch {
		case strings.HasPrefix(line, "ok  "):
			return 0, len("ok"), terminal.Green
		case strings.HasPrefix(line, "FAIL  "):
			return 0, len("FAIL"), terminal.Red
		case strings.HasSuffix(line, " tests passed"):
			return 0, len(line), terminal.Green
		case strings.HasSuffix(line, " tests failed"):
			return 0, len(line), terminal.Red
		}
		return 0, 0, terminal.Plain
	}}
}

// nameWidth is the width of the first column of explain.
const nameWidth = len("decision  ")

func explainLook() terminal.Look {
	return terminal.Look{Hang: nameWidth, Span: func(line string) (int, int, terminal.Colour) {
		switch {
		case strings.HasPrefix(line, "decision  allow"):
			return nameWidth, len(line), terminal.Green
		case strings.HasPrefix(line, "decision  deny, but"):
			return nameWidth, len(line), terminal.Yellow
		case strings.HasPrefix(line, "decision  "):
			return nameWidth, len(line), terminal.Red
		}
		return 0, min(nameWidth, len(line)), terminal.Dim
	}}
}

func diffLook() terminal.Look {
	return terminal.Look{Hang: 4, Span: func(line string) (int, int, terminal.Colour) {
		switch {
		case strings.HasPrefix(line, "  + "):
			return 2, len(line), terminal.Green
		case strings.HasPrefix(line, "  - "):
			return 2, len(line), terminal.Red
		case strings.HasPrefix(line, "  ~ "):
			return 2, len(line), terminal.Yellow
		}
		return 0, 0, terminal.Plain
	}}
}
