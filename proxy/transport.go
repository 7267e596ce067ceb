package proxy

import (
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"net/http"
	"time"

	"graphproxy/proxy/meter"
)

// wire is the way to Graph.
type wire struct {
	kept  *http.Transport // its connections are kept for the requests that follow
	fresh *http.Transport // each of its connections is new, and carries one request
}

func newWire(roots *x509.CertPool, n *meter.Connections) wire {
	w := wire{kept: newTransport(roots, n), fresh: newTransport(roots, n)}
	w.fresh.MaxIdleConnsPerHost = -1
	return w
}

// newTransport makes the connections to Graph. Redirects are not its business: it follows none, so the token never goes
// where a Location points.
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
