package oidc

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// Token is a token that was verified. It is immutable and safe for concurrent use; the slices must not be changed.
type Token struct {
	Issuer    string
	Subject   string    // "": the token has none
	Audiences []string  // at least one
	Expires   time.Time // accepted for a minute longer

	claims map[string]any
}

// Values returns the values of a claim: a string unchanged, each string of a list of strings, and a number,
// true or false as its JSON text. A claim that is absent, null, an object, or a list of anything else has no
// value: Values returns nil, so that an identity that needs a value does not match.
//
// The name is the claim's whole name, dots included: "https://contoso.example/roles" is one name. A name that
// begins with "/" is a JSON Pointer (RFC 6901) to a claim within objects: "/kubernetes.io/serviceaccount/name".
// It cannot point into lists.
func (t *Token) Values(claim string) []string {
	value, found := t.claims[claim]
	if strings.HasPrefix(claim, "/") {
		value, found = t.pointed(claim)
	}
	if !found {
		return nil
	}
	switch value := value.(type) {
	case string:
		return []string{value}
	case json.Number:
		return []string{value.String()}
	case bool:
		return []string{strconv.FormatBool(value)}
	case []any:
		return texts(value)
	}
	return nil
}

func texts(list []any) []string {
	var all []string
	for _, item := range list {
		text, ok := item.(string)
		if !ok {
			return nil
		}
		all = append(all, text)
	}
	return all
}

// pointed follows a JSON Pointer. In a step "~1" is a slash and "~0" a tilde.
func (t *Token) pointed(pointer string) (value any, found bool) {
	value = t.claims
	for step := range strings.SplitSeq(pointer[1:], "/") {
		object, ok := value.(map[string]any)
		if !ok {
			return nil, false
		}
		step = strings.ReplaceAll(strings.ReplaceAll(step, "~1", "/"), "~0", "~")
		if value, ok = object[step]; !ok {
			return nil, false
		}
	}
	return value, true
}
