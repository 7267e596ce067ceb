package batch

import (
	"net/http"
	"strings"
)

// forwardable keeps the headers of an item that may go on. Other headers prove an identity, frame a message,
// change its method or target, or are unknown; it is not documented whether Graph reads them in an item.
func forwardable(headers []Header, may func(name, value string) bool) []Header {
	var kept []Header
	for _, h := range headers {
		if may != nil && may(h.Name, h.Value) {
			kept = append(kept, h)
		}
	}
	return kept
}

// contentType returns the media type, lower case and without parameters.
func contentType(headers []Header) string {
	mediaType, _, _ := strings.Cut(typeOf(headers), ";")
	return strings.ToLower(strings.TrimSpace(mediaType))
}

func typeOf(headers []Header) string {
	for _, h := range headers {
		if strings.EqualFold(h.Name, "Content-Type") {
			return h.Value
		}
	}
	return ""
}

// checkMethod refuses methods that Graph does not have (https://learn.microsoft.com/graph/use-the-api), those in lower
// case among them, and bodies where HTTP gives them no meaning.
func checkMethod(method string, body bool) *ItemError {
	switch method {
	case http.MethodGet, http.MethodHead:
		if body {
			return &ItemError{http.StatusBadRequest, "bodyNotAllowed",
				"the item has a body, which has no meaning with the method " + method + "; leave it out"}
		}
	case http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
	default:
		return &ItemError{http.StatusMethodNotAllowed, "methodNotAllowed",
			"Graph has no method " + quote(method) + "; it has GET, HEAD, POST, PUT, PATCH and DELETE, in upper case"}
	}
	return nil
}

// isToken reports whether s is a token (RFC 9110 §5.6.2), which the name of a header must be.
func isToken(s string) bool {
	for i := range len(s) {
		if !isAlphanumeric(s[i]) && strings.IndexByte("!#$%&'*+-.^_`|~", s[i]) < 0 {
			return false
		}
	}
	return s != ""
}

func isAlphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}
