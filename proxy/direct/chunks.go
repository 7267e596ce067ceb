package direct

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// chunks is a body with Transfer-Encoding: chunked (RFC 9112 section 7.1). net/http's reader of chunks waits until
// a chunk or the reader's buffer is full, and so delays data that came before a pause; this one returns what there
// is. Extensions and trailers are read and ignored.
type chunks struct {
	in   *bufio.Reader
	wire *wire

	left    uint64 // of the chunk
	state   chunkState
	excess  int64 // bytes around the data, above the usual number
	trailer int   // bytes after the last chunk
}

// chunkState is the part of the body that comes next.
type chunkState int

const (
	atSize chunkState = iota
	inData
	atDataEnd
	inTrailer
	atEnd
)

const (
	maxChunkLine = 4 << 10
	maxExcess    = 16 << 10 // as in net/http
)

var (
	errChunk     = errors.New("the answer's chunks are malformed")
	errChunkLine = errors.New("a line between the answer's chunks is too long")
	errExcess    = errors.New("the answer's chunks hold too much that is no data")
)

// Read returns what has come, and waits only if that is nothing.
func (c *chunks) Read(p []byte) (n int, err error) {
	waits := c.wire.waits
	defer func() { c.wire.waits = waits }()
	for err == nil && n < len(p) {
		if n > 0 {
			c.wire.waits = false
			if c.in.Buffered() == 0 && len(p)-n < minRoom {
				break
			}
		}
		var m int
		m, err = c.step(p[n:])
		n += m
	}
	switch {
	case n > 0 && errors.Is(err, errWouldWait):
		err = nil
	case err == io.EOF && c.state != atEnd: //nolint:errorlint // io.Reader's contract is the bare io.EOF
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// step does one step: it reads data, or the bytes around it. It can be called again after errWouldWait.
func (c *chunks) step(p []byte) (int, error) {
	switch c.state {
	case inData:
		return c.data(p)
	case atEnd:
		return 0, io.EOF
	}
	line, err := c.line()
	if err != nil {
		return 0, err
	}
	switch c.state {
	case atSize:
		return 0, c.size(line)
	case atDataEnd:
		if len(line) > 0 {
			return 0, errChunk
		}
		c.state = atSize
	case inTrailer:
		if len(line) == 0 {
			c.state = atEnd
			return 0, nil
		}
		name, value, ok := strings.Cut(string(line), ":")
		if !ok || !isToken(name) || !httpguts.ValidHeaderFieldValue(value) {
			return 0, errChunk
		}
		if c.trailer += len(line); c.trailer > maxExcess {
			return 0, errExcess
		}
	}
	return 0, nil
}

func (c *chunks) data(p []byte) (int, error) {
	if uint64(len(p)) > c.left {
		p = p[:c.left]
	}
	n, err := c.in.Read(p)
	c.left -= uint64(n)
	if c.left == 0 {
		c.state = atDataEnd
	}
	return n, err
}

// line reads a line without its end, which must be CRLF.
func (c *chunks) line() ([]byte, error) {
	for seen := 0; ; {
		b, _ := c.in.Peek(c.in.Buffered())
		if i := bytes.IndexByte(b[seen:], '\n'); i >= 0 {
			return c.take(b[:seen+i+1])
		}
		if seen = len(b); seen > maxChunkLine {
			return nil, errChunkLine
		}
		if _, err := c.in.Peek(seen + 1); err != nil {
			return nil, err
		}
	}
}

func (c *chunks) take(line []byte) ([]byte, error) {
	_, _ = c.in.Discard(len(line))
	text, ok := bytes.CutSuffix(line, []byte("\r\n"))
	if !ok || len(text) > maxChunkLine || bytes.IndexByte(text, '\r') >= 0 {
		return nil, errChunk
	}
	return text, nil
}

// size reads the line before a chunk: its size in hexadecimal digits, and extensions.
func (c *chunks) size(line []byte) error {
	digits, _, _ := bytes.Cut(line, []byte{';'})
	digits = bytes.TrimRight(digits, " \t")
	n, err := strconv.ParseUint(string(digits), 16, 64)
	if err != nil || len(digits) > 16 {
		return errChunk
	}
	c.left, c.state = n, inData
	if n == 0 {
		c.state = inTrailer
	}
	return c.count(len(line)+4, n)
}

// count bounds the bytes besides data that the server sends, as net/http does: some bytes for each chunk and twice
// the data are usual.
func (c *chunks) count(overhead int, data uint64) error {
	usual := int64(min(data, 1<<40)*2) + 16
	if c.excess = max(0, c.excess+int64(overhead)-usual); c.excess > maxExcess {
		return errExcess
	}
	return nil
}
