package proxy

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"graphproxy/policy/graph/odata"
)

// appendLine appends the audit line of a record: what encoding/json writes for it, without reflection, and with hidden
// characters escaped, because a mark of direction could make a target look like another.
func (rec *Record) appendLine(b []byte) []byte {
	l := jsonLine(b)
	l.begin("time", rec.Time)
	l.text("caller", rec.Caller)
	l.text("evidence", rec.Evidence)
	l.some("credential", rec.Credential)
	l.text("client", rec.Client)
	l.some("peer", rec.Peer)
	l.some("app", rec.App)
	l.some("tenant", rec.Tenant)
	l.text("method", rec.Method)
	l.some("version", rec.Version)
	l.some("path", rec.Path)
	l.some("target", rec.Target)
	l.list("query", rec.Query)
	l.some("rule", rec.Rule)
	l.some("ticket", rec.Ticket)
	l.text("decision", rec.Decision)
	l.flag("would_deny", rec.WouldDeny)
	l.some("reason", rec.Reason)
	l.some("condition", rec.Condition)
	l.some("until", rec.Until)
	l.candidate(rec.Candidate)
	l.count("status", int64(rec.Status))
	if rec.GraphStatus != 0 {
		l.count("graph_status", int64(rec.GraphStatus))
	}
	l.millis("ms", rec.Millis)
	if rec.GraphMillis != 0 {
		l.millis("graph_ms", rec.GraphMillis)
	}
	l.count("bytes_in", rec.BytesIn)
	l.count("bytes_out", rec.BytesOut)
	l.text("request_id", rec.RequestID)
	l.text("client_request_id", rec.ClientRequestID)
	l.some("trace_id", rec.TraceID)
	l.text("policy", rec.Policy)
	l.some("batch", rec.Batch)
	l.some("item", rec.Item)
	l.list("cut", rec.Cut)
	return append(l, "}\n"...)
}

// candidate writes what the candidate policy decides, if that differs.
func (l *jsonLine) candidate(c *CandidateRecord) {
	if c == nil {
		return
	}
	*l = append(*l, `,"candidate":{"decision":`...)
	*l = appendQuoted(*l, c.Decision)
	l.flag("would_deny", c.WouldDeny)
	l.some("rule", c.Rule)
	l.text("policy", c.Policy)
	*l = append(*l, '}')
}

// jsonLine is a JSON object that is being written, without its end. Names are written as they are.
type jsonLine []byte

// begin writes the first member.
func (l *jsonLine) begin(name string, t time.Time) {
	*l = append(append(append(*l, `{"`...), name...), `":"`...)
	*l = append(t.AppendFormat(*l, time.RFC3339Nano), '"')
}

func (l *jsonLine) name(name string) {
	*l = append(append(append(*l, `,"`...), name...), `":`...)
}

func (l *jsonLine) text(name, value string) {
	l.name(name)
	*l = appendQuoted(*l, value)
}

// some writes a text that is not empty.
func (l *jsonLine) some(name, value string) {
	if value != "" {
		l.text(name, value)
	}
}

// flag writes true.
func (l *jsonLine) flag(name string, value bool) {
	if value {
		l.name(name)
		*l = append(*l, "true"...)
	}
}

func (l *jsonLine) count(name string, value int64) {
	l.name(name)
	*l = strconv.AppendInt(*l, value, 10)
}

// millis writes a number that is usually a whole number of thousandths: what strconv.AppendFloat writes for it, which
// takes longer.
func (l *jsonLine) millis(name string, value float64) {
	l.name(name)
	n := int64(math.Round(value * 1000))
	if n <= 0 || n > maxThousandths || float64(n)/1000 != value {
		*l = strconv.AppendFloat(*l, value, 'f', -1, 64)
		return
	}
	*l = strconv.AppendInt(*l, n/1000, 10)
	if digits := n % 1000; digits > 0 {
		text := [...]byte{'.', byte('0' + digits/100), byte('0' + digits/10%10), byte('0' + digits%10)}
		*l = append(*l, bytes.TrimRight(text[:], "0")...)
	}
}

// maxThousandths bounds the numbers that millis writes itself: a float64 has every one of them.
const maxThousandths = 1e12

// list writes the texts of a list that is not empty.
func (l *jsonLine) list(name string, values []string) {
	if len(values) == 0 {
		return
	}
	l.name(name)
	separator := byte('[')
	for _, value := range values {
		*l = appendQuoted(append(*l, separator), value)
		separator = ','
	}
	*l = append(*l, ']')
}

// appendQuoted appends s as a JSON string. Hidden characters are escaped.
func appendQuoted(b []byte, s string) []byte {
	if isPlain(s) {
		return append(append(append(b, '"'), s...), '"')
	}
	b = append(b, '"')
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		b = appendCharacter(b, r, s[i:i+size])
		i += size
	}
	return append(b, '"')
}

// isPlain reports whether all characters of s stand for themselves in a JSON string.
func isPlain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= utf8.RuneSelf || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// appendCharacter appends r, whose bytes are text. A byte that is not UTF-8 becomes the replacement character.
func appendCharacter(b []byte, r rune, text string) []byte {
	switch {
	case r == utf8.RuneError && len(text) == 1:
		return append(b, `\ufffd`...)
	case r == '"' || r == '\\':
		return append(b, '\\', byte(r))
	case r >= utf8.RuneSelf:
		return append(b, odata.Visible(text)...)
	case r >= ' ':
		return append(b, byte(r))
	}
	if i := strings.IndexRune("\b\f\n\r\t", r); i >= 0 {
		return append(b, '\\', "bfnrt"[i])
	}
	return fmt.Appendf(b, `\u%04x`, r)
}
