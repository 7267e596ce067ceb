package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"time"

	"graphproxy/proxy/direct"
	"graphproxy/proxy/meter"
)

// The ways to send requests to Graph, see Config.Transport.
const (
	TransportDirect = "direct" // package proxy/direct for what it takes, net/http for the rest
	TransportStd    = "std"    // net/http for everything
)

// wire is the way to Graph.
type wire struct {
	kept  *http.Transport   // its connections are kept for the requests that follow
	fresh *http.Transport   // each of its connections is new, and carries one request
	own   *direct.Transport // nil: everything goes through kept and fresh
}

func newWire(c *Config, n *meter.Connections) *wire {
	w := &wire{kept: newTransport(c.Roots, n), fresh: newTransport(c.Roots, n)}
	w.fresh.MaxIdleConnsPerHost = -1
	if c.Transport == TransportStd || !direct.Supported || isProxied(c.Graph) {
		return w
	}
	w.own = direct.New(direct.Options{
		Other:            w.kept,
		Dial:             w.dial,
		Failed:           func() { n.Failed.Add(1) },
		TLS:              w.kept.TLSClientConfig,
		HandshakeTimeout: w.kept.TLSHandshakeTimeout,
		HeaderTimeout:    w.kept.ResponseHeaderTimeout,
		IdleTimeout:      w.kept.IdleConnTimeout,
		MaxIdlePerHost:   w.kept.MaxIdleConnsPerHost,
		MaxHeaderBytes:   int(w.kept.MaxResponseHeaderBytes),
	})
	return w
}

// isProxied reports whether HTTPS_PROXY and its like lead to Graph over a proxy.
func isProxied(graph *url.URL) bool {
	proxy, err := http.ProxyFromEnvironment(&http.Request{URL: graph})
	return proxy != nil || err != nil
}

// takes reports whether package direct carries a request.
func (w *wire) takes(r *http.Request) bool { return w.own != nil && direct.Takes(r) }

// dial makes the connections of package direct as net/http makes its own.
func (w *wire) dial(ctx context.Context, network, address string) (net.Conn, error) {
	return w.kept.DialContext(ctx, network, address)
}

// newTransport makes the connections to Graph that net/http uses. Redirects are not its business: it follows none, so
// the token never goes where a Location points.
//
// It speaks HTTP/1.1, one connection for each request in flight: over HTTP/2 a page of 56 kB cost a third more CPU, a
// GOAWAY loses requests whose body cannot be sent again, and one slow reader holds back the others of its connection.
func newTransport(roots *x509.CertPool, n *meter.Connections) *http.Transport {
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            dialFunc(dialer.DialContext).counted(n),
		TLSClientConfig:        &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    10 * time.Second,
		Protocols:              protocols,
		MaxIdleConnsPerHost:    512,
		IdleConnTimeout:        90 * time.Second,
		ResponseHeaderTimeout:  100 * time.Second, // Graph's own gateway gives up before
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: 256 << 10,
		ReadBufferSize:         32 << 10,
		WriteBufferSize:        32 << 10,
		DisableCompression:     true, // the caller's Accept-Encoding decides, and its bytes pass as they are
	}
}

// unanswered is how long a request may be without an answer, and a small answer may take to be taken: longer than Graph
// and every wait for room together.
const unanswered = 10 * time.Minute

// NewServer makes a server for a Handler: callers that are slow with their header, send or take next to nothing of a
// body, or leave a connection idle are cut off; bodies that move may take as long as they take. What net/http refuses
// before the handler (a malformed request line, a header over 64 KiB) it answers by itself.
func NewServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:                      h,
		ReadHeaderTimeout:            10 * time.Second,
		WriteTimeout:                 unanswered,
		IdleTimeout:                  2 * time.Minute,
		MaxHeaderBytes:               64 << 10,
		DisableGeneralOptionsHandler: true, // OPTIONS * is refused and recorded like any request
		ErrorLog:                     slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}
