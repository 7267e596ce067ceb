package odata

import (
	"iter"
	"strings"
	"unicode"
)

// checkQuery refuses values that a second reader reads as several options, and lists with a name twice.
func checkQuery(t *Target) error {
	for i := range t.Query {
		o := &t.Query[i]
		if mayHoldOptions(o.Value) {
			if err := checkSecondReading(t, o, i == len(t.Query)-1); err != nil {
				return err
			}
		}
		if err := checkDoubledNames(o); err != nil {
			return err
		}
	}
	return nil
}

// checkSecondReading refuses a value that a server which decodes it once more would read as more than one option.
// Graph's v1.0 does so with $search: https://github.com/microsoftgraph/microsoft-graph-docs/issues/13179. A piece
// after an ampersand is checked also between quotes, because servers split a query before they read quotes. An
// ampersand before other text, R&D, is text.
func checkSecondReading(t *Target, o *Option, isLast bool) error {
	isOption := func(name string, dollar bool) bool { return dollar || t.knows(name) }
	switch {
	case !isLast && strings.IndexByte(o.Value, '#') >= 0:
		return refuse(codeAmbiguous,
			"the value of the query option %s holds an escaped \"#\", and some servers drop what follows one; "+
				"write this option last", o.Name)
	case o.hasOption('&', isOption):
		return refuse(codeAmbiguous,
			"the value of the query option %s holds an escaped \"&\" with the name of an option behind it, and some "+
				"servers read two options; write a plain \"&\" between options, or %%2526 if it is text", o.Name)
	case o.hasOption(';', isOption):
		return refuse(codeAmbiguous,
			"the value of the query option %s holds a \";\" outside parentheses and quotes with the name of an option "+
				"behind it, and some servers read two options; write a plain \"&\" between options, or %%253B if it is text",
			o.Name)
	}
	return nil
}

// separators are the characters that decompose to "&" or ";". Wide replaces them by the plain ones.
const separators = "\u037E\uFE14\uFE54\uFE60\uFF06\uFF1B"

// mayHoldOptions reports whether a value needs a closer check. Most do not.
func mayHoldOptions(value string) bool {
	return index(value, secondReading) >= 0 || !isASCII(value) && strings.ContainsAny(value, separators)
}

// hidesQuery reports whether text contains a "?" before the name of an option. In a key or an argument that is
// text, but a server that decodes the path once more reads a query.
func hidesQuery(text string) bool {
	_, behind, found := strings.Cut(text, "?")
	if !found {
		return false
	}
	query := Option{Value: "&" + behind}
	isOption := func(name string, dollar bool) bool { return dollar || systemOption(fold(name)) != "" }
	return query.hasOption('&', isOption) || query.hasOption(';', isOption)
}

// knows reports whether a name without "$" names an option: one that Graph has, or one that the target has already.
// Names that occur in addresses of pages, such as id or tenantId, are not included.
func (t *Target) knows(name string) bool {
	name = fold(name)
	if strings.HasPrefix(name, "@") || systemOption(name) != "" {
		return true
	}
	switch name {
	case "levels", "index", "schemaversion", "token", "startdatetime", "enddatetime", "includehiddenfolders",
		"includehiddenmessages":
		return true
	case "id":
		return t.isReference()
	}
	for i := range t.Query {
		if strings.TrimPrefix(t.Query[i].Fold, "$") == name {
			return true
		}
	}
	return false
}

// Mentions reports whether a server that decodes the value of o once more could read an option in it for whose Fold
// isAbout reports true. Parse refuses a value with the name of an option that Graph has. A rule may name other
// options.
func (o *Option) Mentions(isAbout func(fold string) bool) bool {
	if !mayHoldOptions(o.Value) {
		return false
	}
	isOption := func(name string, _ bool) bool { return isAbout(foldOption(name)) }
	return o.hasOption('&', isOption) || o.hasOption(';', isOption)
}

// hasOption reports whether the text after one of the separators in the value is name=, and isOption reports true
// for the name, which it gets without "$"; dollar reports that it had one. It checks the text unchanged, and as a
// reader has it that replaces characters by compatible ones.
func (o *Option) hasOption(separator byte, isOption func(name string, dollar bool) bool) bool {
	return hasOption(o.Value, separator, isOption) || !isASCII(o.Value) && hasOption(o.WideValue(), separator, isOption)
}

func hasOption(value string, separator byte, isOption func(name string, dollar bool) bool) bool {
	found := false
	visit := func(piece string) {
		if !found {
			name, dollar := optionAt(piece)
			found = name != "" && isOption(name, dollar)
		}
	}
	if separator == ';' {
		eachBehindSemicolon(value, visit)
	}
	for i, piece := range pieces(value, '&') {
		switch {
		case separator == ';':
			eachBehindSemicolon(piece, visit)
		case i > 0:
			visit(piece)
		}
	}
	return found
}

// pieces yields the texts between the separators, with their numbers.
func pieces(s string, separator byte) iter.Seq2[int, string] {
	return func(yield func(int, string) bool) {
		for i, more := 0, true; more; i++ {
			end := strings.IndexByte(s, separator)
			if more = end >= 0; !more {
				end = len(s)
			}
			if !yield(i, s[:end]) {
				return
			}
			s = s[min(end+1, len(s)):]
		}
	}
}

// eachBehindSemicolon calls visit with the text after each semicolon of s that is outside parentheses and quotes.
// If a parenthesis or quote is not closed, it protects nothing.
func eachBehindSemicolon(s string, visit func(piece string)) {
	if strings.IndexByte(s, ';') < 0 {
		return
	}
	protects := isBalanced(s)
	depth, quote := 0, byte(0)
	for i := range len(s) {
		c := s[i]
		depth, quote = step(depth, quote, c)
		if c == ';' && (depth == 0 && quote == 0 || !protects) {
			piece, _, _ := strings.Cut(s[i+1:], ";")
			visit(piece)
		}
	}
}

func isBalanced(s string) bool {
	depth, quote := 0, byte(0)
	for i := range len(s) {
		if depth, quote = step(depth, quote, s[i]); depth < 0 {
			return false
		}
	}
	return depth == 0 && quote == 0
}

// step returns how many parentheses are open after c, and the open quote, 0 if none is.
func step(depth int, quote, c byte) (int, byte) {
	switch {
	case quote != 0 && c == quote:
		return depth, 0
	case quote != 0:
	case c == '\'' || c == '"':
		return depth, c
	case c == '(':
		return depth + 1, 0
	case c == ')':
		return depth - 1, 0
	}
	return depth, quote
}

// optionAt returns the name of the option that a piece begins with, "select" for " $select=id", and whether it has
// a "$". It is "" if the piece is no option. A reader may decode every escape, and drop blanks of any kind around
// the name.
func optionAt(piece string) (name string, dollar bool) {
	var buffer [128]byte
	if strings.IndexByte(piece, '%') >= 0 {
		piece = string(appendDecoded(buffer[:0], piece))
	}
	head, _, found := strings.Cut(piece, "=")
	if !found {
		return "", false
	}
	head = strings.TrimRightFunc(head, isBlank)
	name = strings.TrimLeftFunc(head, func(r rune) bool {
		dollar = dollar || r == '$'
		return r == '$' || isBlank(r)
	})
	if name == "" || !all(strings.TrimPrefix(name, "@"), inOption) {
		return "", false
	}
	return name, dollar
}

// isBlank reports whether a reader may skip r before a name: spaces, a "+" that stands for one, invisible
// characters.
func isBlank(r rune) bool {
	return r == '+' || unicode.IsSpace(r) || !unicode.IsPrint(r)
}

// appendDecoded decodes all escapes of s, also escapes of escapes.
func appendDecoded(dst []byte, s string) []byte {
	for i := range len(s) {
		dst = append(dst, s[i])
		for n := len(dst); n >= 3 && dst[n-3] == '%'; n = len(dst) {
			high, low := hexDigit(dst[n-2]), hexDigit(dst[n-1])
			if high > 15 || low > 15 {
				break
			}
			dst = append(dst[:n-3], high<<4|low)
		}
	}
	return dst
}
