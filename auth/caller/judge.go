package caller

import (
	"errors"
	"net/netip"
	"net/url"

	"graphproxy/auth/caller/oidc"
)

// Evidence is what a request presents, as facts: the certificate, the token and the keys are genuine and in time. What
// is not given is not there. A request without a Process comes over TCP.
type Evidence struct {
	Certificate *Names
	Token       *oidc.Token // see oidc.Unsigned
	Keys        [][32]byte  // SHA-256 of the keys, at most two: a bearer (if there is no Token) and an X-Api-Key
	Address     netip.Addr  // of the client; the zero Addr is in no network
	Process     *Process    // at the other end of a unix socket
}

// Names are the names in a client certificate.
type Names struct {
	URIs             []*url.URL
	DNS, CommonNames []string
}

// Process is a process with a user that may be known by name only. It has no other name, number or group than is given.
type Process struct {
	UID, GID *int
	User     string
}

// A Judge finds the caller of evidence on any machine: it needs no keys of issuers, no CAs and no list of users. It is
// immutable and safe for concurrent use. An identity with a user's name holds for a Process with that name.
type Judge struct{ a Authenticator }

// NewJudge returns a Judge of these callers, and does not keep the slice. The error contains the problems that callers
// have on any machine: identities without a value, two callers that the same evidence could identify, and an issuer
// whose keys come from two places.
func NewJudge(callers []Caller) (*Judge, error) {
	b := newBuilder(nil)
	b.addAll(callers)
	if err := errors.Join(b.problems...); err != nil {
		return nil, err
	}
	return &Judge{b.a}, nil
}

// Check returns the error of NewJudge.
func Check(callers []Caller) error {
	_, err := NewJudge(callers)
	return err
}

// Judge returns whom evidence proves. It selects the caller in the functions in which Authenticator.Authenticate does,
// so that the result is the same. The error is an *Error. Found.Credential is "" for a certificate without a Name.
func (j *Judge) Judge(e Evidence) (Found, error) {
	holder, err := j.holder(e.Certificate)
	if err != nil {
		return Found{}, err
	}
	sender, err := j.sender(e)
	if err != nil {
		return Found{}, err
	}
	found, err := j.a.strongest(holder, sender, e.place)
	if err != nil {
		return Found{}, err
	}
	return found, nil
}

func (j *Judge) holder(c *Names) (proof, *Error) {
	if c == nil || len(j.a.certificates) == 0 {
		return proof{}, nil
	}
	return j.a.holder(comparableNames(c.URIs, c.DNS, c.CommonNames))
}

// sender returns what the token and the keys prove.
func (j *Judge) sender(e Evidence) (proof, *Error) {
	if !j.a.secrets {
		return proof{}, nil
	}
	var found proof
	isFirst := e.Token == nil
	if e.Token != nil {
		var err *Error
		if found, err = j.bearer(e.Token); err != nil {
			return proof{}, err
		}
	}
	for _, sum := range e.Keys {
		keyed, err := j.a.keyHolder(sum)
		if err == nil && !isFirst {
			keyed, err = both(found, keyed)
		}
		if err != nil {
			return proof{}, err
		}
		found, isFirst = keyed, false
	}
	return found, nil
}

func (j *Judge) bearer(t *oidc.Token) (proof, *Error) {
	if len(j.a.tokens) == 0 {
		return proof{}, errNoTokens()
	}
	for i := range j.a.tokens {
		if j.a.tokens[i].Issuer == t.Issuer {
			return j.a.bearerOf(t)
		}
	}
	return proof{}, errToken(oidc.UnknownIssuer())
}

func (e Evidence) place() place {
	if e.Process == nil {
		return place{isTCP: true, remote: plain(e.Address)}
	}
	p := process{uid: -1, gid: -1, user: e.Process.User}
	if e.Process.UID != nil {
		p.uid = *e.Process.UID
	}
	if e.Process.GID != nil {
		p.gid = *e.Process.GID
	}
	return place{hasProcess: true, process: p}
}
