package proxy

import (
	"cmp"
	"net/http"

	"graphproxy/policy/graph/odata"
	"graphproxy/proxy/links"
)

// linksOf returns the rewriter between Graph's address and the proxy's address as this caller uses it; nil if the
// caller's address cannot be used, then links stay unchanged. The last one is cached: most callers use the same
// address.
func (h *Handler) linksOf(r *http.Request) *links.Rewriter {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	last := h.links.Load()
	if last != nil && (h.public != "" || last.host == r.Host && last.scheme == scheme) {
		return last.Rewriter
	}
	rewriter, err := links.New(h.graph.Scheme+"://"+h.graph.Host, cmp.Or(h.public, scheme+"://"+r.Host))
	if err != nil {
		return nil
	}
	h.links.Store(&addressed{scheme, r.Host, rewriter})
	return rewriter
}

// addressed is a rewriter with its address.
type addressed struct {
	scheme, host string
	*links.Rewriter
}

// mapReference replaces the proxy's address in $ref?$id= by Graph's. The result is judged and sent.
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

// isAddress reports whether s is "" or a scheme and host, as links.New takes them.
func isAddress(s string) bool {
	_, err := links.New("https://graph.microsoft.com", s)
	return s == "" || err == nil
}
