package entratest

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// Fault is a failure on demand. It happens in this order: the request is read and counted; Latency passes; then
// the first of Hang, Reset, Body, AADSTS and Status that is set happens. If none is, the request is answered
// normally, only later.
type Fault struct {
	Latency    time.Duration // before anything else happens
	Hang       bool          // do not answer until the client goes away, Heal (then answer normally) or Close
	Reset      bool          // cut the TCP connection with RST
	Body       string        // answer this text unchanged, such as HTML or broken JSON; with Status, or 200
	AADSTS     int           // answer this error in Entra's shape; with Status, or the one that Entra gives it
	Status     int           // alone: an answer of a server in front of Entra, without an AADSTS code
	RetryAfter string        // the header Retry-After of Body, AADSTS and Status, unchanged; alone: with Status 429
	Times      int           // how many requests it affects; 0: all until Heal
	Discovery  bool          // it affects requests for an openid-configuration, not for a token
}

// Fail makes requests for a token (or with Discovery, for an openid-configuration) fail. Requests to the
// managed identity endpoint are requests for a token. Faults of one kind affect requests in the order added,
// each as often as its Times; a new fault replaces one without an end.
func (s *Server) Fail(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	queue := &s.tokenFaults
	if f.Discovery {
		queue = &s.discoveryFaults
	}
	if n := len(*queue); n > 0 && (*queue)[n-1].Times <= 0 {
		*queue = (*queue)[:n-1]
	}
	*queue = append(*queue, f)
}

// Heal ends all faults. Requests that Hang delays are answered now.
func (s *Server) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokenFaults, s.discoveryFaults = nil, nil
	close(s.healed)
	s.healed = make(chan struct{})
}

// hit removes and returns the fault that affects a request now, or nil. The caller has mu.
func hit(queue *[]Fault) *Fault {
	if len(*queue) == 0 {
		return nil
	}
	f := (*queue)[0]
	if f.Times == 1 {
		*queue = (*queue)[1:]
	} else if f.Times > 1 {
		(*queue)[0].Times--
	}
	return &f
}

// fail carries out f, and reports whether the request is finished. Refuse answers an AADSTS error. healed is
// the channel of Heal at the time when the fault was taken.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, f *Fault, healed <-chan struct{},
	refuse func(*refusal)) bool {
	if f == nil {
		return false
	}
	if f.Latency > 0 && !s.pause(r.Context(), f.Latency) {
		reset(w)
		return true
	}
	switch {
	case f.Hang:
		return s.hold(w, r, healed)
	case f.Reset:
		reset(w)
		return true
	}
	if f.RetryAfter != "" {
		w.Header().Set("Retry-After", f.RetryAfter)
	}
	switch status := f.status(); {
	case f.Body != "":
		raw(w, status, f.Body)
	case f.AADSTS != 0:
		refuse(refuseWith(f.AADSTS).withStatus(f.Status))
	case status != 0:
		raw(w, status, "<html><head><title>"+http.StatusText(status)+
			"</title></head><body>Our services aren't available right now</body></html>")
	default:
		return false
	}
	return true
}

// status returns the HTTP status of f, except for an AADSTS error; 0: it has none.
func (f *Fault) status() int {
	switch {
	case f.Status != 0:
		return f.Status
	case f.RetryAfter != "" && f.Body == "":
		return http.StatusTooManyRequests
	case f.Body != "":
		return http.StatusOK
	}
	return 0
}

// pause reports whether d has passed with the client still there and the server open.
func (s *Server) pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
	case <-s.closing:
	}
	return false
}

// hold delays the request. It reports false after Heal: the request must be answered.
func (s *Server) hold(w http.ResponseWriter, r *http.Request, healed <-chan struct{}) bool {
	select {
	case <-healed:
		return false
	case <-r.Context().Done():
	case <-s.closing:
		reset(w) // otherwise the return would be an empty answer of status 200
	}
	return true
}

// reset cuts the connection with RST: with a linger time of zero the kernel sends it instead of FIN.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	if t, ok := conn.(*tls.Conn); ok {
		conn = t.NetConn() // closing the TLS connection itself would send an alert first
	}
	if t, ok := conn.(*net.TCPConn); ok {
		_ = t.SetLinger(0)
	}
	_ = conn.Close()
}

// raw answers a text unchanged, as JSON if it begins like JSON.
func raw(w http.ResponseWriter, status int, body string) {
	kind := "text/html; charset=utf-8"
	if strings.HasPrefix(body, "{") || strings.HasPrefix(body, "[") {
		kind = "application/json; charset=utf-8"
	}
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}
