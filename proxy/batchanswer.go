package proxy

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"time"

	"graphproxy/auth"
	"graphproxy/proxy/batch"
	"graphproxy/proxy/links"
)

// answerBatch puts our answers to items among Graph's, as they come. An answer to the batch as a whole, such as
// 429, is passed on unchanged.
func (o *outbound) answerBatch(res *http.Response) error {
	run, x := o.batch, o.x
	if err := o.h.zip.plain(res); err != nil {
		return badAnswer(err)
	}
	if res.StatusCode != http.StatusOK {
		run.noteWhole(o.h, &run.groups[0], res)
		return o.rewriteLinks(res)
	}
	s := newAnswerStream(o.h, x)
	if o.app != nil {
		s.readAll(o, &run.groups[0], res.Body)
	} else {
		s.sendGroups(o, res.Request)
	}
	body, length, err := s.open()
	if err != nil {
		_ = s.Close()
		return err
	}
	res.Body = withClose{body, s}
	delete(res.Header, "Content-Length")
	if length >= 0 {
		x.out.mayGather = true
		res.ContentLength = length
		res.Header["Content-Length"] = []string{strconv.FormatInt(length, 10)}
	}
	return nil
}

// withClose is a reader with the function that closes it.
type withClose struct {
	io.Reader
	io.Closer
}

// readAll makes the stream read the answers to the one group that was sent.
func (s *answerStream) readAll(o *outbound, g *group, graph io.ReadCloser) {
	replies := s.run.batch.Replies(graph, g.items, s.x.held.memory())
	s.next = func() error { return s.takeFrom(o, replies) }
	s.close = func() { replies.Close(); _ = graph.Close() }
}

// noteWhole records what an answer to a whole group reports about Graph's limits: a throttled answer is about each
// of its items, any other answer about none of them.
func (run *batchRun) noteWhole(h *Handler, g *group, res *http.Response) {
	switch res.StatusCode {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable, 509:
	default:
		return
	}
	for _, i := range g.items {
		a := &run.admissions[i]
		h.throttle.Seen(time.Now(), a.scope, a.probe, res.StatusCode, res.Header)
	}
}

func badAnswer(err error) *Error {
	var known *Error
	if errors.As(err, &known) {
		return known
	}
	return &Error{
		Status:  http.StatusBadGateway,
		Code:    codeUnavailable,
		Inner:   "badAnswer",
		Message: "Microsoft Graph's answer to the batch could not be read; what was sent may have been carried out",
		Err:     err,
	}
}

// answer returns the error as the answer to an item.
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

// maxPrelude is how much of Graph's answer to a batch is read before the caller gets any of it. Most answers are
// shorter: they are sent only after all of them was read. In a longer one a late fault ends the connection.
const maxPrelude = 256 << 10

// answerStream is the answer to a batch as the caller reads it. It takes Graph's answers one by one, as they are
// read, and puts those of the proxy among them. It counts the bytes that it keeps. Close must be called.
type answerStream struct {
	h      *Handler
	x      *exchange
	run    *batchRun
	merger *batch.Merger
	next   func() error // takes the next of Graph's answers; io.EOF if there is none
	close  func()       // of what next reads
	taken  int          // bytes of Graph's answers
	err    error        // of next
	limits http.Header  // of one answer; for limitHeader
	values []string     // in limits
	whole  bytes.Buffer // the whole answer, if it is short
	piece  []byte       // memory that whole uses and others will use again; nil: none
}

// newAnswerStream returns a stream with the proxy's own answers. The caller sets its next.
func newAnswerStream(h *Handler, x *exchange) *answerStream {
	s := &answerStream{h: h, x: x, run: x.batch, next: func() error { return io.EOF }, close: func() {}}
	s.merger = x.batch.batch.Merger(batch.Edit{Header: s.editHeader, Body: s.bodyEdit}, x.held.memory())
	for i, e := range x.batch.errs {
		if e != nil {
			s.answer(i, e)
		}
	}
	return s
}

// editHeader removes headers that must not reach a caller, and replaces Graph's address by the proxy's.
func (s *answerStream) editHeader(name, value string) (edited string, keep bool) {
	switch name { // nearly always
	case "Content-Type", "Cache-Control", "OData-Version", "x-ms-resource-unit":
		return value, true
	}
	if hidden(name, value) {
		return "", false
	}
	if l := s.x.links; l != nil && slices.Contains(locationHeaders[:], textproto.CanonicalMIMEHeaderKey(name)) {
		return l.Location(value, s.run.version), true
	}
	return value, true
}

// limitHeader returns the headers of an answer to an item that may be about Graph's limits. They are valid until the
// next call.
func (s *answerStream) limitHeader(r batch.Reply) http.Header {
	clear(s.limits)
	s.values = s.values[:0]
	for _, h := range r.Headers {
		if isAboutLimits(h.Name) {
			s.addLimit(textproto.CanonicalMIMEHeaderKey(limitName(h.Name)), h.Value)
		}
	}
	return s.limits
}

// addLimit is http.Header.Add, which would allocate for each value.
func (s *answerStream) addLimit(name, value string) {
	if s.limits == nil {
		s.limits = make(http.Header)
	}
	s.values = append(s.values, value)
	n := len(s.values)
	if s.limits[name] == nil {
		s.limits[name] = s.values[n-1 : n : n]
	} else {
		s.limits[name] = append(s.limits[name], value)
	}
}

// limitName returns the canonical form of a name that most answers have, without a copy, and others as they are.
func limitName(name string) string {
	if name == "x-ms-resource-unit" {
		return "X-Ms-Resource-Unit"
	}
	return name
}

// isAboutLimits reports whether a header may be one that package throttle or noteLimits reads.
func isAboutLimits(name string) bool {
	for _, prefix := range [...]string{"retry-after", "ratelimit-", "x-ms-", "date"} {
		if len(name) >= len(prefix) && strings.EqualFold(name[:len(prefix)], prefix) {
			return true
		}
	}
	return false
}

// bodyEdit marks the links of a delta query. In an answer to $ref it replaces Graph's address by the proxy's in values
// without a key of their own.
func (s *answerStream) bodyEdit(i int) func(body []byte) []byte {
	l := s.x.links
	if l == nil {
		return nil
	}
	if mark := s.run.admissions[i].marker(); mark != nil {
		return func(body []byte) []byte { return l.AppendMarked(nil, body, mark) }
	}
	if !isReference(s.run.batch.Items[i].Target) {
		return nil
	}
	return func(body []byte) []byte { return l.Append(nil, body, links.Options{References: true}) }
}

// answer sets the proxy's own answer to an item.
func (s *answerStream) answer(i int, e *Error) {
	a := e.answer(s.x.rec)
	rec := &s.run.records[i]
	rec.Status, rec.Reason, rec.BytesOut = e.Status, e.Inner, int64(len(a.Body))
	s.merger.Answer(i, a)
}

// take takes Graph's answer to an item, and records it.
func (s *answerStream) take(o *outbound, i int, reply batch.Reply) {
	s.taken += len(reply.Raw)
	rec := &s.run.records[i]
	s.h.noteLimits(&s.run.admissions[i], reply.Status, s.limitHeader(reply))
	rec.Status, rec.GraphStatus, rec.BytesOut = reply.Status, reply.Status, int64(len(reply.Raw))
	switch {
	case reply.Status == http.StatusUnauthorized:
		renewal := o.app.Tokens.Refused(o.token, auth.RefusalOf(s.run.admissions[i].scope.Service(), reply.Header()))
		s.answer(i, tokenRejected(renewal.ResourceFault()))
	case !s.merger.Reply(i, reply):
		s.answer(i, unheldAnswer(s.run.batch.Items[i].Method))
	}
}

// unheldAnswer is the answer to an item whose answer came before its turn when no more bytes could be kept.
func unheldAnswer(method string) *Error {
	if method == http.MethodGet || method == http.MethodHead {
		return overloaded("graphproxy holds as many bytes of answers as it may")
	}
	return badAnswer(batch.ErrTooMuchHeld)
}

// takeFrom takes the next answer of a reader. The error is io.EOF at its end.
func (s *answerStream) takeFrom(o *outbound, replies *batch.Replies) error {
	i, reply, err := replies.Next()
	switch {
	case err == nil:
		s.take(o, i, reply)
		return nil
	case errors.Is(err, io.EOF):
		return io.EOF
	}
	return badAnswer(err)
}

// step takes one more answer.
func (s *answerStream) step() {
	if s.err = s.next(); s.err != io.EOF { //nolint:errorlint // next returns the bare io.EOF
		return
	}
	for _, i := range s.merger.Finish() {
		rec := &s.run.records[i]
		rec.Status, rec.Reason = http.StatusGatewayTimeout, "graphTimeout"
	}
}

// open returns the body for the caller, and its length, which is -1 if it is not known yet. It returns an error if
// one came before any of the body can be read.
func (s *answerStream) open() (body io.ReadCloser, length int64, err error) {
	for s.err == nil && s.taken < maxPrelude {
		s.step()
	}
	if s.err != nil && s.err != io.EOF { //nolint:errorlint // likewise
		return nil, 0, s.err
	}
	body = s
	if l := s.x.links; l != nil {
		body = l.NewReader(s, links.Options{})
	}
	size := s.merger.Ready()
	if s.err == nil || size > maxPrelude || !s.holdWhole(size) {
		return body, -1, nil
	}
	_, err = s.whole.ReadFrom(body)
	return io.NopCloser(&s.whole), int64(s.whole.Len()), err
}

// leastPiece is the size from which an answer uses memory that is used again. Less is not worth a whole piece.
const leastPiece = 4 << 10

// holdWhole makes whole ready for an answer of that size, which links can make longer. It reports false if no more
// bytes can be kept.
func (s *answerStream) holdWhole(size int) bool {
	held := &s.x.held
	if size >= leastPiece && 2*size <= pieceSize && held.add(pieceSize) {
		s.piece = held.of.pieces.Get()
		s.whole = *bytes.NewBuffer(s.piece[:0])
		return true
	}
	if !held.add(int64(2 * size)) {
		return false
	}
	s.whole = *bytes.NewBuffer(make([]byte, 0, size+bytes.MinRead))
	return true
}

// Read reads what is ready. It waits for the next answer of Graph only if nothing is.
func (s *answerStream) Read(p []byte) (int, error) {
	for s.merger.Ready() == 0 && s.err == nil {
		s.step()
	}
	if n, _ := s.merger.Read(p); n > 0 || len(p) == 0 {
		return n, nil
	}
	return 0, s.err
}

// Close gives back the kept bytes. Nothing can be read afterwards.
func (s *answerStream) Close() error {
	s.close()
	s.merger.Close()
	s.whole = bytes.Buffer{} // before the next answer is written into its memory
	if s.piece != nil {
		s.x.held.of.pieces.Put(s.piece)
		s.x.held.adjust(-pieceSize)
		s.piece = nil
	}
	return nil
}
