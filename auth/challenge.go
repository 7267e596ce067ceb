package auth

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
)

// A ClaimsChallenge is what a new token must carry before Graph takes one again: a claims request, which is a
// JSON object (OpenID Connect Core, section 5.5). "" asks for nothing.
type ClaimsChallenge string

// maxClaims is the greatest length of a challenge, encoded. The challenges that were observed have some 100
// bytes.
const maxClaims = 8 << 10

// RefusalOf reads the header of a 401 of one of Graph's services: the claims of the first Bearer challenge that
// has any, and whether a Bearer challenge says invalid_token. A value that is not the base64 form of a JSON
// object is ignored: the token was refused, and only an ordinary new token can be asked for.
// https://learn.microsoft.com/entra/identity-platform/claims-challenge
func RefusalOf(service string, h http.Header) Refusal {
	r := Refusal{Service: service}
	for _, field := range h["Www-Authenticate"] {
		for s := (challenges{rest: field}); s.next(); {
			switch {
			case !strings.EqualFold(s.scheme, "Bearer"):
			case strings.EqualFold(s.name, "error"):
				r.Invalid = r.Invalid || strings.EqualFold(s.value, "invalid_token")
			case strings.EqualFold(s.name, "claims") && r.Claims == "":
				r.Claims, _ = decodeClaims(s.value)
			}
		}
	}
	return r
}

func decodeClaims(value string) (ClaimsChallenge, bool) {
	if len(value) > maxClaims {
		return "", false
	}
	value = strings.NewReplacer("-", "+", "_", "/", "=", "").Replace(value) // both alphabets, with padding or without
	text, err := base64.RawStdEncoding.DecodeString(value)
	var object map[string]json.RawMessage
	if err != nil || json.Unmarshal(text, &object) != nil || len(object) == 0 {
		return "", false
	}
	return ClaimsChallenge(text), true
}

// challenges reads the parameters of a WWW-Authenticate field (RFC 9110, section 11.6.1), which may have
// several challenges. Graph leaves out quotes that the grammar requires, so a value without quotes ends at a
// comma or a blank.
type challenges struct {
	rest                string
	scheme, name, value string // of the parameter found last
}

// next finds the next parameter.
func (s *challenges) next() bool {
	for {
		s.rest = strings.TrimLeft(s.rest, " \t,")
		if s.rest == "" {
			return false
		}
		word := s.until(" \t,=\"")
		after := strings.TrimLeft(s.rest, " \t")
		if word != "" && !strings.HasPrefix(after, "=") {
			s.scheme = word
			continue
		}
		if s.name = word; word == "" { // a stray sign: skip it
			s.rest = s.rest[1:]
			continue
		}
		s.rest = strings.TrimLeft(after[1:], " \t")
		s.value = s.readValue()
		return true
	}
}

// until removes and returns the text before the first of the signs.
func (s *challenges) until(signs string) string {
	end := strings.IndexAny(s.rest, signs)
	if end < 0 {
		end = len(s.rest)
	}
	word := s.rest[:end]
	s.rest = s.rest[end:]
	return word
}

// readValue reads a value, and removes its quotes and their escapes.
func (s *challenges) readValue() string {
	if !strings.HasPrefix(s.rest, `"`) {
		return s.until(" \t,")
	}
	var b strings.Builder
	for i := 1; i < len(s.rest); i++ {
		switch c := s.rest[i]; {
		case c == '"':
			s.rest = s.rest[i+1:]
			return b.String()
		case c == '\\' && i+1 < len(s.rest):
			i++
			b.WriteByte(s.rest[i])
		default:
			b.WriteByte(c)
		}
	}
	s.rest = "" // the quote never ends: its text is dropped
	return ""
}
