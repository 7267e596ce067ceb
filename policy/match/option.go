package match

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"graphproxy/policy/graph/odata"
)

// Option restricts one query option. In an AllowSet it is met when the option is absent, except for Select. In
// a DenySet it is touched only when the option is there and may have one of the values; an absent $select is
// touched as well, because all properties are returned.
type Option struct {
	Name   string // Fold: "$select"
	Reason string // "query: $select"

	kind       optionKind
	most       int         // atMost
	values     patterns    // oneOf
	quoted     bool        // oneOf: a value has a quote, so a star may stand between two
	names      []string    // selects: as returned by odata.ParseSelect
	words      []string    // selects, expands: every name, without its namespace, for DenySet
	expansions []Expansion // expands
}

type optionKind uint8

const (
	refused optionKind = iota
	atMost
	oneOf
	selects
	expands
)

const (
	optionExpand  = "$expand"
	optionSelect  = "$select"
	optionApply   = "$apply"
	optionCompute = "$compute"
)

func newOption(name string, kind optionKind) Option {
	return Option{Name: strings.ToLower(name), Reason: "query: " + name, kind: kind}
}

// Refused returns the condition that the option is absent.
func Refused(name string) Option { return newOption(name, refused) }

// IsRefused reports whether the condition is that the option is absent.
func (o *Option) IsRefused() bool { return o.kind == refused }

// AtMost returns the condition that the option is a number of at most n, and at least 1 if it is $top.
func AtMost(name string, n int) Option {
	o := newOption(name, atMost)
	o.most = n
	return o
}

// OneOf returns the condition that the option has one of the values, in which stars stand for runs of
// characters as in NewKey. A star between single quotes matches only text between them, so that department eq
// '*' does not match a second condition.
func OneOf(name string, values []string) Option {
	o := newOption(name, oneOf)
	o.values = newPatterns(values, true, false)
	o.quoted = slices.ContainsFunc(values, func(v string) bool { return strings.Contains(v, "'") })
	return o
}

// Select returns the condition that $select is there and has only the properties, which are in the form of
// odata.ParseSelect.
func Select(properties []string) Option {
	o := newOption(optionSelect, selects)
	o.names, o.words = properties, words(properties)
	return o
}

// Expand returns the condition that $expand has only the entries.
func Expand(entries []Expansion) Option {
	o := newOption(optionExpand, expands)
	o.expansions = entries
	for _, e := range entries {
		o.words = append(o.words, words(e.path)...)
	}
	return o
}

// words returns every name in the paths, without its namespace.
func words(paths []string) []string {
	var all []string
	for _, path := range paths {
		for part := range strings.SplitSeq(path, "/") {
			all = append(all, part[strings.LastIndexByte(part, '.')+1:])
		}
	}
	return all
}

// CheckDenySet returns an error if the condition is ambiguous in a deny rule: readers would disagree whether
// "at most 50" forbids the numbers up to 50 or the greater ones.
func (o *Option) CheckDenySet() error {
	switch {
	case o.kind == refused || o.kind == atMost:
		return fmt.Errorf("%s has two readings here, what to deny and what to leave; bound %s in the allow rule, "+
			"or write the values to deny (\"**\" for any)", o.Reason, o.Name)
	case slices.ContainsFunc(o.expansions, func(e Expansion) bool { return e.names != nil || len(e.nested) > 0 }):
		return errors.New(o.Reason + " takes names only here, and denies them at any depth")
	}
	return nil
}

func (o *Option) met(options []odata.Option) bool {
	found, allowed := o.judge(options)
	return allowed && (found || o.kind != selects)
}

// judge reports whether the option is there, and whether all that is there may be.
func (o *Option) judge(options []odata.Option) (found, allowed bool) {
	for i := range options {
		if o.isAbout(options[i].Fold) {
			found = true
			if !o.holds(options[i].Value) {
				return true, false
			}
		} else if options[i].Mentions(o.isAbout) {
			return found, false
		}
	}
	return found, true
}

func (o *Option) touched(options []odata.Option) bool {
	found, touched := o.search(options)
	return touched || !found && o.kind == selects
}

// search reports whether the option is there, and whether something that is there touches the condition.
func (o *Option) search(options []odata.Option) (found, touched bool) {
	for i := range options {
		option := &options[i]
		switch {
		case o.isAbout(option.Fold):
			found = true
			if o.mayHold(option) {
				return true, true
			}
		case option.Mentions(o.isAbout),
			o.kind == expands && option.Fold == optionSelect && mayExpand(widely(option), o.words):
			return found, true
		}
	}
	return found, false
}

// isAbout reports whether the condition applies to the option. Graph may accept any option with a "$" in front
// and without it.
func (o *Option) isAbout(fold string) bool {
	return strings.TrimPrefix(fold, "$") == strings.TrimPrefix(o.Name, "$")
}

func (o *Option) holds(value string) bool {
	switch o.kind {
	case atMost:
		return isNumberTo(value, o.most, o.Name == "$top")
	case oneOf:
		return o.values.allows(odata.Fold(value)) && !(o.quoted && hidesQuote(value))
	case selects:
		return onlyNames(value, o.names)
	case expands:
		return onlyExpansions(value, o.expansions)
	}
	return false
}

func (o *Option) mayHold(option *odata.Option) bool {
	switch o.kind {
	case oneOf:
		return o.mayBeOneOf(option)
	case selects:
		return selectsAny(widely(option), o.words)
	case expands:
		return expandsAny(widely(option), o.words)
	}
	return true
}

// mayBeOneOf also checks the value as read by a server that ends it at an escaped "&" or "#".
func (o *Option) mayBeOneOf(option *odata.Option) bool {
	value := option.Value
	if strings.IndexByte(value, '%') >= 0 || o.values.mayMean(odata.Fold(value), option.WideValue()) {
		return true
	}
	first, _, cut := strings.Cut(value, "&")
	if before, _, found := strings.Cut(first, "#"); found {
		first, cut = before, true
	}
	return cut && o.values.mayMean(odata.Fold(first), odata.Wide(first))
}

// hidesQuote reports whether a server that decodes the value once more, or replaces characters by compatible
// ones, would find another single quote in it: a star between quotes must not match that one either.
func hidesQuote(value string) bool {
	if strings.Contains(value, "＇") { // the one character that decomposes to a quote
		return true
	}
	for {
		_, after, found := strings.Cut(value, "%")
		if !found {
			return false
		}
		for strings.HasPrefix(after, "25") {
			after = after[2:]
		}
		if strings.HasPrefix(after, "27") {
			return true
		}
		value = after
	}
}

// isNumberTo reports whether s is a number as people write it, without sign or leading zeros, of at most most.
func isNumberTo(s string, most int, positive bool) bool {
	if s == "" || len(s) > 10 || s[0] == '0' && len(s) > 1 || strings.Trim(s, "0123456789") != "" {
		return false
	}
	n, err := strconv.Atoi(s)
	return err == nil && n <= most && (n > 0 || !positive)
}
