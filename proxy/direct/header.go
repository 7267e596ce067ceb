package direct

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// maxInformational is how many answers of status 1xx may come before the one that counts.
const maxInformational = 10

var (
	errHeaderTooLong = errors.New("the header of the server's answer is too long")
	errInformational = fmt.Errorf("the server gave more than %d answers of status 1xx", maxInformational)
)

// readHeader reads the header of the answer that counts. It reports whether anything came.
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

// peekHeader returns the header of an answer, up to and with the empty line at its end, without reading it.
func (s *scratch) peekHeader(from io.Reader, most int) ([]byte, error) {
	seen := 0 // there is no end before
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

// grow takes a buffer that holds most bytes in the place of one that is full.
func (s *scratch) grow(from io.Reader, most int) {
	b, _ := s.in.Peek(s.in.Buffered())
	s.in = bufio.NewReaderSize(io.MultiReader(bytes.NewReader(bytes.Clone(b)), from), most+1)
	_, _ = s.in.Peek(len(b)) // from memory
}

// headerEnd returns the length of a header, or -1 if its end is not in b. Nothing before the line that at is in can be
// the end. It takes the ends of lines that net/textproto takes.
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

// checkHeader refuses a header whose framing readers disagree about (RFC 9112 section 6.3). It reports whether there is
// a Transfer-Encoding.
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

// checkVersion refuses what net/http reads and this package does not: another version of HTTP, and chunks in a version
// that has none.
func checkVersion(res *http.Response, encoded bool) error {
	if res.ProtoMajor != 1 || encoded && res.ProtoMinor < 1 {
		return fmt.Errorf("the answer is in %.20q; its framing is not that of HTTP/1.1", res.Proto)
	}
	return nil
}
