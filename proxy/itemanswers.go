package proxy

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"graphproxy/proxy/batch"
	"graphproxy/proxy/links"
)

// answered reads Graph's answer and puts ours among it. An answer to the batch as a whole, such as 429, passes as it is.
func (run *itemRun) answered(h *Handler, res *http.Response, x *exchange) error {
	text, err := readAnswer(res, &x.held)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		run.seenWhole(h, run.groups[0], res)
	} else {
		replies, err := run.batch.Replies(text)
		if err != nil {
			return badAnswer(err)
		}
		if text, err = run.merge(h, x, replies, nil); err != nil {
			return badAnswer(err)
		}
	}
	text = run.rewrite(text, x)
	delete(res.Header, "Content-Encoding")
	res.Header["Content-Length"] = []string{strconv.Itoa(len(text))}
	res.ContentLength = int64(len(text))
	res.Body = io.NopCloser(bytes.NewReader(text))
	return nil
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

// readAnswer reads Graph's answer to a batch whole.
func readAnswer(res *http.Response, held *holding) ([]byte, error) {
	text, err := inflate(res.Body, strings.ToLower(res.Header.Get("Content-Encoding")), maxBatchAnswer, nil)
	held.force(int64(len(text)))
	_ = res.Body.Close()
	if err != nil {
		return nil, badAnswer(err)
	}
	return text, nil
}

func badAnswer(err error) error {
	return &Error{Status: http.StatusBadGateway, Code: codeUnavailable, Inner: "badAnswer", Message: "Microsoft Graph's answer to the batch could not be read; what was sent may have been carried out", Err: err}
}

// rewrite makes the links in the answers lead to the proxy.
func (run *itemRun) rewrite(text []byte, x *exchange) []byte {
	if x.links == nil {
		return text
	}
	return x.links.Append(make([]byte, 0, len(text)+256), text, links.Options{Batch: true, Version: run.version})
}

// merge puts all answers together and notes them in the records: those of Graph in replies, those that Graph gave to
// a whole group in passed, and ours.
func (run *itemRun) merge(h *Handler, x *exchange, replies []batch.Reply, passed map[int]batch.Answer) ([]byte, error) {
	ours := make(map[int]batch.Answer)
	for i := range replies {
		if whole, isWhole := passed[i]; isWhole {
			ours[i] = whole
			run.records[i].Status, run.records[i].GraphStatus = whole.Status, whole.Status
		} else if e := run.outcome(h, i, &replies[i]); e != nil {
			ours[i] = e.answer(x.rec)
		}
		run.records[i].BytesOut = int64(max(len(ours[i].Body), len(replies[i].Raw)))
	}
	return run.batch.Merge(replies, ours, batch.Edit{Hide: hidden, Body: func(i int, body []byte) []byte {
		if x.links == nil || !isReference(run.batch.Items[i].Target) {
			return body
		}
		return x.links.Append(nil, body, links.Options{References: true})
	}})
}

// outcome notes what became of an item. It returns our answer if there is one, which takes the place of Graph's.
func (run *itemRun) outcome(h *Handler, i int, reply *batch.Reply) *Error {
	rec := &run.records[i]
	switch e := run.errs[i]; {
	case e != nil:
		return e
	case reply.Status == 0:
		rec.Status, rec.Reason = http.StatusGatewayTimeout, "graphTimeout"
		return nil // Merge says so in its place
	}
	header := reply.Header()
	h.seen(&run.leaves[i], reply.Status, header)
	rec.Status, rec.GraphStatus = reply.Status, reply.Status
	if reply.Status != http.StatusUnauthorized {
		return nil
	}
	run.refused = header
	*reply = batch.Reply{}
	e := tokenRejected()
	rec.Status, rec.Reason = e.Status, e.Inner
	return e
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

// answer answers a batch that is not answered by passing on what Graph said of the whole: nothing of it was sent, or it
// went in groups, of which these are the answers.
func (run *itemRun) answer(h *Handler, x *exchange, g *groupAnswers) error {
	if g == nil {
		g = newGroupAnswers(run)
	}
	text, err := run.merge(h, x, g.replies, g.passed)
	if err != nil {
		return badAnswer(err)
	}
	text = run.rewrite(text, x)
	header := x.out.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Cache-Control", "no-store")
	header.Set("Content-Length", strconv.Itoa(len(text)))
	header.Set("Request-Id", x.rec.RequestID)
	header.Set("Client-Request-Id", x.rec.ClientRequestID)
	_, _ = x.out.Write(text)
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
