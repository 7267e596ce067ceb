package links

import "bytes"

// maxDepth is how deep arrays and objects may nest; Graph's JSON nests far less. maxKey is how many raw bytes a key
// may have, enough for a name of OData's 128 characters and an annotation, all escaped. Both bound the memory for a
// text: after deeper nesting the rest passes unchanged, and a longer key is not that of a link.
const (
	maxDepth = 1024
	maxKey   = 1024
)

// slack is how much longer than its original form a piece usually becomes at most.
const slack = 512

// state is the scanner's place in the text.
type state int

const (
	beforeValue   state = iota
	beforeElement       // before the first element of an array, or its end
	beforeKey
	beforeMember // before the first member of an object, or its end
	beforeColon
	afterValue
	inKey
	inText // a string that passes
	inLink // a string that may change; nothing of it has been passed on
	inLiteral
	lost // the text is not JSON: the rest passes
)

// scanner follows a JSON text that comes in pieces. It reads only as much of JSON as it needs to find keys and
// values. It does not check the spelling of numbers, the letter case of true, or UTF-8. Where the text is not JSON
// it gives up, and the rest passes unchanged; it never fails. Its size does not depend on the text's.
type scanner struct {
	r       *Rewriter
	state   state
	escaped bool // the next byte is the second of an escape
	mark    int  // how many bytes of a byte order mark have come
	depth   int
	arrays  [maxDepth / 64]uint64 // a bit for each depth: whether an array, not an object, is open there

	next kind // of the value of the key that was read last
	bare bool // strings at depth 2 are links

	key     []byte // the first part of a key, if a piece ended within it
	tooLong bool   // the key is too long to be kept
	held    []byte // the first part of a link, if it is not enough to decide
}

// scan takes the next piece. It appends the rewritten form of src[:done] to dst; the rest, src[done:], passes
// unchanged.
func (s *scanner) scan(dst, src []byte) (out []byte, done int) {
	for i := 0; i < len(src); {
		switch s.state {
		case inText:
			i = s.passText(src, i)
		case inKey:
			i = s.readKey(src, i)
		case inLink:
			dst, done, i = s.readLink(dst, src, done, i)
		case inLiteral:
			i = s.passLiteral(src, i)
		case lost:
			i = len(src)
		default:
			i = s.passTokens(src, i)
		}
	}
	return dst, done
}

// end appends the kept bytes when the text ends within a link.
func (s *scanner) end(dst []byte) []byte {
	dst = append(dst, s.held...)
	s.held = s.held[:0]
	return dst
}

// passTokens reads the bytes between strings and literals.
func (s *scanner) passTokens(src []byte, i int) int {
	for ; i < len(src); i++ {
		switch c := src[i]; c {
		case ' ', '\t', '\n', '\r':
			continue
		case '"':
			s.openString()
			return i + 1
		case ':':
			s.step(s.state == beforeColon, beforeValue)
		case ',':
			s.comma()
		case '{', '[':
			s.open(c == '[')
		case '}', ']':
			s.close(c == ']')
		default:
			if s.byteOrderMark(c) {
				continue
			}
			s.step(s.wantsValue() && isLiteral(c), inLiteral)
			return i
		}
		if s.state == lost {
			return i
		}
	}
	return i
}

// step goes on to the next state if the text is JSON so far.
func (s *scanner) step(ok bool, next state) {
	if !ok {
		next = lost
	}
	s.state = next
}

func (s *scanner) wantsValue() bool { return s.state == beforeValue || s.state == beforeElement }

func (s *scanner) inArray() bool {
	top := s.depth - 1
	return top >= 0 && s.arrays[top/64]>>(top%64)&1 == 1
}

func (s *scanner) openString() {
	switch {
	case s.state == beforeKey || s.state == beforeMember:
		s.state = inKey
	case !s.wantsValue():
		s.state = lost
	case s.isLink():
		s.state = inLink
	default:
		s.state = inText
	}
}

// isLink reports whether the string that begins may be a link.
func (s *scanner) isLink() bool {
	if s.inArray() {
		return s.bare && s.depth == 2
	}
	return s.next != other
}

func (s *scanner) comma() {
	next := beforeKey
	if s.inArray() {
		next = beforeValue
	}
	s.step(s.state == afterValue && s.depth > 0, next)
}

func (s *scanner) open(array bool) {
	if !s.wantsValue() || s.depth == maxDepth {
		s.state = lost
		return
	}
	bit := uint64(1) << (s.depth % 64)
	s.arrays[s.depth/64] &^= bit
	s.state = beforeMember
	if array {
		s.arrays[s.depth/64] |= bit
		s.state = beforeElement
	}
	s.depth++
	if s.depth == 2 {
		s.bare = array && s.next == bare
	}
	s.next = other
}

func (s *scanner) close(array bool) {
	empty := beforeMember
	if array {
		empty = beforeElement
	}
	if s.depth == 0 || s.inArray() != array || s.state != afterValue && s.state != empty {
		s.state = lost
		return
	}
	s.depth--
	s.state = afterValue
}

// byteOrderMark reports whether c is part of a byte order mark at the beginning.
func (s *scanner) byteOrderMark(c byte) bool {
	const mark = "\xef\xbb\xbf"
	if s.state != beforeValue || s.depth > 0 || s.mark == len(mark) || c != mark[s.mark] {
		return false
	}
	s.mark++
	return true
}

// isLiteral reports whether c may stand in a number, true, false or null.
func isLiteral(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || c == '-' || c == '+' || c == '.' || c == 'E'
}

func (s *scanner) passLiteral(src []byte, i int) int {
	for ; i < len(src); i++ {
		if !isLiteral(src[i]) {
			s.state = afterValue
			return i
		}
	}
	return i
}

func (s *scanner) passText(src []byte, i int) int {
	end, found := s.stringEnd(src, i)
	if !found {
		return end
	}
	s.state = afterValue
	return end + 1
}

// stringEnd returns the place of the quote that ends the string, or the end of the piece.
func (s *scanner) stringEnd(src []byte, i int) (end int, found bool) {
	if s.escaped {
		s.escaped = false
		i++
	}
	if end, found = closingQuote(src, i); !found {
		s.escaped = endsInEscape(src[end:])
		end = len(src)
	}
	return end, found
}

// closingQuote returns where the string ends that contains src[i:], or where its last part begins that has no quote
// at all.
func closingQuote(src []byte, i int) (end int, found bool) {
	for {
		n := bytes.IndexByte(src[i:], '"')
		switch {
		case n < 0:
			return i, false
		case !endsInEscape(src[i : i+n]):
			return i + n, true
		}
		i += n + 1
	}
}

// endsInEscape reports whether s, which does not begin within an escape, ends after the first byte of one.
func endsInEscape(s []byte) bool {
	n := len(s)
	for n > 0 && s[n-1] == '\\' {
		n--
	}
	return (len(s)-n)%2 == 1
}

// readKey passes a key on and records its kind. If a piece ends within a key, its first part is kept.
func (s *scanner) readKey(src []byte, i int) int {
	end, found := s.stringEnd(src, i)
	key := src[i:end]
	switch {
	case found && len(s.key) == 0 && !s.tooLong:
	case len(s.key)+len(key) > maxKey:
		s.tooLong = true
	default:
		s.key = append(s.key, key...)
		key = s.key
	}
	if !found {
		return end
	}
	s.next = other
	if !s.tooLong && len(key) <= maxKey {
		s.next = s.kind(plain(key))
	}
	s.key, s.tooLong, s.state = s.key[:0], false, beforeColon
	return end + 1
}

// kind returns the kind of the value of a key here.
func (s *scanner) kind(key []byte) kind {
	if s.depth == 1 && string(key) == "value" {
		return bare
	}
	return field(key)
}

// readLink reads the beginning of a link. If that is enough to decide, the string goes on as text, with another
// address at the beginning or unchanged. If not, all bytes so far are kept.
func (s *scanner) readLink(dst, src []byte, done, i int) ([]byte, int, int) {
	if dst == nil {
		dst = make([]byte, 0, len(src)+slack)
	}
	before := len(s.held)
	front := src[i:]
	if before > 0 {
		s.held = append(s.held, front[:min(len(front), 6*s.r.most)]...)
		front = s.held
	}
	n, match := s.r.graph.matchRaw(front, s.next == follow)
	insert := s.r.public.spelled
	if match != yes {
		n, insert = 0, ""
	}
	if match == unknown {
		if before == 0 {
			dst = append(dst, src[done:i]...)
			s.held = append(s.held, front...)
		}
		return dst, len(src), len(src)
	}
	s.state = inText
	if before > 0 { // the kept bytes must be passed on here
		rest := s.held[min(n, before):before]
		s.escaped = endsInEscape(rest)
		dst = append(append(dst, insert...), rest...)
		s.held = s.held[:0]
		i = max(n-before, 0)
		return dst, i, i
	}
	if match == yes {
		dst = append(append(dst, src[done:i]...), insert...)
		done = i + n
	}
	return dst, done, i + n
}
