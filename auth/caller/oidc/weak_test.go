package oidc_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"graphproxy/auth/caller/oidc"
	"graphproxy/auth/caller/oidc/oidctest"
)

// Wycheproof's rsa_pss_*_sha*_mgf1_* vectors have salts of 0, 20 and the longest possible; RFC 7518 §3.5 wants the
// hash's length.
func TestPSSTakesOneLengthOfSalt(t *testing.T) {
	r := newRig(t, oidctest.Options{}).trust()
	key, _, err := r.Key("PS256")
	if err != nil {
		t.Fatal(err)
	}
	for alg, hash := range map[string]crypto.Hash{"PS256": crypto.SHA256, "PS384": crypto.SHA384, "PS512": crypto.SHA512} {
		longest := 256 - hash.Size() - 2
		for _, salt := range []int{0, 1, 20, hash.Size() - 1, hash.Size(), hash.Size() + 1, 32, 48, 64, longest} {
			want := oidc.CodeInvalid
			if salt == hash.Size() {
				want = "ok"
			}
			t.Run(fmt.Sprintf("%s with a salt of %d bytes", alg, salt), func(t *testing.T) {
				text := b64([]byte(r.header(alg, ""))) + "." + b64([]byte(r.payload("")))
				h := hash.New()
				h.Write([]byte(text))
				options := &rsa.PSSOptions{SaltLength: salt, Hash: hash}
				if salt == 0 { // 0 is PSSSaltLengthAuto, which signs with the longest
					text += "." + b64(pssWithoutSalt(t, key.(*rsa.PrivateKey), hash, h.Sum(nil)))
				} else {
					signature, err := key.Sign(rand.Reader, h.Sum(nil), options)
					if err != nil {
						t.Fatal(err)
					}
					text += "." + b64(signature)
				}
				r.want(text, want)
			})
		}
	}
}

// pssWithoutSalt signs a digest with an empty salt (RFC 8017, section 9.1.1), which crypto/rsa does not make.
func pssWithoutSalt(t *testing.T, key *rsa.PrivateKey, hash crypto.Hash, digest []byte) []byte {
	t.Helper()
	size := key.Size()
	inner := hash.New()
	inner.Write(make([]byte, 8))
	inner.Write(digest)
	sum := inner.Sum(nil)
	block := make([]byte, size-len(sum)-1)
	block[len(block)-1] = 1
	for counter, at := byte(0), 0; at < len(block); counter++ { // MGF1
		h := hash.New()
		h.Write(sum)
		h.Write([]byte{0, 0, 0, counter})
		for _, b := range h.Sum(nil) {
			if at < len(block) {
				block[at] ^= b
				at++
			}
		}
	}
	block[0] &= 0x7f
	encoded := append(append(block, sum...), 0xbc)
	signature := new(big.Int).Exp(new(big.Int).SetBytes(encoded), key.D, key.N)
	return signature.FillBytes(make([]byte, size))
}

// rocaKey makes a key as Infineon's library did: each prime is k*M + (65537^a mod M), M being the product of the first
// primes.
func rocaKey(t *testing.T, bits, primes int) *rsa.PrivateKey {
	t.Helper()
	m, e := big.NewInt(1), big.NewInt(65537)
	for p := int64(2); primes > 0; p++ {
		if big.NewInt(p).ProbablyPrime(0) {
			m.Mul(m, big.NewInt(p))
			primes--
		}
	}
	prime := func() *big.Int {
		for {
			a, err := rand.Int(rand.Reader, m)
			if err != nil {
				t.Fatal(err)
			}
			p := new(big.Int).Exp(e, a, m)
			k, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), uint(bits/2-m.BitLen())))
			if err != nil {
				t.Fatal(err)
			}
			k.SetBit(k, bits/2-m.BitLen(), 1)
			if p.Add(p, k.Mul(k, m)); p.BitLen() == bits/2 && p.ProbablyPrime(10) {
				return p
			}
		}
	}
	for {
		p, q := prime(), prime()
		one := big.NewInt(1)
		phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
		n, d := new(big.Int).Mul(p, q), new(big.Int).ModInverse(e, phi)
		if d != nil && n.BitLen() == bits && p.Cmp(q) != 0 {
			key := &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: n, E: 65537}, D: d, Primes: []*big.Int{p, q}}
			key.Precompute()
			return key
		}
	}
}

func TestKeysWithTheROCAWeaknessAreRefused(t *testing.T) {
	for _, tt := range []struct{ bits, primes int }{{2048, 126}, {2048, 39}} {
		t.Run(fmt.Sprintf("%d bits, %d primes", tt.bits, tt.primes), func(t *testing.T) {
			key := rocaKey(t, tt.bits, tt.primes)
			r := newRig(t, oidctest.Options{})
			r.published(r.jwk("ES256", nil), jose.JSONWebKey{Key: key.Public(), KeyID: "k"})
			for _, alg := range []string{"RS256", "PS256"} {
				raw, err := oidctest.SignRaw(key, alg, []byte(`{"alg":"`+alg+`","kid":"k"}`), []byte(r.payload("")))
				if err != nil {
					t.Fatal(err)
				}
				r.trust().want(raw, oidc.CodeInvalid)
			}
			r.want(r.sign(nil, members{"alg": "ES256"}), "ok")
			if n := r.log.Count("CVE-2017-15361"); n != 1 {
				t.Errorf("the weak key is logged %d times: %s", n, r.log)
			}
		})
	}
}

func TestTheErrorForAFileOfWeakKeysNamesTheirWeakness(t *testing.T) {
	path := filepath.Join(t.TempDir(), "jwks.json")
	key := rocaKey(t, 2048, 39)
	set := map[string]any{"keys": []any{jose.JSONWebKey{Key: key.Public(), KeyID: "card-1"}}}
	if err := os.WriteFile(path, []byte(toJSON(t, set)), 0o600); err != nil {
		t.Fatal(err)
	}
	err := oidc.CheckJWKSFile(path)
	if err == nil || !strings.Contains(err.Error(), `the key "card-1" has the ROCA weakness`) {
		t.Errorf("error %v", err)
	}
}

// An honest modulus has the fingerprint with a probability of one in 2^27.
func TestKeysOfOtherLibrariesAreTaken(t *testing.T) {
	r := newRig(t, oidctest.Options{})
	var published []any
	var tokens []string
	for i := range 5 {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		published = append(published, jose.JSONWebKey{Key: key.Public(), KeyID: fmt.Sprint(i)})
		raw, err := oidctest.SignRaw(key, "RS256", fmt.Appendf(nil, `{"alg":"RS256","kid":"%d"}`, i), []byte(r.payload("")))
		if err != nil {
			t.Fatal(err)
		}
		tokens = append(tokens, raw)
	}
	r.published(published...)
	r.trust()
	for _, raw := range tokens {
		r.want(raw, "ok")
	}
}

func TestOddExponents(t *testing.T) {
	r := newRig(t, oidctest.Options{}).trust()
	key, _, err := r.Key("RS256")
	if err != nil {
		t.Fatal(err)
	}
	public := key.Public().(*rsa.PublicKey)
	for _, e := range []int{1, 2, 4, 65536} {
		r.published(jose.JSONWebKey{Key: &rsa.PublicKey{N: public.N, E: e}, KeyID: "k"})
		text := b64([]byte(`{"alg":"RS256","kid":"k"}`)) + "." + b64([]byte(r.payload(""))) + "." + b64(make([]byte, 256))
		r.want(text, oidc.CodeInvalid)
		r.clock.Move(time.Hour) // so that the next keys are fetched
	}
	if n := r.log.Count("exponent"); n < 1 { // the set's keys that go-jose itself reads are logged
		t.Errorf("no weak exponent is logged: %s", r.log)
	}
}
