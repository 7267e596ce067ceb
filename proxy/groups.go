package proxy

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httputil"
	"slices"
	"time"

	"graphproxy/auth"
	"graphproxy/policy/odata"
	"graphproxy/proxy/batch"
)

// groupAnswers are Graph's answers to the groups of a batch whose items use several apps.
type groupAnswers struct {
	replies []batch.Reply        // by item
	passed  map[int]batch.Answer // to items of a group that was answered as a whole, such as 429
}

func newGroupAnswers(run *itemRun) *groupAnswers {
	return &groupAnswers{replies: make([]batch.Reply, len(run.batch.Items)), passed: make(map[int]batch.Answer)}
}

// forwardGroups sends the groups of a batch one after the other, and answers with what Graph said of each. A group that fails
// is told to its own items alone.
func (h *Handler) forwardGroups(x *exchange, r *http.Request, t *odata.Target) error {
	answers := newGroupAnswers(x.items)
	for _, g := range x.items.groups {
		err := h.forwardGroup(x, r, t, g, answers)
		if errors.Is(err, errCallerGone) {
			return err
		}
		if err != nil {
			x.items.failed(g, h.toldOf(x, err))
		}
	}
	return x.items.answer(h, x, answers)
}

// failed notes that a group was not answered.
func (run *itemRun) failed(g group, e *Error) {
	for _, i := range g.items {
		run.errs[i] = e
		run.records[i].Status, run.records[i].Reason = e.Status, e.Inner
	}
}

func (h *Handler) forwardGroup(x *exchange, r *http.Request, t *odata.Target, g group, answers *groupAnswers) error {
	token, err := g.app.Tokens.Token(r.Context())
	if err != nil {
		return noToken(r.Context(), err)
	}
	f := &forwarding{h: h, x: x, pass: pass{target: t, items: x.items, app: g.app, token: token, body: g.body}}
	if !f.allowed() {
		return errors.New("a group of items was to be sent that was not judged")
	}
	out := httputil.ProxyRequest{In: r, Out: r.Clone(r.Context())}
	f.rewrite(&out)
	out.Out.RequestURI, out.Out.Close = "", false
	x.sent = time.Now()
	res, err := f.RoundTrip(out.Out)
	if err != nil {
		return f.explain(err)
	}
	text, err := readAnswer(res, &x.held)
	f.noteHeader(res)
	if err != nil {
		return err
	}
	return answers.take(f, g, res, text)
}

// take takes in what Graph answered to a group.
func (a *groupAnswers) take(f *forwarding, g group, res *http.Response, text []byte) error {
	switch res.StatusCode {
	case http.StatusUnauthorized:
		return tokenRejected()
	case http.StatusOK:
		return a.takeReplies(f, g, text)
	}
	f.items.seenWhole(f.h, g, res)
	whole := batch.Answer{Status: res.StatusCode, Header: make(map[string]string)}
	for _, name := range [...]string{"Content-Type", "Retry-After"} {
		if value := res.Header.Get(name); value != "" {
			whole.Header[name] = value
		}
	}
	if json.Valid(text) {
		whole.Body = text
	}
	for _, i := range g.items {
		a.passed[i] = whole
	}
	return nil
}

func (a *groupAnswers) takeReplies(f *forwarding, g group, text []byte) error {
	replies, err := f.items.batch.Replies(text)
	if err != nil {
		return badAnswer(err)
	}
	for i, r := range replies {
		if r.Raw == nil {
			continue
		}
		if !slices.Contains(g.items, i) {
			return badAnswer(errors.New("an item was answered that was not in the batch"))
		}
		if a.replies[i] = r; r.Status == http.StatusUnauthorized {
			f.app.Tokens.Refused(f.token, auth.ClaimsOf(r.Header()))
		}
	}
	return nil
}
