// Package pkitest makes certificate authorities and certificates of clients and servers for tests of
// graphproxy's certificate identities. They have the shape of SPIFFE's: a root, an intermediate that signs, and
// leaves that are named by a URI.
//
// It does not decide which certificates are accepted; graphproxy/auth/caller does. It is a fake: it has its
// keys in memory and returns them to tests.
package pkitest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"time"
)

// Authority is a CA. Make it with New or Authority.Intermediate. Safe for concurrent use.
type Authority struct {
	cert   *x509.Certificate
	key    crypto.Signer
	parent *Authority // nil: a root
}

// New makes a root.
func New(name string) (*Authority, error) { return newAuthority(name, nil) }

// Intermediate makes a CA that a signs. Certificates that it signs carry its own certificate too.
func (a *Authority) Intermediate(name string) (*Authority, error) { return newAuthority(name, a) }

func newAuthority(name string, parent *Authority) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making the key of %s: %w", name, err)
	}
	a := &Authority{key: key, parent: parent}
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: name},
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		NotBefore:             time.Now().Add(-24 * time.Hour),
		NotAfter:              time.Now().Add(24 * time.Hour),
	}
	signer, signed := crypto.Signer(key), template
	if parent != nil {
		signer, signed = parent.key, parent.cert
	}
	if a.cert, err = issue(template, signed, key.Public(), signer); err != nil {
		return nil, fmt.Errorf("making the certificate of %s: %w", name, err)
	}
	return a, nil
}

// Certificate returns the CA's own certificate.
func (a *Authority) Certificate() *x509.Certificate { return a.cert }

// PEM returns the CA's own certificate, as a file of client CAs has it.
func (a *Authority) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
}

// Pool returns a pool with the CA's own certificate only.
func (a *Authority) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// Leaf describes a certificate. The zero value is one without names, for clients and servers, from an hour ago
// until in an hour.
type Leaf struct {
	URIs, DNS, CommonNames []string
	IPs                    []net.IP
	NotBefore, NotAfter    time.Time          // zero: an hour ago, in an hour
	Usage                  []x509.ExtKeyUsage // nil: clientAuth and serverAuth; empty: none
	CA                     bool               // a certificate of a CA, which a client must not have
}

// Leaf makes a certificate, with its key and the intermediates up to the root.
func (a *Authority) Leaf(l Leaf) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("making the key of a leaf: %w", err)
	}
	template, err := l.template()
	if err != nil {
		return tls.Certificate{}, err
	}
	cert, err := issue(template, a.cert, key.Public(), a.key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("making a leaf: %w", err)
	}
	made := tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}
	for ; a.parent != nil; a = a.parent {
		made.Certificate = append(made.Certificate, a.cert.Raw)
	}
	return made, nil
}

func (l Leaf) template() (*x509.Certificate, error) {
	t := &x509.Certificate{
		DNSNames:              l.DNS,
		IPAddresses:           l.IPs,
		NotBefore:             l.NotBefore,
		NotAfter:              l.NotAfter,
		ExtKeyUsage:           l.Usage,
		IsCA:                  l.CA,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageDigitalSignature,
	}
	for _, text := range l.URIs {
		u, err := url.Parse(text)
		if err != nil {
			return nil, fmt.Errorf("the URI of a leaf: %w", err)
		}
		t.URIs = append(t.URIs, u)
	}
	for _, name := range l.CommonNames {
		t.Subject.ExtraNames = append(t.Subject.ExtraNames, pkix.AttributeTypeAndValue{Type: []int{2, 5, 4, 3}, Value: name})
	}
	if t.NotBefore.IsZero() {
		t.NotBefore = time.Now().Add(-time.Hour)
	}
	if t.NotAfter.IsZero() {
		t.NotAfter = time.Now().Add(time.Hour)
	}
	if l.Usage == nil {
		t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}
	}
	return t, nil
}

// Files returns a certificate with its chain, and its key, as PEM.
func Files(c tls.Certificate) (chain, key []byte, err error) {
	for _, der := range c.Certificate {
		chain = append(chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		return nil, nil, fmt.Errorf("writing a key: %w", err)
	}
	return chain, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// issue signs a certificate with a serial number of its own, and reads the result as a client or server will.
func issue(template, parent *x509.Certificate, key crypto.PublicKey, signer crypto.Signer) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	template.SerialNumber = serial
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key, signer)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}
