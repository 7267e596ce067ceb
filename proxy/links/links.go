// Package links replaces the absolute addresses of Microsoft Graph in Graph's answers by the proxy's, and those of
// the proxy in requests by Graph's, so that paging, polling and references work through the proxy as without it.
//
// It decides which strings in a JSON text are links (by the names under which Graph puts links, see field) and
// which links lead to Graph (whose scheme, host and port are exactly Graph's). It replaces scheme, host and port,
// and leaves every other byte unchanged. Links to other hosts (download and upload addresses, monitors) and text
// that merely contains the address never change.
//
// Answers are not read with package strictjson, as bodies of requests are. An answer may have any length and comes in
// pieces, which pass on as they come; it goes to the caller byte for byte, also where it is not JSON; and nothing is
// decided by what it says. So the search for links (find.go, and scan.go for answers to $ref) follows quotes and
// brackets only.
//
// Package proxy decides which answers are JSON, handles their compression and length, and decides which requests
// may name what and what the proxy's address is.
package links

import (
	"fmt"
	"net/url"
	"strings"

	"graphproxy/policy/strictjson"
)

// Rewriter exchanges two addresses. It is safe for concurrent use and must not be copied; the zero value is not usable,
// New makes one.
type Rewriter struct {
	graph, public origin
	most          int    // this many characters of a value are enough to decide whether it changes
	needle        []byte // a slash and Graph's host, which every link without escapes contains
	readers       strictjson.Spare
}

// New returns a Rewriter from Graph's address to the proxy's as callers know it. Each is a scheme, http or https, a
// host and optionally a port, as in "https://graph.microsoft.com", and nothing after that. The error names the
// invalid one. The second may come from a request's Host header: one that cannot stand in a JSON string or an HTTP
// header is an error.
//
// It is cheap enough to be called for each request.
func New(graph, public string) (*Rewriter, error) {
	r := new(Rewriter)
	var err error
	if r.graph, err = parseOrigin(graph); err != nil {
		return nil, fmt.Errorf("the address of Graph: %w", err)
	}
	if r.public, err = parseOrigin(public); err != nil {
		return nil, fmt.Errorf("the address of the proxy: %w", err)
	}
	r.most = max(len(r.graph.text)+len(r.graph.port), len(r.public.text)+len(r.public.port)) + len(rootV1)
	r.needle = append([]byte("/"), r.graph.host...)
	return r, nil
}

// Location returns the rewritten Location, Content-Location or Operation-Location header of Graph's answer to a
// request of that version, "v1.0" or "beta". All three forms that Graph documents become whole addresses at the
// proxy:
//
//   - whole addresses at Graph, https://graph.microsoft.com/v1.0/... (also .../v2/{tenant}/directoryObjects/..., as
//     after https://learn.microsoft.com/graph/api/group-assignlicense);
//   - paths without a version, /teams('{id}')/operations('{id}'), as after
//     https://learn.microsoft.com/graph/api/team-post, which get the request's version. A caller that resolves
//     them by RFC 3986 would lose the version, and a caller that puts its base address before them would double
//     a version that we added to the path alone;
//   - paths with a version.
//
// All others are returned unchanged: addresses at other hosts, which need no token of ours, "//host/path", and
// paths without a slash at the beginning.
func (r *Rewriter) Location(value, version string) string {
	if n, ok := r.graph.match(value); ok {
		return r.public.spelled + value[n:]
	}
	return r.beforePath(value, version) + value
}

// beforePath returns the text before a path of Graph's that makes it an address at the proxy; "" if s is no such
// path.
func (r *Rewriter) beforePath(s, version string) string {
	switch {
	case !strings.HasPrefix(s, "/"), version == "":
		return ""
	case strings.HasPrefix(s, "//"), strings.HasPrefix(s, `/\`): // a host follows; browsers read "\" as "/"
		return ""
	}
	first := s[1:]
	if end := strings.IndexAny(first, "/?#"); end >= 0 {
		first = first[:end]
	}
	switch first {
	case "v1.0", "beta", "v2": // v2: the directory's own, inside Graph; observed in documented answers
		return r.public.spelled
	}
	return r.public.spelled + "/" + version
}

// Back returns the address that a caller names in a request, in $ref?$id= for example, with the proxy's address
// replaced by Graph's. Any other address is returned unchanged, with false.
func (r *Rewriter) Back(value string) (string, bool) {
	n, ok := r.public.match(value)
	if !ok {
		return value, false
	}
	return r.graph.spelled + value[n:], true
}

// verdict is whether a text that may continue begins with a given text.
type verdict int

const (
	no verdict = iota
	yes
	unknown // undecided until more of the text is there
)

// origin is a scheme, host and port.
type origin struct {
	spelled string // as given, which is how it is written
	text    string // in lower case, without the port if that is the scheme's own
	port    string // ":443" or ":80", which may follow text without a change of meaning; "" if text has a port
	scheme  string // of text
	host    []byte // of text, with the port that it has
}

func parseOrigin(address string) (origin, error) {
	scheme, host, found := strings.Cut(address, "://")
	scheme = strings.ToLower(scheme)
	port, known := map[string]string{"http": ":80", "https": ":443"}[scheme]
	if !found || !known || !hasHostBytes(host) {
		return origin{}, fmt.Errorf(
			"%q is not an address such as https://graph.contoso.com; write scheme and host, without a path", address,
		)
	}
	o := origin{spelled: scheme + "://" + host, text: scheme + "://" + strings.ToLower(host)}
	if u, err := url.Parse(o.text); err != nil || u.Hostname() == "" {
		return origin{}, fmt.Errorf("%q is not an address such as https://graph.contoso.com; host or port are malformed",
			address)
	} else if u.Port() == "" || ":"+u.Port() == port {
		o.text, o.port = strings.TrimSuffix(o.text, port), port
	}
	o.scheme, o.host = scheme, []byte(o.text[len(scheme)+len("://"):])
	return o, nil
}

// IsHost reports whether an address that New takes can have this host, with or without a port.
func IsHost(host string) bool {
	if !hasHostBytes(host) {
		return false
	}
	name, port, _ := strings.Cut(host, ":")
	if strings.ContainsAny(host, "[]") || strings.Contains(port, ":") { // an IPv6 address
		u, err := url.Parse("https://" + host)
		return err == nil && u.Hostname() != ""
	}
	return name != "" && strings.Trim(port, "0123456789") == ""
}

// hasHostBytes reports whether s has only bytes that need no escape in a host, a port, a JSON string and a header.
func hasHostBytes(s string) bool {
	for i := range len(s) {
		c := lower(s[i])
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && strings.IndexByte(".-_:[]", c) < 0 {
			return false
		}
	}
	return s != ""
}

// match reports whether s is an address at o, and how many bytes of it name o. Only the beginning of a path, a
// query or a fragment may follow, because https://graph.microsoft.com.fabrikam.example and
// https://graph.microsoft.com@fabrikam.example are not Graph's. Scheme and host are compared without regard to case
// (RFC 3986 section 6.2.2.1).
func (o *origin) match(s string) (n int, ok bool) {
	if len(s) < len(o.text) {
		return 0, false
	}
	for ; n < len(o.text); n++ {
		if lower(s[n]) != o.text[n] {
			return 0, false
		}
	}
	if strings.HasPrefix(s[n:], o.port) {
		n += len(o.port)
	}
	return n, n == len(s) || s[n] == '/' || s[n] == '?' || s[n] == '#'
}

// Graph's API roots, as they follow scheme, host and port. Both are of the same length.
const (
	rootV1   = "/v1.0/"
	rootBeta = "/beta/"
)

// matchRaw is match for the beginning of a raw JSON string, with its escapes, which ends at a quote. With root, one
// of Graph's API roots must follow. N is how many bytes of front name o.
func (o *origin) matchRaw(front []byte, root bool) (n int, v verdict) {
	if n, v = matchText(front, o.text); v != yes {
		return 0, v
	}
	if o.port != "" {
		switch size, v := matchText(front[n:], o.port); v {
		case yes:
			n += size
		case unknown:
			return 0, unknown
		}
	}
	return n, endsOrigin(front[n:], root)
}

// endsOrigin reports whether the bytes after scheme, host and port begin a path, a query or a fragment, or end the
// string.
func endsOrigin(rest []byte, root bool) verdict {
	if root {
		_, v1 := matchText(rest, rootV1)
		_, beta := matchText(rest, rootBeta)
		return max(v1, beta) // at most one of them is yes, and then the other is no
	}
	switch c, size := char(rest); {
	case size == 0:
		return unknown
	case c == '/' || c == '?' || c == '#' || rest[0] == '"':
		return yes
	}
	return no
}

// matchText reports whether the beginning of a raw JSON string is text, which is in lower case, and in how many
// bytes.
func matchText(front []byte, text string) (n int, v verdict) {
	if len(front) >= len(text) && string(front[:len(text)]) == text { // the usual case
		return len(text), yes
	}
	for i := range len(text) {
		if n < len(front) && lower(front[n]) == text[i] {
			n++
			continue
		}
		c, size := char(front[n:])
		switch {
		case size == 0:
			return 0, unknown
		case lower(c) != text[i]:
			return 0, no
		}
		n += size
	}
	return n, yes
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
