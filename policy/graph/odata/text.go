package odata

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The values of Error.Code.
const (
	codeAmbiguous   = "ambiguousTarget"
	codeVersion     = "unknownVersion"
	codeEscape      = "badEscape"
	codeUnsupported = "unsupportedTarget"
	codeTooLong     = "targetTooLong"
)

func refuse(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// quote makes caller's text fit for a message: short, and ASCII, so that no character of it can imitate another.
func quote(s string) string {
	const most = 80
	if len(s) > most {
		return strconv.QuoteToASCII(s[:most]) + "..."
	}
	return strconv.QuoteToASCII(s)
}

// charClass is a set of places in which a byte may stand.
type charClass uint16

const (
	inSegment    charClass = 1 << iota // stands unescaped in a segment: RFC 3986 pchar without ";", "&" and parentheses
	inText                             // stands unescaped between quotes: also parentheses
	inDrivePath                        // stands unescaped in a drive path: also slashes
	inValue                            // stands unescaped in a value of a query option that this package writes
	inRawValue                         // may stand raw in a caller's value of a query option, and is sent on raw
	unreserved                         // has the same meaning escaped and not, in every place: RFC 3986, section 2.3
	inOption                           // stands in the name of a query option, besides "$" and "@" at its beginning
	inBare                             // stands in a key or argument without quotes: numbers, GUIDs, dates, true
	inIdentifier                       // stands in an OData identifier
	notInFile                          // is refused in the name of a file or folder
	// is refused in a segment without an opening parenthesis, unless people choose such names
	stray
	secondReading // may make a server that decodes a value once more read several options in it
)

const (
	letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	digits  = "0123456789"
)

// classes is never written to. "&" and ";" are not allowed raw in segments: some servers read them as separators;
// escaped they have one reading.
var classes = func() (t [256]charClass) {
	mark := func(class charClass, chars string) {
		for i := range len(chars) {
			t[chars[i]] |= class
		}
	}
	mark(inSegment|inText|inDrivePath, letters+digits+"-._~!$'*+,=:@")
	mark(inText|inDrivePath, "()")
	mark(inDrivePath, "/")
	mark(stray, ")?")
	mark(notInFile, `:*?<>|"`)
	mark(inValue, letters+digits+"-._~$()',;:@/!*=")
	mark(inRawValue, letters+digits+"-._~$()',;:@/!*=+?"+"\"<>[]{}|\\^`")
	mark(unreserved, letters+digits+"-._~")
	mark(secondReading, "&;#")
	mark(inOption, letters+digits+"-._~:")
	mark(inBare, letters+digits+"-._~:+")
	mark(inIdentifier, letters+digits+"_")
	return t
}()

// all reports whether every byte of s is in the class; no byte beyond ASCII is in any.
func all(s string, class charClass) bool {
	for i := range len(s) {
		if classes[s[i]]&class == 0 {
			return false
		}
	}
	return true
}

// index returns the place of the first byte of s that is in the class, or -1.
func index(s string, class charClass) int {
	for i := range len(s) {
		if classes[s[i]]&class != 0 {
			return i
		}
	}
	return -1
}

// isIdentifier reports whether s is an OData identifier, as far as Graph uses it: ASCII letters, digits and "_", no
// digit in front.
func isIdentifier(s string) bool {
	return s != "" && (s[0] < '0' || s[0] > '9') && all(s, inIdentifier)
}

// isDotted reports whether s is one or more identifiers with dots between them.
func isDotted(s string) bool {
	for {
		label, rest, more := strings.Cut(s, ".")
		if !isIdentifier(label) {
			return false
		}
		if !more {
			return true
		}
		s = rest
	}
}

// fold spells s for comparing. A letter beyond ASCII never becomes one of ASCII's: the Kelvin sign, whose lower case
// is "k", would let users/bac(K)up through a rule for users/backup, and Graph would see another name.
func fold(s string) string {
	upper := false
	for i := range len(s) {
		c := s[i]
		if c >= utf8.RuneSelf {
			return strings.Map(foldRune, s)
		}
		upper = upper || 'A' <= c && c <= 'Z'
	}
	if !upper {
		return s
	}
	var buffer [128]byte
	lower := append(buffer[:0], s...)
	for i, c := range lower {
		if 'A' <= c && c <= 'Z' {
			lower[i] = c + ('a' - 'A')
		}
	}
	return string(lower)
}

// foldRune goes by way of the capital: the two small sigmas have one.
func foldRune(r rune) rune {
	if r < utf8.RuneSelf {
		return unicode.ToLower(r)
	}
	lower := unicode.ToLower(unicode.ToUpper(r))
	if r >= utf8.RuneSelf && lower < utf8.RuneSelf {
		return r
	}
	return lower
}

const namespace = "microsoft.graph."

// foldName spells a name for comparing and takes its namespace off. Graph's metadata declares
// Namespace="microsoft.graph" Alias="graph", so graph.user and microsoft.graph.user are the same cast. What begins with
// another namespace of Microsoft's, Microsoft.DirectoryServices.User, is qualified too: services behind Graph take it.
func foldName(s string) (folded, base string, qualified bool) {
	folded = fold(s)
	local, isAlias := strings.CutPrefix(folded, "graph.")
	if !isAlias {
		var found bool
		if local, found = strings.CutPrefix(folded, "microsoft."); !found {
			return folded, folded, false
		}
	}
	// A UPN may begin with "graph." too, and is no name then.
	if !isDotted(local) {
		return folded, folded, false
	}
	if isAlias {
		folded = namespace + local
	}
	return folded, folded[strings.LastIndexByte(folded, '.')+1:], true
}

// unhex returns the byte that the escape at s[i:], "%41", stands for.
func unhex(s string, i int) (c byte, ok bool) {
	if i+2 >= len(s) {
		return 0, false
	}
	high, low := hexDigit(s[i+1]), hexDigit(s[i+2])
	return high<<4 | low, high < 16 && low < 16
}

func hexDigit(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 255
}

func appendEscape(dst []byte, c byte) []byte {
	const upper = "0123456789ABCDEF"
	return append(dst, '%', upper[c>>4], upper[c&15])
}

// appendEscaped writes s with every byte escaped that is not in the class.
func appendEscaped(dst []byte, s string, class charClass) []byte {
	if all(s, class) {
		return append(dst, s...)
	}
	for i := range len(s) {
		if c := s[i]; classes[c]&class != 0 {
			dst = append(dst, c)
		} else {
			dst = appendEscape(dst, c)
		}
	}
	return dst
}

// checkText refuses, in decoded text, what is not UTF-8 and every control character (C0, DEL and C1). What and
// name say in the message which text it is.
func checkText(s, what, name string) error {
	for i, r := range s {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD"):
			return refuse(codeEscape, "%s %s is not UTF-8; encode its text as UTF-8 before escaping it", what, quote(name))
		case unicode.IsControl(r):
			return refuse(codeAmbiguous, "%s %s holds the control character %U; take it out", what, quote(name), r)
		}
	}
	return nil
}
