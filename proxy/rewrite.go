package proxy

import (
	"io"
	"mime"
	"net/http"
	"strings"

	"graphproxy/policy/graph/odata"
	"graphproxy/proxy/links"
)

// linksOf gives what exchanges Graph's address and the one that this caller knows the proxy by; nil if there is none, then
// links stay as they are. The last one is kept: most callers know the same address.
func (h *Handler) linksOf(r *http.Request) *links.Rewriter {
	public := h.public
	if public == "" {
		public = "http://" + r.Host
		if r.TLS != nil {
			public = "https://" + r.Host
		}
	}
	if last := h.links.Load(); last != nil && last.public == public {
		return last.Rewriter
	}
	rewriter, err := links.New(h.graph.Scheme+"://"+h.graph.Host, public)
	if err != nil {
		return nil
	}
	h.links.Store(&addressed{public, rewriter})
	return rewriter
}

// addressed is a rewriter with the address that it was made for.
type addressed struct {
	public string
	*links.Rewriter
}

// mapReference makes the address that $ref?$id= names Graph's, where it is the proxy's: so it is judged, and so it is sent.
func mapReference(t *odata.Target, l *links.Rewriter) (*odata.Target, error) {
	value, found := t.Option("$id")
	if !found || l == nil {
		return t, nil
	}
	if graph, changed := l.Back(value); changed {
		return t.With("$id", graph)
	}
	return t, nil
}

// isMedia reports whether bodies of the target are bytes that somebody stored, whatever they say they are: an attachment
// may be JSON and hold what looks like a link.
func isMedia(t *odata.Target) bool {
	if len(t.Segments) == 0 {
		return false
	}
	switch t.Segments[len(t.Segments)-1].Base {
	case "$value", "content", "contentstream":
		return true
	}
	return false
}

// isJSON reports whether a Content-Type says JSON.
func isJSON(contentType string) bool {
	if contentType == "application/json" {
		return true
	}
	mediaType, _, err := mime.ParseMediaType(contentType)
	return err == nil && (mediaType == "application/json" || strings.HasSuffix(mediaType, "+json"))
}

// hasJSON reports whether the caller's body is read whole, because it may refer to other resources.
func (x *exchange) hasJSON(r *http.Request, t *odata.Target) bool {
	return x.links != nil && r.Body != nil && r.Body != http.NoBody && !isMedia(t) && isJSON(r.Header.Get("Content-Type"))
}

// bodyOf reads the caller's body, if it is one that is sent from memory: JSON, with the addresses in it made Graph's where
// Graph reads them as such, and what is small. It is nil for any other, which passes as it comes. If what it refers to is to be
// judged, the body must be JSON, whatever it says it is.
func (x *exchange) bodyOf(r *http.Request, t *odata.Target, judged bool) ([]byte, error) {
	if !hasBody(r) || !judged && !x.hasJSON(r, t) {
		return smallBody(r, x.in, &x.held)
	}
	if x.links == nil {
		return nil, badRequest("badHost", "the Host of this request is no host's name, so addresses in its body cannot be read; send the one that graphproxy is known by")
	}
	text, err := judgedBody(r, x.in, &x.held)
	if err != nil {
		return nil, err
	}
	return mapBody(text, x.links)
}

func mapBody(text []byte, l *links.Rewriter) ([]byte, error) {
	body, err := l.BackBody(text)
	if err != nil {
		return nil, badRequest("badJSON", "%s", err.Error())
	}
	return body, nil
}

// isStored reports whether an answer may be bytes that a user has stored. The answer to an upload is Graph's own: it has links.
func isStored(method string, t *odata.Target) bool {
	return (method == http.MethodGet || method == http.MethodHead) && isMedia(t)
}

// rewriteAnswer makes the links of Graph's answer lead to the proxy.
func (f *forwarding) rewriteAnswer(res *http.Response) error {
	l := f.x.links
	if l == nil {
		return nil
	}
	for _, name := range [...]string{"Location", "Content-Location", "Operation-Location"} {
		for i, value := range res.Header[name] {
			res.Header[name][i] = l.Location(value, f.target.Version)
		}
	}
	if res.StatusCode == http.StatusPartialContent || isStored(res.Request.Method, f.target) || !isJSON(res.Header.Get("Content-Type")) {
		return nil
	}
	delete(res.Header, "Content-Length") // what the body becomes has another; res.ContentLength stays, or each piece would be flushed
	if res.Body == http.NoBody || res.Request.Method == http.MethodHead {
		return nil
	}
	body, err := f.h.zip.rewrite(res.Body, res.Header, func(plain io.ReadCloser) io.ReadCloser {
		return l.NewReader(plain, links.Options{References: isReference(f.target)})
	})
	res.Body = body
	return err
}

func isReference(t *odata.Target) bool {
	last := len(t.Segments) - 1
	return last >= 0 && t.Segments[last].Kind == odata.System && t.Segments[last].Fold == "$ref"
}

// isAddress reports whether s is "" or a scheme and host, as links.New takes them.
func isAddress(s string) bool {
	_, err := links.New("https://graph.microsoft.com", s)
	return s == "" || err == nil
}
