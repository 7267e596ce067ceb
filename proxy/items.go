package proxy

import (
	"bytes"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"

	"graphproxy/policy"
	"graphproxy/policy/limit"
	"graphproxy/proxy/batch"
	"graphproxy/proxy/links"
)

// itemRun is a $batch on its way: what was decided of each of its items, and what became of them.
type itemRun struct {
	batch   *batch.Batch
	version string // of the batch, and so of its items
	records []Record
	errs    []*Error // why an item is not sent; nil for those that are
	granted []bool   // the policy allowed it and there was room
	slots   []limit.Grant
	body    []byte      // what goes to Graph; nil if nothing is left to send
	refused http.Header // of Graph's answer to an item for which the token did not do; nil if there was none
}

// serveBatch takes the items of a batch through one by one, sends those that may go in one batch, and answers the others in
// their places. The batch itself needs no rule and takes no room.
func (h *Handler) serveBatch(x *exchange, r *http.Request, request policy.Request) error {
	if err := x.judgeEnvelope(r, request); err != nil {
		return err
	}
	text, err := judgedBody(r, x.in)
	if err != nil {
		return err
	}
	b, err := batch.Read(text, batch.Options{Version: request.Target.Version, Hosts: []string{"https://" + r.Host, "http://" + r.Host, h.public}, Header: h.headers.mayBeInItem})
	if err != nil {
		return badBatch(err)
	}
	x.rec.Decision = decisionAllow
	h.judgeItems(x, b)
	if x.items.body == nil {
		return x.items.answer(x)
	}
	token, err := h.tokens.Token(r.Context())
	if err != nil {
		return noToken(r.Context(), err)
	}
	return h.forward(x, r, pass{target: request.Target, items: x.items, token: token, body: x.items.body})
}

// judgeEnvelope refuses a batch that is forbidden as such, and what is not a batch as Graph documents it
// (https://learn.microsoft.com/graph/json-batching).
func (x *exchange) judgeEnvelope(r *http.Request, request policy.Request) error {
	if r.Method != http.MethodPost {
		return &Error{Status: http.StatusMethodNotAllowed, Code: codeInvalid, Inner: "methodNotAllowed", Message: "a $batch is sent with POST"}
	}
	if d := x.rules.policy.Decide(request); d.Rule != nil { // a deny rule: no other is about a batch
		d.WouldDeny = x.rules.policy.Reports(request.Caller)
		d.Allow = d.WouldDeny
		x.rec.decide(d)
		if !d.Allow {
			return denied(request, d)
		}
	}
	if len(request.Target.Query) > 0 {
		return badRequest("badBatch", "a $batch takes no query options; write them in the URLs of its items")
	}
	return checkJSON(r.Header.Get("Content-Type"))
}

// checkJSON refuses a body that says that it is something else than JSON in UTF-8. One that does not say is read as such.
func checkJSON(contentType string) error {
	if contentType == "" {
		return nil
	}
	mediaType, parameters, err := mime.ParseMediaType(contentType)
	charset := parameters["charset"]
	if err == nil && mediaType == "application/json" && (charset == "" || strings.EqualFold(charset, "utf-8")) {
		return nil
	}
	return &Error{Status: http.StatusUnsupportedMediaType, Code: codeInvalid, Inner: "unsupportedMediaType", Message: fmt.Sprintf("a $batch is JSON in UTF-8, and the request says Content-Type: %.80q; send application/json", contentType)}
}

func badBatch(err error) error {
	if e, ok := err.(*batch.Error); ok { //nolint:errorlint // Read documents the type
		return badRequest(e.Code, "%s", e.Message)
	}
	return err
}

// mayBeInItem reports whether a header of a batch's item may reach Graph: the same as for requests.
func (l headerList) mayBeInItem(name, value string) bool {
	name = textproto.CanonicalMIMEHeaderKey(name)
	return l[name] && (name != "Client-Request-Id" || isRequestID(value))
}

// judgeItems judges each item, those first that others depend on, and writes what is to be sent. The run belongs to the
// exchange from the start, so that slots are given back and items recorded even after a panic.
func (h *Handler) judgeItems(x *exchange, b *batch.Batch) {
	n := len(b.Items)
	run := &itemRun{batch: b, version: x.rec.Version, records: make([]Record, n), errs: make([]*Error, n), granted: make([]bool, n), slots: make([]limit.Grant, n)}
	x.items = run
	var send []int
	for _, i := range b.Order() {
		rec := &run.records[i]
		*rec = x.itemRecord(&b.Items[i])
		if err := h.judgeItem(x, run, i); err != nil {
			run.errs[i] = asError(err)
			rec.Reason, rec.Status = run.errs[i].Inner, run.errs[i].Status
			continue
		}
		run.granted[i] = true
		send = append(send, i)
	}
	run.body = b.Encode(send)
}

func (h *Handler) judgeItem(x *exchange, run *itemRun, i int) error {
	item, rec := &run.batch.Items[i], &run.records[i]
	if e := item.Err; e != nil {
		return &Error{Status: e.Status, Code: codeInvalid, Inner: e.Code, Message: e.Message}
	}
	rec.target(item.Target)
	if err := h.checkTenant(item.Target); err != nil {
		return err
	}
	if err := x.mapItem(item); err != nil {
		return err
	}
	for _, on := range item.DependsOn {
		if run.errs[on] != nil {
			return &Error{Status: http.StatusFailedDependency, Code: codeDependency, Inner: "dependencyRefused", Message: fmt.Sprintf("the item depends on %.80q, which graphproxy refused, so it was not sent", run.batch.Items[on].ID)}
		}
	}
	_, err := h.judge(x.rules, rec, policy.Request{Caller: x.rec.Caller, Method: item.Method, Target: item.Target}, &run.slots[i])
	return err
}

// itemRecord is the record of an item as far as it is that of the batch.
func (x *exchange) itemRecord(item *batch.Item) Record {
	return Record{
		Time: x.rec.Time, Caller: x.rec.Caller, Evidence: x.rec.Evidence, Method: methodName(item.Method), Decision: decisionRefuse,
		BytesIn: int64(len(item.Body)), ClientRequestID: x.rec.ClientRequestID, Policy: x.rec.Policy, Item: item.ID,
	}
}

// allowed reports whether something is to be sent, and each of it may be.
func (run *itemRun) allowed() bool {
	sent := 0
	for i, err := range run.errs {
		switch {
		case err == nil && !run.granted[i]:
			return false
		case err == nil:
			sent++
		}
	}
	return sent > 0 && run.body != nil
}

// setBatchHeaders makes a header say what is sent, which is not what the caller sent.
func setBatchHeaders(h http.Header) {
	h["Content-Type"] = []string{"application/json"}
	delete(h, "Content-Encoding")
	h["Accept-Encoding"] = []string{"gzip"} // the answer is read here, whatever the caller accepts
}

// answered reads Graph's answer and puts ours among it. An answer to the batch as a whole, such as 429, passes as it is.
func (run *itemRun) answered(res *http.Response, x *exchange) error {
	text, err := inflate(res.Body, strings.ToLower(res.Header.Get("Content-Encoding")), maxBatchAnswer)
	_ = res.Body.Close()
	if err != nil {
		return badAnswer(err)
	}
	if res.StatusCode == http.StatusOK {
		if text, err = run.merge(text, x); err != nil {
			return badAnswer(err)
		}
	}
	if x.links != nil {
		text = x.links.Append(make([]byte, 0, len(text)+256), text, links.Options{Batch: true, Version: run.version})
	}
	delete(res.Header, "Content-Encoding")
	res.Header["Content-Length"] = []string{strconv.Itoa(len(text))}
	res.ContentLength = int64(len(text))
	res.Body = io.NopCloser(bytes.NewReader(text))
	return nil
}

func badAnswer(err error) error {
	return &Error{Status: http.StatusBadGateway, Code: codeUnavailable, Inner: "badAnswer", Message: "Microsoft Graph's answer to the batch could not be read; what was sent may have been carried out", Err: err}
}

// merge puts all answers together and notes those of Graph in the records.
func (run *itemRun) merge(graph []byte, x *exchange) ([]byte, error) {
	replies, err := run.batch.Replies(graph)
	if err != nil {
		return nil, err
	}
	refused := make(map[int]batch.Answer)
	for i := range replies {
		r := &run.records[i]
		switch e := run.errs[i]; {
		case e != nil:
			refused[i] = e.answer(x.rec)
		case replies[i].Status == http.StatusUnauthorized:
			run.refused = replies[i].Header()
			e := tokenRejected()
			r.Status, r.GraphStatus, r.Reason = e.Status, http.StatusUnauthorized, e.Inner
			replies[i], refused[i] = batch.Reply{}, e.answer(x.rec)
		case replies[i].Status == 0:
			r.Status, r.Reason = http.StatusGatewayTimeout, "graphTimeout"
		default:
			r.Status, r.GraphStatus = replies[i].Status, replies[i].Status
		}
		r.BytesOut = int64(max(len(refused[i].Body), len(replies[i].Raw)))
	}
	return run.batch.Merge(replies, refused, batch.Edit{Hide: hidden, Body: func(i int, body []byte) []byte {
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

// answer answers a batch of which nothing is left to send. Graph does not hear of it.
func (run *itemRun) answer(x *exchange) error {
	text, err := run.merge(nil, x)
	if err != nil {
		return err
	}
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
