package proxy

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"

	"graphproxy/policy/graph/odata"
)

// checkMediaType refuses a body without a JSON type where Graph reads JSON. A page of another site can make a
// browser send any bytes as text/plain, as a form or without a type, but not as application/json: for that the
// browser asks the server first (https://fetch.spec.whatwg.org/#cors-safelisted-request-header).
func checkMediaType(r *http.Request, t *odata.Target, in *requestBody) error {
	contentType := r.Header.Get("Content-Type")
	if !hasBody(r) || isMedia(t) || isJSON(contentType) || takesMediaType(t, contentType) {
		return nil
	}
	if r.ContentLength < 0 && in.count() == 0 { // only reading shows whether there is a body
		var one [1]byte
		switch _, err := io.ReadFull(in, one[:]); {
		case errors.Is(err, io.EOF):
			r.Body, r.ContentLength = http.NoBody, 0
			return nil
		case err != nil:
			return unread(r, err)
		}
	}
	fault := fmt.Sprintf("says Content-Type: %.80q", contentType)
	if contentType == "" {
		fault = "does not say what it is"
	}
	return &Error{
		Status: http.StatusUnsupportedMediaType,
		Code:   codeInvalid,
		Inner:  "unsupportedMediaType",
		Message: "the body of this request is JSON in Microsoft Graph, and the request " + fault +
			"; send Content-Type: application/json",
	}
}

// takesMediaType reports whether a body may have a type other than JSON: if Graph documents the type for the
// target, or if a page must ask before it may send such a type. graphproxy answers no such preflight request.
func takesMediaType(t *odata.Target, contentType string) bool {
	mediaType, _, err := mime.ParseMediaType(contentType)
	if err != nil || len(t.Segments) == 0 {
		return false
	}
	last := t.Segments[len(t.Segments)-1].Base
	switch mediaType {
	case "text/plain":
		return takesMail(t, last)
	case "multipart/form-data":
		return last == "pages" && has(t, "onenote") // https://learn.microsoft.com/graph/onenote-create-page
	case "application/x-www-form-urlencoded":
		return false
	}
	return true
}

// takesMail reports whether a target takes mail as MIME
// (https://learn.microsoft.com/graph/outlook-send-mime-message).
func takesMail(t *odata.Target, last string) bool {
	switch last {
	case "sendmail", "reply", "replyall", "forward", "createreply", "createreplyall", "createforward":
		return true
	case "messages":
		return !has(t, "chats", "channels")
	}
	return false
}

// has reports whether one of the segments has one of these names.
func has(t *odata.Target, names ...string) bool {
	return slices.ContainsFunc(t.Segments, func(s odata.Segment) bool { return slices.Contains(names, s.Base) })
}

// isMedia reports whether bodies of the target are files, with any Content-Type: an attachment may be JSON and
// contain text that looks like a link.
func isMedia(t *odata.Target) bool {
	if len(t.Segments) == 0 {
		return false
	}
	switch t.Segments[len(t.Segments)-1].Base {
	case "$value", "content", "contentstream":
		return true
	}
	return false
}

// isJSON reports whether a Content-Type is one of JSON.
func isJSON(contentType string) bool {
	switch contentType { // as Graph writes it, nearly always
	case "application/json",
		"application/json; charset=utf-8",
		"application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8":
		return true
	}
	mediaType, _, err := mime.ParseMediaType(contentType)
	return err == nil && (mediaType == "application/json" || strings.HasSuffix(mediaType, "+json"))
}

// isReference reports whether the target is a $ref: references to other resources.
func isReference(t *odata.Target) bool {
	last := len(t.Segments) - 1
	return last >= 0 && t.Segments[last].Kind == odata.System && t.Segments[last].Fold == "$ref"
}
