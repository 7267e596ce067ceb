package proxy

import (
	"fmt"

	"graphproxy/auth/caller"
	"graphproxy/policy"
)

// Rules are a policy and the callers that it names, compiled together so that a request is never judged by one file's
// callers and another file's rules. Immutable; safe for concurrent use.
type Rules struct {
	policy  *policy.Policy
	callers *caller.Authenticator
}

// NewRules compiles what a policy says of its callers' evidence. It is an error when one piece of evidence could identify two.
func NewRules(p *policy.Policy) (*Rules, error) {
	var callers []caller.Caller
	for _, c := range p.Callers() {
		known := caller.Caller{Name: c.Name}
		for _, id := range c.Identities {
			known.Identities = append(known.Identities, identity(id))
		}
		callers = append(callers, known)
	}
	a, err := caller.New(callers)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.File(), err)
	}
	return &Rules{policy: p, callers: a}, nil
}

// Policy is the policy that these rules were made from.
func (r *Rules) Policy() *policy.Policy { return r.policy }

func identity(id policy.Identity) caller.Identity {
	return caller.Identity{
		Kind: id.Kind,
		URI:  id.URI, DNS: id.DNS, CommonName: id.CommonName,
		Issuer: id.Issuer, Audience: id.Audience, Subject: id.Subject, Claims: id.Claims, JWKSFile: id.JWKSFile,
		KeySHA256: id.KeySHA256,
		UID:       id.UID, GID: id.GID, User: id.User,
		Networks: id.Networks,
	}
}
