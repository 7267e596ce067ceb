package proxy_test

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// The words that a reader takes for an option after a separator: a name with "$", or one that Graph has.
var (
	quotedText    = regexp.MustCompile(`'[^']*'|"[^"]*"`)
	parentheses   = regexp.MustCompile(`\([^()]*\)`)
	optionInValue = regexp.MustCompile(`(?i)^[\s\p{Z}\p{C}+]*(\$[\s\p{Z}\p{C}+$]*[a-z0-9._~:-]+|select|expand|filter|` +
		`orderby|search|skip|top|count|format|skiptoken|deltatoken|apply|compute|token)[\s\p{Z}\p{C}+]*=`)
)

// smuggled explains why a query that arrived has more than one reading: a server that decodes each value once more
// and splits it again reads further options. It is "" if each value is one option. It knows no spelling but a piece
// with all escapes decoded.
func smuggled(target string) string {
	path, query, _ := strings.Cut(target, "?")
	if _, behind, found := strings.Cut(once(path), "?"); found && smuggled("?a=%26"+url.QueryEscape(behind)) != "" {
		return "a query hides in the path of " + target
	}
	options := strings.Split(query, "&")
	for i, option := range options {
		_, value, _ := strings.Cut(option, "=")
		decoded := once(value)
		wide := cases.Fold().String(norm.NFKC.String(decoded))
		if wide != decoded && holdsOption(wide) {
			return "a value of " + target + " holds another option for a server that folds characters"
		}
		if strings.Contains(decoded, "#") && i < len(options)-1 {
			return "a \"#\" cuts options off " + target
		}
		if holdsOption(decoded) {
			return "a value of " + target + " holds another option"
		}
	}
	return ""
}

func holdsOption(value string) bool {
	names := strings.Split(value, "&")[1:]
	for _, part := range append([]string{value}, strings.Split(value, "&")...) {
		names = append(names, strings.Split(unprotected(part), ";")[1:]...)
	}
	return slices.ContainsFunc(names, func(n string) bool { return optionInValue.MatchString(allOff(n)) })
}

// unprotected removes text that quotes and parentheses protect, if all of them are closed.
func unprotected(text string) string {
	rest := quotedText.ReplaceAllString(text, "")
	for parentheses.MatchString(rest) {
		rest = parentheses.ReplaceAllString(rest, "")
	}
	if strings.ContainsAny(rest, `'"()`) {
		return text
	}
	return rest
}

func once(text string) string {
	if decoded, err := url.PathUnescape(text); err == nil {
		return decoded
	}
	return text
}

// allOff decodes escapes until nothing changes.
func allOff(text string) string {
	for {
		next := regexp.MustCompile(`%[0-9A-Fa-f]{2}`).ReplaceAllStringFunc(text, once)
		if next == text {
			return text
		}
		text = next
	}
}

func TestThePlainReadingOfAQuerySeesWhatIsSmuggled(t *testing.T) {
	for _, query := range []string{"a=x%26$b=c", "a=%26%2524expand=b", "a=x;top=5", "a=';$b=c", "a=%23&b", "a='%26;$b=c'",
		"a=%26%25252524b=c", "a=＆$b=c", "a=%26%EF%BC%84b=c", "a=;ｔop=5"} {
		if smuggled("/v1.0/users?"+query) == "" {
			t.Errorf("%s passes", query)
		}
	}
	for _, path := range []string{"/v1.0/users('a%3F$b=c')", "/v1.0/f(a='%3Fx=1%26top=5')"} {
		if smuggled(path) == "" {
			t.Errorf("%s passes", path)
		}
	}
	for _, query := range []string{"a=R%26D", "a='x;$b=c'", "a=(x;$b=c)", "a=%2526$b=c", "b&a=%23",
		"$skiptoken=Paged%3DTRUE%26p_ID%3D5", "$format=a/b;c=d", "a=产品＆设计＝x"} {
		if problem := smuggled("/v1.0/users?" + query); problem != "" {
			t.Error(problem)
		}
	}
}
