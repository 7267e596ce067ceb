package graphtest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// maxItems is the number of items that a batch may have.
const maxItems = 20

// BatchFault makes Graph answer batches wrongly, to see how a client copes. The items run all the same. Ids compare
// without case; an id that a batch does not have changes nothing. The zero value is an answer without fault.
type BatchFault struct {
	Omit   []string // ids of items that are left out of the answer
	Repeat []string // ids of items that are answered twice
	Add    []string // ids that no item has, answered with 200 and an empty object
	Broken bool     // the answer breaks off in the middle of its JSON
}

// BatchFault makes Graph answer every batch from now on with fault f, instead of the one before, until Heal. An item
// alone is throttled by Throttle with the prefix of its path; a whole batch is answered otherwise by Handle.
func (s *Server) BatchFault(f BatchFault) {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.batch = f
}

// batchItem is one request of a batch, as it is in the JSON.
type batchItem struct {
	ID        string            `json:"id"`
	Method    string            `json:"method"`
	URL       string            `json:"url"`
	Headers   map[string]string `json:"headers"`
	Body      json.RawMessage   `json:"body"`
	DependsOn []string          `json:"dependsOn"`

	content []byte // the body as bytes
}

// batchAnswer is the answer to one item.
type batchAnswer struct {
	ID      string            `json:"id"`
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    json.RawMessage   `json:"body,omitempty"`
}

// batch answers POST /$batch.
func (c *call) batch() (answer, error) {
	if c.inBatch {
		return answer{}, fail(http.StatusBadRequest, "BadRequest", "A batch request may not contain a batch request.")
	}
	items, err := readBatch(c.body)
	if err != nil {
		return answer{}, err
	}
	run := batchRun{outer: c, statuses: map[string]int{}, places: map[string]string{}}
	var answers []batchAnswer
	for _, item := range items {
		answers = append(answers, run.answer(item))
	}
	if !anyDepends(items) {
		// Graph answers in any order. This order breaks clients that rely on one.
		slices.Reverse(answers)
	}
	return answer{status: http.StatusOK, contentType: "application/json", raw: c.s.faults.writeBatch(answers)}, nil
}

// batchRun is a batch under way.
type batchRun struct {
	outer    *call
	statuses map[string]int    // of the items that were answered, by their ids in lower case
	places   map[string]string // where they were, or what they created: paths below the version, by the same ids
}

// answer runs an item, unless one that it depends on has failed.
func (b *batchRun) answer(item batchItem) batchAnswer {
	id := strings.ToLower(item.ID)
	for _, needed := range item.DependsOn {
		if b.statuses[strings.ToLower(needed)] >= 400 {
			b.statuses[id] = http.StatusFailedDependency
			return failedDependency(item.ID, needed)
		}
	}
	item.URL = b.refer(item.URL)
	w := b.run(item)
	b.statuses[id] = w.status
	b.places[id], _, _ = strings.Cut(item.URL, "?")
	if location := w.header.Get("Location"); w.status == http.StatusCreated && location != "" {
		b.places[id] = strings.TrimPrefix(location, b.outer.root())
	}
	return w.answer(item)
}

// run sends an item through Graph, with the token of the batch: the item's own is ignored.
func (b *batchRun) run(item batchItem) *itemWriter {
	target := itemTarget(b.outer.reading.Version, item.URL)
	path, query, _ := strings.Cut(target, "?")
	header := http.Header{}
	for name, value := range item.Headers {
		header.Set(name, value)
	}
	outer := b.outer.request
	r := (&http.Request{
		Method:        strings.ToUpper(item.Method),
		RequestURI:    escapeRaw(target),
		URL:           &url.URL{Path: decode(path), RawQuery: query},
		Header:        header,
		Body:          http.NoBody,
		ContentLength: int64(len(item.content)),
		Proto:         outer.Proto,
		RemoteAddr:    outer.RemoteAddr,
		Host:          outer.Host,
	}).WithContext(outer.Context())
	b.outer.s.log.item(r, target, item)
	r.Header.Set("Authorization", outer.Header.Get("Authorization"))
	r.Header.Del("Accept-Encoding")
	if r.Header.Get("client-request-id") == "" {
		r.Header.Set("client-request-id", outer.Header.Get("client-request-id"))
	}
	if len(item.content) > 0 {
		r.Body = io.NopCloser(bytes.NewReader(item.content))
	}
	w := &itemWriter{header: http.Header{}}
	b.outer.s.serveCall(w, r, true)
	return w
}

// itemTarget is the target that the URL of an item stands for. It is always taken as relative to the version of
// the batch.
func itemTarget(version, url string) string {
	return "/" + version + "/" + strings.TrimPrefix(url, "/")
}

// refer replaces a reference to an earlier item, "$1/manager" (OData JSON Format 4.01, 19), by the address of that
// item or of the object that it created. Whether Graph does so is not documented.
func (b *batchRun) refer(url string) string {
	rest, ok := strings.CutPrefix(strings.TrimPrefix(url, "/"), "$")
	if !ok {
		return url
	}
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	if place, ok := b.places[strings.ToLower(rest[:end])]; ok {
		return place + rest[end:]
	}
	return url
}

// escapeRaw escapes what cannot stand in a request target but may stand in an item's URL: spaces, control and non-ASCII
// characters.
func escapeRaw(target string) string {
	var out strings.Builder
	for i := range len(target) {
		if c := target[i]; c > ' ' && c < 0x7f {
			out.WriteByte(c)
		} else {
			out.WriteString("%" + string("0123456789ABCDEF"[c>>4]) + string("0123456789ABCDEF"[c&15]))
		}
	}
	return out.String()
}

func failedDependency(id, needed string) batchAnswer {
	body, _ := json.Marshal(object{"error": object{ // cannot fail: strings
		"code": "FailedDependency", "message": "Request '" + needed + "', which this one depends on, failed.",
	}})
	return batchAnswer{
		ID:      id,
		Status:  http.StatusFailedDependency,
		Headers: map[string]string{"Content-Type": errorType},
		Body:    body,
	}
}

// itemWriter takes the answer to an item.
type itemWriter struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *itemWriter) Header() http.Header { return w.header }

func (w *itemWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

func (w *itemWriter) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(p)
}

// answer is what was written, as it stands in the answer to a batch.
func (w *itemWriter) answer(item batchItem) batchAnswer {
	a := batchAnswer{ID: item.ID, Status: w.status, Headers: map[string]string{}}
	redirect := w.status >= 300 && w.status < 400
	for name, values := range w.header {
		switch name {
		case "Request-Id", "Client-Request-Id", "X-Ms-Ags-Diagnostic", "Strict-Transport-Security", "Vary":
			continue // these are on the batch's own answer
		}
		if redirect {
			name = strings.ToLower(name)
		}
		a.Headers[name] = strings.Join(values, ", ")
	}
	if !redirect {
		a.Body = itemBody(w.header.Get("Content-Type"), w.body.Bytes())
	}
	return a
}

// itemBody is a body as it stands in JSON: JSON as it is, text as a string, anything else as base64url (OData JSON
// Format 4.01, 19.1).
func itemBody(contentType string, body []byte) json.RawMessage {
	media, _, _ := mime.ParseMediaType(contentType)
	text := string(body)
	switch {
	case len(body) == 0:
		return json.RawMessage("null")
	case isJSON(media) && json.Valid(body):
		return bytes.Clone(body)
	case !strings.HasPrefix(media, "text/"):
		text = base64.URLEncoding.EncodeToString(body)
	}
	out, _ := json.Marshal(text) // cannot fail: a string
	return out
}

func isJSON(media string) bool {
	return media == "application/json" || strings.HasSuffix(media, "+json")
}

// writeBatch is the answer to a batch, with the fault that a test has set.
func (f *faults) writeBatch(answers []batchAnswer) []byte {
	f.mu.Lock()
	fault := f.batch
	f.mu.Unlock()
	responses := []batchAnswer{}
	for _, a := range answers {
		if !containsID(fault.Omit, a.ID) {
			responses = append(responses, a)
		}
		if containsID(fault.Repeat, a.ID) {
			responses = append(responses, a)
		}
	}
	for _, id := range fault.Add {
		responses = append(responses, batchAnswer{ID: id, Status: http.StatusOK, Body: json.RawMessage("{}")})
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(struct {
		Responses []batchAnswer `json:"responses"`
	}{responses}) // cannot fail: bodies are valid JSON
	if fault.Broken {
		buf.Truncate(buf.Len() / 2)
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
}

func containsID(ids []string, id string) bool {
	for _, other := range ids {
		if strings.EqualFold(other, id) {
			return true
		}
	}
	return false
}
