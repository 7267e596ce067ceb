package yamlfile

import (
	"bytes"
	"regexp"
	"sort"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

var (
	syntaxLine    = regexp.MustCompile(`^line (\d+): `)
	unknownAnchor = regexp.MustCompile(`^unknown anchor '(.*)' referenced$`)
)

// addSyntax turns the parser's error into a line and a cure. yaml.v3 leaves out the line number for line 1, and
// its parser, unlike its scanner, counts lines from 0.
func addSyntax(r *Report, err error, data []byte) {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	line := 1
	if m := syntaxLine.FindStringSubmatch(text); m != nil {
		line, _ = strconv.Atoi(m[1])
		text = text[len(m[0]):]
		if fromParser(text) {
			line++
		}
	}
	switch m := unknownAnchor.FindStringSubmatch(text); {
	case m != nil:
		line = lineOf(data, "*"+m[1])
	case text == "did not find expected key" || text == "did not find expected '-' indicator":
		line = lineThatBreaks(data, text) // the parser reported where the block began
	}
	r.Add(line, "", "not YAML: %s", syntaxCure(text, tabAt(data, line)))
}

func fromParser(text string) bool {
	for _, beginning := range []string{
		"did not find expected key", "did not find expected ',' or", "did not find expected '-'",
		"did not find expected <document", "did not find expected node", "found undefined tag", "found duplicate %YAML",
	} {
		if strings.HasPrefix(text, beginning) {
			return true
		}
	}
	return false
}

// syntaxCure returns the cure for the parser's message.
func syntaxCure(text string, tab bool) string {
	if tab {
		return "a tab indents this line; YAML is indented by spaces"
	}
	for _, known := range []struct{ text, cure string }{
		{"found character that cannot start any token",
			"a value begins with a character that means something to YAML (@ ` % *); put the value in quotes"},
		{"did not find expected alphabetic or numeric character",
			"a value begins with * or &, which means something to YAML; put the value in quotes"},
		{"unknown anchor", "a value begins with *, which means something to YAML; put the value in quotes"},
		{"did not find expected ',' or ']'",
			"a list in [ ] is not closed, or a text in it holds { } [ ] , or ? without quotes"},
		{"did not find expected ',' or '}'",
			"a mapping in { } is not closed, or a text in it holds { } [ ] , or ? without quotes"},
		{"mapping values are not allowed in this context",
			"a colon where no key can be: check the indentation of this line, or put the text in quotes"},
		{"did not find expected key", "the indentation of this line fits nothing above it"},
		{"did not find expected '-' indicator",
			"the list ends without a line that fits it: check the indentation of this line"},
		{"block sequence entries are not allowed in this context",
			"a list begins with - on the line after its key, indented"},
		{"could not find expected ':'", "a key has no colon after it"},
		{"found unexpected end of stream", "a quote is not closed"},
		{"did not find expected node content", "a value is missing, or a bracket is not closed"},
		{"did not find expected <document start>", "text follows the end of the document"},
		{"control characters are not allowed", "the file holds a control character"},
		{"found incompatible YAML document", "take the %YAML line out"},
		{"found unknown escape character", "a backslash in double quotes begins an escape; use single quotes"},
	} {
		if strings.HasPrefix(text, known.text) {
			return known.cure
		}
	}
	return text
}

// lineThatBreaks returns the first line with which the data above it, on its own, has the parser's error.
func lineThatBreaks(data []byte, text string) int {
	lines := bytes.SplitAfter(data, []byte{'\n'})
	return 1 + sort.Search(len(lines)-1, func(i int) bool {
		err := yaml.Unmarshal(bytes.Join(lines[:i+1], nil), new(yaml.Node))
		return err != nil && strings.HasSuffix(err.Error(), text)
	})
}

// lineOf returns the number of the first line that holds text.
func lineOf(data []byte, text string) int {
	before, _, found := bytes.Cut(data, []byte(text))
	if !found {
		return 1
	}
	return 1 + bytes.Count(before, []byte{'\n'})
}

// tabAt reports whether a tab indents the numbered line.
func tabAt(data []byte, line int) bool {
	for range line - 1 {
		_, data, _ = bytes.Cut(data, []byte{'\n'})
	}
	indent := data[:len(data)-len(bytes.TrimLeft(data, " \t"))]
	return bytes.IndexByte(indent, '\t') >= 0
}
