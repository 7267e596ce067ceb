package lint

import (
	"slices"
	"strings"

	"graphproxy/policy"
)

// values reports values in allow rules that allow more than they seem to. In a deny rule they are on the safe side.
func (c *checker) values() {
	seen := make(map[*policy.Rule]bool)
	for _, b := range c.books {
		for _, r := range b.allow {
			if seen[r] {
				continue
			}
			seen[r] = true
			for i := range r.Match().Keys {
				k := &r.Match().Keys[i]
				c.wideValues(r, b.where+".allow", "where: "+k.Variable, k.Values())
			}
			c.wideValues(r, b.where+".allow", "recipients:", r.BodyRecipients())
		}
	}
}

func (c *checker) wideValues(r *policy.Rule, where, of string, values []string) {
	isEverything := func(v string) bool { return v != "" && strings.Trim(v, "*") == "" }
	if len(values) > 1 && slices.ContainsFunc(values, isEverything) {
		c.report.AddIn(r.File, r.Line, where, "%s: a star alone under %s matches every value, so the other values add "+
			"nothing. Take the star out", r.Text, of)
	}
	for _, v := range values {
		domain, isEnd := strings.CutPrefix(v, "*")
		isDomain := isEnd && domain != "" && isLetter(domain[0]) && strings.Contains(domain, ".")
		if isDomain && !strings.ContainsAny(domain, "@*/ ") {
			c.report.AddIn(r.File, r.Line, where, "%s: %.80q under %s matches other domains that end so, such as %.80q. Write "+
				"\"*@%s\" for the addresses of one domain", r.Text, v, of, "x@evil"+domain, domain)
			return
		}
	}
}

func isLetter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }
