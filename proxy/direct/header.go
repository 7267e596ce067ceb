package direct

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// maxInformational is how many 1xx answers may come before the final one.
const maxInformational = 10

var (
	errHeaderTooLong = errors.New("the header of the server's answer is too long")
	errInformational = fmt.Errorf("the server gave more than %d answers of status 1xx", maxInformational)
)

// readHeader reads the header of the final answer. It reports whether any bytes came.
func (s *scratch) readHeader(from io.Reader, r *http.Request, most int) (res *http.Response, answered bool, err error) {
	for range maxInformational + 1 {
		head, err := s.peekHeader(from, most)
		var encoded bool
		if err == nil {
			encoded, err = checkHeader(head)
		}
		if err != nil {
			return nil, answered || s.in.Buffered() > 0, err
		}
		most -= len(head)
		answered = true
		res, err := http.ReadResponse(s.in, r)
		if err != nil {
			return nil, true, fmt.Errorf("reading the header of the server's answer: %w", err)
		}
		if res.StatusCode >= 200 || res.StatusCode == http.StatusSwitchingProtocols {
			return res, true, checkVersion(res, encoded)
		}
	}
	return nil, true, errInformational
}

// peekHeader returns the header of an answer, up to and including the empty line at its end, without reading it.
func (s *scratch) peekHeader(from io.Reader, most int) ([]byte, error) {
	seen := 0 // the end is not before this
	for {
		b, _ := s.in.Peek(s.in.Buffered())
		if n := headerEnd(b, seen); n >= 0 {
			if n > most {
				return nil, errHeaderTooLong
			}
			return b[:n], nil
		}
		switch seen = max(0, len(b)-2); {
		case len(b) >= most:
			return nil, errHeaderTooLong
		case len(b) == s.in.Size():
			s.grow(from, most)
		}
		if _, err := s.in.Peek(len(b) + 1); err != nil {
			if err == io.EOF { //nolint:errorlint // io.Reader's contract is the bare io.EOF
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
}

// grow replaces a full buffer by one of most bytes.
func (s *scratch) grow(from io.Reader, most int) {
	b, _ := s.in.Peek(s.in.Buffered())
	s.in = bufio.NewReaderSize(io.MultiReader(bytes.NewReader(bytes.Clone(b)), from), most+1)
	_, _ = s.in.Peek(len(b)) // from memory
}

// headerEnd returns the length of a header, or -1 if its end is not in b. The end is not before the line that
// contains at. It takes the same line ends as net/textproto.
func headerEnd(b []byte, at int) int {
	for {
		i := bytes.IndexByte(b[at:], '\n')
		if i < 0 {
			return -1
		}
		at += i + 1
		switch rest := b[at:]; {
		case len(rest) > 0 && rest[0] == '\n':
			return at + 1
		case len(rest) > 1 && rest[0] == '\r' && rest[1] == '\n':
			return at + 2
		}
	}
}

// checkHeader refuses a header whose framing readers read in different ways (RFC 9112 section 6.3). It reports
// whether there is a Transfer-Encoding.
func checkHeader(head []byte) (hasEncoding bool, err error) {
	hasLength := false
	_, lines, _ := bytes.Cut(head, []byte{'\n'})
	for len(lines) > 0 {
		var line []byte
		line, lines, _ = bytes.Cut(lines, []byte{'\n'})
		if bytes.IndexByte(bytes.TrimSuffix(line, []byte{'\r'}), '\r') >= 0 {
			return false, errors.New("a line of the answer's header holds a carriage return")
		}
		name, _, _ := bytes.Cut(line, []byte{':'})
		if n := len(name); n > 0 && n < len(line) && isBlank(name[n-1]) && !isBlank(name[0]) {
			return false, errors.New("the name of a header in the answer ends with a space")
		}
		hasLength = hasLength || equalFold(name, "content-length")
		hasEncoding = hasEncoding || equalFold(name, "transfer-encoding")
	}
	if hasLength && hasEncoding {
		return false, errors.New("the answer has both Content-Length and Transfer-Encoding")
	}
	return hasEncoding, nil
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

// checkVersion refuses answers that net/http reads and this package does not: another version of HTTP, and chunks
// in a version that does not have them.
func checkVersion(res *http.Response, encoded bool) error {
	if res.ProtoMajor != 1 || encoded && res.ProtoMinor < 1 {
		return fmt.Errorf("the answer is in %.20q; its framing is not that of HTTP/1.1", res.Proto)
	}
	return nil
}
