package graphtest

import (
	"io"
	"net/http"
	"slices"
	"sync"
	"time"
)

// maxRecorded bounds the part of a body that is kept.
const maxRecorded = 1 << 20

// Request is one request as it arrived, in the raw form of net/http, or one item of a batch.
//
// An item that ran follows its batch, in the order of the batch. Its Method is in capitals, as Graph acts on it;
// its Target is the item's URL as written, after the version of the batch ("/v1.0/users?$filter=city eq null"); its
// Header is the item's own, without the batch's, and its Body is the item's body as bytes.
type Request struct {
	Method           string
	Target           string // the request target as on the wire: RequestURI
	Path             string // the path as net/http decodes it, once
	RawQuery         string
	Header           http.Header // with "Host", which net/http keeps apart
	Body             []byte      // the first MiB of what was read of the body
	Size             int64       // bytes read of the body
	ContentLength    int64       // as announced; -1 if unknown
	TransferEncoding []string
	Trailer          http.Header // complete when the body was read to its end
	Proto            string
	Time             time.Time // of arrival
	RemoteAddr       string
	Item             string // the id of an item of a batch, as it is spelled there; "" for what arrived by itself
}

// Reading is Graph's reading of the request's target. See Read.
func (r Request) Reading() (Reading, error) { return Read(r.Target) }

// journal keeps the requests that arrived, and counts those under way.
type journal struct {
	mu       sync.Mutex
	idle     sync.Cond // waited on with mu
	inFlight int
	received []*Request
}

func (j *journal) open(r *http.Request) *Request {
	header := r.Header.Clone()
	header.Set("Host", r.Host)
	rec := &Request{
		Method:           r.Method,
		Target:           r.RequestURI,
		Path:             r.URL.Path,
		RawQuery:         r.URL.RawQuery,
		Header:           header,
		ContentLength:    r.ContentLength,
		TransferEncoding: slices.Clone(r.TransferEncoding),
		Proto:            r.Proto,
		Time:             time.Now(),
		RemoteAddr:       r.RemoteAddr,
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.idle.L = &j.mu
	j.inFlight++
	j.received = append(j.received, rec)
	return rec
}

// item records an item of a batch as it runs.
func (j *journal) item(r *http.Request, target string, item batchItem) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.received = append(j.received, &Request{
		Method:        r.Method,
		Target:        target,
		Path:          r.URL.Path,
		RawQuery:      r.URL.RawQuery,
		Header:        r.Header.Clone(),
		Body:          item.content[:min(len(item.content), maxRecorded)],
		Size:          r.ContentLength,
		ContentLength: r.ContentLength,
		Proto:         r.Proto,
		Time:          time.Now(),
		RemoteAddr:    r.RemoteAddr,
		Item:          item.ID,
	})
}

func (j *journal) close(rec *Request, r *http.Request) {
	j.mu.Lock()
	defer j.mu.Unlock()
	rec.Trailer = r.Trailer.Clone()
	j.inFlight--
	j.idle.Broadcast()
}

func (j *journal) waitIdle() {
	j.mu.Lock()
	defer j.mu.Unlock()
	for j.inFlight > 0 {
		j.idle.Wait()
	}
}

func (j *journal) requests() []Request {
	j.mu.Lock()
	defer j.mu.Unlock()
	out := make([]Request, len(j.received))
	for i, r := range j.received {
		out[i] = *r
		out[i].Header, out[i].Trailer = r.Header.Clone(), r.Trailer.Clone()
		out[i].Body, out[i].TransferEncoding = slices.Clone(r.Body), slices.Clone(r.TransferEncoding)
	}
	return out
}

func (j *journal) count() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	n := 0
	for _, r := range j.received {
		if r.Item == "" {
			n++
		}
	}
	return n
}

// tokens counts the items with a token.
func (j *journal) tokens() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	n := 0
	for _, r := range j.received {
		if r.Item != "" && r.Header["Authorization"] != nil {
			n++
		}
	}
	return n
}

func (j *journal) reset() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.received = nil
}

// body is a request's body that is recorded while it is read.
type body struct {
	io.ReadCloser
	j   *journal
	rec *Request
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.j.mu.Lock()
	defer b.j.mu.Unlock()
	b.rec.Size += int64(n)
	if left := maxRecorded - len(b.rec.Body); left > 0 {
		b.rec.Body = append(b.rec.Body, p[:min(n, left)]...)
	}
	return n, err
}
