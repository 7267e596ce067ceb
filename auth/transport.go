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
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxBody bounds what is read of an answer, in bytes. Answers with tokens are a few kB; MSAL would read an
// error page of any size into an error message.
const maxBody = 1 << 20

// errForeignHost is returned for a request to a host that is neither the authority's nor Microsoft's, or
// without TLS.
var errForeignHost = errors.New("the address is on another host than the authority, or without TLS")

// proxyError is the answer of an HTTPS proxy that refused the connection.
type proxyError struct{ status int }

func (e *proxyError) Error() string {
	return "the proxy answered CONNECT with HTTP " + strconv.Itoa(e.status)
}

// newTransport returns the one http.Transport of a source.
//
// It uses HTTP/1.1: an acquisition is one or two requests in an hour. A connection over HTTP/1.1 that failed is
// closed, but a dead HTTP/2 connection is used for the next attempt too.
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
				return &proxyError{res.StatusCode} // net/http would repeat the proxy's own text
			}
			return nil
		},
	}
	t.Protocols.SetHTTP1(true)
	return t
}

// noRedirects stops at a redirect: a 307 makes net/http send the form with the secret again, to any address in
// the answer.
func noRedirects(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// bounded is a RoundTripper that cuts bodies off at maxBody. A body that was cut is not valid JSON and is
// refused as such.
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

// entraTransport sends requests to Entra ID: to the authority's host, to Microsoft's sign-in hosts and to no
// other. It uses http for an authority on loopback that is configured so, although MSAL insists on https.
//
// It answers MSAL's request for the authority's discovery document by itself: the endpoints of an Entra
// authority have one form (https://learn.microsoft.com/entra/identity-platform/v2-protocols#endpoints), and
// MSAL would post the credential to any address that a document names. This also saves a round trip at a cold
// start.
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
			_ = r.Body.Close() // a RoundTripper closes the body in every case
		}
		return nil, errForeignHost
	}
	if authority, ok := strings.CutSuffix(r.URL.Path, "/v2.0/.well-known/openid-configuration"); ok && own {
		return discovery(r, authority)
	}
	if r.Method == http.MethodPost && r.Body != nil {
		var err error
		if r, err = withoutOpenID(r); err != nil {
			return nil, err
		}
	}
	return t.next.RoundTrip(r)
}

// withoutOpenID returns a copy of a token request whose scope is the one that the client-credentials grant takes,
// <resource>/.default alone. MSAL adds the scopes of OpenID Connect, which mean nothing without a user.
// https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow
func withoutOpenID(r *http.Request) (*http.Request, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	_ = r.Body.Close()
	if err != nil {
		return nil, err
	}
	if form, err := url.ParseQuery(string(body)); err == nil {
		scopes := slices.DeleteFunc(strings.Fields(form.Get("scope")), func(s string) bool {
			return s == "openid" || s == "offline_access" || s == "profile"
		})
		form.Set("scope", strings.Join(scopes, " "))
		body = []byte(form.Encode())
	}
	c := *r
	c.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	c.Body, _ = c.GetBody()
	c.ContentLength = int64(len(body))
	return &c, nil
}

// withScheme returns a copy of r for the same address with another scheme; a RoundTripper must not change r.
func withScheme(r *http.Request, scheme string) *http.Request {
	c := *r
	u := *r.URL
	u.Scheme = scheme
	c.URL = &u
	return &c
}

// discovery returns the answer to a request for an authority's discovery document. The token endpoint has the
// configured scheme, because it is also the audience of assertions. The issuer has https, because MSAL compares
// it with the authority, which it got in the https form.
func discovery(r *http.Request, authority string) (*http.Response, error) {
	base := url.URL{Scheme: r.URL.Scheme, Host: r.URL.Host, Path: authority}
	issuer := base
	issuer.Scheme = "https"
	doc, err := json.Marshal(map[string]string{
		"authorization_endpoint": base.String() + "/oauth2/v2.0/authorize",
		"token_endpoint":         base.String() + "/oauth2/v2.0/token",
		"issuer":                 issuer.String() + "/v2.0",
	})
	return &http.Response{
		StatusCode:    http.StatusOK,
		Status:        "200 OK",
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Request:       r,
		Header:        http.Header{"Content-Type": {"application/json"}},
		ContentLength: int64(len(doc)),
		Body:          io.NopCloser(bytes.NewReader(doc)),
	}, err
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
