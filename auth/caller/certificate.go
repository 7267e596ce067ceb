package caller

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// Authorities are the CAs that may sign client certificates. They are replaced as a whole. The zero value has
// none, so that no certificate verifies. Safe for concurrent use.
type Authorities struct{ current atomic.Pointer[authorities] }

type authorities struct {
	pool  *x509.CertPool
	known map[string]bool // by the bytes of the certificate
}

// Use replaces the CAs. Open connections stay open. Their certificates remain valid as long as the CA that
// verified them is among the new CAs.
func (s *Authorities) Use(cas []*x509.Certificate) {
	next := &authorities{pool: x509.NewCertPool(), known: make(map[string]bool)}
	for _, ca := range cas {
		next.pool.AddCert(ca)
		next.known[string(ca.Raw)] = true
	}
	s.current.Store(next)
}

// Pool returns the CAs for a tls.Config. It is never nil, which would stand for the system's CAs.
func (s *Authorities) Pool() *x509.CertPool {
	if now := s.current.Load(); now != nil {
		return now.pool
	}
	return x509.NewCertPool()
}

// stillTrusts reports whether a chain that was verified when the connection began is still valid. The
// signatures do not change, but a certificate may have expired, and its CA may have been removed.
func (s *Authorities) stillTrusts(chains [][]*x509.Certificate, now time.Time) bool {
	if s == nil || s.current.Load() == nil {
		return false
	}
	known := s.current.Load().known
	return slices.ContainsFunc(chains, func(chain []*x509.Certificate) bool {
		return len(chain) > 0 && known[string(chain[len(chain)-1].Raw)] &&
			!slices.ContainsFunc(chain, func(c *x509.Certificate) bool {
				return now.Before(c.NotBefore) || now.After(c.NotAfter)
			})
	})
}

type certificateOwner struct {
	uri             uriPattern
	dns, commonName string // DNS names in lower case
	Found
	all *conjunction // that it is part of; nil: it proves the caller alone
}

// digits is how many hexadecimal digits of a hash are recorded.
const digits = 8

// certificate returns the caller of the connection's client certificate. It returns the zero Found when there
// is no certificate, or no caller has a certificate identity.
func (a *Authenticator) certificate(s *tls.ConnectionState) (proof, *Error) {
	if len(a.certificates) == 0 || s == nil || len(s.PeerCertificates) == 0 {
		return proof{}, nil
	}
	if !a.authorities.stillTrusts(s.VerifiedChains, a.now()) {
		return proof{}, errStale()
	}
	leaf := s.PeerCertificates[0]
	if leaf.IsCA || !slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageClientAuth) {
		return proof{}, errUse()
	}
	found, err := a.holder(namesOf(leaf))
	if err == nil && found.Credential == "" {
		hash := sha256.Sum256(leaf.Raw)
		found.Credential = hex.EncodeToString(hash[:digits/2])
	}
	return found, err
}

// holder returns the caller that has a certificate with these names.
func (a *Authenticator) holder(names certificateNames) (proof, *Error) {
	switch {
	case len(names.uris) > 1 && names.spiffe:
		// https://github.com/spiffe/spiffe/blob/main/standards/X509-SVID.md §2: exactly one.
		return proof{}, errAmbiguous("the client certificate has a SPIFFE id and another URI: " +
			"ask its issuer for one with a single id")
	case len(names.commonNames) > 1 && a.commonNames:
		return proof{}, errAmbiguous("the client certificate has several common names: " +
			"ask its issuer for one with a single name")
	}
	var whose onlyCaller
	for i := range a.certificates {
		if a.certificates[i].holds(names) {
			whose.add(a.certificates[i].Found, a.certificates[i].all)
		}
	}
	switch {
	case whose.several:
		return proof{}, errAmbiguous("the client certificate has names of several callers: " +
			"ask the policy's owner to make them differ")
	case whose.Name == "":
		return proof{}, errCertificate()
	}
	return whose.proof(), nil
}

// certificateNames are the names in a certificate, in the form in which they are compared.
type certificateNames struct {
	uris, dns, commonNames []string
	spiffe                 bool // one of the uris is a SPIFFE id
}

func namesOf(c *x509.Certificate) certificateNames {
	var commonNames []string
	for _, part := range c.Subject.Names {
		if text, ok := part.Value.(string); ok && part.Type.String() == "2.5.4.3" {
			commonNames = append(commonNames, text)
		}
	}
	return comparableNames(c.URIs, c.DNSNames, commonNames)
}

// comparableNames returns names of a certificate in the form in which they are compared.
func comparableNames(uris []*url.URL, dns, commonNames []string) certificateNames {
	n := certificateNames{commonNames: commonNames}
	for _, u := range uris {
		n.uris = append(n.uris, canonical(u))
		n.spiffe = n.spiffe || strings.EqualFold(u.Scheme, "spiffe")
	}
	for _, name := range dns {
		n.dns = append(n.dns, strings.ToLower(name))
	}
	return n
}

// holds reports whether a certificate has all names that the identity asks for. A wildcard in the certificate
// is compared as text, and no identity can ask for one.
func (o *certificateOwner) holds(n certificateNames) bool {
	return (o.uri.text == "" || slices.ContainsFunc(n.uris, o.uri.match)) &&
		(o.dns == "" || slices.Contains(n.dns, o.dns)) &&
		(o.commonName == "" || slices.Contains(n.commonNames, o.commonName))
}

// uriPattern is a URI, or all URIs below one.
type uriPattern struct {
	text  string // canonical; a pattern has it without the star: spiffe://contoso.example/hr/
	below bool
}

// newURIPattern reads spiffe://contoso.example/hr, or spiffe://contoso.example/hr/*.
func newURIPattern(text string) (uriPattern, error) {
	base, below := strings.CutSuffix(text, "/*")
	if below {
		base += "/"
	}
	u, err := url.Parse(base)
	switch {
	case strings.Contains(base, "*"):
		return uriPattern{}, errors.New("a star stands only at the end, after a slash: " +
			"write such as spiffe://contoso.example/hr/*")
	case err != nil || u.Scheme == "" || u.Host == "" && u.Opaque == "":
		return uriPattern{}, errors.New("is no URI with a scheme: write such as spiffe://contoso.example/hr-sync")
	case u.User != nil || below && (u.Host == "" || strings.ContainsAny(base, "?#%")):
		return uriPattern{}, errors.New("has more than a scheme, a host and a path: " +
			"write such as spiffe://contoso.example/hr/*")
	}
	return uriPattern{canonical(u), below}, nil
}

// canonical returns a URI in the form in which it is compared: scheme and host in lower case (RFC 3986
// §6.2.2.1), the rest unchanged.
func canonical(u *url.URL) string {
	lower := *u
	lower.Scheme, lower.Host = strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	return lower.String()
}

// match reports whether a canonical URI equals the pattern's, or is below it by one segment or more. A URI with
// an ambiguous segment (with escapes or dots) is below no URI.
func (p uriPattern) match(uri string) bool {
	if !p.below {
		return uri == p.text
	}
	rest, ok := strings.CutPrefix(uri, p.text)
	if !ok || strings.ContainsAny(rest, "?#%") {
		return false
	}
	for segment := range strings.SplitSeq(rest, "/") {
		if segment == "" || segment == "." || segment == ".." {
			return false
		}
	}
	return true
}

// overlaps reports whether a URI exists that matches both.
func (p uriPattern) overlaps(q uriPattern) bool {
	switch {
	case !p.below:
		return q.match(p.text)
	case !q.below:
		return p.match(q.text)
	}
	return strings.HasPrefix(p.text, q.text) || strings.HasPrefix(q.text, p.text)
}
