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

// Fault is a failure on demand. What it says happens in this order: the request is read and counted; Latency passes;
// then the first of Hang, Reset, Body, AADSTS and Status that is set happens. If none is, the request is answered as
// ever, only later.
type Fault struct {
	Latency    time.Duration // before anything else happens
	Hang       bool          // hold the request until the client goes away, Heal (then answer it as ever) or Close
	Reset      bool          // cut the TCP connection with RST
	Body       string        // answer this text as it is, be it HTML or broken JSON; with Status, or 200
	AADSTS     int           // answer this error in Entra's shape; with Status, or the one that Entra gives it
	Status     int           // alone: an answer from in front of Entra, without an AADSTS code
	RetryAfter string        // the header Retry-After of Body, AADSTS and Status, as it is; alone: with Status 429
	Times      int           // how many requests it hits; 0: all until Heal
	Discovery  bool          // it hits requests for an openid-configuration, not those for a token
}

// Fail makes requests for a token (or with Discovery, for an openid-configuration) fail. Requests to the managed
// identity endpoint are requests for a token. Faults of a kind hit in the order added, each as often as its Times says;
// a new one takes the place of one that would never end.
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

// Heal ends all faults. Requests that Hang holds are answered now.
func (s *Server) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokenFaults, s.discoveryFaults = nil, nil
	close(s.healed)
	s.healed = make(chan struct{})
}

// hit takes the fault that hits a request now; nil: none. It is called with mu held.
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

// fail does what f says, and reports whether that was all there is to do with the request. Refuse answers an AADSTS
// error. healed is the channel that was Heal's when the fault was taken.
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

// status is the HTTP status of f, apart from that of an AADSTS error; 0: it has none.
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

// hold keeps the request. It reports false when it was healed and is to be answered.
func (s *Server) hold(w http.ResponseWriter, r *http.Request, healed <-chan struct{}) bool {
	select {
	case <-healed:
		return false
	case <-r.Context().Done():
	case <-s.closing:
		reset(w) // or the return would be an empty answer of status 200
	}
	return true
}

// reset cuts the connection with RST: lingering for no time makes the kernel send it instead of FIN.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	if t, ok := conn.(*tls.Conn); ok {
		conn = t.NetConn() // closing the TLS connection itself would say goodbye first
	}
	if t, ok := conn.(*net.TCPConn); ok {
		_ = t.SetLinger(0)
	}
	_ = conn.Close()
}

// raw answers a text as it is, as JSON if it begins like it.
func raw(w http.ResponseWriter, status int, body string) {
	kind := "text/html; charset=utf-8"
	if strings.HasPrefix(body, "{") || strings.HasPrefix(body, "[") {
		kind = "application/json; charset=utf-8"
	}
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}
