package auth

import (
	"fmt"
	"strings"
)

// oddSecret returns which part of a client secret cannot be right, and the cure, or "". A secret is made of
// printable ASCII (RFC 6749 appendix A.2); an editor, a shell or a template added any other character. Entra ID
// would only answer that the secret is wrong. The text quotes nothing of the secret.
func oddSecret(s string) string {
	switch {
	case strings.HasPrefix(s, "\xEF\xBB\xBF"):
		return "begins with a byte order mark: save it as UTF-8 without one"
	case strings.HasPrefix(s, "\xFF\xFE"), strings.HasPrefix(s, "\xFE\xFF"), strings.ContainsRune(s, 0):
		return "is encoded as UTF-16: save it as UTF-8 (in PowerShell: Set-Content -Encoding ascii -NoNewline)"
	case strings.ContainsAny(s, "\r\n"):
		return "holds a line end: write the secret alone, on one line (printf %s, not echo)"
	case strings.Trim(s, " \t") != s:
		return "begins or ends with white space: take it off"
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return "holds a byte that is no printable ASCII character, which no client secret has: copy its value again"
		}
	}
	return ""
}

// checkSecret returns the problem of the secret in the variable that suffix names, or nil.
func (a App) checkSecret(suffix string, s Secret) error {
	if problem := oddSecret(s.reveal()); problem != "" {
		return fmt.Errorf("%s: the client secret %s", a.env(suffix), problem)
	}
	return nil
}
