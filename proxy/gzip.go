package proxy

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// zipper changes bodies that are compressed by gzip. It reuses the compressors, which are large.
type zipper struct{ readers, writers sync.Pool }

// rewrite returns a body whose plain text is changed by change, compressed again if it was compressed. A body in an
// encoding other than gzip, which was not requested, is returned unchanged.
func (z *zipper) rewrite(
	body io.ReadCloser, h http.Header, change func(plain io.ReadCloser) io.ReadCloser,
) (io.ReadCloser, error) {
	switch strings.ToLower(h.Get("Content-Encoding")) {
	case "":
		return change(body), nil
	case "gzip":
		return &zipped{z: z, from: change(&unzipped{z: z, from: body})}, nil
	}
	return body, nil
}

// plain replaces the body of an answer by its plain text. The error is errors.ErrUnsupported for an encoding other
// than gzip.
func (z *zipper) plain(res *http.Response) error {
	switch strings.ToLower(res.Header.Get("Content-Encoding")) {
	case "", "identity":
	case "gzip", "x-gzip":
		res.Body = &unzipped{z: z, from: res.Body}
		delete(res.Header, "Content-Length")
	default:
		return errors.ErrUnsupported
	}
	delete(res.Header, "Content-Encoding")
	return nil
}

// unzipped is the plain text of a body. It reads nothing before its first Read.
type unzipped struct {
	z    *zipper
	from io.ReadCloser
	gz   *gzip.Reader
}

func (u *unzipped) Read(p []byte) (int, error) {
	if u.gz == nil {
		gz, err := u.z.reader(u.from)
		if err != nil {
			return 0, err
		}
		u.gz = gz
	}
	return u.gz.Read(p)
}

func (u *unzipped) Close() error {
	if u.gz != nil {
		u.z.readers.Put(u.gz)
		u.gz = nil
	}
	return u.from.Close()
}

func (z *zipper) reader(from io.Reader) (*gzip.Reader, error) {
	gz, ok := z.readers.Get().(*gzip.Reader)
	if !ok {
		return gzip.NewReader(from)
	}
	return gz, gz.Reset(from)
}

// zipped is a compressed body. The result of one Read of the plain text can be read at once: a body that comes
// slowly is not delayed until there is enough of it to compress well.
type zipped struct {
	z     *zipper
	from  io.ReadCloser
	gz    *gzip.Writer
	plain []byte
	out   bytes.Buffer
	err   error
}

func (c *zipped) Read(p []byte) (int, error) {
	if c.gz == nil && c.err == nil {
		c.gz, c.plain = c.z.writer(&c.out), make([]byte, 32<<10)
	}
	for c.out.Len() == 0 && c.err == nil {
		c.fill()
	}
	if c.out.Len() > 0 {
		return c.out.Read(p)
	}
	return 0, c.err
}

func (c *zipped) fill() {
	n, err := c.from.Read(c.plain)
	if n > 0 {
		_, _ = c.gz.Write(c.plain[:n]) // into memory
		if n < len(c.plain) {
			_ = c.gz.Flush()
		}
	}
	switch {
	case errors.Is(err, io.EOF):
		_ = c.gz.Close()
		c.err = io.EOF
	case err != nil:
		c.err = err // without the end of the gzip text: a part must not look like the whole
	}
}

func (c *zipped) Close() error {
	if c.gz != nil {
		c.z.writers.Put(c.gz)
		c.gz, c.err = nil, io.ErrClosedPipe
	}
	return c.from.Close()
}

func (z *zipper) writer(to io.Writer) *gzip.Writer {
	gz, ok := z.writers.Get().(*gzip.Writer)
	if !ok {
		gz, _ = gzip.NewWriterLevel(to, gzip.BestSpeed) // the level is valid
		return gz
	}
	gz.Reset(to)
	return gz
}

// acceptsGzip reports whether an Accept-Encoding takes gzip (RFC 9110 section 12.5.3).
func acceptsGzip(values []string) bool {
	for _, value := range values {
		for item := range strings.SplitSeq(value, ",") {
			coding, weight, _ := strings.Cut(item, ";")
			if strings.EqualFold(strings.TrimSpace(coding), "gzip") {
				return weight == "" || strings.Trim(weight, "qQ=0. ") != ""
			}
		}
	}
	return false
}
