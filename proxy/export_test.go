package proxy

import "net/http"

// NewResponseWriter is what answers are written to.
func NewResponseWriter(w http.ResponseWriter, r *http.Request) http.ResponseWriter {
	return newResponseWriter(w, r, newRequestBody(w, r))
}

// InFlight is how many requests are in the handler.
func (h *Handler) InFlight() int { return int(h.inFlight.Load()) }
