package console

import (
	"io/fs"
	"net/http"
	"net/url"
	"strings"

	"graphproxy/proxy"
)

// contentPolicy lets a page load what this console serves, and nothing else: no script or style within a page, no other
// origin, no frame around it.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
	"connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// guard refuses requests that a page of another site made a browser send, and asks everyone else for evidence.
func (c *Console) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", contentPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		switch {
		case !c.hosts.Knows(r.Host):
			http.Error(w, proxy.UnknownHost(r.Host), http.StatusMisdirectedRequest)
		case isForeign(r):
			http.Error(w, "a page of another site made a browser send this request, and the console answers its own "+
				"pages only; open the console in a tab of its own", http.StatusForbidden)
		case strings.HasPrefix(r.URL.Path, "/assets/"):
			c.serveAsset(w, r)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// isForeign reports whether a page of another origin made a browser send a request. A link to the console that is
// followed in a tab of its own is not foreign: its page sees nothing of the answer.
func isForeign(r *http.Request) bool {
	if origins := r.Header["Origin"]; len(origins) > 1 || len(origins) == 1 && !isOwnOrigin(r, origins[0]) {
		return true
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
		return false
	}
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	return !reads || r.Header.Get("Sec-Fetch-Mode") != "navigate" || r.Header.Get("Sec-Fetch-Dest") != "document"
}

// isOwnOrigin reports whether an Origin is the one of the pages that the request's host serves.
func isOwnOrigin(r *http.Request, origin string) bool {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	u, err := url.Parse(origin)
	return err == nil && u.Scheme == scheme && strings.EqualFold(u.Host, r.Host) && u.Path == "" && u.User == nil
}

// serveAsset serves the style sheet and the script. They hold nothing of the proxy.
func (c *Console) serveAsset(w http.ResponseWriter, r *http.Request) {
	kinds := map[string]string{"console.css": "text/css", "console.js": "text/javascript", "icon.svg": "image/svg+xml"}
	name := strings.TrimPrefix(r.URL.Path, "/assets/")
	kind := kinds[name]
	switch {
	case kind == "":
		http.Error(w, "there is no such file", http.StatusNotFound)
		return
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "files are only read", http.StatusMethodNotAllowed)
		return
	}
	data, err := fs.ReadFile(assets, "assets/"+name)
	if err != nil {
		http.Error(w, "there is no such file", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", kind+"; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache")
	_, _ = w.Write(data)
}
