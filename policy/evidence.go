package policy

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Evidence is what the request of a test presents. The evidence is genuine and in time; what is not given is not there.
// A request without Unix comes over TCP. The zero Evidence presents nothing.
type Evidence struct {
	Certificate *CertificateEvidence
	Token       *TokenEvidence
	Keys        [][32]byte // SHA-256 of the keys, at most two; with a Token at most one
	Address     netip.Addr // of the client; the zero Addr is in no network
	Unix        *UnixEvidence
}

// CertificateEvidence is a client certificate with these names.
type CertificateEvidence struct {
	URIs, DNS, CommonNames []string // each URI can be parsed
}

// TokenEvidence is a token with these claims.
type TokenEvidence struct {
	Issuer, Subject string // Subject may be ""
	Audiences       []string
	Claims          map[string]json.RawMessage // without iss, sub and aud
}

// UnixEvidence is the process at the other end of a unix socket. What is nil or "" is a number or a name that no
// identity has.
type UnixEvidence struct {
	UID, GID *int
	User     string
}

// Proof is what evidence proves: a caller, or why it proves none.
type Proof struct {
	Caller     string // "": none, so the request is 401
	Kind       string // of the evidence that named the caller
	Credential string // name of the caller's identity; may be ""

	Code, Message string // of the refusal: "keyUnknown"
}

// Prove returns what evidence proves, as the proxy would find it. It depends on nothing but the callers.
type Prove func(Evidence) Proof

// NoCaller stands in tests for the caller of a request that is refused with 401.
const NoCaller = "none"

// proof returns the proof of a case's evidence.
func (p *Policy) proof(c *Case) Proof {
	if p.prove == nil {
		return Proof{Message: "this program cannot judge evidence; run graphproxy policy test"}
	}
	return p.prove(*c.Evidence)
}

// proves reports whether the proof is what the case expects. Without a Prove nothing is.
func (p *Policy) proves(c *Case, found Proof) bool {
	return p.prove != nil && (found.Caller == c.Request.Caller || found.Caller == "" && c.Request.Caller == NoCaller)
}

// proofText says what the evidence of a case proves, and if that is not what it must prove, why.
func (p *Policy) proofText(c *Case, found Proof, ok bool) string {
	what, _, _ := strings.Cut(found.Message, ": ") // without the cure, which is for the caller
	text := "proves no caller: 401 " + found.Code + ", " + what
	if found.Code == "" {
		text = "proves no caller: " + found.Message
	}
	if found.Caller != "" {
		text = "proves " + found.Caller + ", by " + p.provedBy(found)
	}
	if c.Request.Target != nil {
		text = "is a request whose evidence " + text
	}
	switch {
	case ok:
		return text
	case c.Request.Caller == NoCaller:
		return text + "; it must prove none"
	}
	return text + "; it must prove " + c.Request.Caller + ", which is known by " + p.knownBy(c.Request.Caller)
}

// provedBy names the evidence, and the place of the identity if only one can be meant.
func (p *Policy) provedBy(found Proof) string {
	text := found.Kind
	if found.Credential != "" {
		text += " " + found.Credential
	}
	var places []string
	for _, id := range p.identitiesOf(found.Caller) {
		isKind := slices.ContainsFunc(id.Each(), func(each Identity) bool { return each.Kind == found.Kind })
		if isKind && (id.Name == "" || id.Name == found.Credential) {
			places = append(places, fmt.Sprintf("%s:%d", id.File, id.Line))
		}
	}
	if len(places) == 1 {
		text += " (" + places[0] + ")"
	}
	return text
}

// mostIdentities bounds how many identities a message names.
const mostIdentities = 5

// knownBy lists the identities of a caller: "certificate (policy.yaml:8) or key with network (policy.yaml:9)".
func (p *Policy) knownBy(caller string) string {
	var all []string
	for _, id := range p.identitiesOf(caller) {
		var kinds []string
		for _, each := range id.Each() {
			kinds = append(kinds, each.Kind)
		}
		all = append(all, fmt.Sprintf("%s (%s:%d)", strings.Join(kinds, " with "), id.File, id.Line))
	}
	if more := len(all) - mostIdentities; more > 0 {
		all = append(all[:mostIdentities], fmt.Sprintf("%d more", more))
	}
	return strings.Join(all, " or ")
}

func (p *Policy) identitiesOf(caller string) []Identity {
	for i := range p.callers {
		if p.callers[i].Name == caller {
			return p.callers[i].Identities
		}
	}
	return nil
}
