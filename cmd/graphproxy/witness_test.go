package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
)

// witness records every answer that a client gets, header and body.
type witness struct {
	next http.RoundTripper
	text lines
}

// RoundTrip implements http.RoundTripper.
func (w *witness) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := w.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(res.Body)
	if err := res.Body.Close(); err != nil {
		return nil, err
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	fmt.Fprintf(&w.text, "%s %v %v\n%s\n", res.Status, res.Header, res.Trailer, body)
	return res, err
}
