package proxy

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"time"

	"graphproxy/proxy/direct"
	"graphproxy/proxy/meter"
)

// The implementations that send requests to Graph, see Config.Transport.
const (
	TransportDirect = "direct" // package proxy/direct for requests that it takes, net/http for the rest
	TransportStd    = "std"    // net/http for everything
)

// wire sends requests to Graph.
type wire struct {
	kept  *http.Transport   // its connections are kept for later requests
	fresh *http.Transport   // each of its connections is new, and carries one request
	own   *direct.Transport // nil: every request uses kept or fresh
}

func newWire(c *Config, n *meter.Connections) *wire {
	w := &wire{kept: newTransport(c, n), fresh: newTransport(c, n)}
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

// isProxied reports whether HTTPS_PROXY or a similar variable sets a proxy for Graph.
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

// newTransport returns the transport of net/http to Graph. It follows no redirects, so the token is never sent to
// the address of a Location.
//
// It uses HTTP/1.1, one connection for each request in flight: over HTTP/2 a page of 56 kB cost a third more CPU, a
// GOAWAY loses requests whose body cannot be sent again, and one slow reader delays the others of its connection.
func newTransport(c *Config, n *meter.Connections) *http.Transport {
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            dialFunc(dialer.DialContext).counted(n),
		TLSClientConfig:        &tls.Config{RootCAs: c.Roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    10 * time.Second,
		Protocols:              protocols,
		MaxIdleConnsPerHost:    c.KeptToGraph,
		IdleConnTimeout:        90 * time.Second,
		ResponseHeaderTimeout:  100 * time.Second, // Graph's own gateway gives up earlier
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: 256 << 10,
		ReadBufferSize:         32 << 10,
		WriteBufferSize:        32 << 10,
		DisableCompression:     true, // the caller's Accept-Encoding decides, and its bytes pass unchanged
	}
}

// unanswered is how long a request may be without an answer, and how long a small answer may take to be read:
// longer than Graph and all waits for limits together.
const unanswered = 10 * time.Minute

// NewServer makes a server for a Handler. It cuts off callers that send their header slowly, move next to nothing
// of a body, or leave a connection idle. Bodies that move may take any time. net/http itself answers requests that
// it refuses before the handler (a malformed request line, a header over 64 KiB).
func NewServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:                      h,
		ConnContext:                  withConnection,
		ReadHeaderTimeout:            10 * time.Second,
		WriteTimeout:                 unanswered,
		IdleTimeout:                  2 * time.Minute,
		MaxHeaderBytes:               64 << 10,
		DisableGeneralOptionsHandler: true, // OPTIONS * is refused and recorded like any request
		ErrorLog:                     slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}
