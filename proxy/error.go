package proxy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"graphproxy/auth/caller"
	"graphproxy/policy/graph/odata"
)

// Error is a refusal or failure of a request. Message goes to the caller; Err goes to the log only. Every handler
// of this package returns an Error, and only render writes it.
type Error struct {
	Status  int    // HTTP status
	Code    string // error.code, as Graph has them: invalidRequest, unauthenticated, accessDenied, …
	Inner   string // error.innerError.code: the exact reason, e.g. policyDenied
	Message string // for the caller: what, where, and the cure
	Err     error  // for the operator's log; never for the caller

	RetryAfter time.Duration // rounded up to whole seconds in Retry-After; 0 sends none
	quota      *quota        // of the bucket that refused
	allow      string        // the methods for Allow (RFC 9110 section 15.5.6), with the status 405
}

// Error returns the text for the operator's log.
func (e *Error) Error() string {
	if e.Err == nil {
		return e.Inner + ": " + e.Message
	}
	return e.Inner + ": " + e.Message + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// The values of error.code, one for each status that the proxy answers by itself. They are Graph's, so that an SDK
// handles them: https://learn.microsoft.com/graph/errors.
const (
	codeInvalid     = "invalidRequest"
	codeUnknown     = "unauthenticated"
	codeDenied      = "accessDenied"
	codeLimited     = "activityLimitReached"
	codeDependency  = "failedDependency"
	codeUnavailable = "serviceNotAvailable"
	codeGeneral     = "generalException"
)

// errCallerGone marks a request whose caller left before it was answered. Nothing is written for it.
var errCallerGone = errors.New("the caller closed the connection")

func badRequest(inner, format string, args ...any) *Error {
	return &Error{
		Status:  http.StatusBadRequest,
		Code:    codeInvalid,
		Inner:   inner,
		Message: fmt.Sprintf(format, args...),
	}
}

// unauthenticated is the answer to a caller without valid evidence.
func unauthenticated(err error) *Error {
	e := &Error{
		Status:  http.StatusUnauthorized,
		Code:    codeUnknown,
		Inner:   "callerUnknown",
		Message: "no caller of the policy matches this request",
		Err:     err,
	}
	var known *caller.Error
	if errors.As(err, &known) {
		e.Inner, e.Message, e.Err = known.Code, known.Message, known.Err
	}
	return e
}

// reconnect reports whether the caller should connect anew, because the connection's certificate is no longer
// valid.
func reconnect(err error) bool {
	var known *caller.Error
	return errors.As(err, &known) && known.Reconnect
}

// unreadable is the answer to a target that is ambiguous or invalid.
func unreadable(err error) *Error {
	e := &Error{
		Status:  http.StatusBadRequest,
		Code:    codeInvalid,
		Inner:   "ambiguousTarget",
		Message: "the request's target cannot be read",
		Err:     err,
	}
	var known *odata.Error
	if errors.As(err, &known) {
		e.Inner, e.Message, e.Err = known.Code, known.Message, nil
	}
	return e
}

// asError returns every error as an *Error. An error of another type is a fault of the proxy itself, and the caller
// does not see its text.
func asError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{
		Status:  http.StatusInternalServerError,
		Code:    codeGeneral,
		Inner:   "internalError",
		Message: "graphproxy met an error of its own; its log has the cause under this request-id",
		Err:     err,
	}
}

// errorShape is Graph's error shape (https://learn.microsoft.com/graph/errors).
type errorShape struct {
	Error struct {
		Code       string `json:"code"`
		Message    string `json:"message"`
		InnerError struct {
			Code            string `json:"code"`
			Date            string `json:"date"`
			RequestID       string `json:"request-id"`
			ClientRequestID string `json:"client-request-id"`
		} `json:"innerError"`
	} `json:"error"`
}

// maxErrorBody is above the length of every refusal. A refusal must not be longer than the request that caused it
// by much.
const maxErrorBody = 1500

// body is the error in Graph's shape, in less than maxErrorBody bytes. The message quotes the sender in places, so
// its hidden characters are escaped, and long text is cut off.
func (e *Error) body(rec *Record) []byte {
	message := odata.Visible(e.Message)
	text := e.shape(rec, message)
	if len(text) < maxErrorBody {
		return text
	}
	most := maxErrorBody - 1 - len(e.shape(rec, ""))
	for _, most := range [...]int{most, most / len(`\u003c`)} { // json.Marshal writes <, > and & with six bytes
		message, _ = cut(message, max(most, len(cutMark)))
		if text = e.shape(rec, message); len(text) < maxErrorBody {
			break
		}
	}
	return text
}

// shape is the error with that message.
func (e *Error) shape(rec *Record, message string) []byte {
	var b errorShape
	b.Error.Code, b.Error.Message = e.Code, message
	inner := &b.Error.InnerError
	inner.Code, inner.Date = e.Inner, rec.Time.UTC().Format("2006-01-02T15:04:05")
	inner.RequestID, inner.ClientRequestID = rec.RequestID, rec.ClientRequestID
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	// a browser does not read the answer as HTML, and "&" in six bytes makes it long
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(b); err != nil { // strings only: cannot happen
		return []byte("{}")
	}
	return bytes.TrimSuffix(text.Bytes(), []byte("\n"))
}

// render answers a caller with an error. Only render does; an item of a batch is answered in the batch's answer.
func render(w http.ResponseWriter, e *Error, rec *Record) {
	text := e.body(rec)
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(text)))
	h.Set("Request-Id", rec.RequestID)
	h.Set("Client-Request-Id", rec.ClientRequestID)
	h.Set("Proxy-Status", proxyStatus(e))
	if e.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="graphproxy"`)
	}
	if e.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(wholeSeconds(e.RetryAfter)))
	}
	if e.quota != nil {
		e.quota.header(e.RetryAfter, h.Set)
	}
	if e.allow != "" {
		h.Set("Allow", e.allow)
	}
	w.WriteHeader(e.Status)
	_, _ = w.Write(text)
}

// wholeSeconds rounds up: a caller that comes back a moment too early would be refused again.
func wholeSeconds(d time.Duration) int { return int(math.Ceil(d.Seconds())) }

// proxyStatus names the proxy as the origin of an answer, with the matching error type of RFC 9209 section 2.3.
// Graph's own errors never have this field, so a caller can see which of the two answered.
func proxyStatus(e *Error) string {
	return `graphproxy; error=` + proxyErrorType(e) + `; details="` + e.Inner + `"`
}

func proxyErrorType(e *Error) string {
	switch e.Inner {
	case "graphUnreachable":
		return "destination_unavailable"
	case "graphTimeout":
		return "http_response_timeout"
	case "tokenUnavailable", "tokenRejected":
		return "proxy_configuration_error"
	case "overloaded":
		return "connection_limit_reached"
	case "internalError":
		return "proxy_internal_error"
	}
	switch e.Status {
	case http.StatusBadRequest, http.StatusMethodNotAllowed, http.StatusRequestEntityTooLarge:
		return "http_request_error"
	}
	return "http_request_denied"
}
