package entratest

import (
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
	"time"
)

// CA is a certificate authority for the listeners of tests and of the sandbox: one key (ECDSA P-256) that never
// leaves the process, valid for a year. It is immutable and safe for concurrent use. Make it with NewCA.
type CA struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

const year = 365 * 24 * time.Hour

// NewCA makes an authority with a fresh key.
func NewCA() (*CA, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making the CA's key: %w", err)
	}
	template, err := newTemplate("graphproxy local CA")
	if err != nil {
		return nil, fmt.Errorf("making the CA: %w", err)
	}
	template.KeyUsage = x509.KeyUsageCertSign
	template.IsCA = true
	template.MaxPathLenZero = true
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("making the CA's certificate: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("making the CA's certificate: %w", err)
	}
	return &CA{cert: cert, key: key}, nil
}

// newTemplate returns a certificate for a year. It begins five minutes ago, so that a client whose clock is a
// little slow accepts it.
func newTemplate(commonName string) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	from := time.Now().Add(-5 * time.Minute)
	return &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: commonName},
		NotBefore:             from,
		NotAfter:              from.Add(year),
		BasicConstraintsValid: true,
	}, nil
}

// PEM is the CA's certificate, for a file that clients trust (curl --cacert, SSL_CERT_FILE, NODE_EXTRA_CA_CERTS).
func (c *CA) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.cert.Raw})
}

// Pool is a new pool that holds the CA's certificate and no other.
func (c *CA) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(c.cert)
	return pool
}

// TLS is a server's configuration with a new certificate for 127.0.0.1, ::1, localhost and hosts (names or IP
// addresses). The caller owns it, and sets NextProtos if it wants HTTP/2.
func (c *CA) TLS(hosts ...string) (*tls.Config, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making a server's key: %w", err)
	}
	template, err := newTemplate("localhost")
	if err != nil {
		return nil, fmt.Errorf("making a server's certificate: %w", err)
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	for _, host := range append([]string{"127.0.0.1", "::1", "localhost"}, hosts...) {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	// A certificate must not outlive its issuer: Go accepts one that does, other clients do not.
	if template.NotAfter.After(c.cert.NotAfter) {
		template.NotAfter = c.cert.NotAfter
	}
	der, err := x509.CreateCertificate(rand.Reader, template, c.cert, key.Public(), c.key)
	if err != nil {
		return nil, fmt.Errorf("making a server's certificate: %w", err)
	}
	return &tls.Config{
		MinVersion:   tls.VersionTLS12,
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
	}, nil
}
