package yamlfile

import (
	"fmt"
	"strconv"
	"unicode"
	"unicode/utf8"
)

const byteOrderMark = '\uFEFF'

// checkCharacters reports every line with a character that readers of YAML and editors treat in different ways,
// and reports whether there is none. For yaml.v3, which reads YAML 1.1, U+0085, U+2028 and U+2029 end a line,
// and so does a carriage return alone. For readers of YAML 1.2, for editors and for git they do not: a rule
// could hide behind one in text that looks like a comment. Format characters hide text or change the order in
// which it is displayed. A byte order mark at the beginning is allowed.
func checkCharacters(r *Report, data []byte) bool {
	line, reported := 1, 0
	for i, c := range string(data) {
		switch {
		case c == '\n':
			line++
		case i == 0 && c == byteOrderMark, reported == line:
		default:
			if problem := characterProblem(c, data[i+utf8.RuneLen(c):]); problem != "" {
				r.Add(line, "", "%s", problem)
				reported = line
			}
		}
	}
	return reported == 0
}

// characterProblem returns what is wrong with a character that stands before rest; "" if nothing is.
func characterProblem(c rune, rest []byte) string {
	switch {
	case c == '\r' && (len(rest) == 0 || rest[0] != '\n'):
		return "the file holds a carriage return (U+000D) without a line feed, " +
			"which ends a line for some readers only; end lines with a line feed, or with both"
	case c == '\u0085' || c == '\u2028' || c == '\u2029':
		return fmt.Sprintf("the file holds the line break %U, which ends a line for some readers only; "+
			"use a line feed, or write %s in double quotes", c, escape(c))
	case isFormat(c):
		return fmt.Sprintf("the file holds the format character %U, "+
			"which is not displayed and can change how the line looks; take it out, "+
			"or write %s in double quotes", c, escape(c))
	}
	return ""
}

// escape writes a character as an escape of YAML and JSON, in double quotes.
func escape(c rune) string { return strconv.QuoteToASCII(string(c)) }

// isFormat reports whether c is not displayed itself: zero-width characters, marks of direction, an inner byte
// order mark. The signs before Arabic and Syriac numbers are displayed, though Unicode calls them format
// characters.
func isFormat(c rune) bool {
	return unicode.Is(unicode.Cf, c) && !unicode.Is(unicode.Prepended_Concatenation_Mark, c)
}
