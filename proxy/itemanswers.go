package proxy

import (
	"io"
	"net/http"
	"strconv"
	"time"

	"graphproxy/proxy/batch"
)

// answered puts our answers among those of Graph's, as they come. An answer to the batch as a whole, such as 429, passes as it is.
func (run *itemRun) answered(f *forwarding, res *http.Response) error {
	if err := f.h.zip.plain(res); err != nil {
		return badAnswer(err)
	}
	if res.StatusCode != http.StatusOK {
		run.seenWhole(f.h, run.groups[0], res)
		return f.rewriteAnswer(res)
	}
	s := newAnswerStream(f.h, f.x)
	graph, replies := res.Body, run.batch.Replies(res.Body, run.groups[0].items, f.x.held.adjust)
	s.next = func() error { return s.takeFrom(f, replies) }
	s.close = func() { replies.Close(); _ = graph.Close() }
	body, length, err := s.open()
	if err != nil {
		_ = s.Close()
		return err
	}
	res.Body = withClose{body, s}
	delete(res.Header, "Content-Length")
	if length >= 0 {
		res.ContentLength = length
		res.Header["Content-Length"] = []string{strconv.FormatInt(length, 10)}
	}
	return nil
}

// withClose is a reader with what closes it.
type withClose struct {
	io.Reader
	io.Closer
}

// seenWhole takes in what an answer to a whole group says of Graph's limits: that it is throttled is about each of its items, any other
// answer about none of them.
func (run *itemRun) seenWhole(h *Handler, g group, res *http.Response) {
	if res.StatusCode != http.StatusTooManyRequests && res.StatusCode != http.StatusServiceUnavailable && res.StatusCode != 509 {
		return
	}
	for _, i := range g.items {
		h.throttle.Seen(time.Now(), run.leaves[i].scope, run.leaves[i].probe, res.StatusCode, res.Header)
	}
}

func badAnswer(err error) *Error {
	return &Error{Status: http.StatusBadGateway, Code: codeUnavailable, Inner: "badAnswer", Message: "Microsoft Graph's answer to the batch could not be read; what was sent may have been carried out", Err: err}
}

// answer is the error as the answer to an item.
func (e *Error) answer(rec *Record) batch.Answer {
	header := map[string]string{"Content-Type": "application/json", "Proxy-Status": proxyStatus(e)}
	if e.RetryAfter > 0 {
		header["Retry-After"] = strconv.Itoa(wholeSeconds(e.RetryAfter))
	}
	if e.quota != nil {
		e.quota.header(e.RetryAfter, func(name, value string) { header[name] = value })
	}
	return batch.Answer{Status: e.Status, Header: header, Body: e.body(rec)}
}

// write answers a batch that is not answered by passing on what Graph said of the whole: nothing of it was sent, or it went in
// groups.
func (s *answerStream) write() error {
	body, length, err := s.open()
	if err != nil {
		return err
	}
	header := s.x.out.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Cache-Control", "no-store")
	if length >= 0 {
		header.Set("Content-Length", strconv.FormatInt(length, 10))
	}
	header.Set("Request-Id", s.x.rec.RequestID)
	header.Set("Client-Request-Id", s.x.rec.ClientRequestID)
	buffer := s.h.buffers.Get()
	defer s.h.buffers.Put(buffer)
	if _, err := io.CopyBuffer(struct{ io.Writer }{s.x.out}, body, buffer); err != nil {
		s.x.rec.Reason, s.x.abort = s.x.cutOff(), true
	}
	return nil
}

// end gives the slots back and records the items, each as the batch ended for it. A nil run has none.
func (run *itemRun) end(h *Handler, whole *Record) {
	if run == nil {
		return
	}
	for i := range run.records {
		rec := &run.records[i]
		run.leaves[i].end()
		rec.Batch, rec.RequestID, rec.Millis, rec.GraphMillis = whole.RequestID, whole.RequestID, whole.Millis, whole.GraphMillis
		if rec.Status == 0 { // the batch failed, or was answered, as a whole
			rec.Status, rec.GraphStatus, rec.Reason = whole.Status, whole.GraphStatus, whole.Reason
		}
		h.metrics.items.WithLabelValues(rec.Caller, rec.Decision, strconv.Itoa(rec.Status)).Inc()
		rec.bound()
		h.audit.write(rec)
		h.tell(rec)
	}
}
