package match

import (
	"slices"
	"strings"
)

// mostComparisons bounds the pairs of patterns that one question compares, because lists may be long.
const mostComparisons = 40_000

// patternsCover reports whether each of the others is included in one of the patterns; false if uncertain.
func patternsCover(patterns, others []pattern) bool {
	if len(patterns)*len(others) > mostComparisons {
		return false
	}
	return !slices.ContainsFunc(others, func(o pattern) bool { return !anyIncludes(patterns, o.runes()) })
}

func anyIncludes(patterns []pattern, other []rune) bool {
	return slices.ContainsFunc(patterns, func(p pattern) bool { return includes(p.runes(), other) })
}

// includes reports whether p matches every text that other matches; false if uncertain. It matches p against
// other as if other were a text. A star of other counts as one character that only a star at least as wide
// matches.
func includes(p, other []rune) bool {
	now := make([]bool, len(p)+1)
	reach := func(at int, set []bool) {
		set[at] = true
		for at < len(p) && p[at] < 0 {
			at++
			set[at] = true
		}
	}
	reach(0, now)
	for _, r := range other {
		next := make([]bool, len(p)+1)
		for at, c := range p {
			switch {
			case !now[at]:
			case c < 0 && runsOverAll(c, r):
				reach(at, next)
			case c >= 0 && c == r:
				reach(at+1, next)
			}
		}
		now = next
	}
	return now[len(p)]
}

// runsOverAll reports whether a star matches r, or, if r is a star, everything that r matches.
func runsOverAll(c, r rune) bool {
	switch {
	case r >= 0:
		return runsOver(c, r)
	case r == quotedStar:
		return true
	}
	return c == r || c == deepStar
}

// Stars that only intersect uses.
const (
	before = quotedDeep - 1 - iota // what odata.Bare removes before a key
	behind                         // and after it
	hex                            // the characters of a GUID
)

func mayRunOver(c, r rune) bool {
	const brackets = " .'\"`<>{}()[]"
	switch c {
	case before:
		return strings.ContainsRune(brackets+"smtp:sip:mailto:urn:uuid:guid", r)
	case behind:
		return strings.ContainsRune(brackets, r)
	case hex:
		return r == '-' || '0' <= r && r <= '9' || 'a' <= r && r <= 'f' || r == '{' || r == '}'
	}
	return runsOver(c, r)
}

// intersect reports whether a text may exist that both stand for, p widely; true when not sure. It follows both from
// their ends.
func intersect(p, q []rune) bool {
	after := make([]bool, len(q)+1) // by place in q, for the place in p that comes next
	for i := len(p); i >= 0; i-- {
		now := make([]bool, len(q)+1)
		for j := len(q); j >= 0; j-- {
			pStar, qStar := i < len(p) && p[i] < 0, j < len(q) && q[j] < 0
			switch {
			case i == len(p) && j == len(q):
				now[j] = true
			case pStar && after[j], qStar && now[j+1]: // a star may stand for nothing
				now[j] = true
			case pStar && j < len(q) && !qStar:
				now[j] = mayRunOver(p[i], q[j]) && now[j+1]
			case qStar && i < len(p) && !pStar:
				now[j] = mayRunOver(q[j], p[i]) && after[j]
			case i < len(p) && j < len(q) && !pStar && !qStar:
				now[j] = after[j+1] && (p[i] == q[j] || p[i] == ' ' && q[j] == '+')
			}
		}
		after = now
	}
	return after[0]
}
