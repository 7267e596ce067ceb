// Package caller decides who is calling, by the evidence that comes with a request: a client certificate, a token, a key, the
// peer of a unix socket, the peer's address, or none at all where that is allowed.
//
// What the caller may do, policy decides; how a refusal looks on the wire, and that evidence is never sent on, proxy sees to.
// Callers are known by key, network and anyone. Identities of the kinds certificate, token and unix may be configured, but
// evidence of these kinds is not verified: whoever presents it is refused, and never taken for what weaker evidence says.
package caller

import (
	"net/http"
	"net/netip"
	"slices"
)

// The kinds of identity, strongest evidence first. Found.Evidence is one of them.
const (
	Certificate = "certificate"
	Token       = "token"
	Key         = "key"
	Unix        = "unix"
	Network     = "network"
	Anyone      = "anyone"
)

// Verified returns the kinds of evidence that prove a caller. The others are refused whenever they are presented.
func Verified() []string { return []string{Key, Network, Anyone} }

// A Caller is a name and the identities of which any one proves it.
type Caller struct {
	Name       string
	Identities []Identity
}

// An Identity is one way to be known. Of the fields after Line, those of its Kind are set and all of them must hold.
type Identity struct {
	Kind string
	Line int // in the policy file, for messages; 0: not told

	URI, DNS, CommonName string // certificate: URI SAN (a SPIFFE id, exact or ending in /*), DNS SAN, subject's common name

	Issuer, Audience, Subject string              // token; the subject may hold *
	Claims                    map[string][]string // token: a claim's allowed values, which may hold *
	JWKSFile                  string              // token: path of the file with the issuer's keys; "": they are discovered

	KeySHA256 [32]byte // key: of the key's bytes as sent

	UID, GID *int   // unix
	User     string // unix

	Networks []netip.Prefix // network: of the TCP peer
}

// Found is who is calling and the kind of evidence that says so, which is all of it that may be recorded.
type Found struct{ Name, Evidence string }

// An Error is a request without a caller: 401. Both fields are for the caller to read and hold nothing of the evidence.
type Error struct {
	// Code is innerError.code:
	//   callerUnknown        nothing was presented, and neither network nor anyone names a caller
	//   evidenceAmbiguous    evidence with two readings, or keys of two callers
	//   keyUnknown           the key is no caller's, is empty or too long
	//   tokenInvalid         the token does not verify
	//   certificateUnknown   the client certificate is no caller's
	//   unixUnknown          the peer of the unix socket is no caller
	Code    string
	Message string // with the cure
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

var _ error = (*Error)(nil)

// An Authenticator finds callers. It is immutable and safe for concurrent use. The zero one knows nobody and refuses
// everybody.
type Authenticator struct {
	certificates bool // some caller has an identity of this kind, so that such evidence counts as presented
	secrets      bool // token or key
	unix         bool
	keys         []keyOwner
	networks     []networkOwner // disjoint, by address
	anyone       string         // caller's name; "" nobody's
}

type keyOwner struct {
	hash [32]byte
	name string
}

type networkOwner struct {
	prefix netip.Prefix
	name   string
}

// Authenticate returns who sends r. The error is an *Error.
//
// The strongest evidence that is presented and verifies names the caller: certificate, token, key, unix, network,
// anyone. Evidence that is presented and fails is an error, whatever weaker evidence says. A client certificate counts as
// presented when any caller has a certificate identity; a bearer token (RFC 6750 §2.1, the scheme in any letter case) or an
// X-Api-Key header, even an empty one, when any has a token or key identity. Otherwise they are ignored, as are other
// schemes of Authorization. A bearer of three parts with dots between is a token; any other, and every X-Api-Key, is a key.
//
// What has two readings is refused: a header that occurs twice, commas and blanks within a credential, a bearer key and an
// X-Api-Key of different callers (of the same caller they are one).
//
// A network is that of the TCP peer, r.RemoteAddr: no header says anything about it. ::ffff:10.0.0.1 is 10.0.0.1, and
// zones do not count.
func (a *Authenticator) Authenticate(r *http.Request) (Found, error) {
	if a.certificates && r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
		return Found{}, errCertificate()
	}
	if a.secrets {
		name, err := a.secret(r.Header)
		if err != nil {
			return Found{}, err
		}
		if name != "" {
			return Found{name, Key}, nil
		}
	}
	return a.peer(r.RemoteAddr)
}

// peer names the caller by where it calls from. An address of another form than net/http gives to TCP connections is a unix
// socket's ("@", "") and no network evidence.
func (a *Authenticator) peer(remote string) (Found, error) {
	addr, err := netip.ParseAddrPort(remote)
	if err != nil && a.unix {
		return Found{}, errUnix() // it has a user, who may be a caller: not just anyone
	}
	if err == nil {
		if name := a.network(addr.Addr().Unmap().WithZone("")); name != "" {
			return Found{name, Network}, nil
		}
	}
	if a.anyone != "" {
		return Found{a.anyone, Anyone}, nil
	}
	return Found{}, errCaller()
}

// network returns whose network the address is in. The networks are disjoint, so only the one that begins at the address
// or last before it can hold it.
func (a *Authenticator) network(addr netip.Addr) string {
	i, exact := slices.BinarySearchFunc(a.networks, addr, func(n networkOwner, addr netip.Addr) int {
		return n.prefix.Addr().Compare(addr)
	})
	if !exact {
		i--
	}
	if i < 0 || !a.networks[i].prefix.Contains(addr) {
		return ""
	}
	return a.networks[i].name
}
