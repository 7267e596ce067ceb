package policy

import (
	"net/url"
	"strings"

	"graphproxy/policy/graph/odata"
	"graphproxy/policy/match"
)

// matches reports whether a request that the proxy reads can have a value for the variable. It tries requests in each
// spelling of a key. It is true where it cannot find out.
func (c *valueCheck) matches(value string) bool {
	if isPlainValue(value) {
		return true
	}
	t := c.rule.match.Template
	whole := match.Rule{Methods: match.Any, Template: t}
	only := whole
	key, found := match.NewKey(t, c.key.Variable, []string{value})
	if !found {
		return true
	}
	only.Keys = []match.Key{key}
	if !isRequestOf(&whole, c.spellings("a")) {
		return true
	}
	example := strings.ReplaceAll(strings.ReplaceAll(value, "**", "x"), "*", "x")
	return isRequestOf(&only, c.spellings(example))
}

// isPlainValue reports whether a value has only characters that any key may have.
func isPlainValue(value string) bool {
	for _, c := range []byte(value) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("@_*-+", c) >= 0:
		case c == '.':
		default:
			return false
		}
	}
	return strings.Trim(value, ".") == value && !strings.Contains(value, "..") && !strings.Contains(value, ".*")
}

// isRequestOf reports whether a rule matches a request for one of the paths.
func isRequestOf(r *match.Rule, paths []string) bool {
	set := new(match.AllowSet)
	set.Add(r)
	for _, path := range paths {
		t, err := odata.Parse(path, "")
		if err == nil && set.Find(t, match.Get).Index >= 0 {
			return true
		}
	}
	return false
}

// spellings returns the paths, escaped, of requests that have a value for the variable: as a segment, in parentheses,
// or as an argument.
func (c *valueCheck) spellings(value string) []string {
	var all []string
	quoted := url.PathEscape(strings.ReplaceAll(value, "'", "''"))
	for _, inParentheses := range []bool{false, true} {
		path := strings.TrimSuffix(c.rule.match.Template.Text, "/**")
		for _, name := range match.Variables(c.rule.match.Template) {
			as, asQuoted := url.PathEscape("a"), "a"
			if name == c.key.Variable {
				as, asQuoted = url.PathEscape(value), quoted
				if c.isPath {
					as = strings.ReplaceAll(as, "%2F", "/")
				}
			}
			if path = strings.ReplaceAll(path, "={"+name+"}", "='"+asQuoted+"'"); inParentheses {
				path = strings.ReplaceAll(path, "/{"+name+"}", "('"+asQuoted+"')")
			}
			path = strings.ReplaceAll(path, "{"+name+"}", as)
		}
		all = append(all, path)
	}
	return all
}
