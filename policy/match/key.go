package match

import (
	"slices"
	"strings"
	"unicode"

	"graphproxy/policy/odata"
)

// Key narrows one variable of a template to values.
type Key struct {
	Reason string // "where: id"

	segment int // of the template
	arg     string
	texts   []string
	values  []pattern
}

// Values returns the values as they were given.
func (k *Key) Values() []string { return k.texts }

// Segment returns the index of the template's segment that holds the variable.
func (k *Key) Segment() int { return k.segment }

// NewKey returns the condition that the template's variable has one of the values, in which stars stand for runs of
// characters: "*" for any but slashes, "**" for any. It is false if the template has no such variable.
func NewKey(t *odata.Template, name string, values []string) (Key, bool) {
	v, found := findVariable(t, name)
	return Key{Reason: "where: " + name, segment: v.segment, arg: v.arg, texts: values, values: newPatterns(values, false)}, found
}

func (k *Key) met(t *odata.Target) bool {
	s := &t.Segments[k.segment]
	if k.arg == "" {
		return matchAny(k.values, s.Text, false)
	}
	a := argument(s.Args, k.arg)
	return a != nil && matchAny(k.values, a.Value, false)
}

// touched reports whether the segment that stands for the variable may name one of the values. A key may come
// as a segment, in parentheses, as an alternate key whatever its name, and with its tenant.
func (k *Key) touched(s *odata.Segment) bool {
	if s.Kind != odata.Args {
		return k.names(s.Text)
	}
	if a := argument(s.Args, k.arg); a != nil {
		return k.namesAny(a)
	}
	for i := range s.Args {
		if k.namesAny(&s.Args[i]) {
			return true
		}
	}
	return false
}

// namesAny reports whether an argument, or an element of it where it is a list, may name one of the values.
func (k *Key) namesAny(a *odata.Arg) bool {
	return k.names(a.Value) || slices.ContainsFunc(a.Items, k.names)
}

func (k *Key) names(value string) bool {
	var room [3]string
	return slices.ContainsFunc(readings(room[:0], value), func(v string) bool { return matchAny(k.values, v, true) })
}

func argument(args []odata.Arg, fold string) *odata.Arg {
	for i := range args {
		if args[i].Fold == fold {
			return &args[i]
		}
	}
	return nil
}

// readings appends to dst what a key may be read as by the services behind Graph: as it is, without its tenant, and without
// what some drop.
func readings(dst []string, value string) []string {
	dst = append(dst, value)
	bare := withoutTenant(value)
	if len(bare) < len(value) {
		dst = append(dst, bare)
	}
	if plain := withoutInvisible(bare); plain != bare {
		dst = append(dst, plain)
	}
	return dst
}

// withoutTenant takes the tenant off a key that Outlook writes as {guid}@{tenantGuid}. What stands behind the id is not
// looked at: a user principal name does not begin with an id.
func withoutTenant(key string) string {
	if i := strings.LastIndexByte(key, '@'); i > 0 && (isGUID(key[i+1:]) || isGUID(key[:i])) {
		return key[:i]
	}
	return key
}

// withoutInvisible returns s without the spaces and dots at its ends that directories and file systems drop, and without
// characters that nobody sees, with letters that turn into ASCII ones when their case changes as those. Most texts are
// returned as they are.
func withoutInvisible(s string) string {
	if isASCII(s) {
		if s == "" || !isLoose(s[0]) && !isLoose(s[len(s)-1]) {
			return s
		}
		return strings.Trim(s, " .")
	}
	return strings.Trim(strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return -1
		}
		return foldRune(r, true)
	}, s), " .")
}

func isLoose(c byte) bool { return c == ' ' || c == '.' }

func isGUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		c := foldByte(s[i])
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if c != '-' {
				return false
			}
		} else if !('0' <= c && c <= '9' || 'a' <= c && c <= 'f') {
			return false
		}
	}
	return true
}
