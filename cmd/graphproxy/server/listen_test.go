package server_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"graphproxy/auth/caller"
	"graphproxy/auth/caller/pkitest"
	"graphproxy/cmd/graphproxy/server"
)

func prefixes(text ...string) []netip.Prefix {
	var all []netip.Prefix
	for _, p := range text {
		all = append(all, netip.MustParsePrefix(p))
	}
	return all
}

// serveOn answers on a listener with the name of the caller.
func serveOn(t *testing.T, l net.Listener, trusted []netip.Prefix, callers ...caller.Caller) {
	t.Helper()
	known, err := caller.New(callers, caller.Options{Proxies: trusted})
	must(t, err)
	h := &http.Server{
		Handler:           answering(known),
		ConnContext:       server.WithPeer,
		ErrorLog:          log.New(io.Discard, "", 0),
		ReadHeaderTimeout: patience,
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = h.Serve(l) }()
	t.Cleanup(func() { _ = h.Close(); <-done })
}

// binaryHeader is a PROXY header, version 2, of TCP over IPv4 from an address.
func binaryHeader(command byte, from string) string {
	at := netip.MustParseAddrPort(from)
	head := []byte("\r\n\r\n\x00\r\nQUIT\n")
	head = append(head, 0x20|command, 0x11, 0, 12)
	a := at.Addr().As4()
	head = append(head, a[:]...)
	head = append(head, 127, 0, 0, 1)
	head = binary.BigEndian.AppendUint16(head, at.Port())
	return string(binary.BigEndian.AppendUint16(head, 443))
}

func TestTheProxyProtocolCountsOnlyFromTrustedPeers(t *testing.T) {
	callers := []caller.Caller{
		{Name: "lab", Identities: []caller.Identity{{Kind: caller.Network, Networks: prefixes("10.77.0.0/16")}}},
		{Name: "local", Identities: []caller.Identity{{Kind: caller.Network, Networks: prefixes("127.0.0.0/8")}}},
		{Name: "all", Identities: []caller.Identity{{Kind: caller.Anyone}}},
	}
	trusting := func(networks ...string) string {
		trusted := prefixes(networks...)
		open, err := server.Listen("GRAPHPROXY_LISTEN", server.Sockets{Proxies: trusted}, "127.0.0.1:0")
		must(t, err)
		serveOn(t, open[0], trusted, callers...)
		return open[0].Addr().String()
	}
	front, both, nobody, others := trusting("127.0.0.1/32"), trusting("127.0.0.1/32",
		"10.77.0.9/32"), trusting(), trusting("10.0.0.0/8")
	const text = "PROXY TCP4 10.77.0.5 127.0.0.1 4711 443\r\n"
	origins := map[string]string{ // of some of them: the recorded client, and the proxy
		"version 1":                                             "10.77.0.5 127.0.0.1",
		"version 1, not told":                                   "127.0.0.1",
		"a trusted proxy that sends none":                       "127.0.0.1",
		"and then a header from one that is trusted":            "203.0.113.7 127.0.0.1",
		"a header from a peer that is not trusted":              "127.0.0.1",
		"and then a header from an address that is not trusted": "10.77.0.5 127.0.0.1",
	}
	for _, tt := range []struct {
		name, address, head, header string
		want                        string // "" is a connection that is cut off, perhaps after a plain-text word
	}{
		{"version 1", front, text, "", "lab by network"},
		{"version 1 over IPv6", front, "PROXY TCP6 2001:db8::7 ::1 4711 443\r\n", "", "all by anyone"},
		{"version 1, not told", front, "PROXY UNKNOWN\r\n", "", "local by network"},
		{"version 2", front, binaryHeader(1, "10.77.0.5:4711"), "", "lab by network"},
		{"version 2, the proxy's own connection", front, binaryHeader(0, "10.77.0.5:4711"), "", "local by network"},
		{"a trusted proxy that sends none", front, "", "", "local by network"},
		{"and then a header from an address that is not trusted", front, text, "X-Forwarded-For: 127.0.0.1",
			"lab by network"},
		{"and then a header from one that is trusted", both, "PROXY TCP4 10.77.0.9 127.0.0.1 4711 443\r\n",
			"X-Forwarded-For: 203.0.113.7", "all by anyone"},
		{"two of them", front, text + text, "", ""},
		{"a broken one", front, "PROXY TCP4 10.77.0.5 x 1 2\r\n", "", ""},
		{"a broken one of version 2", front, binaryHeader(5, "10.77.0.5:4711"), "", ""},
		{"version 1 where nobody is trusted", nobody, text, "", ""},
		{"version 1 from a peer that is not trusted", others, text, "", ""},
		{"version 2 from a peer that is not trusted", others, binaryHeader(1, "10.77.0.5:4711"), "", ""},
		{"a header from a peer that is not trusted", others, "", "X-Forwarded-For: 10.77.0.5", "local by network"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := net.Dial("tcp", tt.address)
			must(t, err)
			defer c.Close()
			must(t, c.SetDeadline(time.Now().Add(patience)))
			header := ""
			if tt.header != "" {
				header = tt.header + "\r\n"
			}
			_, err = fmt.Fprintf(c, "%sGET / HTTP/1.1\r\nHost: graphproxy\r\n%sConnection: close\r\n\r\n", tt.head, header)
			must(t, err)
			got := ""
			if res, err := http.ReadResponse(bufio.NewReader(c), nil); err == nil && res.StatusCode != http.StatusBadRequest {
				body, _ := io.ReadAll(res.Body)
				got = string(body)
				if want, found := origins[tt.name]; found && res.Header.Get("X-Origin") != want {
					t.Errorf("the origin is %q, want %q", res.Header.Get("X-Origin"), want)
				}
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestTheProxyProtocolComesBeforeTLS(t *testing.T) {
	ca := authority(t, "servers")
	leaf, err := ca.Leaf(pkitest.Leaf{DNS: []string{"localhost"}})
	must(t, err)
	trusted := prefixes("127.0.0.1/32")
	secure := &tls.Config{Certificates: []tls.Certificate{leaf}}
	open, err := server.Listen("GRAPHPROXY_LISTEN", server.Sockets{TLS: secure, Proxies: trusted}, "127.0.0.1:0")
	must(t, err)
	serveOn(t, open[0], trusted,
		caller.Caller{Name: "lab", Identities: []caller.Identity{{Kind: caller.Network, Networks: prefixes("10.77.0.0/16")}}})
	for head, want := range map[string]string{"": "callerUnknown", binaryHeader(1, "10.77.0.5:4711"): "lab by network"} {
		wire := &http.Transport{
			DisableKeepAlives: true,
			DialTLSContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				c, err := new(net.Dialer).DialContext(ctx, "tcp", open[0].Addr().String())
				if err == nil {
					_, err = io.WriteString(c, head)
				}
				return tls.Client(c, &tls.Config{RootCAs: ca.Pool(), ServerName: "localhost"}), err
			},
		}
		res, err := wire.RoundTrip(httptest.NewRequest(http.MethodGet, "https://localhost/", nil))
		must(t, err)
		got, err := io.ReadAll(res.Body)
		res.Body.Close()
		if origin := res.Header.Get("X-Origin"); head != "" && origin != "10.77.0.5 127.0.0.1" {
			t.Errorf("the origin is %q", origin)
		}
		if err != nil || string(got) != want {
			t.Errorf("with the header %q: got %q, %v, want %q", head, got, err, want)
		}
	}
}

func overUnix(path string) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DisableKeepAlives: true,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, "unix", path)
			},
		},
	}
}

func askUnix(t *testing.T, path string) string {
	t.Helper()
	res, err := overUnix(path).Get("http://graphproxy/")
	must(t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	must(t, err)
	return string(text)
}

func TestUnixSockets(t *testing.T) {
	me := []caller.Caller{
		{Name: "me", Identities: []caller.Identity{{Kind: caller.Unix, UID: new(os.Getuid()), GID: new(os.Getgid())}}},
	}
	stranger := []caller.Caller{
		{Name: "other", Identities: []caller.Identity{{Kind: caller.Unix, UID: new(os.Getuid() + 1)}}},
	}
	open := func(t *testing.T, path string, mode fs.FileMode) net.Listener {
		t.Helper()
		l, err := server.Listen("GRAPHPROXY_LISTEN", server.Sockets{Mode: mode}, "unix:"+path)
		must(t, err)
		return l[0]
	}
	t.Run("the kernel says who connects", func(t *testing.T) {
		mine, theirs := filepath.Join(t.TempDir(), "s"), filepath.Join(t.TempDir(), "s")
		serveOn(t, open(t, mine, 0o600), nil, me...)
		serveOn(t, open(t, theirs, 0o600), nil, stranger...)
		if got := askUnix(t, mine); got != "me by unix" {
			t.Errorf("got %q", got)
		}
		if got := askUnix(t, theirs); got != "unixUnknown" {
			t.Errorf("got %q", got)
		}
	})
	for _, mode := range []fs.FileMode{0o600, 0o660, 0o666, 0o777} {
		t.Run(fmt.Sprintf("the mode is %v", mode), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "s")
			l := open(t, path, mode)
			info, err := os.Stat(path)
			must(t, err)
			if info.Mode().Perm() != mode {
				t.Errorf("mode %v", info.Mode())
			}
			must(t, l.Close())
			if _, err := os.Stat(path); err == nil {
				t.Error("the socket is there after its listener was closed")
			}
		})
	}
	t.Run("a socket that nobody listens on is replaced", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "s")
		left, err := net.Listen("unix", path)
		must(t, err)
		left.(*net.UnixListener).SetUnlinkOnClose(false)
		must(t, left.Close())
		serveOn(t, open(t, path, 0o600), nil, me...)
		if got := askUnix(t, path); got != "me by unix" {
			t.Errorf("got %q", got)
		}
	})
	refuses := func(name, want string, path func(t *testing.T) string) {
		t.Run(name, func(t *testing.T) {
			at := path(t)
			before, _ := os.Lstat(at)
			_, err := server.Listen("GRAPHPROXY_LISTEN", server.Sockets{Mode: 0o660}, "127.0.0.1:0", "unix:"+at)
			if err == nil || err.Error() != "GRAPHPROXY_LISTEN: unix:"+at+": "+want {
				t.Errorf("got %v", err)
			}
			if after, _ := os.Lstat(at); before != nil && (after == nil || !os.SameFile(before, after)) {
				t.Error("what was there is there no more")
			}
		})
	}
	refuses("a socket that a process listens on",
		"another process listens there: stop it, or choose another path", func(t *testing.T) string {
			path := filepath.Join(t.TempDir(), "s")
			l, err := net.Listen("unix", path)
			must(t, err)
			t.Cleanup(func() { l.Close() })
			return path
		})
	refuses("a file that is no socket",
		"there is a file that is no socket: remove it, or choose another path", func(t *testing.T) string {
			path := filepath.Join(t.TempDir(), "s")
			write(t, path, "precious")
			return path
		})
	refuses("a link to a socket",
		"there is a file that is no socket: remove it, or choose another path", func(t *testing.T) string {
			path := filepath.Join(t.TempDir(), "s")
			must(t, os.Symlink(path+".real", path))
			return path
		})
	refuses("a path that is too long",
		"the path is longer than the 107 bytes that a socket's may have: choose a shorter one", func(*testing.T) string {
			return "/" + strings.Repeat("s", 107)
		})
}
