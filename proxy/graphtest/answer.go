package graphtest

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
)

const (
	jsonType  = "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8"
	errorType = "application/json"
	// tiny is the size up to which an answer has a Content-Length. Graph sends larger ones chunked.
	tiny = 64
)

// answer is the result of a handler. It is written only after the tenant's lock has been released, so raw must not
// be shared.
type answer struct {
	status      int
	header      http.Header // further headers; may be nil
	body        object      // JSON; nil for none
	escape      bool        // write & in the body as \u0026
	raw         []byte      // a body that is not JSON, or the body once it is marshalled
	contentType string      // of raw
}

func (a *answer) set(name, value string) {
	if a.header == nil {
		a.header = http.Header{}
	}
	a.header.Set(name, value)
}

// marshal turns body into raw. It must be called under the tenant's lock, since body may share the tenant's objects.
func (a *answer) marshal() {
	if a.body == nil {
		return
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(a.escape)
	enc.Encode(a.body) // cannot fail: strings, numbers, booleans, lists and objects
	a.raw, a.body = bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
	if a.contentType == "" {
		a.contentType = jsonType
		if a.status >= 400 {
			a.contentType = errorType
		}
	}
}

// write sends the answer as Graph does: chunked unless it is tiny, compressed for those who accept it.
func (a *answer) write(w http.ResponseWriter, r *http.Request) {
	a.marshal()
	h := w.Header()
	for name, values := range a.header {
		h[name] = values
	}
	if a.status < 400 {
		h.Set("OData-Version", "4.0")
	}
	if len(a.raw) == 0 {
		w.WriteHeader(a.status)
		return
	}
	h.Set("Content-Type", a.contentType)
	h.Set("Vary", "Accept-Encoding")
	body := a.raw
	if len(body) > tiny && acceptsGzip(r.Header) && strings.HasPrefix(a.contentType, "application/json") {
		h.Set("Content-Encoding", "gzip")
		body = compress(body)
	}
	w.WriteHeader(a.status)
	if len(a.raw) > tiny {
		http.NewResponseController(w).Flush()
	}
	w.Write(body)
}

func acceptsGzip(h http.Header) bool {
	for item := range strings.SplitSeq(strings.Join(h.Values("Accept-Encoding"), ","), ",") {
		name, q, _ := strings.Cut(strings.TrimSpace(item), ";")
		if strings.EqualFold(name, "gzip") && strings.TrimSpace(q) != "q=0" {
			return true
		}
	}
	return false
}

func compress(data []byte) []byte {
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	z.Write(data)
	z.Close()
	return buf.Bytes()
}

func encodeClaims(claims string) string { return base64.StdEncoding.EncodeToString([]byte(claims)) }

// setCommon sets the headers that every answer of Graph has.
func setCommon(h http.Header, requestID, clientRequestID string) {
	h.Set("request-id", requestID)
	h.Set("client-request-id", clientRequestID)
	h.Set("x-ms-ags-diagnostic",
		`{"ServerInfo":{"DataCenter":"West Europe","Slice":"E","Ring":"5","ScaleUnit":"001",`+
			`"RoleInstance":"AM4PEPF00012345"}}`)
	h.Set("Strict-Transport-Security", "max-age=31536000")
	h.Set("Cache-Control", "no-cache")
}

// ok is an answer of a JSON object.
func ok(body object) answer { return answer{status: http.StatusOK, body: body} }

func empty(status int) answer { return answer{status: status} }

// list returns a JSON value that is never null.
func list[T any](values []T) []T { return append([]T{}, values...) }
