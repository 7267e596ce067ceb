package policy

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"unicode"

	"graphproxy/policy/graph/odata"
	"graphproxy/policy/match"
	"graphproxy/policy/yamlfile"
)

// eachText calls f with each text of a value that is a text or a list of texts.
func eachText(v yamlfile.Value, f func(item yamlfile.Value, text string)) {
	if !v.IsScalar() && !v.IsList() {
		return // reported where it is read
	}
	for _, item := range v.OneOrMore("a value") {
		if !item.IsScalar() {
			continue
		}
		if text, ok := item.Text("a value"); ok {
			f(item, text)
		}
	}
}

// checkTexts warns of values of body: and query: that are probably a slip. A body may hold any text, so that none of
// them surely never matches.
func (l *loader) checkTexts(v yamlfile.Value) {
	eachText(v, func(item yamlfile.Value, text string) {
		if odd := oddText(text); odd != "" {
			l.warnings.AddIn(item.File(), item.Line(), item.Where(), "%s", odd)
		}
	})
}

// oddText returns what in a text of a body or a query is probably a slip; "" if nothing is.
func oddText(text string) string {
	shown := shownText(text)
	before, after, isAlternative := strings.Cut(text, "|")
	c := valueCheck{text: text}
	switch word, scripts := mixedScripts(text); {
	case hiddenRune(text) != 0:
		return fmt.Sprintf("%s holds the invisible character %U, and is compared with it; write it without if that is meant",
			shown, hiddenRune(text))
	case strings.TrimSpace(text) != text:
		return shown + " begins or ends in a space, and is compared with it; write it without if that is meant"
	case isInTypographicQuotes(text):
		return shown + " stands in typographic quotes, which belong to it; write it without them if that is meant"
	case strings.HasPrefix(text, "!") && len(text) > 1:
		return shown + " is compared as it stands, and negates nothing; write the values that are meant"
	case isAlternative && before != "" && after != "" && !strings.Contains(text, "://"):
		return shown + " is compared as it stands; write a list for several values: [a, b]"
	case c.isPattern():
		return shown + " is no regular expression here; * stands for any run of characters, and everything else for itself"
	case word != "":
		return fmt.Sprintf("%.80q mixes %s letters, which look alike; write it in one script if that is meant", word, scripts)
	}
	return ""
}

func shownText(text string) string { return odata.Visible(fmt.Sprintf("%.80q", text)) }

// hiddenRune returns the first character of a text that cannot be seen; 0 if there is none. Those that join letters or
// choose a form are parts of words and signs.
func hiddenRune(text string) rune {
	for _, r := range text {
		if r != ' ' && r != '\n' && (!unicode.IsPrint(r) || isBlankLetter(r)) && r != '\u200C' && r != '\u200D' &&
			r != '\uFE0F' {
			return r
		}
	}
	return 0
}

func isInTypographicQuotes(text string) bool {
	runes := []rune(text)
	return len(runes) > 0 && strings.ContainsRune(typographic, runes[0]) &&
		strings.ContainsRune(typographic, runes[len(runes)-1])
}

// checkRecipients refuses values that no address can be equal to, and warns of values that are no addresses.
func (l *loader) checkRecipients(v yamlfile.Value) {
	eachText(v, func(item yamlfile.Value, text string) {
		if problem := edgeProblem(text); problem != "" {
			item.Errorf("%s, which no address has, so it can never match; %s", problem, plainText(text))
			return
		}
		odd := oddText(text)
		before, after, hasAt := strings.Cut(text, "@")
		switch {
		case strings.ContainsAny(text, " <>,;\""), strings.HasPrefix(text, "mailto:"), strings.HasPrefix(text, "smtp:"):
			odd = shownText(text) + " is not one address of mail, and a value is one; write addresses alone, in a list"
		case hasAt && (before == "" || after == ""),
			!hasAt && strings.Contains(text, ".") && !strings.HasPrefix(text, "*"):
			odd = shownText(text) + " is no address of mail; write what stands on both sides of its @"
		}
		if odd != "" {
			l.warnings.AddIn(item.File(), item.Line(), item.Where(), "%s", odd)
		}
	})
}

// edgeProblem returns which character no name or address has; "" if there is none.
func edgeProblem(text string) string {
	for _, r := range text {
		switch {
		case r != ' ' && (!unicode.IsPrint(r) || isBlankLetter(r)):
			return fmt.Sprintf("%s holds the invisible character %U", shownText(text), r)
		case strings.ContainsRune(typographic, r):
			return fmt.Sprintf("%s holds the typographic quote %U (%c)", shownText(text), r, r)
		}
	}
	if strings.TrimSpace(text) != text {
		return shownText(text) + " begins or ends in a space"
	}
	return ""
}

// plainText returns the cure for edgeProblem.
func plainText(text string) string {
	meant := strings.TrimSpace(strings.Map(func(r rune) rune {
		if r != ' ' && (!unicode.IsPrint(r) || isBlankLetter(r)) || strings.ContainsRune(typographic, r) {
			return -1
		}
		return r
	}, text))
	if strings.Trim(meant, "*") == "" {
		return "write the value that is meant"
	}
	return fmt.Sprintf("write %.80q if that is meant", meant)
}

// checkEdges refuses a text of evidence that no evidence can hold.
func (l *loader) checkEdges(v yamlfile.Value) {
	eachText(v, func(item yamlfile.Value, text string) {
		if problem := edgeProblem(text); problem != "" {
			item.Errorf("%s, so it can never match; %s", problem, plainText(text))
		}
	})
}

// checkProof refuses a text of evidence that no evidence can hold, and warns of a star, which stands for itself there.
func (l *loader) checkProof(v yamlfile.Value) {
	l.checkEdges(v)
	eachText(v, func(item yamlfile.Value, text string) {
		odd := oddText(text)
		if strings.Contains(text, "*") {
			odd = shownText(text) + " is compared as it stands, and a star stands for nothing else here; write the whole value"
		}
		if odd != "" && edgeProblem(text) == "" {
			l.warnings.AddIn(item.File(), item.Line(), item.Where(), "%s", odd)
		}
	})
}

// checkProperty warns of the name of a property that is probably meant to be another key.
func (l *loader) checkProperty(f yamlfile.Field) {
	name, lower := f.Key, strings.ToLower(f.Key)
	near := yamlfile.Nearest(name, []string{"recipients", "only"})
	switch {
	case near == "recipients" && strings.HasSuffix(lower, "recipients") && lower != "recipients":
		// toRecipients and the like
	case near != "" && !strings.Contains(name, "/"):
		l.warnings.AddIn(f.Value.File(), f.Line, f.Value.Where(), "%.80q is the property of that name; did you mean %q?",
			name, near)
	case strings.HasPrefix(name, "$"):
		l.warnings.AddIn(f.Value.File(), f.Line, f.Value.Where(),
			"%.80q is the property of that name; a property is written without $, and one within another with /, such as "+
				"message/importance", name)
	case strings.Contains(name, ".") && !strings.ContainsAny(name, "@/") && !strings.Contains(lower, "odata"):
		l.warnings.AddIn(f.Value.File(), f.Line, f.Value.Where(),
			"%.80q is one property with a dot in its name; one within another is written with /, such as message/importance",
			name)
	}
}

// checkBody warns of conditions on bodies in a rule whose requests have none.
func (l *loader) checkBody(r *Rule, v yamlfile.Value) {
	if r.match.Methods == match.Get {
		l.warnings.AddIn(v.File(), v.Line(), v.Where(), "%s has no body, so body: has no effect; take it out", r.Text)
	}
}

// checkQueryValues warns of values of a query option that are probably a slip.
func (l *loader) checkQueryValues(name string, v yamlfile.Value) {
	isNumber := strings.EqualFold(name, "$top") || strings.EqualFold(name, "$skip")
	eachText(v, func(item yamlfile.Value, text string) {
		odd := oddText(text)
		if _, err := strconv.ParseUint(text, 10, 31); isNumber && err != nil && !strings.Contains(text, "*") {
			odd = shownText(text) + " is no number, so it can never match; write a number alone, which is the most that is " +
				"allowed"
		}
		if plain, err := url.PathUnescape(text); odd == "" && err == nil && plain != text {
			odd = shownText(text) + " holds an escape, and is compared as it stands; values are written without escapes"
		}
		if odd == "" && strings.ContainsAny(text, typographic) {
			odd = shownText(text) + " holds a typographic quote, and a text stands between ' in a query; write ' instead"
		}
		if odd != "" {
			l.warnings.AddIn(item.File(), item.Line(), item.Where(), "%s", odd)
		}
	})
}

// checkWord warns of a word that is no keyword under $select and $expand: it is the name of a property.
func (l *loader) checkWord(item yamlfile.Value, text string) {
	if strings.TrimSpace(text) != text {
		l.warnings.AddIn(item.File(), item.Line(), item.Where(), "%s begins or ends in a space, which is left out; take it "+
			"out here, too", shownText(text))
	}
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "true", "false", "all", "any", "yes", "no", "everything", "null", "off", "on":
		l.warnings.AddIn(item.File(), item.Line(), item.Where(),
			"%.80q is the name of a property here, and no keyword; write the names of properties, or none", text)
	}
}
