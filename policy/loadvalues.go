package policy

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"graphproxy/policy/graph/odata"
	"graphproxy/policy/match"
)

// checkValue refuses a value of where that no key can be equal to, and warns of one that looks like another
// language's syntax.
func (l *loader) checkValue(r *Rule, k *match.Key, v listValue) {
	if v.text == "" {
		return
	}
	c := valueCheck{text: v.text, rule: r, key: k, isChosen: isChosenKey(r, k), isPath: k.IsPath(r.match.Template)}
	switch problem := c.impossible(); {
	case problem != "":
		l.report.AddIn(v.file, v.line, v.where, "%s, so it can never match; %s", problem, c.cure())
	default:
		if odd := c.foreign(); odd != "" {
			l.warnings.AddIn(v.file, v.line, v.where, "%s", odd)
		}
	}
}

// valueCheck is one value of where, with the variable that it is for.
type valueCheck struct {
	text     string
	rule     *Rule
	key      *match.Key
	isChosen bool // people choose the values of the variable
	isPath   bool
}

// shown returns the value for messages.
func (c *valueCheck) shown() string { return odata.Visible(fmt.Sprintf("%.80q", c.text)) }

// isChosenKey reports whether people choose the values of a rule's variable.
func isChosenKey(r *Rule, k *match.Key) bool {
	return k.IsPath(r.match.Template) || isChosenByPeople(r.match.Template, k.Segment())
}

// isChosenByPeople reports whether people choose the keys after the segment before. Such a key may contain
// nearly any character.
func isChosenByPeople(t *odata.Template, segment int) bool {
	if segment == 0 {
		return false
	}
	switch t.Segments[segment-1].Base {
	case "lists", "items", "worksheets", "tables", "columns", "charts", "names", "pivottables", "children", "mailfolders",
		"childfolders":
		return true
	}
	return t.Segments[segment].Kind == odata.Args
}

const typographic = "“”„‟‘’‚‛«»‹›"

// impossible returns why no key has the spelling of the value; "" if one may have it.
func (c *valueCheck) impossible() string {
	shown := c.shown()
	for _, r := range c.text {
		switch {
		case !c.isChosen && (!unicode.IsPrint(r) || isBlankLetter(r)) || unicode.IsControl(r):
			return fmt.Sprintf("%s holds the invisible character %U", shown, r)
		case !c.isChosen && strings.ContainsRune(typographic, r):
			return fmt.Sprintf("%s holds the typographic quote %U (%c)", shown, r, r)
		}
	}
	if trimmed := strings.TrimSpace(c.text); trimmed != c.text {
		return shown + " begins or ends in a space"
	}
	runes := []rune(c.text)
	first, last := runes[0], runes[len(runes)-1]
	switch {
	case strings.ContainsRune(typographic, first) && strings.ContainsRune(typographic, last):
		return shown + " stands in typographic quotes, which belong to it"
	case len(runes) > 1 && !c.isFreeName() && first == last && strings.ContainsRune("'\"`´", first):
		return shown + " stands in quotes within the quotes, which belong to it"
	case (c.isPath || !strings.Contains(c.text, "*")) && !c.matches(c.text) && c.syntax() == "":
		return shown + " " + c.unreadable()
	}
	return ""
}

// isFreeName reports whether the value is a name that may begin and end in quotes: of a file, a list or a folder.
func (c *valueCheck) isFreeName() bool {
	return c.isChosen && c.rule.match.Template.Segments[c.key.Segment()].Kind != odata.Args
}

// unreadable returns what keeps a value out of every request.
func (c *valueCheck) unreadable() string {
	text := c.text
	switch {
	case c.isPath && (strings.HasPrefix(text, "/") || strings.HasSuffix(text, "/")):
		return "begins or ends in a slash, and a path within a drive does not"
	case c.isPath && strings.Contains(text, ":"):
		return "holds a colon, at which the path ends"
	case strings.Contains(text, `\`):
		return "holds a backslash, and parts of a path stand between slashes"
	case c.isPath:
		return "is no plain path, of names with single slashes between"
	case strings.Contains(text, "/"):
		return "holds a slash, and a key is one segment"
	case strings.Contains(text, "%") && !hasEscape(text):
		return "holds a percent sign, which stands for nothing here"
	case hasEscape(text):
		return "holds an escape, and values are written without escapes"
	case strings.HasSuffix(text, "."):
		return "ends in a dot"
	}
	return "is no key that a request can have"
}

func hasEscape(text string) bool {
	plain, err := url.PathUnescape(text)
	return err == nil && plain != text
}

// isBlankLetter reports whether a character is displayed as nothing, though Unicode classifies it as a letter,
// a mark or a symbol.
func isBlankLetter(c rune) bool {
	return c == '\u115F' || c == '\u1160' || c == '\u3164' || c == '\uFFA0' || c == '\u034F' || c == '\u17B4' ||
		c == '\u17B5' || c == '\u2800' || c >= '\u180B' && c <= '\u180F' || c >= '\uFE00' && c <= '\uFE0F' ||
		c >= '\U000E0100' && c <= '\U000E01EF'
}

// cure returns what to do about a value that can never match. It proposes a value only if a request can have it, and
// never one that matches everything.
func (c *valueCheck) cure() string {
	for _, meant := range c.meant() {
		if strings.Trim(meant, "*") == "" && meant != "" {
			return "write the value that is meant" // the rest would match everything
		}
		if meant != "" && meant != c.text && c.matches(meant) {
			return fmt.Sprintf("write %.80q if that is meant", meant)
		}
	}
	return "write the value that is meant"
}

// meant returns what the value may be meant to be, the likeliest first.
func (c *valueCheck) meant() []string {
	plain := strings.TrimSpace(strings.Map(func(r rune) rune {
		hidden := !unicode.IsPrint(r) && r != ' ' || isBlankLetter(r)
		if hidden && !c.isChosen || unicode.IsControl(r) || strings.ContainsRune(typographic, r) && !c.isChosen {
			return -1
		}
		return r
	}, c.text))
	bare := strings.TrimSpace(strings.Trim(plain, "'\"`´"+typographic))
	all := []string{plain, bare}
	if c.isPath && !strings.Contains(bare, "..") {
		path := strings.ReplaceAll(bare, `\`, "/")
		path = strings.TrimPrefix(strings.TrimPrefix(path, "/"), "root:")
		parts := strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
		for i := range parts {
			parts[i] = strings.TrimSpace(parts[i])
		}
		parts = slices.DeleteFunc(parts, func(s string) bool { return s == "." })
		all = append(all, strings.Trim(strings.Join(parts, "/"), ":"))
	}
	if decoded, err := url.PathUnescape(bare); err == nil {
		all = append(all, decoded)
	}
	if !c.isPath {
		all = append(all, strings.Trim(bare, "./"))
	}
	return append(all, strings.TrimSpace(norm.NFKC.String(bare)))
}

// isEverything reports whether a value has stars only.
func isEverything(value string) bool { return value != "" && strings.Trim(value, "*") == "" }
