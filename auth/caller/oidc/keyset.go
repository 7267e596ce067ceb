package oidc

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

const (
	minRSA = 2048 // bits (RFC 7518 §3.3)
	maxRSA = 8192 // bits; verifying costs the proxy more with each

	maxNamed = 4 // weak keys of a set that are named in a log line
)

// keySet is the keys of an issuer that tokens can be verified with. It is immutable. Nil has no keys.
type keySet struct {
	keys   []key
	weak   []string          // why each key that was left out is weak
	digest [sha256.Size]byte // of the text that it was read from
}

type key struct {
	kid, alg string // "": the key does not have it
	public   any    // *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey
}

// jwk is the part of a JWK that is used. Certificates (x5c) are ignored: the set as a whole is trusted, by TLS
// or because it is a file, and a certificate that Go cannot read is no reason to lose the key.
type jwk struct {
	Kty string   `json:"kty"`
	Kid string   `json:"kid,omitempty"`
	Use string   `json:"use,omitempty"`
	Ops []string `json:"key_ops,omitempty"`
	Alg string   `json:"alg,omitempty"`
	Crv string   `json:"crv,omitempty"`
	N   string   `json:"n,omitempty"`
	E   string   `json:"e,omitempty"`
	X   string   `json:"x,omitempty"`
	Y   string   `json:"y,omitempty"`
	D   any      `json:"d,omitempty"` // set: every reader of the set has the private key
}

// parseKeySet reads a JWK Set (RFC 7517 §5). As the RFC requires, it leaves out keys that cannot verify a
// token, or should not.
func parseKeySet(data []byte) (*keySet, error) {
	object, err := readObject(data)
	if err != nil {
		return nil, errors.New("the JWK Set " + err.Error())
	}
	if _, ok := object["keys"].([]any); !ok {
		return nil, errors.New("the JWK Set has no list \"keys\"")
	}
	var raw struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(data, &raw); err != nil {
		return nil, errors.New("the JWK Set has no list \"keys\"")
	}
	set := &keySet{digest: sha256.Sum256(data)}
	for _, text := range raw.Keys {
		switch k, ok := parseKey(text); {
		case !ok:
		case k.weak() != "":
			if len(set.weak) < maxNamed {
				set.weak = append(set.weak, fmt.Sprintf("the key %.80q %s", k.kid, k.weak()))
			}
		default:
			set.keys = append(set.keys, k)
		}
	}
	return set, nil
}

// weak returns why the key is too weak, or "".
func (k *key) weak() string { return weakness(k.public) }

// parseKey reads a public key, weak or not.
func parseKey(text []byte) (key, bool) {
	var j jwk
	if json.Unmarshal(text, &j) != nil || j.D != nil || j.Use != "" && j.Use != "sig" ||
		j.Ops != nil && !slices.Contains(j.Ops, "verify") {
		return key{}, false
	}
	j.Ops = nil
	text, err := json.Marshal(j)
	if err != nil {
		return key{}, false
	}
	var parsed jose.JSONWebKey
	if parsed.UnmarshalJSON(text) != nil || !parsed.Valid() || !parsed.IsPublic() {
		return key{}, false
	}
	return key{kid: j.Kid, alg: j.Alg, public: parsed.Key}, true
}

// fits reports whether the key is for the algorithm. An RSA key with the alg PS256 verifies nothing else, and
// each ES algorithm has its curve (RFC 7518 §3.4).
func (k *key) fits(alg string) bool {
	if k.alg != "" && k.alg != alg {
		return false
	}
	switch public := k.public.(type) {
	case *rsa.PublicKey:
		return alg[:2] == "RS" || alg[:2] == "PS"
	case *ecdsa.PublicKey:
		return alg == algorithmOf(public.Curve)
	case ed25519.PublicKey:
		return alg == string(jose.EdDSA)
	}
	return false
}

func algorithmOf(curve elliptic.Curve) string {
	switch curve {
	case elliptic.P256():
		return string(jose.ES256)
	case elliptic.P384():
		return string(jose.ES384)
	case elliptic.P521():
		return string(jose.ES512)
	}
	return ""
}

// names reports whether the set has a key of this id.
func (s *keySet) names(kid string) bool {
	return s != nil && kid != "" && slices.ContainsFunc(s.keys, func(k key) bool { return k.kid == kid })
}

// fitting returns the keys that may have signed the token: the keys of its key id, or, when it names none, the
// only key that fits. If all were tried, one key could answer for another.
func (s *keySet) fitting(t *jwt) []key {
	if s == nil {
		return nil
	}
	var all []key
	for _, k := range s.keys {
		if k.fits(t.alg) && (t.kid == "" || k.kid == t.kid) {
			all = append(all, k)
		}
	}
	if t.kid == "" && len(all) > 1 {
		return nil
	}
	return all
}

// signed reports whether one of the set's keys signed the token.
func (s *keySet) signed(t *jwt) bool {
	keys := s.fitting(t)
	if len(keys) == 0 {
		return false
	}
	signature, err := jose.ParseSignedCompact(t.raw, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(t.alg)})
	if err != nil {
		return false
	}
	text := t.raw[:strings.LastIndexByte(t.raw, '.')]
	for _, k := range keys {
		if _, err := signature.Verify(k.public); err == nil &&
			hasStandardSalt(k.public, t.alg, text, signature.Signatures[0].Signature) {
			return true
		}
	}
	return false
}
