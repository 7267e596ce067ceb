package auth

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// maxBody bounds what is read of an answer, in bytes. Discovery documents and tokens are a few kB; MSAL would read an
// error page of any size into an error message.
const maxBody = 1 << 20

// errForeignHost is the refusal to send anything to a host that is neither the authority's nor Microsoft's, or in clear.
var errForeignHost = errors.New("the discovery document names a token endpoint on another host or without TLS")

// proxyError is an HTTPS proxy's refusal to let us through.
type proxyError struct{ status int }

func (e *proxyError) Error() string {
	return "the proxy answered CONNECT with HTTP " + strconv.Itoa(e.status)
}

// newTransport returns the one http.Transport of a source.
//
// HTTP/1.1 on purpose: an acquisition is one or two requests in an hour, and a connection that failed is closed,
// whereas a dead HTTP/2 connection is given to the next attempt too.
func newTransport(roots *x509.CertPool, proxy func(*http.Request) (*url.URL, error)) *http.Transport {
	t := &http.Transport{
		Proxy:                  proxy,
		DialContext:            (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
		TLSHandshakeTimeout:    5 * time.Second,
		IdleConnTimeout:        10 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		Protocols:              new(http.Protocols),
		OnProxyConnectResponse: func(_ context.Context, _ *url.URL, _ *http.Request, res *http.Response) error {
			if res.StatusCode != http.StatusOK {
				return &proxyError{res.StatusCode} // net/http would repeat the proxy's own words
			}
			return nil
		},
	}
	t.Protocols.SetHTTP1(true)
	return t
}

// noRedirects: a 307 makes net/http send the form again, with the secret in it, to wherever the answer says.
func noRedirects(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// bounded is a RoundTripper that cuts bodies off at maxBody. What is cut is no JSON any more and is refused as such.
type bounded struct{ next http.RoundTripper }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := b.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	res.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(res.Body, maxBody), res.Body}
	return res, nil
}

// entraTransport is the way to Entra ID. It sends to the authority's host and to Microsoft's sign-in hosts and to no
// other: MSAL posts the credential to whatever address the discovery document names. It speaks http to an authority
// on loopback that is configured so, although MSAL insists on https.
type entraTransport struct {
	next  http.RoundTripper
	host  string // of the authority, with its port
	plain bool   // the authority is http
}

func newEntraTransport(next http.RoundTripper, authorityHost string) *entraTransport {
	u, err := url.Parse(authorityHost)
	if err != nil {
		u = &url.URL{} // App.Check has refused it; no host is allowed then
	}
	return &entraTransport{next: next, host: strings.ToLower(u.Host), plain: u.Scheme == "http"}
}

func (t *entraTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	own := t.host != "" && strings.EqualFold(r.URL.Host, t.host)
	switch {
	case own && t.plain:
		r = withScheme(r, "http")
	case r.URL.Scheme != "https", !own && !microsoftLogin(r.URL.Host):
		if r.Body != nil {
			_ = r.Body.Close() // a RoundTripper closes the body whatever it does
		}
		return nil, errForeignHost
	}
	res, err := t.next.RoundTrip(r)
	if err == nil && own && t.plain && strings.HasSuffix(r.URL.Path, "/.well-known/openid-configuration") {
		err = t.issuerToHTTPS(res)
	}
	return res, err
}

// withScheme returns a copy of r for the same address under another scheme; a RoundTripper must not change r.
func withScheme(r *http.Request, scheme string) *http.Request {
	c := *r
	u := *r.URL
	u.Scheme = scheme
	c.URL = &u
	return &c
}

// issuerToHTTPS writes the issuer of a discovery document as https, because MSAL compares its scheme with that of the
// authority, which it was given as https. The token endpoint stays as it is: it is the audience of assertions.
func (t *entraTransport) issuerToHTTPS(res *http.Response) error {
	body, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if err != nil {
		return err
	}
	var doc map[string]json.RawMessage
	var issuer string
	if json.Unmarshal(body, &doc) == nil && json.Unmarshal(doc["issuer"], &issuer) == nil {
		if rest, ok := strings.CutPrefix(issuer, "http://"+t.host); ok {
			doc["issuer"], _ = json.Marshal("https://" + t.host + rest) // a string always marshals
			body, _ = json.Marshal(doc)                                 // as do parts of a document that was read
		}
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	res.ContentLength = int64(len(body))
	return nil
}

// managedClient is the HTTP client for managed identity endpoints. MSAL wants to pin a certificate in the transport
// on Service Fabric, and can do so only through ConfigureClient.
type managedClient struct {
	*http.Client
	transport *http.Transport
}

func newManagedClient(t *http.Transport) *managedClient {
	return &managedClient{&http.Client{Transport: bounded{t}, CheckRedirect: noRedirects}, t}
}

// ConfigureClient implements managedidentity.ClientConfigurer.
func (m *managedClient) ConfigureClient(augment func(*http.Client) (*http.Client, error)) error {
	c, err := augment(&http.Client{Transport: m.transport, CheckRedirect: noRedirects})
	if err != nil {
		return err
	}
	if t, ok := c.Transport.(*http.Transport); ok {
		m.transport = t
	}
	c.Transport = bounded{c.Transport}
	m.Client = c
	return nil
}
