package match

import (
	"math/bits"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxPattern is the length of the longest value with stars, in bytes.
const MaxPattern = 250

// A pattern is a text in which stars stand for runs of characters, folded, and cut at its first and last star.
type pattern struct {
	head, middle, tail []rune // middle begins and ends with a star, or is empty
	folder             *pattern
}

// What a star may run over. They are no characters, so no text is mistaken for one.
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

// newPattern compiles a text of at most MaxPattern bytes. If quotes is set, a star between single quotes
// stays between them, so that department eq '*' cannot be stretched over a second condition.
func newPattern(text string, quotes bool) pattern {
	p := split(compile(text, quotes))
	if folder, isBelow := strings.CutSuffix(strings.TrimRight(text, "*"), "/"); isBelow && strings.HasSuffix(text, "*") {
		f := newPattern(folder, quotes)
		p.folder = &f
	}
	return p
}

func compile(text string, quotes bool) []rune {
	var p []rune
	quoted := false
	for _, r := range text {
		switch {
		case r == '*' && len(p) > 0 && (p[len(p)-1] == star || p[len(p)-1] == quotedStar):
			p[len(p)-1]-- // the second of two
		case r == '*' && len(p) > 0 && p[len(p)-1] < 0:
			// A third star adds nothing.
		case r == '*' && quoted:
			p = append(p, quotedStar)
		case r == '*':
			p = append(p, star)
		default:
			quoted = quoted != (r == '\'' && quotes)
			p = append(p, foldRune(r, true))
		}
	}
	return p
}

func split(all []rune) pattern {
	first, end := 0, len(all)
	for first < end && all[first] >= 0 {
		first++
	}
	for end > first && all[end-1] >= 0 {
		end--
	}
	return pattern{head: all[:first], middle: all[first:end], tail: all[end:]}
}

// match reports whether the pattern stands for the whole of s. Letter case does not count. Wide also takes
// what may or may not be the same: letters that turn into ASCII ones when their case changes, a "+" for a
// space, and the folder Salaries for Salaries/**.
func (p *pattern) match(s string, wide bool) bool {
	return p.matchText(s, wide) || wide && p.folder != nil && p.folder.match(s, wide)
}

func (p *pattern) matchText(s string, wide bool) bool {
	for _, c := range p.head {
		r, size := utf8.DecodeRuneInString(s)
		if size == 0 || !same(c, r, wide) {
			return false
		}
		s = s[size:]
	}
	for i := len(p.tail) - 1; i >= 0; i-- {
		r, size := utf8.DecodeLastRuneInString(s)
		if size == 0 || !same(p.tail[i], r, wide) {
			return false
		}
		s = s[:len(s)-size]
	}
	switch len(p.middle) {
	case 0:
		return s == ""
	case 1:
		return allRunOver(p.middle[0], s)
	}
	return matchStars(p.middle, s, wide)
}

func allRunOver(star rune, s string) bool {
	for _, r := range s {
		if !runsOver(star, r) {
			return false
		}
	}
	return true
}

// same reports whether a character of a pattern stands for r.
func same(c, r rune, wide bool) bool {
	return c == r || c == foldRune(r, wide) || wide && r == '+' && c == ' '
}

// places is a set of places in a pattern, 0 to MaxPattern.
type places [4]uint64

// matchStars follows all places of the pattern at once, so the time is at most the product of the lengths,
// whatever the caller sends.
func matchStars(p []rune, s string, wide bool) bool {
	var now places
	now.add(p, 0)
	for _, r := range s {
		now = step(p, now, r, wide)
		if now == (places{}) {
			return false
		}
	}
	return now[len(p)/64]&(1<<(len(p)%64)) != 0
}

// step returns the places that r leads to.
func step(p []rune, now places, r rune, wide bool) (next places) {
	for w := range now {
		for set := now[w]; set != 0; set &= set - 1 {
			at := w*64 + bits.TrailingZeros64(set)
			switch {
			case at == len(p):
			case p[at] < 0 && runsOver(p[at], r):
				next.add(p, at)
			case p[at] >= 0 && same(p[at], r, wide):
				next.add(p, at+1)
			}
		}
	}
	return next
}

// add adds a place, and those behind stars, which may stand for nothing.
func (s *places) add(p []rune, at int) {
	s[at/64] |= 1 << (at % 64)
	for at < len(p) && p[at] < 0 {
		at++
		s[at/64] |= 1 << (at % 64)
	}
}

// foldRune returns the rune that stands for all that differ from r only in case. Unless wide is set, letters
// beyond ASCII stay apart from ASCII ones: the Kelvin sign is no k to Graph.
func foldRune(r rune, wide bool) rune {
	if r < utf8.RuneSelf {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}
	least := r
	for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
		if wide || f >= utf8.RuneSelf {
			least = min(least, f)
		}
	}
	if least < utf8.RuneSelf {
		return foldRune(least, false)
	}
	return least
}

func newPatterns(values []string, quotes bool) []pattern {
	patterns := make([]pattern, len(values))
	for i, v := range values {
		patterns[i] = newPattern(v, quotes)
	}
	return patterns
}

// matchAny reports whether one of the patterns stands for s.
func matchAny(patterns []pattern, s string, wide bool) bool {
	for i := range patterns {
		if patterns[i].match(s, wide) {
			return true
		}
	}
	return false
}
