package proxy

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// headerList has the request headers that reach Graph, in canonical spelling. Immutable.
type headerList map[string]bool

// graphHeaders are the headers of Graph's documentation and its SDKs (learn.microsoft.com/graph/use-the-api).
// Content-Length is not among them: the transport writes it from the body's framing.
func graphHeaders() []string {
	return []string{
		"Accept", "Accept-Language", "Accept-Encoding", "Content-Type", "Content-Encoding", "Content-Range",
		"Range", "If-Match", "If-None-Match", "Prefer", "ConsistencyLevel", "Workbook-Session-Id", "SdkVersion", "User-Agent",
		"client-request-id", "return-client-request-id", "traceparent", "tracestate",
	}
}

// neverForwarded reports whether a header frames a message, names its sender, or changes its method or target.
// GRAPHPROXY_FORWARD_HEADERS cannot add these.
func neverForwarded(name string) bool {
	switch name {
	case "Authorization", "Cookie", "Host", "Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive",
		"Proxy-Connection",
		"Te", "Trailer", "Upgrade", "Expect", "X-Api-Key", "Forwarded", "Via", "X-Http-Method", "X-Http-Method-Override",
		"X-Method-Override",
		"X-Original-Url", "X-Rewrite-Url", "Http2-Settings":
		return true
	}
	return strings.HasPrefix(name, "Proxy-") || strings.HasPrefix(name, "X-Forwarded-") || strings.HasPrefix(name, "Sec-")
}

// CheckForwardHeaders returns an error for each name that cannot be added to the headers that reach Graph
// (Config.ForwardHeaders), with the reason; nil when all can.
func CheckForwardHeaders(names []string) error {
	var problems []error
	for _, name := range names {
		switch {
		case !isToken(name):
			problems = append(problems, fmt.Errorf("%q is not the name of a header", name))
		case neverForwarded(textproto.CanonicalMIMEHeaderKey(name)):
			problems = append(problems, fmt.Errorf("the header %q cannot be forwarded: "+
				"it frames the message, proves an identity or changes the request", name))
		}
	}
	return errors.Join(problems...)
}

func newHeaderList(added []string) (headerList, error) {
	if err := CheckForwardHeaders(added); err != nil {
		return nil, fmt.Errorf("proxy.Config.ForwardHeaders: %w", err)
	}
	l := make(headerList)
	for _, name := range graphHeaders() {
		l[textproto.CanonicalMIMEHeaderKey(name)] = true
	}
	for _, name := range added {
		l[textproto.CanonicalMIMEHeaderKey(name)] = true
	}
	return l, nil
}

// pick returns a new header with the headers of in that may pass. Values are shared, not copied.
func (l headerList) pick(in http.Header) http.Header {
	out := make(http.Header, len(in)+2)
	for name, values := range in {
		if l[name] {
			out[name] = values
		}
	}
	return out
}

// checkHeaders refuses a header that is sent twice where Graph expects it once.
func checkHeaders(h http.Header) error {
	for _, name := range [...]string{"Content-Type", "Content-Encoding", "Content-Range", "Range"} {
		if len(h[name]) > 1 {
			return badRequest("ambiguousHeader", "the request has the header %s more than once; send it once", name)
		}
	}
	return nil
}

// cleanResponse drops headers between Graph and the proxy: authentication challenges, cookies of Graph's front end,
// and statements about Graph's host, which the caller would apply to the proxy's.
func cleanResponse(h http.Header) {
	for name, values := range h {
		if slices.ContainsFunc(values, func(v string) bool { return hidden(name, v) }) || len(values) == 0 {
			delete(h, name)
		}
	}
}

// locationHeaders are the headers whose values are addresses at Graph, in their canonical form.
var locationHeaders = [...]string{"Location", "Content-Location", "Operation-Location"} // never written to

// hidden reports whether a header of Graph's answer, or of the answer to an item of a batch, must not reach the
// caller.
func hidden(name, value string) bool {
	switch name = textproto.CanonicalMIMEHeaderKey(name); name {
	case "Location", "Content-Location", "Operation-Location", "Azure-Asyncoperation":
		return value == "" || !isWebAddress(value)
	case "Www-Authenticate", "Proxy-Authenticate", "Authentication-Info", "Proxy-Authentication-Info", "Set-Cookie",
		"Strict-Transport-Security", "Alt-Svc", "Public-Key-Pins", "Proxy-Status", "Set-Cookie2",
		// headers that make a browser act at the proxy's address
		"Refresh", "Clear-Site-Data", "Service-Worker-Allowed", "Sourcemap", "X-Sourcemap",
		"Nel", "Report-To", "Reporting-Endpoints", "Timing-Allow-Origin", "Cross-Origin-Resource-Policy",
		"X-Content-Type-Options":
		return true
	}
	return strings.HasPrefix(name, "Access-Control-") // Graph does not decide here which pages may read answers
}

// isWebAddress reports whether an address, whole or relative, is one of HTTP. An address with characters that a
// browser would strip before it reads the scheme (https://url.spec.whatwg.org/#concept-basic-url-parser) is not.
func isWebAddress(s string) bool {
	s = strings.Trim(s, " ")
	if strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c == 0x7f }) {
		return false
	}
	scheme, _, found := strings.Cut(s, ":")
	notOfScheme := func(c rune) bool { return c >= 0x80 || !isAlphanumeric(byte(c)) && c != '+' && c != '-' && c != '.' }
	if !found || strings.ContainsFunc(scheme, notOfScheme) {
		return true // relative
	}
	return strings.EqualFold(scheme, "https") || strings.EqualFold(scheme, "http")
}

// clientRequestID is the caller's own correlation id if it has the documented form, else a new one. It reaches
// Graph, the answer and the audit line, so no other text may pass.
func clientRequestID(h http.Header) string {
	values := h["Client-Request-Id"]
	if len(values) == 1 && isRequestID(values[0]) {
		return values[0]
	}
	return newID()
}

func isRequestID(s string) bool {
	if s == "" || len(s) > 128 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if !isAlphanumeric(c) && c != '.' && c != '_' && c != '-' {
			return false
		}
	}
	return true
}

func isToken(s string) bool {
	for i := range len(s) {
		if c := s[i]; !isAlphanumeric(c) && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return s != ""
}

func isAlphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// newID returns a random UUID (RFC 9562, version 4), which is the form of Graph's request-id. uuid.NewString does the
// same with one allocation more.
func newID() string {
	var id uuid.UUID
	_, _ = rand.Read(id[:]) // never fails: crypto/rand ends the process instead
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	return id.String()
}

// knownMethod reports whether Graph has the method (learn.microsoft.com/graph/use-the-api). Letter case counts: Graph
// refused "Patch".
func knownMethod(m string) bool {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
		return true
	}
	return false
}

// methodName is the method for the record: a caller's own invention of any length does not get into the audit line.
func methodName(m string) string {
	if len(m) > 16 {
		return m[:16]
	}
	return m
}
