package oidc

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"fmt"
	"math/big"
	"strings"
)

// warnWeak logs the keys of a set that were left out because they are weak. from and name describe the place of
// the set.
func (k *Keys) warnWeak(s *keySet, from, name string) {
	if len(s.weak) > 0 {
		k.log.Warn("weak keys of an issuer are not used, and tokens that they sign are refused; "+
			"ask the issuer to replace them",
			from, name, "weak", s.weak)
	}
}

// because returns the end of a sentence that reports that no key of the set can be used.
func (s *keySet) because() string {
	if len(s.weak) == 0 {
		return ""
	}
	return " (" + strings.Join(s.weak, "; ") + ")"
}

// weakness returns why a public key is too weak, or "".
func weakness(public any) string {
	switch public := public.(type) {
	case *rsa.PublicKey:
		return weaknessRSA(public)
	case *ecdsa.PublicKey, ed25519.PublicKey:
		return ""
	}
	return "is of a kind that no algorithm verifies with"
}

func weaknessRSA(public *rsa.PublicKey) string {
	bits := public.N.BitLen()
	switch {
	case bits < minRSA || bits > maxRSA:
		return fmt.Sprintf("has %d bits, and RSA keys of %d to %d are taken", bits, minRSA, maxRSA)
	case public.E < 3 || public.E%2 == 0:
		return "has an exponent that is even or less than 3"
	case public.N.Bit(0) == 0:
		return "has an even modulus"
	case isROCA(public.N):
		return "has the ROCA weakness (CVE-2017-15361): the private key can be computed from it"
	}
	return ""
}

// rocaPrimes are the odd primes that the fingerprint is tested with. Infineon's library used at least these for
// every length of key.
func rocaPrimes() [38]uint16 {
	return [...]uint16{
		3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109, 113,
		127, 131, 137, 139, 149, 151, 157, 163, 167,
	}
}

// isROCA reports whether a modulus has the fingerprint of CVE-2017-15361: for each of the small primes, it is a
// power of 65537. A random modulus has it with a probability of one in 2^27. Nemec and others, "The Return of
// Coppersmith's Attack", CCS 2017, section 3.1.
func isROCA(n *big.Int) bool {
	var rest, small big.Int
	for _, p := range rocaPrimes() {
		rest.Mod(n, small.SetUint64(uint64(p)))
		if !isPowerOf65537(uint32(rest.Uint64()), uint32(p)) {
			return false
		}
	}
	return true
}

// isPowerOf65537 reports whether rest is a power of 65537 modulo the prime p.
func isPowerOf65537(rest, p uint32) bool {
	power := uint32(1)
	for range p { // the powers repeat after p-1 at the latest
		if power == rest {
			return true
		}
		power = power * (65537 % p) % p
	}
	return false
}

// hasStandardSalt reports whether a PSS signature over text has a salt as long as its hash (RFC 7518 §3.5).
// go-jose takes a salt of any length. Signatures of other algorithms have no salt.
func hasStandardSalt(public any, alg string, text string, signature []byte) bool {
	if !strings.HasPrefix(alg, "PS") {
		return true
	}
	key, ok := public.(*rsa.PublicKey)
	hash, known := map[string]crypto.Hash{"PS256": crypto.SHA256, "PS384": crypto.SHA384, "PS512": crypto.SHA512}[alg]
	if !ok || !known {
		return false
	}
	h := hash.New()
	h.Write([]byte(text))
	return rsa.VerifyPSS(key, hash, h.Sum(nil), signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
}
