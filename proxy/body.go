package proxy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"graphproxy/policy/graph/odata"
	"graphproxy/proxy/links"
)

// maxJudgedBody bounds a body that is read to be judged, after inflation. Graph takes requests of up to 4 MB.
const maxJudgedBody = 4 << 20

var errTooLong = errors.New("the body is longer than it may be")

// maxSmallBody is the length up to which a body is kept, so that it can be sent again if Graph did nothing with it.
const maxSmallBody = 64 << 10

// sentBody is the body of a request as it goes to Graph. The zero value is not read yet.
type sentBody struct {
	text []byte // nil: the caller's body is sent as it comes, and only once
	read bool   // text is final: readBody has nothing left to do
	// text is not compressed, though the caller's may be, and its addresses are Graph's
	plain bool
}

// replayable reports whether the body can be sent again.
func (b sentBody) replayable() bool { return b.text != nil }

// open returns a new reader of the body. The body must be replayable.
func (b sentBody) open() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.text)), nil }

// readBody reads the caller's body if it is sent from memory: JSON, with the proxy's addresses replaced by Graph's,
// or a small body. Any other body is streamed. If its references are judged, it must be JSON, with any
// Content-Type. readBody reads once; further calls do nothing.
func (x *exchange) readBody(t *odata.Target, judged bool) error {
	r := x.request
	if x.body.read {
		return nil
	}
	if !hasBody(r) || !judged && !x.mapsBody(t) {
		text, err := smallBody(r, x.in, &x.held)
		x.body = sentBody{text: text, read: true}
		return err
	}
	if x.links == nil {
		return badRequest("badHost", "the Host of this request is no host's name, so addresses in its body cannot be read; "+
			"send the one that graphproxy is known by")
	}
	text, err := judgedBody(r, x.in, &x.held)
	if err != nil {
		return err
	}
	text, err = mapBody(text, x.links)
	x.body = sentBody{text: text, read: true, plain: true}
	return err
}

// mapsBody reports whether the caller's whole body is read, because addresses in it may be the proxy's.
func (x *exchange) mapsBody(t *odata.Target) bool {
	return x.links != nil && hasBody(x.request) && !isMedia(t) && isJSON(x.request.Header.Get("Content-Type"))
}

// mapBody replaces the proxy's addresses in a body by Graph's.
func mapBody(text []byte, l *links.Rewriter) ([]byte, error) {
	body, err := l.BackBody(text)
	if err != nil {
		return nil, badRequest("badJSON", "%s", err.Error())
	}
	return body, nil
}

// smallBody reads a body whose length is known and small. It returns nil for any other body, which is streamed, and
// so is a body that exceeds the caller's share of memory.
func smallBody(r *http.Request, in *requestBody, held *holding) ([]byte, error) {
	if r.ContentLength <= 0 || r.ContentLength > maxSmallBody || !held.add(r.ContentLength) {
		return nil, nil
	}
	data := make([]byte, r.ContentLength)
	if _, err := io.ReadFull(in, data); err != nil {
		return nil, unread(r, err)
	}
	return data, nil
}

// judgedBody reads a whole body that must be judged. It inflates gzip, within the bound, because Kiota for Go
// compresses requests.
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
	case errors.Is(err, errInflates):
		return nil, tooLarge(fmt.Sprintf("the body inflates to more than %d times its length and %d KiB; "+
			"send it without Content-Encoding", maxInflation, freeInflation>>10))
	case errors.Is(err, errors.ErrUnsupported):
		return nil, &Error{
			Status:  http.StatusUnsupportedMediaType,
			Code:    codeInvalid,
			Inner:   "unsupportedEncoding",
			Message: fmt.Sprintf("the body is encoded as %.40q; send it as it is, or with Content-Encoding: gzip", encoding),
		}
	}
	return nil, unread(r, err)
}

func bodyTooLarge() *Error {
	return tooLarge(fmt.Sprintf("a body that must be judged may have %d MiB, also after inflation; send it in parts",
		maxJudgedBody>>20))
}

func tooLarge(message string) *Error {
	return &Error{
		Status:  http.StatusRequestEntityTooLarge,
		Code:    codeInvalid,
		Inner:   "bodyTooLarge",
		Message: message,
	}
}

// unread is the answer to a caller whose body could not be read, unless the caller left.
func unread(r *http.Request, err error) error {
	if r.Context().Err() != nil && !isSlow(err) { // a read that fails ends the context, too
		return errCallerGone
	}
	return malformedBody(err)
}

// isSlow reports whether a body could not be read because it came too slowly.
func isSlow(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }

// malformedBody is the answer to a caller whose body broke off, came too slowly or did not fit its framing. Graph
// is not at fault.
func malformedBody(err error) error {
	if isSlow(err) {
		return &Error{
			Status:  http.StatusRequestTimeout,
			Code:    codeInvalid,
			Inner:   "bodyTooSlow",
			Message: "the request's body came too slowly, less than 16 KiB in a minute",
		}
	}
	e := badRequest("malformedBody", "the request's body could not be read to its end: "+
		"it is shorter than announced or its chunks are malformed")
	e.Err = err
	return e
}

// checkBody refuses a body where HTTP gives it no meaning (RFC 9110 section 9.3.1), because Graph might read
// content that was not judged.
func checkBody(r *http.Request, in io.Reader) error {
	isRead := r.Method == http.MethodGet || r.Method == http.MethodHead
	if !hasBody(r) || !isRead && r.ContentLength != 0 { // HTTP/2 may give a length of 0 and end the body in a later frame
		return nil
	}
	var one [1]byte
	switch _, err := io.ReadFull(in, one[:]); {
	case err == nil:
		return badRequest("unexpectedBody", "a %s request has no body in Microsoft Graph; send it without one", r.Method)
	case !errors.Is(err, io.EOF):
		return malformedBody(err)
	}
	r.Body = http.NoBody
	r.ContentLength = 0
	return nil
}
