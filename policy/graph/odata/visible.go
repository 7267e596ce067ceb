package odata

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Visible returns s with every character escaped that is not displayed as itself: controls, line breaks, spaces
// other than the plain one, marks of direction and other format characters, as "\u202e". Use it for a caller's text
// in messages to people. Most texts are returned unchanged.
func Visible(s string) string {
	if strings.IndexFunc(s, isHidden) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if isHidden(r) {
			b.WriteString(escapeRune(r))
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// VisibleJSON returns a JSON text with the same characters escaped, so that a line of a log is displayed as it is.
// It has the same meaning for a reader of JSON, in which such characters stand between quotes only. White space
// outside quotes does not change. A text without such characters is returned unchanged.
func VisibleJSON(text []byte) []byte {
	if bytes.IndexFunc(text, isHiddenInJSON) < 0 {
		return text
	}
	var out []byte
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		if isHiddenInJSON(r) {
			out = append(out, escapeRune(r)...)
		} else {
			out = append(out, text[:size]...)
		}
		text = text[size:]
	}
	return out
}

func isHiddenInJSON(r rune) bool { return r >= utf8.RuneSelf && isHidden(r) }

func isHidden(r rune) bool { return !unicode.IsPrint(r) }

// escapeRune writes r as JSON does: in UTF-16, so that a character beyond the first plane takes two escapes.
func escapeRune(r rune) string {
	if high, low := utf16.EncodeRune(r); high != unicode.ReplacementChar {
		return fmt.Sprintf(`\u%04x\u%04x`, high, low)
	}
	return fmt.Sprintf(`\u%04x`, r)
}
