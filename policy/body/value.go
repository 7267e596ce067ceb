package body

import (
	"slices"
	"strconv"
	"strings"
)

// null judges null. It is not a value, and not an allowed element of a list with a condition on values.
func (j *judge) null(n *node, p place, element bool) {
	if element && p.isRecipient() {
		j.failRecipient(NoRecipient)
	}
	if n == nil || n.of == nil {
		return
	}
	c := n.of
	switch {
	case c.values != nil && c.values.AllowLiterally("null"):
		j.touched = j.touched || j.deny
	case j.deny:
	case c.values != nil || c.Targets != nil:
		j.fails(n, BadType)
	}
}

// text judges a string.
func (j *judge) text(n *node, p place, s string, element bool) {
	j.recipientText(p, s)
	if n == nil || j.textIsNoObject(n) {
		return
	}
	c := n.of
	switch {
	case c == nil:
	case c.None && s != "":
		j.fails(n, NotNone)
	case c.Max >= 0 && !element, c.booleans && !j.deny:
		j.fails(n, BadType)
	default:
		j.match(n, s)
	}
}

// literal judges a number or a boolean.
func (j *judge) literal(n *node, p place, s string, isNumber, element bool) {
	if p != outside && p != holder {
		j.failRecipient(NoRecipient)
	}
	if n == nil || j.textIsNoObject(n) {
		return
	}
	c := n.of
	switch {
	case c == nil:
	case c.None:
		j.fails(n, NotNone)
	case c.Max >= 0 && !isNumber && !element, c.Targets != nil:
		j.fails(n, BadType)
	case c.Max >= 0 && isNumber && !element && !atMost(s, c.Max):
		j.fails(n, TooMuch)
	case j.deny && isNumber && c.hasNumber(s):
		j.touched = true
	default:
		j.match(n, s)
	}
}

// textIsNoObject refuses a scalar where conditions apply to properties below. It reports whether it did.
func (j *judge) textIsNoObject(n *node) bool {
	for _, next := range n.children {
		if next.bounded || next.way && !n.named {
			j.fails(next, BadType)
			return true
		}
	}
	return false
}

// atMost reports whether a number of JSON is at most n.
func atMost(s string, n int) bool {
	f, err := strconv.ParseFloat(s, 64)
	return err == nil && f <= float64(n)
}

// hasNumber reports whether one of the values is the number s, in any spelling.
func (c *Condition) hasNumber(s string) bool {
	number, err := strconv.ParseFloat(s, 64)
	if err != nil || c.values == nil {
		return err != nil
	}
	for _, v := range c.Values {
		if f, err := strconv.ParseFloat(v, 64); err == nil && f == number {
			return true
		}
	}
	return false
}

// match judges a value by its text.
func (j *judge) match(n *node, s string) {
	c := n.of
	if j.deny {
		j.touched = j.touched || c.values != nil && c.values.MayMean(s) ||
			c.Targets != nil && c.Targets.MayMean(strings.Clone(s))
		return
	}
	switch {
	case c.values != nil && !c.values.AllowLiterally(s) && !(c.values.Allow(s) && isWhole(c.Values, s)),
		c.Targets != nil && !c.Targets.Allow(strings.Clone(s)):
		j.fails(n, BadValue)
	}
}

// isWhole reports whether a value that a star matched has the meaning that its beginning shows. In an address a
// star may stand for a label of the host or a part of the path, but not for the end of the host:
// https://*.contoso.com/** does not match https://evil.example#.contoso.com/.
func isWhole(values []string, s string) bool {
	_, rest, found := strings.Cut(s, "://")
	if !found || !slices.ContainsFunc(values, isAddressOfWeb) {
		return true
	}
	if strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c == '\\' || c == 0x7f || c == '\u00a0' }) {
		return false
	}
	host, _, _ := strings.Cut(rest, "/")
	return host != "" && !strings.ContainsFunc(host, func(c rune) bool {
		return !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.ContainsRune("-._:", c))
	})
}
