package odata

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Wide returns a form of s that is equal for all texts that a service behind Graph may treat as the same name.
// Directories, Exchange and file systems ignore letter case, accents, width, the kind of kana and invisible
// characters: MS-ADTS 3.1.1.2.2.4 compares with NORM_IGNORECASE, NORM_IGNORENONSPACE, NORM_IGNOREWIDTH and
// NORM_IGNOREKANATYPE. So s is decomposed (NFKD), marks and invisible characters are removed, and letters are
// folded. It is for deny rules and limits, never for allow rules: texts that are two names for Graph can have the
// same form. Bare removes characters at the ends of s.
//
// It maps each character by itself. Lower-case ASCII is returned unchanged, without allocating.
func Wide(s string) string {
	if isASCII(s) {
		return fold(s)
	}
	var b strings.Builder
	b.Grow(len(s))
	for _, r := range norm.NFKD.String(s) {
		switch {
		case r < utf8.RuneSelf:
			b.WriteByte(lowerByte(byte(r)))
		case unicode.IsSpace(r):
			b.WriteByte(' ')
		case unicode.IsMark(r), !unicode.IsPrint(r), unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r):
		default:
			b.WriteString(wideLetter(r))
		}
	}
	return b.String()
}

// wideLetter folds letters that Unicode does not decompose.
func wideLetter(r rune) string {
	const kana = 'ァ' - 'ぁ' // both alphabets have the same order
	switch r = unicode.ToLower(unicode.ToUpper(r)); {
	case 'ァ' <= r && r <= 'ヶ':
		return string(r - kana)
	case r == '−' || unicode.Is(unicode.Pd, r):
		return "-"
	}
	switch r {
	case 'ı':
		return "i"
	case 'ø':
		return "o"
	case 'ł':
		return "l"
	case 'đ', 'ð':
		return "d"
	case 'ħ':
		return "h"
	case 'ŧ':
		return "t"
	case 'ß':
		return "ss"
	case 'æ':
		return "ae"
	case 'œ':
		return "oe"
	case 'þ':
		return "th"
	case '‘', '’', '‚', '‛', '′', '‵', 'ʹ', 'ʻ', 'ʼ', 'ʽ':
		return "'"
	case '“', '”', '„', '‟', '«', '»', '「', '」', '『', '』':
		return `"`
	case '‹', '〈', '⟨', '《':
		return "<"
	case '›', '〉', '⟩', '》':
		return ">"
	case '【', '〔':
		return "["
	case '】', '〕':
		return "]"
	case '。': // separates the labels of a domain as a full stop does: RFC 3490, section 3.1
		return "."
	}
	return string(r)
}

// Bare removes, from the result of Wide for a key, the characters that services drop or add around a key: spaces
// and dots at its ends, quotes and brackets around it, the scheme of an address, a tenant after it. It writes a
// GUID in one form. It returns a part of s, unless s is a GUID without hyphens, and never "".
func Bare(s string) string {
	for {
		inner := peel(s)
		if inner == "" || len(inner) == len(s) {
			break
		}
		s = inner
	}
	if guid, ok := spacedGUID(s); ok {
		return guid
	}
	return s
}

// spacedGUID writes a GUID in the usual form if it is written in another: without hyphens, or as
// {0x0f8fad5b,0xd9cb,0x469f,{0xa1,...}}, which .NET reads too. Bare has removed the brackets at the ends.
func spacedGUID(s string) (guid string, ok bool) {
	const longest = len("0x00000000,0x0000,0x0000,{0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00}") + 16 // with some spaces
	if len(s) < 32 || len(s) == 36 && isGUID(s) || len(s) > longest {
		return "", false
	}
	var digits [36]byte
	written := digits[:0]
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '0' && i+1 < len(s) && s[i+1] == 'x':
			i++
		case hexDigit(c) != 255:
			if len(written) == len(digits) {
				return "", false
			}
			if n := len(written); n == 8 || n == 13 || n == 18 || n == 23 {
				written = append(written, '-')
			}
			written = append(written, c)
		case strings.IndexByte("-,{} ", c) < 0:
			return "", false
		}
	}
	return string(written), len(written) == len(digits)
}

// peel removes one layer, without reading the whole of s, because s may consist of layers.
func peel(s string) string {
	if s = trimLoose(s); len(s) < 2 {
		return s
	}
	if wraps(s[0], s[len(s)-1]) {
		return s[1 : len(s)-1]
	}
	switch s[0] {
	case 's', 'm', 'g', 'u':
		for _, scheme := range [...]string{"smtp:", "sip:", "mailto:", "urn:uuid:"} {
			if rest, ok := strings.CutPrefix(s, scheme); ok {
				return rest
			}
		}
		if rest, ok := strings.CutPrefix(s, "guid'"); ok {
			return strings.TrimSuffix(rest, "'")
		}
	}
	return withoutTenant(s)
}

// trimLoose takes spaces and dots off both ends.
func trimLoose(s string) string {
	isLoose := func(c byte) bool { return c == ' ' || c == '.' }
	for s != "" && isLoose(s[0]) {
		s = s[1:]
	}
	for s != "" && isLoose(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s
}

func wraps(first, last byte) bool {
	switch first {
	case '\'', '"', '`':
		return last == first
	case '<':
		return last == '>'
	case '{':
		return last == '}'
	case '(':
		return last == ')'
	case '[':
		return last == ']'
	}
	return false
}

// withoutTenant takes the tenant off a key that Outlook writes as {guid}@{tenantGuid}. What stands behind the id is not
// looked at: a user principal name does not begin with an id, and holds one "@".
func withoutTenant(key string) string {
	first := strings.IndexByte(key, '@')
	if first < 0 {
		return key
	}
	for _, size := range [...]int{36, 32, 38} {
		if at := len(key) - size - 1; at > 0 && key[at] == '@' && isAnyGUID(key[at+1:]) {
			return key[:at]
		}
		if len(key) > size && key[size] == '@' && isAnyGUID(key[:size]) {
			return key[:size]
		}
	}
	if at := strings.LastIndexByte(key, '@'); at > first && first > 0 && isDomain(key[at+1:]) {
		return key[:at]
	}
	return key
}

// isAnyGUID reports whether s is a GUID with hyphens, without, or in braces.
func isAnyGUID(s string) bool {
	if len(s) == 38 && wraps(s[0], s[37]) {
		s = s[1:37]
	}
	return isGUID(s) || len(s) == 32 && isHex(s)
}

func isHex(s string) bool {
	for i := range len(s) {
		if hexDigit(s[i]) == 255 {
			return false
		}
	}
	return true
}

// WidePath is Wide for a drive or site path. Each name lies between slashes, without the spaces and dots at its ends
// that file systems drop, and without a second layer of escapes.
func WidePath(path string) string {
	path = DecodeAgain(path)
	if isASCII(path) && !hasLooseName(path) {
		return fold(path)
	}
	names := strings.Split(Wide(path), "/")
	for i, name := range names {
		if bare := strings.TrimRight(strings.TrimLeft(name, " "), " ."); bare != "" {
			names[i] = bare
		}
	}
	return strings.Join(names, "/")
}

func hasLooseName(path string) bool {
	for {
		name, rest, more := strings.Cut(path, "/")
		if hasLooseEnds(name) {
			return true
		}
		if !more {
			return false
		}
		path = rest
	}
}

// DecodeAgain takes a second layer of escapes off. What remains escaped is no escape.
func DecodeAgain(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	text := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c, ok := s[i], false
		if c == '%' {
			if c, ok = unhex(s, i); ok {
				i += 2
			} else {
				c = '%'
			}
		}
		text = append(text, c)
	}
	return strings.ToValidUTF8(string(text), "")
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func lowerByte(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

// spelled is a text as Wide spells it, and as Bare does. It is kept because that is costly, and compared with many
// rules. It counts only as long as the text is the same: rules and targets are copied and changed.
type spelled struct {
	of, wide string
	bare     string // of a segment that is no path
}

// WideText returns the text as Wide or, of a path, WidePath spells it.
func (s *Segment) WideText() string {
	switch {
	case s.wide.wide != "" && s.wide.of == s.Text:
		return s.wide.wide
	case s.Kind == Path:
		return WidePath(s.Text)
	}
	return Wide(s.Text)
}

// BareText returns WideText without what Bare takes off.
func (s *Segment) BareText() string {
	if s.wide.bare != "" && s.wide.of == s.Text {
		return s.wide.bare
	}
	return Bare(s.WideText())
}

// FoldText returns the text as Fold spells it.
func (s *Segment) FoldText() string {
	switch kept := s.wide.wide != "" && s.wide.of == s.Text; {
	case kept && s.Kind == Path:
		return s.Fold
	case kept && isASCII(s.Text):
		return s.wide.wide
	}
	return fold(s.Text)
}

// Spellings returns FoldText, WideText and BareText, which is "" of a path.
func (s *Segment) Spellings() (folded, wide, bare string) {
	switch {
	case s.Kind == Path:
		return s.FoldText(), s.WideText(), ""
	case s.wide.bare != "" && s.wide.of == s.Text && isASCII(s.Text):
		return s.wide.wide, s.wide.wide, s.wide.bare
	}
	return s.FoldText(), s.WideText(), s.BareText()
}

// WideValue returns the value as Wide spells it.
func (a *Arg) WideValue() string {
	if a.wide.wide != "" && a.wide.of == a.Value {
		return a.wide.wide
	}
	return Wide(a.Value)
}

// FoldValue returns the value as Fold spells it.
func (a *Arg) FoldValue() string {
	if a.wide.wide != "" && a.wide.of == a.Value && isASCII(a.Value) {
		return a.wide.wide
	}
	return fold(a.Value)
}

// setWide spells the texts of segments that have been read.
func setWide(segments []Segment) {
	for i := range segments {
		s := &segments[i]
		for j := range s.Args {
			a := &s.Args[j]
			a.wide = spelled{of: a.Value, wide: Wide(a.Value)}
		}
		switch {
		case s.Kind == Path && !s.Var:
			s.wide = spelled{of: s.Text, wide: WidePath(s.Text)}
		case !s.Qualified && isASCII(s.Text):
			s.wide = spelled{of: s.Text, wide: s.Fold, bare: Bare(s.Fold)} // Fold is lower case
		case s.Kind != System:
			wide := Wide(s.Text)
			s.wide = spelled{of: s.Text, wide: wide, bare: Bare(wide)}
		}
	}
}

// Fold spells s in lower case for comparing names. A letter beyond ASCII never becomes one of ASCII's.
func Fold(s string) string { return fold(s) }
