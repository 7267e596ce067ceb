package proxy

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// responseWriter counts the bytes for a caller and records whether an answer has begun. It passes no 1xx answer on,
// because its headers were not checked. It delays the header until some of the body has come, so that another
// answer can replace it when Graph stalls after its header.
type responseWriter struct {
	http.ResponseWriter
	status int
	begun  bool // the header has gone out
	bytes  int64
	close  bool // the answer has Connection: close
	held   bool // something was written since the last flush
	in     *requestBody
	pace   pace
	memory *holding  // of the request
	gather *gatherer // the connection; nil: it cannot gather what is written

	// mayGather reports that the answer comes at once, or is flushed when Graph pauses: what was gathered never waits
	// for Graph.
	mayGather bool

	sniff [1]string // the value of X-Content-Type-Options

	// mu serialises writes and flushes: net/http/httputil flushes an event stream from the goroutine of a timer, and
	// the goroutine of the request flushes when Graph pauses.
	mu      sync.Mutex
	blocked time.Duration // in writing
}

// prepare makes w a writer to to. It decides whether the connection may be used again. net/http hides a Content-Length
// that stood beside Transfer-Encoding: chunked and keeps the connection. A proxy in front of us may have used the
// Content-Length, and the rest of the connection would be read as the next request (RFC 9112 section 6.1).
func (w *responseWriter) prepare(to http.ResponseWriter, r *http.Request, in *requestBody, memory *holding) {
	w.ResponseWriter = to
	w.memory = memory
	if r.ProtoMajor == 1 { // HTTP/2 has its own frames
		w.gather, _ = r.Context().Value(gathererKey{}).(*gatherer)
	}
	w.close = r.ProtoMajor == 1 && len(r.TransferEncoding) > 0
	w.in = in
	w.pace.control = *http.NewResponseController(to)
}

func (w *responseWriter) started() bool { return w.begun }

func (w *responseWriter) WriteHeader(status int) {
	if status < 200 && status != http.StatusSwitchingProtocols {
		return
	}
	if !w.begun {
		w.status = status
	}
}

// begin sends the header.
func (w *responseWriter) begin() {
	w.begun = true
	w.sniff[0] = "nosniff" // a browser must not run a JSON answer or a file
	w.Header()["X-Content-Type-Options"] = w.sniff[:]
	if w.close {
		w.Header().Set("Connection", "close")
	}
	w.in.answered()
	if w.gather != nil && w.mayGather && !isEventStream(w.Header()["Content-Type"]) {
		w.gather.gather(w.memory)
	}
	w.ResponseWriter.WriteHeader(w.status)
}

func (w *responseWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if !w.begun {
		w.begin()
	}
	w.pace.writing(w.bytes)
	defer since(&w.blocked, time.Now())
	w.held = true
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	return n, err
}

// FlushError lets http.ResponseController flush. It does nothing before some of the body has come.
func (w *responseWriter) FlushError() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.flushLocked()
}

func (w *responseWriter) flushLocked() error {
	if !w.begun {
		return nil
	}
	w.held = false
	defer since(&w.blocked, time.Now())
	if w.gather == nil {
		return w.pace.control.Flush()
	}
	return w.gather.pass(w.pace.control.Flush)
}

// flush flushes if something was written since the last flush. An error shows in the next Write.
func (w *responseWriter) flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.held {
		_ = w.flushLocked()
	}
}

// end sends the header of an answer without a body.
func (w *responseWriter) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.status != 0 && !w.begun {
		w.begin()
	}
}

// send sends what was gathered of an answer. It is the last that is done for a request: a caller that has the whole
// answer may send the next request at once, and finds the place of this one free. An error shows when net/http goes on
// with the connection.
func (w *responseWriter) send() {
	if w.gather == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.gather.waits() {
		_ = w.flushLocked()
	}
	_ = w.gather.end()
}

// cutOff flushes the part of an answer that net/http has buffered, before the answer is cut off. A short answer
// would otherwise be lost with its status.
func (w *responseWriter) cutOff() {
	w.end()
	_ = w.FlushError() // the caller may have left
}

// reset takes back an answer that has not begun.
func (w *responseWriter) reset() {
	for name := range w.Header() {
		if name != "Connection" {
			delete(w.Header(), name)
		}
	}
	w.status = 0
}

// Unwrap lets http.ResponseController set deadlines.
func (w *responseWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// requestBody is a caller's body while it is sent to Graph. It counts, and remembers when reading it failed: the
// transport reports that as its own failure, but the caller is at fault. Safe for one reader and any number of
// goroutines that call its other methods.
type requestBody struct {
	from io.ReadCloser
	pace pace // of reading
	n    atomic.Int64
	bad  atomic.Pointer[error]

	blocked time.Duration // in reading, before passOn
	passed  atomic.Bool   // passOn was called

	continues bool // the caller sends it only after 100 Continue, which the first Read asks for
}

// prepare makes b the body of r, which is answered by w.
func (b *requestBody) prepare(w http.ResponseWriter, r *http.Request) {
	b.from = r.Body
	b.continues = r.Header.Get("Expect") != ""
	b.pace.control = *http.NewResponseController(w)
	// a stream of HTTP/2 keeps no other request waiting
	b.pace.ended = r.Body == nil || r.Body == http.NoBody || r.ProtoMajor > 1
}

func (b *requestBody) Read(p []byte) (int, error) {
	b.pace.reading(b.n.Load())
	if !b.passed.Load() {
		defer since(&b.blocked, time.Now())
	}
	n, err := b.from.Read(p)
	b.n.Add(int64(n))
	if err == io.EOF { //nolint:errorlint // likewise
		b.pace.end()
	}
	if err != nil && err != io.EOF { //nolint:errorlint // io.Reader's contract is the bare io.EOF
		b.bad.CompareAndSwap(nil, &err)
	}
	return n, err
}

// passOn records that the transport reads the rest of the body: that time is Graph's.
func (b *requestBody) passOn() { b.passed.Store(true) }

func (b *requestBody) Close() error {
	b.pace.drop()
	return b.from.Close()
}

// maxUnwanted is how much of a body is read after it was refused for its length.
const maxUnwanted = 64 << 20

// discard reads on to the end of a body that was refused for its length, within bounds of bytes and of time. A
// caller that writes its whole request before it reads would otherwise find the connection broken, and never see
// the refusal. A caller that waits for 100 Continue has sent nothing, and one of HTTP/2 reads while it writes.
func (b *requestBody) discard() {
	if b.continues && b.count() == 0 || !b.pace.discard() {
		return
	}
	_, _ = io.CopyN(io.Discard, b, maxUnwanted)
}

// answered is called when the answer begins. The rest of the body is not used, but net/http waits for some of it.
func (b *requestBody) answered() { b.pace.drop() }

func (b *requestBody) count() int64 { return b.n.Load() }

// failure returns why the body could not be read, or nil.
func (b *requestBody) failure() error {
	if err := b.bad.Load(); err != nil && !errors.Is(*err, http.ErrBodyReadAfterClose) {
		return *err
	}
	return nil
}

// bufferPool reuses the copy buffers of the reverse proxy, which would otherwise be most of its garbage.
type bufferPool struct{ pool sync.Pool }

func newBufferPool() *bufferPool {
	return &bufferPool{sync.Pool{New: func() any { return new([pieceSize]byte) }}}
}

func (p *bufferPool) Get() []byte  { return p.pool.Get().(*[pieceSize]byte)[:] }
func (p *bufferPool) Put(b []byte) { p.pool.Put((*[pieceSize]byte)(b)) }
