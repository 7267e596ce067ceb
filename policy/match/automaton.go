package match

// An automaton follows all places of a pattern at once, one bit for each, so that every pattern takes a few
// steps for each byte of a text. It is immutable and safe for concurrent use.
type automaton struct {
	size  int        // of the pattern, in bytes and stars
	class [256]uint8 // of a byte: the index in literals of its places
	// literals has, for each class, the places of its byte; the first class is for bytes that the pattern lacks.
	literals [][]uint64
	// The places of stars: all stars, those that match a slash, and those that match a quote.
	stars, overSlash, overQuote []uint64
}

// newAutomaton compiles a pattern that begins and ends with a star, with one byte in each rune that is no star.
func newAutomaton(p []rune) *automaton {
	words := len(p)/64 + 1
	a := &automaton{size: len(p), literals: [][]uint64{make([]uint64, words)}}
	a.stars, a.overSlash, a.overQuote = make([]uint64, words), make([]uint64, words), make([]uint64, words)
	for at, r := range p {
		if r >= 0 {
			set(a.literals[a.classOf(byte(r), words)], at)
			continue
		}
		set(a.stars, at)
		if runsOver(r, '/') {
			set(a.overSlash, at)
		}
		if runsOver(r, '\'') {
			set(a.overQuote, at)
		}
	}
	return a
}

func (a *automaton) classOf(c byte, words int) uint8 {
	if a.class[c] == 0 {
		a.class[c] = uint8(len(a.literals)) // UTF-8 has 243 different bytes
		a.literals = append(a.literals, make([]uint64, words))
	}
	return a.class[c]
}

func set(places []uint64, at int) { places[at/64] |= 1 << (at % 64) }

// match reports whether the pattern matches the whole of s.
func (a *automaton) match(s string) bool {
	var room [MaxPattern/64 + 2]uint64
	now := append(room[:0], a.literals[0]...)
	set(now, 0)
	a.passStars(now)
	for i := range len(s) {
		if !a.step(now, s[i]) {
			return false
		}
	}
	return now[a.size/64]&(1<<(a.size%64)) != 0
}

// step reads one byte, and reports whether any place is left.
func (a *automaton) step(now []uint64, c byte) bool {
	literal, over := a.literals[a.class[c]], a.stars
	switch c {
	case '/':
		over = a.overSlash
	case '\'':
		over = a.overQuote
	}
	carry, left := uint64(0), uint64(0)
	for w := range now {
		moved := now[w] & literal[w]
		stayed := now[w] & over[w]
		now[w] = stayed | moved<<1 | carry
		carry = moved >> 63
		left |= now[w]
	}
	a.passStars(now)
	return left != 0
}

// passStars adds the places after stars, because a star may match nothing. No two stars stand side by side.
func (a *automaton) passStars(now []uint64) {
	carry := uint64(0)
	for w := range now {
		at := now[w] & a.stars[w]
		now[w] |= at<<1 | carry
		carry = at >> 63
	}
}
