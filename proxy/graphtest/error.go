package graphtest

import (
	"errors"
	"fmt"
	"net/http"
	"time"
)

// failure is an error that Graph answers.
type failure struct {
	status  int
	code    string
	message string
	inner   string      // innerError.code; "" for none
	header  http.Header // further headers; may be nil
	body    object      // instead of the usual body; nil for the usual one
}

func (f *failure) Error() string { return fmt.Sprintf("%d %s: %s", f.status, f.code, f.message) }

func fail(status int, code, format string, args ...any) error {
	return &failure{status: status, code: code, message: fmt.Sprintf(format, args...)}
}

// Errors that several services of Graph share; the words are the ones in Microsoft's documentation and in captures.

func noSegment(name string) error {
	return fail(http.StatusBadRequest, "BadRequest", "Resource not found for the segment '%s'.", name)
}

func noMethod() error {
	return fail(http.StatusMethodNotAllowed, "Request_BadRequest",
		"Specified HTTP method is not allowed for the request target.")
}

func noObject(id string) error {
	return fail(http.StatusNotFound, "Request_ResourceNotFound",
		"Resource '%s' does not exist or one of its queried reference-property objects are not present.", id)
}

func noItem() error {
	return fail(http.StatusNotFound, "itemNotFound", "The resource could not be found.")
}

func noMessage() error {
	return fail(http.StatusNotFound, "ErrorItemNotFound", "The specified object was not found in the store.")
}

func noMailbox() error {
	return fail(http.StatusNotFound, "MailboxNotEnabledForRESTAPI",
		"The mailbox is either inactive, soft-deleted, or is hosted on-premise.")
}

func badRequest(format string, args ...any) error {
	return fail(http.StatusBadRequest, "Request_BadRequest", format, args...)
}

func unsupportedQuery(format string, args ...any) error {
	return fail(http.StatusBadRequest, "Request_UnsupportedQuery", format, args...)
}

func badBody() error {
	return fail(http.StatusBadRequest, "BadRequest",
		"Unable to read JSON request payload. Please ensure Content-Type header is "+
			"set and payload is of valid JSON format.")
}

// badToken is the 401 to a token that no resource accepts. It has the form of RFC 6750, section 3.1.
func badToken(message string) error {
	return &failure{
		status:  http.StatusUnauthorized,
		code:    "InvalidAuthenticationToken",
		message: message,
		header: http.Header{
			"Www-Authenticate": {`Bearer realm="", ` +
				`authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", ` +
				`client_id="00000003-0000-0000-c000-000000000000", error="invalid_token"`},
		},
	}
}

// challenged is the 401 of continuous access evaluation. Graph leaves authorization_uri without quotes in this one.
func challenged(claims string) error {
	return &failure{
		status: http.StatusUnauthorized,
		code:   "InvalidAuthenticationToken",
		message: "Continuous access evaluation resulted in challenge with result: InteractionRequired and code: " +
			"TokenCreatedWithOutdatedPolicies",
		header: http.Header{
			"Www-Authenticate": {`Bearer realm="", ` +
				`authorization_uri=https://login.microsoftonline.com/common/oauth2/authorize, ` +
				`client_id="00000003-0000-0000-c000-000000000000", error="insufficient_claims", claims="` + encodeClaims(claims) +
				`", errorDescription="Continuous access evaluation resulted in claims challenge"`},
		},
	}
}

// failureOf is err as Graph would answer it.
func failureOf(err error) *failure {
	var f *failure
	if errors.As(err, &f) {
		return f
	}
	return &failure{status: http.StatusInternalServerError, code: "UnknownError", message: err.Error()}
}

// answer is the failure in Graph's shape.
func (f *failure) answer(requestID, clientRequestID string) answer {
	inner := object{
		"date":              time.Now().UTC().Format("2006-01-02T15:04:05"),
		"request-id":        requestID,
		"client-request-id": clientRequestID,
	}
	if f.inner != "" {
		inner["code"] = f.inner
	}
	body := object{"error": object{"code": f.code, "message": f.message, "innerError": inner}}
	if f.body != nil {
		body = f.body
	}
	return answer{status: f.status, header: f.header.Clone(), body: body}
}
