package oidc

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxBody is how much of an answer or file is read at most. JWK Sets have a few kB, with certificates some
// tens.
const maxBody = 1 << 20

// newClient returns a copy of client that follows redirects within a host only.
func newClient(client *http.Client) *http.Client {
	var c http.Client
	if client != nil {
		c = *client
	} else {
		c.Transport = newTransport()
	}
	c.CheckRedirect = sameHost
	c.Jar = nil
	return &c
}

// newTransport returns a transport for rare requests to several hosts. It uses HTTP/1.1: a connection over
// HTTP/1.1 that failed is closed, but a dead HTTP/2 connection is used for the next attempt too.
func newTransport() *http.Transport {
	t := &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    5 * time.Second,
		IdleConnTimeout:        10 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		Protocols:              new(http.Protocols),
	}
	t.Protocols.SetHTTP1(true)
	return t
}

// sameHost refuses redirects to another host. Otherwise an open redirect of the issuer's site could name other
// keys.
func sameHost(r *http.Request, via []*http.Request) error {
	first := via[0].URL
	if r.URL.Scheme != first.Scheme || !strings.EqualFold(r.URL.Host, first.Host) {
		return errors.New("it redirects to another host or scheme, which is not followed")
	}
	if len(via) > 3 {
		return errors.New("it redirects more than three times")
	}
	return nil
}

// fetch gets the keys that the issuer publishes, and how long they are good for (OpenID Connect Discovery 1.0 §4).
func (k *Keys) fetch(ctx context.Context, issuer string) (*keySet, time.Duration, error) {
	// §4.1: a slash at the end of the issuer is removed before the path is added.
	body, _, err := k.get(ctx, strings.TrimSuffix(issuer, "/")+"/.well-known/openid-configuration")
	if err != nil {
		return nil, 0, fmt.Errorf("discovery: %w", err)
	}
	document, err := readObject(body)
	if err != nil {
		return nil, 0, fmt.Errorf("discovery: the document %w", err)
	}
	// §4.3: it must be the same text. Otherwise one tenant of a host could issue tokens for another.
	if named, _ := document["issuer"].(string); named != issuer {
		return nil, 0, fmt.Errorf("discovery: the document is of issuer %.80q: "+
			"write the issuer in the policy exactly so, if that is the one meant", named)
	}
	uri, _ := document["jwks_uri"].(string)
	if !isKeyAddress(uri) {
		return nil, 0, fmt.Errorf("discovery: the document's jwks_uri %.80q is no https:// address, "+
			"nor http:// on loopback", uri)
	}
	body, header, err := k.get(ctx, uri)
	if err != nil {
		return nil, 0, fmt.Errorf("keys: %w", err)
	}
	set, err := parseKeySet(body)
	if err != nil {
		return nil, 0, fmt.Errorf("keys: %w", err)
	}
	return set, maxAge(header), nil
}

// isKeyAddress reports whether keys may be fetched from uri. It may have a query, as the key addresses of
// Entra's B2C have.
func isKeyAddress(uri string) bool {
	path, query, _ := strings.Cut(uri, "?")
	return isAddress(path) && !strings.Contains(query, "#")
}

func (k *Keys) get(ctx context.Context, address string) ([]byte, http.Header, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, nil, err
	}
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", "graphproxy")
	res, err := k.client.Do(r)
	if err != nil {
		return nil, nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, nil, fmt.Errorf("%q answered HTTP %d", address, res.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxBody+1))
	if err != nil {
		return nil, nil, fmt.Errorf("reading the answer of %q: %w", address, err)
	}
	if len(body) > maxBody {
		return nil, nil, fmt.Errorf("the answer of %q is larger than %d bytes", address, maxBody)
	}
	return body, res.Header, nil
}

// maxAge returns how long keys may be used before they are fetched again: the max-age of Cache-Control (RFC
// 9111 §5.2.2.1), within bounds.
func maxAge(header http.Header) time.Duration {
	for _, line := range header.Values("Cache-Control") {
		for directive := range strings.SplitSeq(line, ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
			if !strings.EqualFold(name, "max-age") {
				continue
			}
			if seconds, err := strconv.Atoi(strings.Trim(value, `"`)); err == nil && seconds >= 0 {
				return max(leastAge, time.Duration(min(seconds, int(mostAge/time.Second)))*time.Second)
			}
		}
	}
	return ordinaryAge
}
