package caller_test

import (
	"crypto/tls"
	"crypto/x509"
	"net/netip"
	"net/url"
	"path"
	"strings"
	"testing"
	"time"

	"graphproxy/auth/caller"
	"graphproxy/auth/caller/pkitest"
)

// X-Forwarded-For may contain anything. From a peer that is not trusted it changes nothing. A trusted proxy
// appends the sender's address, and then that address is the client.
func FuzzForwardedFor(f *testing.F) {
	for _, seed := range []string{"", "10.77.0.1", "10.77.0.1,", " unknown", "_x, [::1]:5", "[::ffff:10.77.0.1]",
		"10.77.0.1:80, 192.0.2.1", ",,", "::1%eth0", "10.77.0.1/32"} {
		f.Add(seed)
	}
	a := mustNewWith(f, caller.Options{Proxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}},
		is("lab", network("10.77.0.0/16")), is("all", anyone))
	f.Fuzz(func(t *testing.T, text string) {
		sent := request()
		sent.Header["X-Forwarded-For"] = []string{text}
		if got := outcome(t, a, from("203.0.113.7:5", sent)); got != "all by anyone" {
			t.Errorf("%q from a stranger: %s", text, got)
		}
		for _, headers := range [][]string{{text + ", 203.0.113.7"}, {text, "203.0.113.7"}} {
			r := request()
			r.Header["X-Forwarded-For"] = headers
			if got := outcome(t, a, from("192.0.2.1:5", r)); got != "all by anyone" {
				t.Errorf("%q through a proxy: %s", headers, got)
			}
		}
	})
}

// A URI that matches a pattern is below it under every reading of its path.
func FuzzCertificateURI(f *testing.F) {
	for _, seed := range []string{"spiffe://contoso.example/ns/hr/a", "SPIFFE://Contoso.Example/ns/hr/a/b",
		"spiffe://contoso.example/ns/hr/../it", "spiffe://contoso.example/ns/hr/%2e%2e",
		"spiffe://a@contoso.example/ns/hr/a"} {
		f.Add(seed)
	}
	ca, err := pkitest.New("contoso")
	must(f, err)
	trusted := new(caller.Authorities)
	trusted.Use([]*x509.Certificate{ca.Certificate()})
	a := mustNewWith(f, caller.Options{Authorities: trusted}, is("hr", uri("spiffe://contoso.example/ns/hr/*")))
	f.Fuzz(func(t *testing.T, text string) {
		u, err := url.Parse(text)
		if err != nil {
			return
		}
		leaf := &x509.Certificate{
			URIs:        []*url.URL{u},
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
			NotBefore:   time.Now().Add(-time.Hour),
			NotAfter:    time.Now().Add(time.Hour),
		}
		r := request()
		r.TLS = &tls.ConnectionState{
			PeerCertificates: []*x509.Certificate{leaf},
			VerifiedChains:   [][]*x509.Certificate{{leaf, ca.Certificate()}},
		}
		if outcome(t, a, r) != "hr by certificate" {
			return
		}
		below, ok := strings.CutPrefix(path.Clean(u.Path), "/ns/hr/")
		if !ok || below == "" || !strings.EqualFold(u.Scheme+"://"+u.Host, "spiffe://contoso.example") || u.User != nil ||
			u.RawQuery != "" || u.Fragment != "" {
			t.Errorf("%q is taken", text)
		}
	})
}
