package proxy

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"graphproxy/auth/caller"
	"graphproxy/proxy/links"
)

// Hosts are the names of a proxy. A page of another site can make a browser send requests to this machine under the
// page's own name (DNS rebinding), and then read the answers. Such a request has a Host that is not among these.
// Immutable.
type Hosts struct{ names map[string]bool }

// NewHosts returns the hosts of a proxy: that of its public URL ("" has none), and others by name, each with any
// port. Errors name the host and the cure.
func NewHosts(publicURL string, names []string) (Hosts, error) {
	h := Hosts{names: map[string]bool{"localhost": true}}
	if u, err := url.Parse(publicURL); err == nil && u.Host != "" {
		h.names[plainHost(u.Hostname())] = true
	}
	var problems []error
	for _, name := range names {
		if strings.ContainsRune(name, ':') || !links.IsHost(name) {
			problems = append(problems, fmt.Errorf("%.80q is not the name of a host: "+
				"write such as graph.contoso.com, without scheme, port and *", name))
		}
		h.names[plainHost(name)] = true
	}
	return h, errors.Join(problems...)
}

// Knows reports whether a Host header names the proxy: by one of its names, as localhost, or by an IP address,
// which needs no DNS.
func (h Hosts) Knows(host string) bool {
	name, _ := splitHost(host)
	if _, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(name, "["), "]")); err == nil {
		return true
	}
	return h.names[plainHost(name)]
}

// UnknownHost returns the message for a caller whose Host is not one of the proxy's.
func UnknownHost(host string) string {
	return fmt.Sprintf("graphproxy is not known by the host name %.200q, "+
		"and who calls it without a key or token must use a name that it is known by: "+
		"use its address, localhost or the name in GRAPHPROXY_PUBLIC_URL, or have its operator add this name to "+
		"GRAPHPROXY_HOSTS", host)
}

// splitHost splits the port off a Host header. The brackets of an IPv6 address stay.
func splitHost(host string) (name, port string) {
	end := strings.LastIndexByte(host, ':')
	if end < 0 || strings.HasSuffix(host, "]") {
		return host, ""
	}
	return host[:end], host[end:]
}

// plainHost returns a name in the form for comparing: DNS ignores letter case and a dot at the end.
func plainHost(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

// newOriginCheck returns the check for requests that a browser sends for pages of other sites. Pages at the proxy's
// own address are not of another site, even if a server in front changes the Host.
func newOriginCheck(publicURL string) (*http.CrossOriginProtection, error) {
	c := http.NewCrossOriginProtection()
	u, err := url.Parse(publicURL)
	if err != nil || publicURL == "" {
		return c, err
	}
	if port := u.Port(); u.Scheme == "https" && port == "443" || u.Scheme == "http" && port == "80" {
		u.Host = strings.TrimSuffix(u.Host, ":"+port) // browsers leave it out
	}
	return c, c.AddTrustedOrigin(strings.ToLower(u.Scheme + "://" + u.Host))
}

// checkOrigin refuses a request that a page of another site may have made a browser send: evidence that every
// request of a machine has proves nothing then. Ask is the end of a 403, which names the contact.
func (h *Handler) checkOrigin(r *http.Request, evidence, ask string) error {
	if err := h.origins.Check(asUnsafe(r)); err != nil {
		return &Error{
			Status: http.StatusForbidden,
			Code:   codeDenied,
			Inner:  "crossOrigin",
			Message: "a browser sent this request for a page of another site, and graphproxy serves none; " +
				"call it from a program, or from pages at its own address" + ask,
		}
	}
	if isAmbient(evidence) && !isUnix(r) && !h.hosts.Knows(r.Host) {
		return &Error{
			Status:  http.StatusMisdirectedRequest,
			Code:    codeInvalid,
			Inner:   "unknownHost",
			Message: UnknownHost(r.Host),
		}
	}
	return nil
}

// asUnsafe returns r, or for a read that a browser marks as cross-site the same request with the method of a write:
// http.CrossOriginProtection lets reads pass, because a page cannot see their answers. But reads use quota, and
// show what exists.
func asUnsafe(r *http.Request) *http.Request {
	isRead := r.Method == http.MethodGet || r.Method == http.MethodHead
	if !isRead || r.Header.Get("Sec-Fetch-Site") != "cross-site" {
		return r
	}
	write := *r
	write.Method = http.MethodPost
	return &write
}

// isAmbient reports whether every request of a machine has this evidence, so that a page in its browser has it,
// too.
func isAmbient(evidence string) bool {
	return evidence == caller.Network || evidence == caller.Anyone || evidence == caller.Certificate
}

// isUnix reports whether a request came over a unix socket, which no browser connects to.
func isUnix(r *http.Request) bool {
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	return ok && local.Network() == "unix"
}

// checkHost refuses a request with an invalid host, because links in its answer could not be written.
func checkHost(r *http.Request) error {
	if links.IsHost(r.Host) {
		return nil
	}
	return badRequest("badHost", "the Host of this request is no name of a host; "+
		"send the one that graphproxy is known by, such as graph.contoso.com or 127.0.0.1:8080")
}
