package match

import (
	"slices"
	"strings"

	"graphproxy/policy/graph/odata"
)

// MaxPattern is the length of the longest value with stars, in bytes.
const MaxPattern = 250

// A pattern is a text in which stars stand for runs of characters. It is compared with texts in the same form
// as its own: that of odata.Fold for allow rules, that of odata.Wide for deny rules.
type pattern struct {
	pieces []string   // the text between stars, one more than stars
	stars  []rune     // see star
	stops  string     // characters that not every star matches
	states *automaton // for texts with such characters; nil if one search is enough
	folder *pattern   // of Salaries/**: Salaries
	spaced *pattern   // of a text with spaces: the pattern for texts in which "+" may stand for a space
}

// What a star matches. The values are not characters, so no text can be mistaken for a star.
const (
	star       rune = -1 - iota // "*": anything but a slash
	deepStar                    // "**": anything
	quotedStar                  // "*" between single quotes, in query values: neither a slash nor a quote
	quotedDeep                  // "**" between single quotes: anything but a quote
)

func runsOver(star, r rune) bool {
	switch star {
	case deepStar:
		return true
	case quotedDeep:
		return r != '\''
	case quotedStar:
		return r != '\'' && r != '/'
	}
	return r != '/'
}

// newPattern compiles a text of at most MaxPattern bytes; spell brings its pieces into the form for comparing.
// If quotes is set, a star between single quotes matches only text between them, so that department eq '*' does
// not match a second condition.
func newPattern(text string, quotes bool, spell func(string) string) pattern {
	p := compile(text, quotes, spell)
	for _, s := range p.stars {
		for _, c := range "/'" {
			if !runsOver(s, c) && !strings.ContainsRune(p.stops, c) {
				p.stops += string(c)
			}
		}
	}
	if p.stops != "" && len(p.stars) > 1 {
		p.states = newAutomaton(p.middle())
	}
	if folder, isBelow := strings.CutSuffix(strings.TrimRight(text, "*"), "/"); isBelow && strings.HasSuffix(text, "*") {
		f := newPattern(folder, quotes, spell)
		p.folder = &f
	}
	return p
}

func compile(text string, quotes bool, spell func(string) string) (p pattern) {
	quoted, from := false, 0
	for i := 0; i < len(text); {
		if text[i] != '*' {
			quoted = quoted != (text[i] == '\'' && quotes)
			i++
			continue
		}
		end := i
		for end < len(text) && text[end] == '*' {
			end++
		}
		p.add(spell(text[from:i]), starOf(end-i, quoted))
		i, from = end, end
	}
	p.pieces = append(p.pieces, spell(text[from:]))
	return p
}

// add adds a piece and the star after it. If spell makes a piece empty, only the wider of the stars around it
// is kept.
func (p *pattern) add(piece string, s rune) {
	if last := len(p.stars) - 1; last >= 0 && piece == "" {
		p.stars[last] = min(p.stars[last], s)
		return
	}
	p.pieces = append(p.pieces, piece)
	p.stars = append(p.stars, s)
}

// starOf returns the star for a number of asterisks. A third asterisk adds nothing.
func starOf(count int, quoted bool) rune {
	switch {
	case quoted && count > 1:
		return quotedDeep
	case quoted:
		return quotedStar
	case count > 1:
		return deepStar
	}
	return star
}

// runes returns the whole pattern.
func (p *pattern) runes() []rune {
	var all []rune
	for i, piece := range p.pieces {
		all = append(all, []rune(piece)...)
		if i < len(p.stars) {
			all = append(all, p.stars[i])
		}
	}
	return all
}

// middle returns the pattern from its first star to its last, with a byte in each rune that is no star.
func (p *pattern) middle() []rune {
	var all []rune
	for i, s := range p.stars {
		all = append(all, s)
		if i == len(p.stars)-1 {
			return all
		}
		for _, c := range []byte(p.pieces[i+1]) {
			all = append(all, rune(c))
		}
	}
	return all
}

// match reports whether the pattern matches the whole of s. It reads each byte of s at most a few times, for
// any number of stars, because the caller chooses s.
func (p *pattern) match(s string) bool {
	last := len(p.pieces) - 1
	if last == 0 {
		return s == p.pieces[0]
	}
	s, found := strings.CutPrefix(s, p.pieces[0])
	if !found {
		return false
	}
	if s, found = strings.CutSuffix(s, p.pieces[last]); !found || !inOrder(p.pieces[1:last], s) {
		return false
	}
	if p.stops == "" || !strings.ContainsAny(s, p.stops) {
		return true // each star matches all of s
	}
	return p.states != nil && p.states.match(s)
}

// inOrder reports whether s contains the pieces, one after the other.
func inOrder(pieces []string, s string) bool {
	for _, piece := range pieces {
		_, after, found := strings.Cut(s, piece)
		if !found {
			return false
		}
		s = after
	}
	return true
}

// patterns are alternatives, for allow rules (narrow) and deny rules (wide).
type patterns struct {
	narrow, wide []pattern
	alike        bool          // narrow is wide, as for values of plain characters
	index        *patternIndex // of many patterns; nil: they are few
}

// patternIndex finds the patterns without stars of many.
type patternIndex struct {
	narrow, wide         map[string]bool
	otherNarrow, further []pattern // those that are compared one by one
}

// fewPatterns are compared as fast one by one.
const fewPatterns = 16

func (p *patterns) makeIndex() {
	x := &patternIndex{narrow: make(map[string]bool), wide: make(map[string]bool)}
	for _, n := range p.narrow {
		if len(n.stars) == 0 {
			x.narrow[n.pieces[0]] = true
		} else {
			x.otherNarrow = append(x.otherNarrow, n)
		}
	}
	for _, w := range p.wide {
		if len(w.stars) == 0 && w.folder == nil && w.spaced == nil {
			x.wide[w.pieces[0]] = true
		} else {
			x.further = append(x.further, w)
		}
	}
	p.index = x
}

// newPatterns compiles values. If quotes is set, they are of a query option; if path is, of a drive path.
func newPatterns(values []string, quotes, path bool) patterns {
	var p patterns
	for _, v := range values {
		p.narrow = append(p.narrow, newPattern(v, quotes, odata.Fold))
		p.wide = append(p.wide, newDenyPattern(v, quotes, path))
	}
	if p.alike = slices.EqualFunc(p.narrow, p.wide, isSame); p.alike {
		p.wide = p.narrow
	}
	if len(values) > fewPatterns {
		p.makeIndex()
	}
	return p
}

// isSame reports whether two patterns match the same, as patterns of allow rules and of deny rules.
func isSame(a, b pattern) bool {
	if !slices.Equal(a.pieces, b.pieces) || !slices.Equal(a.stars, b.stars) || a.spaced != nil || b.spaced != nil {
		return false
	}
	return a.folder == nil && b.folder == nil || a.folder != nil && b.folder != nil && isSame(*a.folder, *b.folder)
}

func newDenyPattern(v string, quotes, path bool) pattern {
	spell := odata.Wide
	switch hasStar := strings.Contains(v, "*"); {
	case path && !hasStar:
		spell = odata.WidePath
	case path:
		v = odata.DecodeAgain(v)
	case !quotes && !hasStar:
		v = odata.Bare(odata.Wide(v))
	}
	p := newPattern(v, quotes, spell)
	if strings.Contains(spell(v), " ") {
		s := newPattern(v, quotes, func(piece string) string { return plusAsSpace(spell(piece)) })
		p.spaced = &s
	}
	return p
}

func plusAsSpace(s string) string { return strings.ReplaceAll(s, "+", " ") }

// allows reports whether one of the patterns matches s, which is in the form of odata.Fold.
func (p *patterns) allows(s string) bool {
	if p.index != nil {
		return p.index.narrow[s] || matchAny(p.index.otherNarrow, s)
	}
	return matchAny(p.narrow, s)
}

// mayMean reports whether one of the patterns may match a text, given in the forms of odata.Fold and
// odata.Wide: also the folder Salaries for Salaries/**, and a "+" for a space.
func (p *patterns) mayMean(folded, wide string) bool {
	if (!p.alike || folded != wide) && p.allows(folded) {
		return true
	}
	all := p.wide
	if p.index != nil {
		if p.index.wide[wide] {
			return true
		}
		all = p.index.further
	}
	for i := range all {
		if all[i].mayMean(wide) {
			return true
		}
	}
	return false
}

func (p *pattern) mayMean(wide string) bool {
	return p.match(wide) || p.folder != nil && p.folder.mayMean(wide) ||
		p.spaced != nil && strings.Contains(wide, "+") && p.spaced.mayMean(plusAsSpace(wide))
}

// matchAny reports whether one of the patterns matches s.
func matchAny(patterns []pattern, s string) bool {
	for i := range patterns {
		if patterns[i].match(s) {
			return true
		}
	}
	return false
}
