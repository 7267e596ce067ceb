package proxy

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"strings"

	"graphproxy/proxy/batch"
	"graphproxy/proxy/links"
)

// answered reads Graph's answer and puts ours among it. An answer to the batch as a whole, such as 429, passes as it is.
func (run *itemRun) answered(res *http.Response, x *exchange) error {
	text, err := readAnswer(res, &x.held)
	if err != nil {
		return err
	}
	if res.StatusCode == http.StatusOK {
		replies, err := run.batch.Replies(text)
		if err != nil {
			return badAnswer(err)
		}
		if text, err = run.merge(replies, nil, x); err != nil {
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
func (run *itemRun) merge(replies []batch.Reply, passed map[int]batch.Answer, x *exchange) ([]byte, error) {
	ours := make(map[int]batch.Answer)
	for i := range replies {
		r := &run.records[i]
		whole, isWhole := passed[i]
		switch e := run.errs[i]; {
		case e != nil:
			ours[i] = e.answer(x.rec)
		case isWhole:
			ours[i], r.Status, r.GraphStatus = whole, whole.Status, whole.Status
		case replies[i].Status == http.StatusUnauthorized:
			run.refused = replies[i].Header()
			e := tokenRejected()
			r.Status, r.GraphStatus, r.Reason = e.Status, http.StatusUnauthorized, e.Inner
			replies[i], ours[i] = batch.Reply{}, e.answer(x.rec)
		case replies[i].Status == 0:
			r.Status, r.Reason = http.StatusGatewayTimeout, "graphTimeout"
		default:
			r.Status, r.GraphStatus = replies[i].Status, replies[i].Status
		}
		r.BytesOut = int64(max(len(ours[i].Body), len(replies[i].Raw)))
	}
	return run.batch.Merge(replies, ours, batch.Edit{Hide: hidden, Body: func(i int, body []byte) []byte {
		if x.links == nil || !isReference(run.batch.Items[i].Target) {
			return body
		}
		return x.links.Append(nil, body, links.Options{References: true})
	}})
}

// answer is the error as the answer to an item.
func (e *Error) answer(rec *Record) batch.Answer {
	header := map[string]string{"Content-Type": "application/json", "Proxy-Status": proxyStatus(e)}
	if e.RetryAfter > 0 {
		header["Retry-After"] = strconv.Itoa(wholeSeconds(e.RetryAfter))
	}
	return batch.Answer{Status: e.Status, Header: header, Body: e.body(rec)}
}

// answer answers a batch that is not answered by passing on what Graph said of the whole: nothing of it was sent, or it
// went in groups, of which these are the answers.
func (run *itemRun) answer(x *exchange, g *groupAnswers) error {
	if g == nil {
		g = newGroupAnswers(run)
	}
	text, err := run.merge(g.replies, g.passed, x)
	if err != nil {
		return badAnswer(err)
	}
	text = run.rewrite(text, x)
	h := x.out.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(text)))
	h.Set("Request-Id", x.rec.RequestID)
	h.Set("Client-Request-Id", x.rec.ClientRequestID)
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
		run.slots[i].Release()
		rec.Batch, rec.RequestID, rec.Millis, rec.GraphMillis = whole.RequestID, whole.RequestID, whole.Millis, whole.GraphMillis
		if rec.Status == 0 { // the batch failed, or was answered, as a whole
			rec.Status, rec.GraphStatus, rec.Reason = whole.Status, whole.GraphStatus, whole.Reason
		}
		h.metrics.items.WithLabelValues(rec.Caller, rec.Decision, strconv.Itoa(rec.Status)).Inc()
		h.audit.write(rec)
		h.tell(rec)
	}
}
