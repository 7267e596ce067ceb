package proxy

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// maxJudgedBody bounds a body that is read to be judged, as it is after inflation. Graph takes requests of up to 4 MB.
const maxJudgedBody = 4 << 20

var errTooLong = errors.New("the body is longer than it may be")

// maxSmallBody is the length up to which a body is held, so that it can be sent again when nothing was done with it.
const maxSmallBody = 64 << 10

// smallBody reads a body whose length is known and small; nil for any other, which is left to stream.
func smallBody(r *http.Request, in *requestBody) ([]byte, error) {
	if r.ContentLength <= 0 || r.ContentLength > maxSmallBody {
		return nil, nil
	}
	data := make([]byte, r.ContentLength)
	if _, err := io.ReadFull(in, data); err != nil {
		return nil, unread(r, err)
	}
	return data, nil
}

// judgedBody reads a body that is to be judged, whole. gzip is inflated, within the bound: Kiota for Go compresses what it
// sends.
func judgedBody(r *http.Request, in *requestBody, held *holding) ([]byte, error) {
	if r.ContentLength > maxJudgedBody {
		return nil, bodyTooLarge()
	}
	encoding := strings.ToLower(strings.TrimSpace(r.Header.Get("Content-Encoding")))
	data, err := inflate(in, encoding, maxJudgedBody, held)
	var full *Error
	switch {
	case err == nil:
		return data, nil
	case errors.As(err, &full):
		return nil, full
	case errors.Is(err, errTooLong):
		return nil, bodyTooLarge()
	case errors.Is(err, errors.ErrUnsupported):
		return nil, &Error{Status: http.StatusUnsupportedMediaType, Code: codeInvalid, Inner: "unsupportedEncoding", Message: fmt.Sprintf("the body is encoded as %.40q; send it as it is, or with Content-Encoding: gzip", encoding)}
	}
	return nil, unread(r, err)
}

func bodyTooLarge() *Error {
	return &Error{Status: http.StatusRequestEntityTooLarge, Code: codeInvalid, Inner: "bodyTooLarge", Message: fmt.Sprintf("a body that must be judged may have %d MiB, also after inflation; send it in parts", maxJudgedBody>>20)}
}

// inflate reads a body whole. The error is errTooLong for one that is longer than most, and errors.ErrUnsupported for an
// encoding other than none and gzip. What is read is noted in held; nil notes nothing.
func inflate(from io.Reader, encoding string, most int64, held *holding) ([]byte, error) {
	switch encoding {
	case "", "identity":
	case "gzip", "x-gzip":
		z, err := gzip.NewReader(from)
		if err != nil {
			return nil, err
		}
		from = z
	default:
		return nil, errors.ErrUnsupported
	}
	if held != nil {
		from = heldReader{from, held}
	}
	data, err := io.ReadAll(io.LimitReader(from, most+1))
	if err == nil && int64(len(data)) > most {
		return nil, errTooLong
	}
	return data, err
}
