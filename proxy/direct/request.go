package direct

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"strconv"
	"sync"

	"golang.org/x/net/http/httpguts"
)

// scratch is the memory of a request under way: its text and the read buffer. Idle connections have none.
type scratch struct {
	out []byte
	in  *bufio.Reader
}

// readSize is the length of the read buffer: that of a TLS record.
const readSize = 16 << 10

var scratches = sync.Pool{New: func() any {
	return &scratch{out: make([]byte, 0, 4<<10), in: bufio.NewReaderSize(nil, readSize)}
}}

func newScratch() *scratch { return scratches.Get().(*scratch) }

// release gives the memory back. Nothing may refer to it any more.
func (s *scratch) release() {
	if s.in.Size() == readSize { // not one that was made for a long header
		s.in.Reset(nil)
		scratches.Put(s)
	}
}

// setRequest writes a request to s.out: its header and its body.
func (s *scratch) setRequest(r *http.Request) error {
	if err := check(r); err != nil {
		return err
	}
	s.out = appendHeader(s.out[:0], r)
	if !hasBody(r) {
		return nil
	}
	return s.addBody(r)
}

// check returns why a request cannot be written without ambiguity.
func check(r *http.Request) error {
	if !isToken(r.Method) {
		return fmt.Errorf("the method %.40q is not a token", r.Method)
	}
	if !isPlainHost(hostOf(r)) {
		return fmt.Errorf("the host %.80q is not the name of a host", hostOf(r))
	}
	for name, values := range r.Header {
		if !isToken(name) {
			return fmt.Errorf("%.40q is not the name of a header", name)
		}
		for _, value := range values {
			if !httpguts.ValidHeaderFieldValue(value) {
				return fmt.Errorf("the value of the header %s holds a control character", name) // the value may be secret
			}
		}
	}
	return nil
}

func hostOf(r *http.Request) string {
	if r.Host != "" {
		return r.Host
	}
	return r.URL.Host
}

// isToken reports whether s is a name in HTTP (RFC 9110 section 5.6.2). For net/http an empty method is GET.
func isToken(s string) bool { return httpguts.ValidHeaderFieldName(s) }

// appendHeader writes the request line and the header. This package writes the framing itself: no header of the
// request can add to it.
func appendHeader(b []byte, r *http.Request) []byte {
	b = append(b, r.Method...)
	b = append(b, ' ')
	b = append(b, r.URL.RequestURI()...)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, hostOf(r)...)
	b = append(b, '\r', '\n')
	for name, values := range r.Header {
		if isFraming(name) || name == "User-Agent" && len(values) > 0 && values[0] == "" {
			continue
		}
		for _, value := range values {
			b = append(b, name...)
			b = append(b, ':', ' ')
			b = append(b, textproto.TrimString(value)...)
			b = append(b, '\r', '\n')
		}
	}
	if r.Close {
		b = append(b, "Connection: close\r\n"...)
	}
	if hasBody(r) || r.Method == http.MethodPost || r.Method == http.MethodPut || r.Method == http.MethodPatch {
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, r.ContentLength, 10)
		b = append(b, '\r', '\n')
	}
	return append(b, '\r', '\n')
}

// isFraming reports whether appendHeader writes a header itself. Letter case is ignored.
func isFraming(name string) bool {
	switch len(name) {
	case len("Host"):
		return equalFold(name, "host")
	case len("Trailer"):
		return equalFold(name, "trailer")
	case len("Connection"): // and Keep-Alive
		return equalFold(name, "connection") || equalFold(name, "keep-alive")
	case len("Content-Length"):
		return equalFold(name, "content-length")
	case len("Transfer-Encoding"):
		return equalFold(name, "transfer-encoding")
	}
	return false
}

// addBody appends the body, which must have its announced length.
func (s *scratch) addBody(r *http.Request) error {
	at := len(s.out)
	s.out = append(s.out, make([]byte, r.ContentLength)...)
	if _, err := io.ReadFull(r.Body, s.out[at:]); err != nil {
		return fmt.Errorf("the body is shorter than its length: %w", err)
	}
	var more [1]byte
	if n, _ := r.Body.Read(more[:]); n > 0 {
		return errors.New("the body is longer than its length")
	}
	return nil
}

// equalFold reports whether s equals lower, which has small ASCII letters only, ignoring letter case.
func equalFold[T string | []byte](s T, lower string) bool {
	if len(s) != len(lower) {
		return false
	}
	for i := range len(lower) {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

func isAlphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}
