package policy

import (
	"fmt"
	"net/url"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// foreign returns what a value means here that is probably another language's syntax, or a slip; "" if it is neither.
func (c *valueCheck) foreign() string {
	return first(c.hidden, c.syntax, c.pattern, c.keyword, c.mistyped, c.lookalike)
}

// pattern returns why no key is one that a value with stars matches.
func (c *valueCheck) pattern() string {
	if c.matches(c.text) {
		return ""
	}
	return c.shown() + " " + c.unreadable() + ", so it can never match; " + c.cure()
}

// syntax returns what is probably another language's syntax.
func (c *valueCheck) syntax() string { return first(c.negated, c.several, c.expression) }

// first returns the first problem that one of the functions finds.
func first(find ...func() string) string {
	for _, f := range find {
		if problem := f(); problem != "" {
			return problem
		}
	}
	return ""
}

// hidden returns what cannot be seen in a name that people choose. No other key may have such characters.
func (c *valueCheck) hidden() string {
	for _, r := range c.text {
		if r != ' ' && (!unicode.IsPrint(r) || isBlankLetter(r)) && r != '\u200C' && r != '\u200D' && r != '\uFE0F' {
			return fmt.Sprintf("%s holds the invisible character %U, and matches only a name that has it, too; write the "+
				"value without it if that is meant", c.shown(), r)
		}
	}
	if plain, err := url.PathUnescape(c.text); err == nil && plain != c.text {
		return c.shown() + " holds an escape, and is compared as it stands; values are written without escapes"
	}
	return ""
}

// negated returns what is meant to leave values out.
func (c *valueCheck) negated() string {
	lower := strings.ToLower(c.text)
	for _, sign := range []string{"!", "<>", "^!", "not ", "not:", "not(", "ne ", "~!", "¬"} {
		if strings.HasPrefix(lower, sign) {
			return c.shown() + " is compared as it stands, and negates nothing; write {not: [...]} to leave values out"
		}
	}
	if strings.HasPrefix(lower, "-") && !c.isChosen {
		return c.shown() + " is compared as it stands, and negates nothing; write {not: [...]} to leave values out"
	}
	return ""
}

// several returns what is meant to be several values.
func (c *valueCheck) several() string {
	text, lower := c.text, strings.ToLower(c.text)
	before, after, isAlternative := strings.Cut(text, "|")
	list := ""
	switch {
	case isAlternative && (!c.isFreeName() || before != "" && after != ""):
		return c.shown() + " is compared as it stands; write a list for several values: [a, b]"
	case c.isChosen:
		return ""
	case strings.Contains(lower, " or "), strings.Contains(lower, " and "), strings.Contains(text, "&&"):
		list = "holds an operator"
	case strings.Contains(text, ", "), strings.Contains(text, ";"),
		strings.Contains(text, ",") && c.collection() != "sites":
		return c.shown() + " is one value; write a list for several: [a, b]"
	case strings.Contains(text, " "):
		list = "holds a space, which no such key has"
	}
	if list == "" {
		return ""
	}
	return c.shown() + " " + list + ", and is compared as it stands; write a list for several values: [a, b]"
}

// expression returns what is meant to stand for other characters.
func (c *valueCheck) expression() string {
	text := c.text
	switch {
	case strings.HasPrefix(text, "^"), strings.HasSuffix(text, "$") && len(text) > 1, strings.Contains(text, ".*"),
		strings.Contains(text, ".+"), strings.HasPrefix(text, "~"), strings.Contains(text, `\`),
		strings.Contains(text, "(?"):
		if c.isFreeName() && !c.isPattern() {
			return ""
		}
		return c.shown() + " is no regular expression here; * stands for any run of characters, and everything else for " +
			"itself"
	case c.isPath && strings.ContainsAny(text, `?<>"`):
		return c.shown() + " is compared as it stands, and no file has such a name; only * stands for other characters"
	case c.isChosen && !strings.HasPrefix(text, "%") && !strings.HasSuffix(text, "%"):
		return ""
	case strings.Contains(text, "?"), strings.HasPrefix(text, "%"), strings.HasSuffix(text, "%"):
		return c.shown() + " is compared as it stands; only * stands for other characters"
	case isGUID(strings.Trim(text, "{}")) && strings.Contains(text, "{"):
		return c.shown() + " is compared as it stands, and clients write an object id without braces; write it without them"
	case strings.HasPrefix(text, "{"), strings.HasPrefix(text, "$"), strings.HasPrefix(text, ":"),
		strings.Contains(text, "${"):
		return c.shown() + " is compared as it stands; nothing is put in its place"
	case strings.ContainsAny(text, "[]{}<>()"):
		return c.shown() + " is compared as it stands; only * stands for other characters, and brackets belong to the value"
	}
	return ""
}

// isPattern reports whether a name that people choose has two signs of a regular expression: names may have one.
func (c *valueCheck) isPattern() bool {
	signs := 0
	for _, is := range []bool{
		strings.HasPrefix(c.text, "^"),
		strings.HasSuffix(c.text, "$"),
		strings.Contains(c.text, ".*"),
		strings.Contains(c.text, ".+"),
		strings.Contains(c.text, `\.`),
		strings.Contains(c.text, "(?"),
	} {
		if is {
			signs++
		}
	}
	return signs > 1
}

// keyword returns what is a word of another language, or a prefix that says how to compare.
func (c *valueCheck) keyword() string {
	lower := strings.ToLower(c.text)
	word, _, found := strings.Cut(lower, ":")
	if !found {
		word, _, found = strings.Cut(lower, "=")
	}
	switch {
	case c.isChosen:
		return ""
	case found && strings.Contains(" regex regexp re glob smtp sip mailto upn id oid user group domain prefix suffix "+
		"contains startswith endswith eq in like any all ", " "+word+" "):
		return c.shown() + " is compared as it stands, with what stands before the colon or equals sign; write the value " +
			"alone"
	case strings.Contains(" any all none everyone everybody null self me ", " "+lower+" "):
		return c.shown() + " is compared as it stands, and is no keyword here; write the values that are meant"
	}
	return ""
}

// mistyped returns what is nearly an object id or a name of a user.
func (c *valueCheck) mistyped() string {
	switch text := c.text; {
	case c.isChosen || strings.Contains(text, "*"):
	case isNearGUID(text):
		return c.shown() + " looks like an object id and is none, because that has 8, 4, 4, 4 and 12 hexadecimal digits; " +
			"copy it again"
	case len(text) == 32 && strings.Trim(strings.ToLower(text), "0123456789abcdef") == "":
		return c.shown() + " looks like an object id without its hyphens, and clients write them; write it with them"
	case c.collection() != "users":
	case strings.HasPrefix(text, "@"), strings.Contains(text, ".") && !strings.Contains(text, "@"):
		return c.shown() + " is compared as a whole, and no user has such a key; write an object id, or a user principal " +
			"name with what stands on both sides of its @"
	}
	return ""
}

// collection returns the collection whose key the variable is, in lower case; "" if there is none.
func (c *valueCheck) collection() string {
	if i := c.key.Segment(); i > 0 {
		return collectionOf(c.rule.match.Template.Segments, i)
	}
	return ""
}

// isGUID reports whether a text has the form of an object id.
func isGUID(text string) bool {
	const length = 36
	return len(text) == length && isGUIDPrefix(text)
}

// isGUIDPrefix reports whether an object id can begin with a text.
func isGUIDPrefix(text string) bool {
	const form = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"
	if len(text) > len(form) {
		return false
	}
	for i, c := range []byte(strings.ToLower(text)) {
		isHex := '0' <= c && c <= '9' || 'a' <= c && c <= 'f'
		if (form[i] == '-') != (c == '-') || form[i] == 'x' && !isHex {
			return false
		}
	}
	return true
}

// isNearGUID reports whether a text has four hyphens where an object id has them, or one beside, but is no object id.
func isNearGUID(text string) bool {
	parts := strings.Split(text, "-")
	if len(parts) != 5 || isGUID(text) {
		return false
	}
	for i, length := range []int{8, 4, 4, 4, 12} {
		if slack := length / 4; len(parts[i]) < length-slack || len(parts[i]) > length+slack {
			return false
		}
	}
	hex := strings.Trim(strings.ToLower(strings.Join(parts, "")), "0123456789abcdef")
	return len(hex) <= 2
}

// lookalike returns what looks like other text than it is.
func (c *valueCheck) lookalike() string {
	if word, scripts := mixedScripts(c.text); word != "" {
		return fmt.Sprintf("%.80q mixes %s letters, which look alike; write it in one script if that is meant", word,
			scripts)
	}
	switch {
	case norm.NFC.String(c.text) != c.text:
		return c.shown() + " has accents as characters of their own, and clients write letters with their accents; type " +
			"the value again"
	case !c.isChosen && (norm.NFKC.String(c.text) != c.text || strings.Contains(c.text, "。")):
		return c.shown() + " has wide letters or other forms that no key has; type the value again, in plain letters"
	}
	return ""
}

// mixedScripts returns the first word of a text with letters of scripts that are not written in one word, and the
// names of two of them; "" if there is none. Japanese and Korean words may have Latin letters.
func mixedScripts(text string) (word, scripts string) {
	for _, word := range strings.FieldsFunc(text,
		func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsDigit(r) }) {
		var found []string
		for _, r := range word {
			if s := scriptOf(r); s != "" && !strings.Contains(strings.Join(found, " "), s) {
				found = append(found, s)
			}
		}
		if len(found) > 1 && !isOneWriting(found) {
			return word, found[0] + " and " + found[1]
		}
	}
	return "", ""
}

// scriptOf returns the script of a letter; "" for what belongs to several.
func scriptOf(r rune) string {
	if !unicode.IsLetter(r) || unicode.In(r, unicode.Common, unicode.Inherited) {
		return ""
	}
	for _, s := range []string{"Latin", "Cyrillic", "Greek", "Armenian", "Han", "Hiragana", "Katakana", "Hangul"} {
		if unicode.Is(unicode.Scripts[s], r) {
			return s
		}
	}
	for s, table := range unicode.Scripts {
		if unicode.Is(table, r) {
			return s
		}
	}
	return ""
}

// isOneWriting reports whether the scripts are those of one way of writing, by the rule "highly restrictive" of
// Unicode's UTS 39.
func isOneWriting(found []string) bool {
	for _, allowed := range []string{"Latin Han Hiragana Katakana", "Latin Han Bopomofo", "Latin Han Hangul"} {
		all := true
		for _, s := range found {
			all = all && strings.Contains(allowed, s)
		}
		if all {
			return true
		}
	}
	return false
}
