package proxy

import (
	"strings"
	"unicode/utf8"

	"graphproxy/policy/graph/odata"
)

// How much of a caller's text is recorded, in bytes of the audit line. A caller may write a target, names of query
// options and ids of batch items of any length, and a short batch has 21 lines.
const (
	maxRecordedText   = 512 // target, template and id
	maxRecordedNames  = 16
	maxRecordedName   = 40
	maxRecordedRule   = 256
	maxRecordedReason = 128
)

// bound shortens fields that are too long, and records that in Cut: a reader must not read the beginning of a
// target as a target. It may be called more than once.
func (rec *Record) bound() {
	rec.shorten("target", &rec.Target, maxRecordedText)
	rec.shorten("path", &rec.Path, maxRecordedText)
	rec.shorten("item", &rec.Item, maxRecordedText)
	rec.shorten("reason", &rec.Reason, maxRecordedReason)
	rec.shorten("condition", &rec.Condition, maxRecordedReason)
	rec.Rule = rec.cutRule("rule", rec.Rule)
	if c := rec.Candidate; c != nil {
		c.Rule = rec.cutRule("candidate", c.Rule)
	}
	rec.cutQuery()
}

func (rec *Record) shorten(name string, text *string, most int) {
	if short, isCut := cut(*text, most); isCut {
		*text = short
		rec.Cut = append(rec.Cut, name)
	}
}

// cutRule keeps the end of file:line.
func (rec *Record) cutRule(name, rule string) string {
	short, isCut := cut(rule, maxRecordedRule)
	if !isCut {
		return rule
	}
	if i := strings.LastIndexByte(rule, '/'); i >= 0 {
		short, _ = cut(rule[i+1:], maxRecordedRule)
	}
	rec.Cut = append(rec.Cut, name)
	return short
}

// cutQuery keeps the names of the first options, each shortened. The names share no memory with the target's.
func (rec *Record) cutQuery() {
	isCut := len(rec.Query) > maxRecordedNames
	if isCut {
		rec.Query = rec.Query[:maxRecordedNames]
	}
	for i, name := range rec.Query {
		short, long := cut(name, maxRecordedName)
		rec.Query[i], isCut = short, isCut || long
	}
	if isCut {
		rec.Cut = append(rec.Cut, "query")
	}
}

// cutMark stands at the end of a text that was shortened.
const cutMark = "…"

// cut returns s if it has at most that many bytes in a JSON string between its quotes, with hidden characters
// escaped. Otherwise it returns the beginning of s that fits together with cutMark, and true. Most must be at least
// len(cutMark).
func cut(s string, most int) (text string, isCut bool) {
	if len(s)*widest <= most {
		return s, false
	}
	n, fits := 0, 0
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if n <= most-len(cutMark) {
			fits = i
		}
		if n += writtenWidth(r, size); n > most {
			return s[:fits] + cutMark, true
		}
		i += size
	}
	return s, false
}

// widest is how many bytes a byte of text has in an audit line at most.
const widest = len(`\u0000`)

// writtenWidth returns how many bytes a character has in an audit line.
func writtenWidth(r rune, size int) int {
	switch {
	case r == '"' || r == '\\' || r == '\n' || r == '\r' || r == '\t' || r == '\b' || r == '\f':
		return 2
	case r < ' ' || r == utf8.RuneError && size == 1:
		return widest
	case r < utf8.RuneSelf:
		return size
	}
	return len(odata.Visible(string(r)))
}
