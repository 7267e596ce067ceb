package policy

import (
	"net/url"
	"regexp"
	"slices"
	"strings"

	"graphproxy/policy/graph/odata"
	"graphproxy/policy/match"
	"graphproxy/policy/yamlfile"
)

// ruleMeant returns the rule that a text is probably meant to be; "" if it is METHOD /path, or no rule comes near.
func ruleMeant(text string) string {
	list, path, found := strings.Cut(text, " ")
	if found && strings.HasPrefix(path, "/") {
		return versionMeant(list, path)
	}
	at := strings.Index(text, "/")
	if at < 0 || strings.ContainsAny(text[at:], " \t") {
		return ""
	}
	methods := strings.FieldsFunc(text[:at], func(r rune) bool { return strings.ContainsRune(" \t,|+&", r) })
	isMethod := func(m string) bool { return match.MethodOf(m) != 0 || m == "ANY" || m == "READ" }
	switch {
	case at == 0:
		return "GET " + text
	case len(methods) > 0 && !slices.ContainsFunc(methods, func(m string) bool { return !isMethod(m) }):
		return strings.Join(methods, ",") + " " + text[at:]
	}
	if _, rest, isAddress := strings.Cut(text, "://"); isAddress && isMethod(list) {
		if _, path, found := strings.Cut(rest, "/"); found {
			return list + " /" + path
		}
	}
	return ""
}

// versionMeant returns a rule whose version is not in small letters as it is meant; "" for other rules.
func versionMeant(list, path string) string {
	first, rest, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	for _, version := range []string{"v1.0", "beta"} {
		if first != version && strings.EqualFold(first, version) {
			return list + " /" + version + "/" + rest
		}
	}
	return ""
}

// foreignVariable returns the place of a variable in a path of a rule that is written as in another language,
// such as ":id", and the variable that is meant, "{id}". It returns "" if there is none.
func foreignVariable(path string) (written, meant string) {
	for segment := range strings.SplitSeq(path, "/") {
		for _, text := range append([]string{strings.TrimSuffix(segment, ":")}, argumentsOf(segment)...) {
			if name := foreignName(text); name != "" {
				return text, "{" + name + "}"
			}
		}
	}
	return "", ""
}

// argumentsOf returns the values in the parentheses of a segment, without their quotes.
func argumentsOf(segment string) []string {
	_, arguments, found := strings.Cut(segment, "(")
	if !found || strings.HasPrefix(segment, "(") {
		return nil
	}
	var all []string
	for argument := range strings.SplitSeq(strings.TrimSuffix(arguments, ")"), ",") {
		_, value, isNamed := strings.Cut(argument, "=")
		if isNamed {
			argument = value
		} else if strings.HasPrefix(argument, "'$") || strings.HasPrefix(argument, "'@") {
			continue // a key in quotes stands as it is
		}
		if value := strings.Trim(argument, "'"); !strings.HasPrefix(value, "@") { // @name is a variable of OData
			all = append(all, value)
		}
	}
	return all
}

var (
	inBraces = regexp.MustCompile(`^\{([:$*+/#&?;.]*)([A-Za-z0-9_][A-Za-z0-9_. -]*)([:?*=|].*)?\}$`)
	inSigns  = regexp.MustCompile(`^(:|<:?|\$\$?|\$\{|#\{|\{\{ ?|\[:?|%|\(|@|~|)([A-Za-z0-9_][A-Za-z0-9_. -]*)` +
		`( ?\}\}|>|\]|\}|%|\)|)$`)
	inQuotes = regexp.MustCompile("^(['\"`«“‹])([A-Za-z0-9_][A-Za-z0-9_-]*)['\"`»”›]$")
)

// foreignName returns the name in a text that is a variable in another language; "" if the text is none.
func foreignName(text string) string {
	if yamlfile.IsName(text) {
		return ""
	}
	plain, err := url.PathUnescape(text)
	if err != nil {
		plain = text
	}
	if strings.HasPrefix(text, "{") && isVariableName(strings.TrimSuffix(text[1:], "}")) && strings.HasSuffix(text, "}") {
		return ""
	}
	if found := inBraces.FindStringSubmatch(plain); found != nil {
		return variableOf(found[2])
	}
	if found := inQuotes.FindStringSubmatch(plain); found != nil && IsPlaceholder(found[2]) {
		return variableOf(found[2])
	}
	found := inSigns.FindStringSubmatch(plain)
	if found == nil || found[1] == "" && strings.Trim(found[3], "})]>") != "" || found[1]+found[3] == "" {
		return ""
	}
	switch found[1] {
	case "%":
		if found[3] != "%" {
			return ""
		}
	case "$", "$$":
		if yamlfile.Nearest(plain, []string{"$ref", "$value", "$count", "$metadata", "$batch", "$select", "$filter",
			"$expand", "$search", "$orderby", "$top"}) != "" {
			return ""
		}
	case "":
		if found[3] == ")" || found[3] == "%" || found[3] == "}" {
			return ""
		}
	}
	return variableOf(found[2])
}

// IsPlaceholder reports whether a text is what documentation writes in place of a key: id, user-id, userId, YOUR_KEY.
func IsPlaceholder(text string) bool {
	lower := strings.ToLower(text)
	for _, word := range []string{"id", "key", "upn", "guid"} {
		before, found := strings.CutSuffix(lower, word)
		if !found {
			continue
		}
		at := len(text) - len(word)
		if before == "" || strings.HasSuffix(before, "-") || strings.HasSuffix(before, "_") ||
			text[at] >= 'A' && text[at] <= 'Z' {
			return true
		}
	}
	return strings.HasPrefix(lower, "your-") || strings.HasPrefix(lower, "your_")
}

// variableOf makes a text the name of a variable; "" if it cannot be one.
func variableOf(text string) string {
	name := strings.Trim(strings.NewReplacer(" ", "-", ".", "-").Replace(text), "-")
	if !isVariableName(name) {
		return ""
	}
	return name
}

func isVariableName(name string) bool {
	t, err := odata.ParseTemplate("/x/{" + name + "}")
	return err == nil && len(t.Segments) == 2 && t.Segments[1].Var
}
