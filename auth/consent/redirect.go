package consent

import (
	"errors"
	"net"
	"net/url"
	"strconv"
	"strings"

	"graphproxy/auth/loopback"
)

// Redirect is a redirect URI on this machine, where a program can wait for the answer. The zero value is none.
type Redirect struct {
	text, host, port, path string
}

// ParseRedirect reads a redirect URI: http, a loopback host, a port or none (80), and a path or none. It is
// sent to Entra ID unchanged, since Entra ID compares it letter by letter with the registered ones. An error
// continues a sentence that begins with the name of the setting.
func ParseRedirect(text string) (Redirect, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil, u.Scheme != "http", u.Hostname() == "", u.Opaque != "", u.User != nil,
		!strings.HasPrefix(text, "http://"):
		return Redirect{}, errors.New("is not an address such as http://localhost:8400/: write http://, " +
			"a host of this machine and a port")
	case u.RawQuery != "", u.ForceQuery, u.Fragment != "", strings.Contains(text, "#"):
		return Redirect{}, errors.New("has a query or a fragment: remove it; Entra ID writes its answer there")
	case !loopback.Host(u.Hostname()):
		return Redirect{}, errors.New("is an address of another machine, where this command cannot wait: " +
			"write http://localhost and a port")
	case u.Path != u.EscapedPath(), strings.ContainsFunc(u.Path, unsafe):
		return Redirect{}, errors.New("has a path that a browser may write in another way: use letters, digits, " +
			"slashes, hyphens and underscores only")
	}
	r := Redirect{text: text, host: strings.ToLower(u.Hostname()), port: u.Port(), path: u.Path}
	if r.path == "" {
		r.path = "/" // what a browser asks for
	}
	if r.port == "" && !strings.HasSuffix(u.Host, ":") {
		r.port = "80"
	}
	if n, err := strconv.ParseUint(r.port, 10, 16); err != nil || n == 0 {
		return Redirect{}, errors.New("has no port from 1 to 65535: write one, such as http://localhost:8400/")
	}
	return r, nil
}

// unsafe reports whether a browser may change a character of a path, as it changes dot segments and characters
// that it escapes.
func unsafe(r rune) bool {
	return !strings.ContainsRune("/-_", r) && (r < '0' || '9' < r && r < 'A' || 'Z' < r && r < 'a' || 'z' < r)
}

// String returns the redirect URI unchanged.
func (r Redirect) String() string { return r.text }

// Addresses returns the addresses to listen on, host:port. localhost has two, because a browser takes the one
// that its system resolves the name to: first IPv4, then IPv6, which a machine may not have.
func (r Redirect) Addresses() []string {
	if r.host == "localhost" {
		return []string{net.JoinHostPort("127.0.0.1", r.port), net.JoinHostPort("::1", r.port)}
	}
	return []string{net.JoinHostPort(r.host, r.port)}
}
