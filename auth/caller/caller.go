// Package caller decides who is calling, by the evidence that comes with a request: a client certificate, a token, a
// key, the peer of a unix socket, the peer's address, or none at all where that is allowed.
//
// It does not decide what the caller may do (package policy), what a refusal looks like in the answer, and that
// evidence is never sent on (package proxy). Package oidc verifies tokens, and crypto/tls verifies a client
// certificate when the connection begins. This package decides to which caller a token or certificate belongs,
// and whether a certificate is still valid.
package caller

import (
	"net/http"
	"net/netip"
	"time"

	"graphproxy/auth/caller/oidc"
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

// All is the kind of an identity that consists of others, which must hold together. It is no Found.Evidence: there, the
// strongest of them stands.
const All = "all"

// A Caller is a name and the identities of which any one proves it.
type Caller struct {
	Name       string
	Identities []Identity
}

// An Identity is one kind of evidence that proves a caller. Of the fields after Line, the fields of its Kind
// are set, and evidence must match all of them.
type Identity struct {
	Kind string
	File string // of the policy, for messages; "": it has only one
	Line int    // in the file, for messages; 0: unknown
	Name string // for the record, see Found.Credential; "": no name

	// certificate: a URI SAN, such as a SPIFFE id, exact or ending in /*, which is one segment or more; a DNS SAN,
	// without wildcard; the subject's common name. The scheme and host of a URI, and DNS names, compare without regard
	// to letter case.
	URI, DNS, CommonName string

	Issuer, Audience, Subject string              // token; the subject may hold *
	Claims                    map[string][]string // token: a claim's allowed values, which may hold *
	// token: path of the file with the issuer's keys; "": they are discovered
	JWKSFile string

	KeySHA256 [32]byte // key: of the key's bytes as sent

	UID, GID *int   // unix: of the peer; the group is its first one
	User     string // unix: name of a user of this machine

	Networks []netip.Prefix // network: of the TCP peer

	All []Identity // all: two or more, of other kinds than all and anyone, each kind once
}

// Found is the caller and its evidence, as far as it may be recorded.
type Found struct {
	Name     string // of the caller
	Evidence string // its kind

	// Credential names the caller's identity that matched: its Name, or for a key or certificate without a Name
	// the first 8 hexadecimal digits of its SHA-256. Other kinds without a Name have "".
	Credential string
}

// Options are what New needs besides the callers. The zero value is good for callers without token and certificate
// identities.
type Options struct {
	Tokens      *oidc.Keys       // the keys of issuers; must be set if a caller has a token identity
	Authorities *Authorities     // CAs of client certificates; nil: every certificate is refused
	Proxies     []netip.Prefix   // the proxies whose X-Forwarded-For is believed
	Now         func() time.Time // safe for concurrent use; nil is time.Now
}

// An Authenticator finds the caller of a request. It is immutable and safe for concurrent use. The zero
// Authenticator has no callers and refuses everything. Make others with New.
type Authenticator struct {
	certificates []certificateOwner // if there are any, such evidence counts as presented
	commonNames  bool               // some certificate identity has one
	secrets      bool               // there are tokens or keys
	tokens       []tokenOwner
	verifier     *oidc.Verifier // of tokens; nil if there are none
	keys         []keyOwner
	unix         []unixOwner
	networks     []networkOwner // disjoint, by address
	anyone       string         // caller's name; "": there is none

	authorities *Authorities
	proxies     []netip.Prefix
	now         func() time.Time
}

// Authenticate returns who sends r. The error is an *Error.
//
// The strongest evidence that is presented names the caller: certificate, token, key, unix, network, anyone. What
// is presented must verify: one that fails is an error, even beside others that verify, stronger or weaker. A client
// certificate counts as presented when any caller has a certificate identity; a bearer token (RFC 6750 §2.1, the
// scheme in any letter case) or an X-Api-Key header, even an empty one, when any has a token or key identity. Otherwise
// they are ignored, as are other schemes of Authorization. A bearer of three parts with dots between is a token; any
// other, and every X-Api-Key, is a key.
//
// Ambiguous evidence is refused: evidence that fits two callers, a header that occurs twice, commas and blanks
// within a credential, a bearer and an X-Api-Key of different callers (a bearer and an X-Api-Key of the same
// caller are accepted).
//
// The connection's certificate is checked against the time and the Authorities at each request, however old the
// connection is. The peer of a unix socket comes from WithPeer. If the peer is no caller, it is refused when
// any caller has a unix identity. When none has, it may be the caller of kind anyone.
//
// A network is that of the TCP peer, r.RemoteAddr. If the peer is one of the Proxies, X-Forwarded-For names the
// client: the last address in it that is not one of the Proxies, or the first address if all are. An entry that
// is no address is refused when any caller has a network identity, but unknown and names that begin with _ (RFC
// 7239 §6) are addresses of no network. From other peers the header is ignored. ::ffff:10.0.0.1 is 10.0.0.1,
// and zones are ignored.
//
// Evidence that is one of several in an identity of kind All proves the caller only if the others are there, too.
//
// It waits for the network only when a token's issuer has keys that are not known yet: see oidc.Verifier.
func (a *Authenticator) Authenticate(r *http.Request) (Found, error) {
	holder, err := a.certificate(r.TLS)
	if err != nil {
		return Found{}, err
	}
	sender, err := a.secret(r)
	if err != nil {
		return Found{}, err
	}
	found, err := a.strongest(holder, sender, func() place { return placeOf(r) })
	if err != nil {
		return Found{}, err
	}
	return found, nil
}

// strongest returns the caller by what a certificate proves, what a token or a key proves, and the place that the
// request comes from. Where they leave no question, it does not look at the place.
func (a *Authenticator) strongest(holder, sender proof, from func() place) (Found, *Error) {
	switch {
	case holder.Name != "" && holder.parts != nil, holder.Name == "" && sender.parts != nil:
		return a.complete(holder, sender, from())
	case holder.Name != "":
		return holder.Found, nil
	case sender.Name != "":
		return sender.Found, nil
	}
	return a.peer(from())
}

// onlyCaller collects the callers that evidence identifies. They must be one caller. If several of its
// identities match, the first one with a name is recorded.
type onlyCaller struct {
	Found
	several bool
	alone   bool // an identity matched that proves the caller alone
	parts   []part
}

func (s *onlyCaller) add(f Found, all *conjunction) {
	s.several = s.several || s.Name != "" && s.Name != f.Name
	if all != nil {
		s.parts = append(s.parts, part{all, f.Evidence})
	}
	if s.Name == "" || s.Credential == "" || all == nil && !s.alone {
		s.Found = f
	}
	s.alone = s.alone || all == nil
}

// proof returns what the identities prove.
func (s *onlyCaller) proof() proof {
	if s.alone {
		return proof{Found: s.Found}
	}
	return proof{s.Found, s.parts}
}
