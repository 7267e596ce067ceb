package proxy

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"graphproxy/proxy/batch"
)

// maxWholeBody is how much of an answer to a whole group is repeated to each of its items.
const maxWholeBody = 16 << 10

// groupRun sends the groups of a batch whose items use several apps, one after the other, and reads Graph's answer
// to each.
type groupRun struct {
	s    *answerStream
	o    *outbound     // of the batch
	r    *http.Request // of the batch, with everything that its groups share
	left []group

	// Of the group that is being answered:
	group     *group
	out       *outbound
	replies   *batch.Replies // nil: no group is
	body      io.Closer
	began     int  // what the stream had taken before
	committed bool // the caller may have got some of it
}

// sendGroups makes the stream read the answers to all groups. A group is sent when the one before was answered. If
// it fails, only its own items are answered with the error.
func (s *answerStream) sendGroups(o *outbound, r *http.Request) {
	g := &groupRun{s: s, o: o, r: r, left: s.run.groups}
	s.next, s.close = g.next, g.end
}

// next takes one more answer, or sends the next group.
func (g *groupRun) next() error {
	if g.replies == nil {
		if len(g.left) == 0 {
			return io.EOF
		}
		g.group, g.left = &g.left[0], g.left[1:]
		return g.failed(g.send())
	}
	err := g.s.takeFrom(g.out, g.replies)
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

// failed answers all items of a group without an answer.
func (g *groupRun) failed(err error) error {
	if err == nil || errors.Is(err, errCallerGone) {
		return err
	}
	e := g.s.h.logCause(g.s.x, err)
	for _, i := range g.group.items {
		g.s.run.records[i].GraphStatus = 0
		g.s.answer(i, e)
	}
	return nil
}

// send sends a group, and reads an answer to the group as a whole.
func (g *groupRun) send() error {
	o := *g.o
	if err := o.setGroup(g.group); err != nil {
		return err
	}
	out := g.r
	if g.group != &g.s.run.groups[0] { // the transport may still read the header of the previous request
		out = g.r.WithContext(g.r.Context())
		out.Header = g.r.Header.Clone()
	}
	o.token.SetAuthorization(out.Header)
	o.body.putInto(out)
	res, err := o.send(out)
	if err != nil {
		return o.explain(err)
	}
	if err := checkStatus(res); err != nil {
		_ = res.Body.Close()
		return err
	}
	if err := o.h.zip.plain(res); err != nil {
		_ = res.Body.Close()
		return badAnswer(err)
	}
	if res.StatusCode != http.StatusOK {
		defer res.Body.Close()
		return g.answerWhole(&o, res)
	}
	g.out, g.body, g.began, g.committed = &o, res.Body, g.s.taken, false
	g.replies = g.s.run.batch.Replies(res.Body, g.group.items, g.s.x.held.memory())
	g.s.merger.Pend()
	return nil
}

// answerWhole gives each item of a group the answer of Graph to the group as a whole.
func (g *groupRun) answerWhole(o *outbound, res *http.Response) error {
	if res.StatusCode == http.StatusUnauthorized {
		return tokenRejected(o.resourceFault)
	}
	text, err := io.ReadAll(io.LimitReader(res.Body, maxWholeBody+1))
	if err != nil {
		return badAnswer(err)
	}
	run := g.s.run
	run.noteWhole(o.h, g.group, res)
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
		rec := &run.records[i]
		rec.Status, rec.GraphStatus, rec.BytesOut = res.StatusCode, res.StatusCode, int64(len(whole.Body))
		g.s.merger.Answer(i, whole)
	}
	return nil
}
