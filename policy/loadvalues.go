package policy

import (
	"fmt"
	"strings"
	"unicode"

	"graphproxy/policy/graph/odata"
	"graphproxy/policy/match"
)

// checkValue refuses a value of where that no key can be equal to, and warns of one that looks like another
// language's syntax.
func (l *loader) checkValue(isChosen bool, v listValue) {
	if v.text == "" {
		return
	}
	switch problem := impossible(v.text, isChosen); {
	case problem != "":
		l.report.AddIn(v.file, v.line, v.where, "%s, so it can never match; %s", problem, cureFor(v.text))
	default:
		if odd := foreignValue(v.text, isChosen); odd != "" {
			l.warnings.AddIn(v.file, v.line, v.where, "%s", odd)
		}
	}
}

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

// impossible returns why no key has the spelling of a value; "" if one may have it.
func impossible(text string, isChosen bool) string {
	shown := odata.Visible(fmt.Sprintf("%.80q", text))
	for _, c := range text {
		switch {
		case !isChosen && (!unicode.IsPrint(c) || isBlankLetter(c)):
			return fmt.Sprintf("%s holds the invisible character %U", shown, c)
		case !isChosen && strings.ContainsRune(typographic, c):
			return fmt.Sprintf("%s holds the typographic quote %U (%c)", shown, c, c)
		}
	}
	if trimmed := strings.TrimSpace(text); trimmed != text {
		return shown + " begins or ends in a space"
	}
	if runes := []rune(text); strings.ContainsRune(typographic, runes[0]) &&
		strings.ContainsRune(typographic, runes[len(runes)-1]) {
		return shown + " stands in typographic quotes, which belong to it"
	}
	return ""
}

// isBlankLetter reports whether a character is displayed as nothing, though Unicode classifies it as a letter
// or a mark.
func isBlankLetter(c rune) bool {
	return c == '\u115F' || c == '\u1160' || c == '\u3164' || c == '\uFFA0' || c == '\u034F' || c == '\u17B4' ||
		c == '\u17B5' ||
		c >= '\u180B' && c <= '\u180F' || c >= '\uFE00' && c <= '\uFE0F'
}

// cureFor returns the value as it was probably meant.
func cureFor(text string) string {
	meant := strings.TrimSpace(strings.Map(func(c rune) rune {
		if !unicode.IsPrint(c) && c != ' ' || isBlankLetter(c) || strings.ContainsRune(typographic, c) {
			return -1
		}
		return c
	}, text))
	if meant == "" || meant == text {
		return "take it out"
	}
	if strings.Trim(meant, "*") == "" {
		return "write the value that is meant" // the rest would match everything
	}
	return fmt.Sprintf("write %.80q if that is meant", meant)
}

// foreignValue returns what a value means here that is probably another language's syntax; "" if it is not.
func foreignValue(text string, isChosen bool) string {
	shown := fmt.Sprintf("%.80q", text)
	switch {
	case isChosen:
	case strings.HasPrefix(text, "!") || strings.HasPrefix(text, "-") || strings.HasPrefix(strings.ToLower(text), "not "):
		return shown + " is compared as it stands, and negates nothing; write {not: [...]} to leave values out"
	case strings.Contains(text, "|"):
		return shown + " is compared as it stands; write a list for several values: [a, b]"
	case strings.Contains(text, ", "), strings.Contains(text, ";") && strings.Count(text, "@") > 1,
		strings.Count(text, "@") > 1 && strings.Contains(text, ","):
		return shown + " is one value; write a list for several: [a, b]"
	case strings.HasPrefix(text, "^"), strings.HasSuffix(text, "$") && len(text) > 1, strings.Contains(text, ".*"),
		strings.Contains(text, `\`),
		strings.HasPrefix(text, "~"), strings.Contains(text, ".+"):
		return shown + " is no regular expression here; * stands for any run of characters, and everything else for itself"
	case strings.ContainsAny(text, "?") || strings.HasPrefix(text, "%") || strings.HasSuffix(text, "%"):
		return shown + " is compared as it stands; only * stands for other characters"
	case strings.HasPrefix(text, "{") || strings.HasPrefix(text, "$"):
		return shown + " is compared as it stands; nothing is put in its place"
	}
	if word, a, b := mixedScripts(text); word != "" {
		return fmt.Sprintf("%.80q mixes %s and %s letters, which look alike; write it in one script if that is meant", word,
			a, b)
	}
	return ""
}

// mixedScripts returns the first word of a text with letters of two scripts that look alike; "" if there is
// none.
func mixedScripts(text string) (word, a, b string) {
	for _, word := range strings.FieldsFunc(text,
		func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsMark(r) }) {
		var found []string
		for _, s := range []struct {
			name  string
			table *unicode.RangeTable
		}{
			{"Latin", unicode.Latin},
			{"Cyrillic", unicode.Cyrillic},
			{"Greek", unicode.Greek},
			{"Armenian", unicode.Armenian},
			{"Cherokee", unicode.Cherokee},
		} {
			if strings.ContainsFunc(word, func(r rune) bool { return unicode.Is(s.table, r) }) {
				found = append(found, s.name)
			}
		}
		if len(found) > 1 {
			return word, found[0], found[1]
		}
	}
	return "", "", ""
}
