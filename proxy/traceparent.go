package proxy

import (
	"net/http"
	"strings"
)

// traceID returns the trace-id of a caller's traceparent (https://www.w3.org/TR/trace-context/#traceparent-header),
// or "" if there is no well-formed one. Later versions may have more fields after the flags.
func traceID(h http.Header) string {
	values := h["Traceparent"]
	if len(values) != 1 {
		return ""
	}
	const length = len("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	text := values[0]
	switch {
	case len(text) < length, text[2] != '-', text[35] != '-', text[52] != '-':
		return ""
	case len(text) > length && (text[length] != '-' || text[:2] == "00"):
		return ""
	case !isLowerHex(text[:2]), text[:2] == "ff", !isLowerHex(text[53:length]):
		return ""
	case !isTraceField(text[3:35]), !isTraceField(text[36:52]):
		return ""
	}
	return text[3:35]
}

// isTraceField reports whether s is a trace-id or parent-id: hexadecimal digits in lower case, not all zero.
func isTraceField(s string) bool { return isLowerHex(s) && strings.Trim(s, "0") != "" }

func isLowerHex(s string) bool {
	for i := range len(s) {
		if c := s[i]; !('0' <= c && c <= '9' || 'a' <= c && c <= 'f') {
			return false
		}
	}
	return true
}
