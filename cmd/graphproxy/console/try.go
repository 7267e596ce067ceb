package console

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"graphproxy/cmd/graphproxy/policycmd"
)

// The bounds of the form of Try, in bytes.
const (
	mostTryForm    = 5 << 20 // all of it, as it is sent
	mostTryRequest = 64 << 10
)

// tryData is what try.html shows.
type tryData struct {
	Callers []string
	Caller  string // as the visitor typed it, like the following ones
	Request string
	Body    string
	Asked   bool
	Problem string // why there is no decision; "": there is one, or nothing was asked

	Allow, Passes bool
	Text          string // what policy explain prints
	Excerpts      []excerpt
	Limits        []limitRow
}

// tryPage shows how the policy decides a request that the visitor types. Nothing is sent, taken from a limit, kept or
// logged.
func (c *Console) tryPage(r *http.Request) (any, error) {
	form, err := formOf(r)
	if err != nil {
		return nil, err
	}
	state := c.source.State()
	d := &tryData{
		Caller:  strings.TrimSpace(form.Get("caller")),
		Request: strings.TrimSpace(form.Get("request")),
		Body:    form.Get("body"),
	}
	for _, caller := range state.Policy.Policy.Callers() {
		d.Callers = append(d.Callers, caller.Name)
	}
	switch d.Asked = d.Caller != "" || d.Request != "" || d.Body != ""; {
	case !d.Asked:
	case d.Caller == "":
		d.Problem = "Name a caller of the policy."
	case d.Request == "":
		d.Problem = "Write a request, such as GET /users."
	case len(d.Request) > mostTryRequest:
		d.Problem = "The request is longer than 64 KiB, which is longer than any that graphproxy takes."
	default:
		c.try(d, &state)
	}
	return d, nil
}

// formOf reads the fields of a form, of the query or of the body.
func formOf(r *http.Request) (url.Values, error) {
	if r.Method != http.MethodPost {
		return r.URL.Query(), nil
	}
	r.Body = http.MaxBytesReader(nil, r.Body, mostTryForm)
	err := r.ParseForm()
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, &answer{http.StatusRequestEntityTooLarge, "The form has more than 5 MiB. Shorten the body of the " +
			"request."}
	case err != nil:
		return nil, &answer{http.StatusBadRequest, "The form cannot be read. Send it from the page itself."}
	}
	return r.PostForm, nil
}

// try decides the request.
func (c *Console) try(d *tryData, state *State) {
	x, err := policycmd.Explain(state.Policy.Policy, policycmd.Asked{
		Caller: d.Caller,
		Text:   d.Request,
		Body:   []byte(d.Body),
		At:     c.now(),
	})
	if err != nil {
		d.Problem = err.Error()
		return
	}
	d.Allow, d.Passes, d.Text = x.Allow, x.Passes, x.String()
	for _, where := range x.Places() {
		if e, ok := excerptOf(state.Policy.Files, where); ok {
			d.Excerpts = append(d.Excerpts, e)
		}
	}
	for _, name := range x.Limits {
		d.Limits = append(d.Limits, limitOf(state, name))
	}
}

// limitOf returns how full a limit is. Of a limit with a bucket for each value of a key, it is the fullest bucket.
func limitOf(s *State, name string) limitRow {
	row := limitRow{Name: name, Waiting: s.Work.ByLimit[name]}
	if left, found := s.Work.Fill[name]; found {
		row.Used = min(1, max(0, 1-left))
	}
	return row
}
