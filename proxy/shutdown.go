package proxy

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// ErrShutdown is the cause (context.Cause) with which the context of a request is cancelled when the process ends
// before the request does. If its answer has not begun, the request is answered 503. It is recorded as cut off by
// the shutdown.
var ErrShutdown = errors.New("the process is shutting down")

// shutDown reports whether the request is cut off because the process ends.
func (x *exchange) shutDown() bool { return errors.Is(context.Cause(x.request.Context()), ErrShutdown) }

// cutByShutdown is the answer to a request that was in flight for longer than the process waits at its end.
func cutByShutdown() *Error {
	return &Error{
		Status:     http.StatusServiceUnavailable,
		Code:       codeUnavailable,
		Inner:      "shutdown",
		Message:    "graphproxy is shutting down, and the request took too long; it may have been carried out",
		RetryAfter: time.Second,
	}
}

// checkAudit refuses a request that could not be recorded, if the operator has set that.
func (h *Handler) checkAudit() error {
	if h.unaudited == nil {
		return nil
	}
	if err := h.unaudited(); err != nil {
		return &Error{
			Status:     http.StatusServiceUnavailable,
			Code:       codeUnavailable,
			Inner:      "auditUnavailable",
			Message:    "graphproxy cannot write its audit log now, and serves no request without it; try again",
			RetryAfter: time.Second,
		}
	}
	return nil
}
