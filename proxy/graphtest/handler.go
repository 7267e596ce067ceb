package graphtest

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strings"
)

// maxBody is the size of a request body that Graph takes; content has a larger bound.
const (
	maxBody    = 4 << 20
	maxContent = 250 << 20
)

// call is one request to Graph, or one item of a batch, on its way through the handlers.
type call struct {
	s       *Server
	t       *tenant
	method  string
	path    string // as in links: escaped, with the version
	query   string // raw
	header  http.Header
	request *http.Request // its body is read
	inBatch bool          // one of a batch's items
	body    []byte
	reading Reading
	roles   map[string]bool
	all     bool               // every role is granted
	keys    map[string]Segment // the keys in the path, by their name in the route
	rest    []Segment          // what the route's ** stands for

	occupied *meter // what enter counts as in flight
}

// handler answers one call. It runs under the tenant's lock.
type handler func(c *call) (answer, error)

// handler records requests in j and passes them to next.
func (s *Server) handler(j *journal, next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := j.open(r)
		defer j.close(rec, r)
		r.Body = &body{ReadCloser: r.Body, j: j, rec: rec}
		next(w, r)
	})
}

func (s *Server) serveGraph(w http.ResponseWriter, r *http.Request) {
	if h := s.faults.override(r); h != nil {
		h(w, r)
		return
	}
	s.serveCall(w, r, false)
}

// serveCall answers one request, or one item of a batch.
func (s *Server) serveCall(w http.ResponseWriter, r *http.Request, item bool) {
	requestID := newGUID()
	clientRequestID := r.Header.Get("client-request-id")
	if clientRequestID == "" {
		clientRequestID = requestID
	}
	setCommon(w.Header(), requestID, clientRequestID)
	c, err := s.open(r)
	if err == nil {
		c.inBatch = item
		defer c.leave()
		err = c.enter(w.Header())
	}
	if err == nil {
		if probe := c.probe(); probe != nil {
			err = probe(c, w, r)
			if err == nil {
				return
			}
		}
	}
	if err == nil {
		c.body, err = readBody(r, c.bodyLimit())
	} else {
		discard(r)
	}
	var a answer
	if err == nil {
		a, err = c.dispatch()
	}
	if err != nil {
		a = failureOf(err).answer(requestID, clientRequestID)
	}
	a.write(w, r)
}

// open authenticates a request and reads its target.
func (s *Server) open(r *http.Request) (*call, error) {
	roles, all, err := s.authenticate(r.Header)
	if err != nil {
		return nil, err
	}
	reading, err := Read(r.RequestURI)
	if err != nil {
		return nil, fail(http.StatusBadRequest, "BadRequest", "Invalid request.")
	}
	path, query, _ := strings.Cut(r.RequestURI, "?")
	return &call{
		s:       s,
		t:       s.tenant,
		method:  methodOf(r.Method, r.Header),
		path:    path,
		query:   query,
		header:  r.Header,
		request: r,
		reading: reading,
		roles:   roles,
		all:     all,
	}, nil
}

// methodOf is the method that Graph acts on. OneDrive documents the override for POST; other services may support
// it.
func methodOf(method string, h http.Header) string {
	if method != http.MethodPost {
		return method
	}
	for _, name := range []string{"X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"} {
		if m := h.Get(name); m != "" {
			return strings.ToUpper(m)
		}
	}
	return method
}

func (s *Server) authenticate(h http.Header) (roles map[string]bool, all bool, err error) {
	scheme, token, _ := strings.Cut(h.Get("Authorization"), " ")
	if token = strings.TrimSpace(token); !strings.EqualFold(scheme, "Bearer") || token == "" {
		return nil, false, badToken("Access token is empty.")
	}
	if s.options.Verify == nil {
		return nil, true, nil
	}
	names, err := s.options.Verify(token)
	var challenge *Challenge
	switch {
	case errors.As(err, &challenge):
		return nil, false, challenged(challenge.Claims)
	case err != nil:
		return nil, false, badToken("Access token has expired or is not yet valid.")
	}
	roles = map[string]bool{}
	for _, name := range names {
		roles[name] = true
	}
	return roles, false, nil
}

// dispatch answers a call: its throttle, its route, its permission, its handler, in that order.
func (c *call) dispatch() (answer, error) {
	if !c.all && len(c.roles) == 0 {
		return answer{}, fail(http.StatusForbidden, "AccessDenied",
			"Either scp or roles claim need to be present in the token.")
	}
	if err := c.s.faults.throttled(c.throttlePath(), c.s.options.TenantID); err != nil {
		return answer{}, err
	}
	if v := c.reading.Version; v != "v1.0" && v != "beta" {
		return answer{}, fail(http.StatusBadRequest, "BadRequest", "Invalid version: %s", v)
	}
	rt, err := c.route()
	if err != nil {
		return answer{}, err
	}
	if err := c.permitted(rt); err != nil {
		return answer{}, err
	}
	if rt.unlocked {
		return rt.handle(c)
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	a, err := rt.handle(c)
	if err != nil {
		return answer{}, err
	}
	c.setUnits(&a, rt)
	a.marshal()
	return a, nil
}

// root is the URL of the version: https://graph.microsoft.com/v1.0.
func (c *call) root() string { return c.s.base + "/" + c.reading.Version }

// bodyLimit is larger for a PUT of content.
func (c *call) bodyLimit() int64 {
	if segments := c.reading.Segments; c.method == http.MethodPut && len(segments) > 0 {
		if last := segments[len(segments)-1].Name(); last == "content" || last == "$value" {
			return maxContent
		}
	}
	return maxBody
}

func readBody(r *http.Request, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	if err != nil {
		return nil, fail(http.StatusBadRequest, "BadRequest", "The request body could not be read.")
	}
	switch encoding := strings.ToLower(r.Header.Get("Content-Encoding")); encoding {
	case "", "identity":
	case "gzip":
		z, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			return nil, badBody()
		}
		if data, err = io.ReadAll(io.LimitReader(z, limit+1)); err != nil {
			return nil, badBody()
		}
	default:
		return nil, fail(http.StatusUnsupportedMediaType, "BadRequest", "Content-Encoding '%s' is not supported.", encoding)
	}
	if int64(len(data)) > limit {
		return nil, fail(http.StatusRequestEntityTooLarge, "BadRequest", "Maximum request length exceeded.")
	}
	return data, nil
}

// discard reads a body that no handler has read, so that the record has it. Like Graph, it does not read a body
// that is announced as large, or that the client sends only after 100 Continue.
func discard(r *http.Request) {
	if r.Header.Get("Expect") == "" && r.ContentLength <= maxRecorded {
		io.CopyN(io.Discard, r.Body, maxRecorded)
	}
}
