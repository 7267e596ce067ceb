package console

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync/atomic"
	"time"
)

// The bounds of the event stream. Between two events of a stream, more records than an event holds are counted and left
// out, so that a watcher costs the same however many requests there are.
const (
	eventEvery   = time.Second
	eventRecords = 50              // the newest, in one event
	eventTimeout = 5 * time.Second // a browser that does not take an event in this time is dropped
	quietEvery   = 15 * time.Second
	mostWatchers = 64
)

// eventStream is the media type of server-sent events.
const eventStream = "text/event-stream; charset=utf-8"

// watchers counts the streams that are open.
type watchers struct{ open atomic.Int64 }

// enter reports whether there is place for another stream, which then must leave.
func (w *watchers) enter() bool {
	if w.open.Add(1) > mostWatchers {
		w.open.Add(-1)
		return false
	}
	return true
}

func (w *watchers) leave() { w.open.Add(-1) }

// serveEvents streams new records as server-sent events
// (https://html.spec.whatwg.org/multipage/server-sent-events.html). Each event has audit lines
// as they are: names and ids, no query values, no bodies.
func (c *Console) serveEvents(w http.ResponseWriter, r *http.Request) {
	f, err := filterOf(r.URL.Query())
	if err != nil {
		c.serveError(w, r, err)
		return
	}
	h := w.Header()
	if r.Method == http.MethodHead { // net/http leaves out what is written, so the stream would have no reader
		h.Set("Content-Type", eventStream)
		return
	}
	if !c.watchers.enter() {
		c.serveError(w, r, &answer{http.StatusServiceUnavailable, fmt.Sprintf("%d browsers are watching, and no more can. "+
			"Load the page again for the newest requests.", mostWatchers)})
		return
	}
	defer c.watchers.leave()
	s := stream{
		console: c,
		to:      w,
		control: http.NewResponseController(w),
		filter:  f,
		after:   c.begin(r),
		may:     func() bool { _, err := c.identify(r); return err == nil },
	}
	_ = s.control.SetReadDeadline(time.Time{}) // the server's is for reading requests
	h.Set("Content-Type", eventStream)
	h.Set("X-Accel-Buffering", "no")
	if s.write([]byte("retry: 3000\n\n")) == nil {
		s.run(r.Context())
	}
}

// begin returns the number of the last record that the browser has.
func (c *Console) begin(r *http.Request) uint64 {
	for _, text := range [...]string{r.Header.Get("Last-Event-ID"), r.URL.Query().Get("after")} {
		if n, err := strconv.ParseUint(text, 10, 64); err == nil {
			return n
		}
	}
	return c.records.Newest()
}

// stream is one browser that watches.
type stream struct {
	console *Console
	to      http.ResponseWriter
	control *http.ResponseController
	filter  filter
	after   uint64
	may     func() bool // the visitor may still look: the session lasts, and the policy in force accepts the evidence
}

// run sends events until ctx ends, the visitor may look no more, or the browser does not take them.
func (s *stream) run(ctx context.Context) {
	tick := time.NewTicker(eventEvery)
	defer tick.Stop()
	quiet := time.Duration(0)
	for s.may() {
		event := s.next()
		if quiet += eventEvery; event == nil && quiet >= quietEvery {
			event = []byte(": quiet\n\n") // a browser that is gone is noticed
		}
		if event != nil {
			if quiet = 0; s.write(event) != nil {
				return
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// next returns the next event, or nil if there is nothing new.
func (s *stream) next() []byte {
	newest := s.console.records.Newest()
	if newest < s.after { // the numbers are of a process before this one
		s.after = 0
	}
	if newest == s.after {
		return nil
	}
	all := s.console.collect(&s.filter, s.after, newest+1, eventRecords)
	s.after = newest
	if len(all.records) == 0 {
		return nil
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "id: %d\nevent: records\ndata: {\"more\":%t,\"records\":[", newest, all.more)
	for i, r := range slices.Backward(all.records) {
		b.Write(r.Line)
		if i > 0 {
			b.WriteByte(',')
		}
	}
	b.WriteString("]}\n\n")
	return b.Bytes()
}

// write sends bytes, within a time.
func (s *stream) write(event []byte) error {
	if err := s.control.SetWriteDeadline(time.Now().Add(eventTimeout)); err != nil {
		return err
	}
	if _, err := s.to.Write(event); err != nil {
		return err
	}
	return s.control.Flush()
}
