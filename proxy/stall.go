package proxy

import (
	"context"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"graphproxy/proxy/direct"
)

// idle is how long Graph may do nothing while graphproxy waits for it: send no byte of an answer's body, or read
// none of a request's. The time that a caller takes does not count.
const idle = 100 * time.Second

// graphStalled is the answer when Graph does nothing for that long. It is also the error of reading a body that
// stalls.
func graphStalled() *Error {
	return &Error{
		Status: http.StatusGatewayTimeout,
		Code:   codeUnavailable,
		Inner:  "graphStalled",
		Message: "Microsoft Graph stopped in the middle of the request or of its answer; what was sent may have been " +
			"carried out",
	}
}

// watch ends a wait for Graph that is too long. It sets no timer for a read: one timer for a body checks how long
// the body has waited. A watch is used for one body, and is safe for concurrent use.
type watch struct {
	alarms  *sync.Pool
	alarm   *alarm
	began   time.Time
	since   atomic.Int64 // when the wait for Graph began, as time since began; waitsNot: nothing waits
	stalled atomic.Bool
	waiting waiting
}

// waiting is a body that waits for Graph. A watch calls halt once at most.
type waiting interface{ halt() }

// waitsNot is the time of a watch while nothing waits for Graph.
const waitsNot = -1

// start starts the checks, until end.
func (w *watch) start(alarms *sync.Pool, waiting waiting) {
	w.alarms, w.began, w.waiting = alarms, time.Now(), waiting
	w.since.Store(waitsNot)
	w.alarm = alarms.Get().(*alarm)
	w.alarm.of.Store(w)
	w.alarm.timer.Reset(idle)
}

func (w *watch) wait()     { w.since.Store(int64(time.Since(w.began))) }
func (w *watch) waitEnds() { w.since.Store(waitsNot) }

// end ends the watch. It may be called once.
func (w *watch) end() {
	w.alarm.of.Store(nil)
	if w.alarm.timer.Stop() { // otherwise it is running now, and ends by itself
		w.alarms.Put(w.alarm)
	}
}

// look ends a wait that is too long, or returns the time until the next check.
func (w *watch) look() time.Duration {
	since := w.since.Load()
	if since == waitsNot {
		return idle
	}
	if waited := time.Since(w.began) - time.Duration(since); waited < idle {
		return idle - waited
	}
	w.stalled.Store(true)
	w.waiting.halt()
	return 0
}

// alarm is a timer that watches use one after the other.
type alarm struct {
	timer *time.Timer
	of    atomic.Pointer[watch]
}

func newAlarms() *sync.Pool {
	return &sync.Pool{New: func() any {
		a := new(alarm)
		a.timer = time.AfterFunc(time.Hour, a.ring)
		a.timer.Stop()
		return a
	}}
}

func (a *alarm) ring() {
	w := a.of.Load()
	if w == nil {
		return
	}
	if again := w.look(); again > 0 {
		a.timer.Reset(again)
	}
}

// answerBody is the body of Graph's answer. A Read without a byte for too long fails with graphStalled. The body
// that it watches must end a Read when it is closed, as those of net/http do. The time of the wait is Graph's.
type answerBody struct {
	watch
	from   io.ReadCloser
	x      *exchange
	upload *upload // of the request; nil: it had none to watch
	closed atomic.Bool
}

func (b *answerBody) Read(p []byte) (int, error) {
	defer since(&b.x.spent.graph, time.Now())
	b.wait()
	n, err := b.from.Read(p)
	b.waitEnds()
	if err != nil && b.stalled.Load() {
		b.x.stalled.Store(true)
		return n, graphStalled()
	}
	return n, err
}

// OnPause implements direct.Pauser, where the body is one.
func (b *answerBody) OnPause(f func()) {
	if body, ok := b.from.(direct.Pauser); ok {
		body.OnPause(f)
	}
}

// pauses reports whether OnPause has an effect.
func (b *answerBody) pauses() bool {
	_, ok := b.from.(direct.Pauser)
	return ok
}

func (b *answerBody) halt() { _ = b.from.Close() }

func (b *answerBody) Close() error {
	if b.closed.Swap(true) {
		return nil
	}
	b.end()
	err := b.from.Close()
	b.upload.release()
	return err
}

// upload is a request whose body Graph may stop reading.
type upload struct {
	watch
	cancel context.CancelCauseFunc // to be called when the answer has been read
}

// release frees the resources of the request's context. A nil upload has none.
func (u *upload) release() {
	if u != nil {
		u.cancel(nil)
	}
}

func (u *upload) halt() { u.cancel(graphStalled()) }

// uploadBody is the body of an upload. Between two reads Graph takes the bytes of the first one.
type uploadBody struct {
	*upload
	from io.ReadCloser
}

func (b *uploadBody) Read(p []byte) (int, error) {
	b.waitEnds()
	n, err := b.from.Read(p)
	b.wait()
	return n, err
}

func (b *uploadBody) Close() error { return b.from.Close() }

// unwatched is the length of a body that is sent without a watch: it fits into the buffers of a connection, even if
// Graph reads nothing.
const unwatched = 16 << 10

// watchUpload watches the body of r, and returns the request to send in its place. The upload is nil if no body is
// watched; otherwise it must be ended, and its cancel called.
func watchUpload(r *http.Request, alarms *sync.Pool) (*http.Request, *upload) {
	if !hasBody(r) || isSafe(r) || 0 <= r.ContentLength && r.ContentLength <= unwatched {
		return r, nil
	}
	ctx, cancel := context.WithCancelCause(r.Context())
	out, u := r.WithContext(ctx), &upload{cancel: cancel}
	u.start(alarms, u)
	out.Body = &uploadBody{u, r.Body}
	if again := r.GetBody; again != nil {
		out.GetBody = func() (io.ReadCloser, error) {
			body, err := again()
			return &uploadBody{u, body}, err
		}
	}
	return out, u
}

// watchAnswer watches the body of Graph's answer.
func (x *exchange) watchAnswer(res *http.Response, alarms *sync.Pool, u *upload) {
	if res.Body == http.NoBody {
		u.release()
		return
	}
	b := &x.graphBody
	if b.from != nil { // of a batch that is sent in several requests
		b = new(answerBody)
	}
	b.from, b.x, b.upload = res.Body, x, u
	b.start(alarms, b)
	res.Body = b
}
