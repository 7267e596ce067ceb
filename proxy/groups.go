package proxy

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httputil"
	"time"

	"graphproxy/policy/graph/odata"
	"graphproxy/proxy/batch"
)

// maxWholeBody is how much of an answer to a whole group is repeated to each of its items.
const maxWholeBody = 16 << 10

// groupRun sends the groups of a batch whose items use several apps, one after the other, and takes what Graph answers to each.
type groupRun struct {
	s    *answerStream
	r    *http.Request
	t    *odata.Target
	left []group

	// Of the group that is being answered.
	group     group
	f         *forwarding
	replies   *batch.Replies // nil: no group is
	body      io.Closer
	began     int  // what the stream had taken before
	committed bool // the caller may have got some of it
}

// forwardGroups sends the groups of a batch one after the other, and answers with what Graph said of each. A group that fails
// is told to its own items alone.
func (h *Handler) forwardGroups(x *exchange, r *http.Request, t *odata.Target) error {
	s := newAnswerStream(h, x)
	g := &groupRun{s: s, r: r, t: t, left: x.items.groups}
	s.next, s.close = g.next, g.end
	defer s.Close()
	return s.write()
}

// next takes one more answer, or sends the next group.
func (g *groupRun) next() error {
	if g.replies == nil {
		if len(g.left) == 0 {
			return io.EOF
		}
		g.group, g.left = g.left[0], g.left[1:]
		return g.failed(g.send())
	}
	err := g.s.takeFrom(g.f, g.replies)
	switch {
	case err == nil && g.s.taken-g.began >= maxPrelude && !g.committed:
		g.committed = true
		g.s.merger.Commit()
	case err == io.EOF: //nolint:errorlint // takeFrom returns the bare io.EOF
		g.end()
		g.s.merger.Commit()
		return nil
	case err != nil && !g.committed:
		g.s.merger.Drop(g.group.items)
		g.end()
		return g.failed(err)
	}
	return err
}

// end closes Graph's answer to a group.
func (g *groupRun) end() {
	if g.replies != nil {
		g.replies.Close()
		_ = g.body.Close()
		g.replies = nil
	}
}

// failed answers all items of a group that was not answered.
func (g *groupRun) failed(err error) error {
	if err == nil || errors.Is(err, errCallerGone) {
		return err
	}
	e := g.s.h.toldOf(g.s.x, err)
	for _, i := range g.group.items {
		g.s.run.records[i].GraphStatus = 0
		g.s.answer(i, e)
	}
	return nil
}

// send sends a group, and takes an answer that is about the whole of it.
func (g *groupRun) send() error {
	h, x := g.s.h, g.s.x
	token, err := g.group.app.Tokens.Token(g.r.Context())
	if err != nil {
		return noToken(g.r.Context(), err)
	}
	f := &forwarding{h: h, x: x, pass: pass{target: g.t, items: x.items, app: g.group.app, token: token, body: g.group.body}}
	if !f.allowed() {
		return errors.New("a group of items was to be sent that was not judged")
	}
	out := httputil.ProxyRequest{In: g.r, Out: g.r.Clone(g.r.Context())}
	f.rewrite(&out)
	out.Out.RequestURI, out.Out.Close = "", false
	x.sent = time.Now()
	res, err := f.RoundTrip(out.Out)
	if err != nil {
		return f.explain(err)
	}
	if err := checkStatus(res); err != nil {
		f.noteHeader(res)
		_ = res.Body.Close()
		return err
	}
	f.noteHeader(res)
	if err := h.zip.plain(res); err != nil {
		_ = res.Body.Close()
		return badAnswer(err)
	}
	if res.StatusCode != http.StatusOK {
		defer res.Body.Close()
		return g.passWhole(f, res)
	}
	g.f, g.body, g.began, g.committed = f, res.Body, g.s.taken, false
	g.replies = x.items.batch.Replies(res.Body, g.group.items, x.held.adjust)
	g.s.merger.Pend()
	return nil
}

// passWhole gives each item of a group the answer that Graph gave to the whole of it.
func (g *groupRun) passWhole(f *forwarding, res *http.Response) error {
	if res.StatusCode == http.StatusUnauthorized {
		return tokenRejected(f.resourceFault)
	}
	text, err := io.ReadAll(io.LimitReader(res.Body, maxWholeBody+1))
	if err != nil {
		return badAnswer(err)
	}
	f.items.seenWhole(f.h, g.group, res)
	whole := batch.Answer{Status: res.StatusCode, Header: make(map[string]string)}
	for _, name := range [...]string{"Content-Type", "Retry-After"} {
		if value := res.Header.Get(name); value != "" {
			whole.Header[name] = value
		}
	}
	if len(text) <= maxWholeBody && json.Valid(text) {
		whole.Body = text
	}
	for _, i := range g.group.items {
		rec := &f.items.records[i]
		rec.Status, rec.GraphStatus, rec.BytesOut = res.StatusCode, res.StatusCode, int64(len(whole.Body))
		g.s.merger.Answer(i, whole)
	}
	return nil
}
