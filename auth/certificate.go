package auth

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"software.sslmate.com/src/go-pkcs12"
)

// parseCertificate reads a PEM or PFX file into its RSA key and its certificates, the key's own first. Errors
// continue the sentence "the file … ". They never contain the text of a parser's error, which may quote the
// file.
func (a App) parseCertificate(data []byte) (*rsa.PrivateKey, []*x509.Certificate, error) {
	var key any
	var certs []*x509.Certificate
	var err error
	if bytes.Contains(data, []byte("-----BEGIN ")) {
		key, certs, err = parsePEM(data)
	} else {
		key, certs, err = a.parsePFX(data)
	}
	if err != nil {
		return nil, nil, err
	}
	private, ok := key.(*rsa.PrivateKey)
	if !ok {
		return nil, nil, errors.New("holds a key that is not RSA: Entra ID takes assertions signed with RSA keys; " +
			"make a certificate with an RSA key of 2048 bits or more")
	}
	chain, ok := leafFirst(private, certs)
	if !ok {
		return nil, nil, errors.New("holds a key that belongs to none of its certificates: " +
			"put the key and its own certificate together")
	}
	return private, chain, nil
}

// leafFirst puts the certificate of key first, as assertions and x5c want it; false if none is the key's.
func leafFirst(key *rsa.PrivateKey, certs []*x509.Certificate) ([]*x509.Certificate, bool) {
	for i, c := range certs {
		if key.PublicKey.Equal(c.PublicKey) {
			chain := append([]*x509.Certificate{c}, certs[:i]...)
			return append(chain, certs[i+1:]...), true
		}
	}
	return nil, false
}

// parsePEM reads the certificates and the one private key among PEM blocks. MSAL's own reader reports "no
// private key found" for an encrypted or elliptic key, so that people look for a key that is there.
func parsePEM(data []byte) (key any, certs []*x509.Certificate, err error) {
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			break
		}
		if block.Type == "CERTIFICATE" {
			c, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil, nil, errors.New("holds a CERTIFICATE block that cannot be read: " +
					"export the certificate again")
			}
			certs = append(certs, c)
			continue
		}
		k, err := parseKey(block)
		if err != nil {
			return nil, nil, err
		}
		if k == nil {
			continue
		}
		if key != nil {
			return nil, nil, errors.New("holds several private keys: keep the one that belongs to the certificate")
		}
		key = k
	}
	switch {
	case len(certs) == 0:
		return nil, nil, errors.New("holds no CERTIFICATE block: " +
			"the certificate and its private key must be in it together")
	case key == nil:
		return nil, nil, errors.New("holds no PRIVATE KEY block: " +
			"the certificate and its private key must be in it together")
	}
	return key, certs, nil
}

// parseKey reads a block that may be a private key. It returns nil and no error for any other block.
func parseKey(block *pem.Block) (key any, err error) {
	if _, legacy := block.Headers["DEK-Info"]; legacy || block.Type == "ENCRYPTED PRIVATE KEY" {
		return nil, errors.New("holds an encrypted private key: " +
			"decrypt it with \"openssl pkcs8 -in FILE -out FILE\" and guard the file by its permissions, " +
			"or use a PFX file with a password")
	}
	switch block.Type {
	case "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	}
	if err != nil {
		return nil, fmt.Errorf("holds a %s block that cannot be read: export the key again", block.Type)
	}
	return key, nil
}

// parsePFX reads a PKCS #12 file in its old (RC2, 3DES) and its present (AES, PBES2) encryption.
func (a App) parsePFX(data []byte) (key any, certs []*x509.Certificate, err error) {
	key, leaf, more, err := pkcs12.DecodeChain(data, a.CertificatePassword.reveal())
	if err == nil {
		return key, append([]*x509.Certificate{leaf}, more...), nil
	}
	password := a.env("CLIENT_CERTIFICATE_PASSWORD")
	wrong := errors.Is(err, pkcs12.ErrIncorrectPassword) || errors.Is(err, pkcs12.ErrDecryption)
	switch {
	case wrong && !a.CertificatePassword.IsSet():
		return nil, nil, fmt.Errorf("is protected by a password: set %s", password)
	case wrong:
		return nil, nil, fmt.Errorf("does not open with the password in %s: correct the password", password)
	}
	if _, err := x509.ParseCertificate(data); err == nil {
		return nil, nil, errors.New("is a certificate without its private key: export both together, as PEM or PFX")
	}
	return nil, nil, errors.New("is neither PEM nor a PFX (PKCS #12) file with one certificate and its key: " +
		"export the certificate with its private key again")
}

// within reports a certificate that has expired or is not valid yet. The problem continues the sentence "the
// certificate in … "; it is "" when there is none.
func within(c *x509.Certificate, now time.Time) (problem, cure string) {
	const minute = "2006-01-02 15:04 UTC"
	switch {
	case now.After(c.NotAfter):
		return "expired on " + c.NotAfter.UTC().Format(minute), "make a new one, " +
			"add it to the app registration (Certificates & secrets), and put it into the file"
	case now.Before(c.NotBefore):
		return "is valid only from " + c.NotBefore.UTC().Format(minute), "use one that is valid now, " +
			"or correct the clock of this machine"
	}
	return "", ""
}
