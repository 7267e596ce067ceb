package graphtest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
)

// probe is the answer of one of the resources that only tests have, /v1.0/test/…, or nil. They stream, so they do
// without the tenant and its lock.
func (c *call) probe() func(*call, http.ResponseWriter, *http.Request) error {
	segments := c.reading.Segments
	if len(segments) < 2 || segments[0].Name() != "test" {
		return nil
	}
	switch segments[1].Name() {
	case "echo":
		return (*call).echo
	case "stream":
		return (*call).stream
	case "stall":
		return (*call).stall
	case "status":
		return (*call).status
	}
	return nil
}

// echo answers what arrived: method, headers, and of the body its length and SHA-256.
func (c *call) echo(w http.ResponseWriter, r *http.Request) error {
	sum := sha256.New()
	n, err := io.Copy(sum, r.Body)
	if err != nil {
		return fail(http.StatusBadRequest, "BadRequest", "The request body could not be read.")
	}
	w.Header().Set("Content-Type", jsonType)
	return json.NewEncoder(w).Encode(object{
		"method":  r.Method,
		"headers": r.Header,
		"length":  n,
		"sha256":  hex.EncodeToString(sum.Sum(nil)),
	})
}

// stream answers bytes=N bytes, in flushed pieces of chunk=N (32 kB).
func (c *call) stream(w http.ResponseWriter, r *http.Request) error {
	left, err := strconv.Atoi(c.reading.Options["bytes"])
	if err != nil || left < 0 {
		return badRequest("bytes is not a number.")
	}
	size, err := strconv.Atoi(c.reading.Options["chunk"])
	if err != nil || size < 1 {
		size = 32 << 10
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	piece := make([]byte, size)
	for i := range piece {
		piece[i] = byte(i)
	}
	for ; left > 0; left -= size {
		if _, err := w.Write(piece[:min(size, left)]); err != nil || r.Context().Err() != nil {
			c.s.faults.cancelled.Add(1)
			return nil
		}
		_ = http.NewResponseController(w).Flush()
	}
	return nil
}

// stall sends a header and the first bytes, and then nothing until the caller leaves.
func (c *call) stall(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Content-Type", "text/plain")
	_, _ = io.WriteString(w, "stalling")
	_ = http.NewResponseController(w).Flush()
	<-r.Context().Done()
	c.s.faults.cancelled.Add(1)
	return nil
}

// status answers with the status in its path, in Graph's shape.
func (c *call) status(_ http.ResponseWriter, _ *http.Request) error {
	segments := c.reading.Segments
	code, err := strconv.Atoi(segments[len(segments)-1].Text)
	if err != nil || code < 400 || code > 599 {
		return badRequest("The status is not between 400 and 599.")
	}
	return fail(code, "UnknownError", "A status on demand.")
}
