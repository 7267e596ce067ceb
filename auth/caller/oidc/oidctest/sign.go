package oidctest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

var algorithms = [...]string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}

// signer is a key pair and its name.
type signer struct {
	kid, family string
	generation  int
	key         crypto.Signer
}

// family names the key that signs with an algorithm.
func family(alg string) string {
	switch {
	case strings.HasPrefix(alg, "RS"), strings.HasPrefix(alg, "PS"):
		return "rsa"
	case alg == "EdDSA":
		return "ed"
	}
	return strings.ToLower(alg)
}

// Rotate makes new keys with new key ids, which sign from now on. The old keys are still published, until
// Withdraw. Every set has the same kinds of keys: an RSA key of 2048 bits, EC keys on P-256, P-384 and P-521,
// and an Ed25519 key.
func (s *Server) Rotate() error {
	made, err := newKeys()
	if err != nil {
		return fmt.Errorf("making the issuer's keys: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.generation++
	for i := range made {
		made[i].generation = s.generation
		made[i].kid = fmt.Sprintf("%s-%d", made[i].family, s.generation)
	}
	s.keys = append(made, s.keys...)
	return nil
}

// Withdraw stops publishing the keys that are older than the last Rotate.
func (s *Server) Withdraw() {
	s.mu.Lock()
	defer s.mu.Unlock()
	var kept []signer
	for _, k := range s.keys {
		if k.generation == s.generation {
			kept = append(kept, k)
		}
	}
	s.keys = kept
}

func newKeys() ([]signer, error) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	all := []signer{{family: "rsa", key: rsaKey}, {family: "ed", key: edKey}}
	curves := map[string]elliptic.Curve{"es256": elliptic.P256(), "es384": elliptic.P384(), "es512": elliptic.P521()}
	for name, curve := range curves {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			return nil, err
		}
		all = append(all, signer{family: name, key: key})
	}
	return all, nil
}

// JWKS returns the published keys as a JWK Set, as it stands in a jwks_file.
func (s *Server) JWKS() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.published != nil {
		return s.published
	}
	var set jose.JSONWebKeySet
	for _, k := range s.keys {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: k.key.Public(), KeyID: k.kid, Use: "sig"})
	}
	return encode(set)
}

// Key returns the key that signs with an algorithm now, and its id.
func (s *Server) Key(alg string) (key crypto.Signer, kid string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.keys {
		if k.family == family(alg) {
			return k.key, k.kid, nil
		}
	}
	return nil, "", fmt.Errorf("no key signs with %q: write one of %v", alg, algorithms)
}

// Sign returns a JWT with these claims. Claims that are not given get defaults: the issuer's iss, an iat and
// nbf of now, and an exp in an hour. The header is {"alg":"RS256","typ":"JWT","kid":…}, overridden by header,
// whose alg also chooses the key. A nil value removes a claim or a member of the header. It is an error when no
// key signs with the alg.
func (s *Server) Sign(claims, header map[string]any) (string, error) {
	alg, ok := header["alg"].(string)
	if !ok {
		alg = algorithms[0]
	}
	key, kid, err := s.Key(alg)
	if err != nil {
		return "", err
	}
	now := s.o.Now().Unix()
	payload := merged(map[string]any{"iss": s.Issuer(), "iat": now, "nbf": now, "exp": now + 3600}, claims)
	head := merged(map[string]any{"alg": alg, "typ": "JWT", "kid": kid}, header)
	return SignRaw(key, alg, encode(head), encode(payload))
}

// SignRaw signs any header and payload, well-formed or not, as a JWS in compact serialisation. It signs with
// alg, even if the header names another algorithm.
func SignRaw(key crypto.Signer, alg string, header, payload []byte) (string, error) {
	text := base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString(payload)
	signature, err := sign(key, alg, []byte(text))
	if err != nil {
		return "", fmt.Errorf("signing with %s: %w", alg, err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}

func sign(key crypto.Signer, alg string, text []byte) ([]byte, error) {
	if alg == "EdDSA" {
		return key.Sign(rand.Reader, text, crypto.Hash(0))
	}
	if !slices.Contains(algorithms[:], alg) {
		return nil, fmt.Errorf("no such algorithm: write one of %v", algorithms)
	}
	hash := map[string]crypto.Hash{"256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512}[alg[2:]]
	h := hash.New()
	h.Write(text)
	digest := h.Sum(nil)
	if k, ok := key.(*ecdsa.PrivateKey); ok { // r and s in equal halves (RFC 7518 §3.4), not in ASN.1
		r, s, err := ecdsa.Sign(rand.Reader, k, digest)
		if err != nil {
			return nil, err
		}
		size := (k.Params().BitSize + 7) / 8
		signature := make([]byte, 2*size)
		r.FillBytes(signature[:size])
		s.FillBytes(signature[size:])
		return signature, nil
	}
	if strings.HasPrefix(alg, "PS") {
		return key.Sign(rand.Reader, digest, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: hash})
	}
	return key.Sign(rand.Reader, digest, hash)
}

func merged(defaults, over map[string]any) map[string]any {
	maps.Copy(defaults, over)
	maps.DeleteFunc(defaults, func(_ string, v any) bool { return v == nil })
	return defaults
}

// encode is json.Marshal of a value that can always be encoded. Any other becomes null, which is no token.
func encode(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		return []byte("null")
	}
	return data
}

// certificate makes a certificate for 127.0.0.1 and localhost that is its own authority.
func certificate() (*tls.Config, *x509.CertPool, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "oidctest"},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(365 * 24 * time.Hour),
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		DNSNames:              []string{"localhost"},
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, nil, err
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, nil, err
	}
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	pair := tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}, roots, nil
}
