package oidc

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	maxToken = 16 << 10         // bytes; Entra's and Kubernetes' tokens are one to three thousand
	leeway   = 60 * time.Second // clocks of issuer and proxy may differ by this much
	farAway  = 253402300799     // the last second of the year 9999; an exp beyond it is a mistake, often milliseconds
)

// jwt is a token that was read and not yet verified.
type jwt struct {
	raw   string
	alg   string
	kid   string // "": the header has none
	token *Token
	nbf   time.Time // zero: none
	iat   time.Time
}

// read reads a JWT of at most maxToken bytes in compact serialisation. Everything that does not need the issuer's keys
// or a clock is checked here.
func read(raw string) (*jwt, *Error) {
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return nil, invalid("is no signed JWT of three parts", whole)
	}
	header, err := readPart(parts[0], "header")
	if err != nil {
		return nil, err
	}
	claims, err := readPart(parts[1], "payload")
	if err != nil {
		return nil, err
	}
	if signature, ok := decode(parts[2]); !ok || len(signature) == 0 {
		return nil, invalid("has no signature in base64url", whole)
	}
	t := &jwt{raw: raw, token: &Token{claims: claims}}
	if err := t.header(header); err != nil {
		return nil, err
	}
	return t, t.claims(claims)
}

// Unsigned returns the Token of a JWT with these claims, a JSON object, as if its signature and its times had been
// verified. It is for judging evidence that is described and not presented (caller.Judge), never for requests. Unlike a
// JWT, it needs no exp. The error is an *Error.
func Unsigned(claims []byte) (*Token, error) {
	object, err := readObject(claims)
	if err != nil {
		return nil, invalid("has claims that "+err.Error(), whole)
	}
	_, hasEnd := object["exp"]
	if !hasEnd {
		object["exp"] = json.Number("0")
	}
	t := &jwt{token: &Token{claims: object}}
	if err := t.claims(object); err != nil {
		return nil, err
	}
	if !hasEnd {
		delete(object, "exp")
	}
	return t.token, nil
}

func readPart(part, name string) (map[string]any, *Error) {
	data, ok := decode(part)
	if !ok {
		return nil, invalid("has a "+name+" that is not base64url without padding", whole)
	}
	object, err := readObject(data)
	if err != nil {
		return nil, invalid("has a "+name+" that "+err.Error(), whole)
	}
	return object, nil
}

// decode reads the one valid base64url spelling of data: no padding, no bits beyond the last byte, and none of
// the line breaks that encoding/base64 skips.
func decode(s string) ([]byte, bool) {
	if strings.ContainsAny(s, "\r\n") {
		return nil, false
	}
	data, err := base64.RawURLEncoding.Strict().DecodeString(s)
	return data, err == nil
}

// header reads the header. It refuses members that contain or name a key. Nothing here would use them, but a
// sender that writes them expects a check.
func (t *jwt) header(header map[string]any) *Error {
	for _, name := range [...]string{"crit", "b64", "jwk", "jku", "x5u", "x5c", "zip", "enc"} {
		if _, found := header[name]; found {
			return invalid("has the header "+strconv.Quote(name)+", which graphproxy does not take", askOperator)
		}
	}
	if t.alg, _ = header["alg"].(string); !isAlgorithm(t.alg) {
		return invalid("is not signed with RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, "+
			"ES512 or EdDSA", askOperator)
	}
	if typ, found := header["typ"]; found && !isTokenType(typ) {
		return invalid("is of another type than JWT or at+jwt", "send a token that is meant for graphproxy")
	}
	if kid, found := header["kid"]; found {
		if t.kid, _ = kid.(string); t.kid == "" {
			return invalid("has a key id that is no text", whole)
		}
	}
	return nil
}

// isAlgorithm reports whether alg is an asymmetric signature in use: only the owner of the private key can make
// it.
func isAlgorithm(alg string) bool {
	switch jose.SignatureAlgorithm(alg) {
	case jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512,
		jose.EdDSA:
		return true
	}
	return false
}

// isTokenType reports whether a typ header is that of a JWT (RFC 7519 §5.1) or of an access token (RFC 9068
// §2.1). A logout token, a DPoP proof and others are signed with the same keys and mean something else.
func isTokenType(typ any) bool {
	text, _ := typ.(string)
	text = strings.TrimPrefix(strings.ToLower(text), "application/")
	return text == "jwt" || text == "at+jwt"
}

// claims reads the claims that every token must have or that have one meaning (RFC 7519 §4.1).
func (t *jwt) claims(claims map[string]any) *Error {
	var ok bool
	if t.token.Issuer, ok = claims["iss"].(string); !ok || t.token.Issuer == "" {
		return invalid("does not say its issuer (iss)", whole)
	}
	if sub, found := claims["sub"]; found {
		if t.token.Subject, ok = sub.(string); !ok || t.token.Subject == "" {
			return invalid("has a subject (sub) that is no text", askOperator)
		}
	}
	if t.token.Audiences = audiences(claims["aud"]); t.token.Audiences == nil {
		return invalid("has no audience (aud), or one that is neither a text nor a list of texts",
			"ask its issuer for one for graphproxy")
	}
	for _, date := range [...]struct {
		name     string
		to       *time.Time
		required bool
	}{{"exp", &t.token.Expires, true}, {"nbf", &t.nbf, false}, {"iat", &t.iat, false}} {
		value, found := claims[date.name]
		if !found && !date.required {
			continue
		}
		var err error
		if *date.to, err = numericDate(value); err != nil {
			return invalid("has no "+date.name+" that "+err.Error(), askOperator)
		}
	}
	return nil
}

func audiences(value any) []string {
	if one, ok := value.(string); ok {
		value = []any{one}
	}
	list, _ := value.([]any)
	var all []string
	for _, item := range list {
		text, _ := item.(string)
		if text == "" {
			return nil
		}
		all = append(all, text)
	}
	return all
}

// numericDate reads seconds since 1970, of which a fraction is allowed (RFC 7519 §2).
func numericDate(value any) (time.Time, error) {
	number, ok := value.(json.Number)
	if !ok {
		return time.Time{}, errors.New("is a number of seconds since 1970")
	}
	seconds, err := strconv.ParseFloat(number.String(), 64)
	if err != nil || math.Signbit(seconds) || seconds > farAway {
		return time.Time{}, errors.New("is a number of seconds between 1970 and the year 9999")
	}
	full, part := math.Modf(seconds)
	return time.Unix(int64(full), int64(part*1e9)), nil
}

// timely returns an error unless the token is valid at now, within the leeway.
func (t *jwt) timely(now time.Time) *Error {
	switch latest := now.Add(leeway); {
	case !now.Before(t.token.Expires.Add(leeway)):
		return errExpired()
	case t.nbf.After(latest):
		return invalid("is not valid yet (nbf)", "wait until it is, and see that the clocks are right")
	case t.iat.After(latest):
		return invalid("was issued in the future (iat)", "see that the clocks of its issuer and of graphproxy are "+
			"right")
	}
	return nil
}
