package proxy

import (
	"errors"
	"fmt"
	"slices"

	"graphproxy/auth/caller"
	"graphproxy/policy"
)

// Rules are a policy and the callers that it names, compiled together so that a request is never judged by one file's
// callers and another file's rules. Immutable; safe for concurrent use.
type Rules struct {
	policy  *policy.Policy
	callers *caller.Authenticator
	shares  map[string]policy.Share // by caller
}

// NewRules compiles what a policy says of its callers' evidence, with what the process knows besides. It is an error when one
// piece of evidence could identify two callers, and when evidence could not be verified on this machine.
func NewRules(p *policy.Policy, o caller.Options) (*Rules, error) {
	a, err := caller.New(callersOf(p), o)
	if err != nil {
		return nil, atTheirLines(p, err)
	}
	return &Rules{policy: p, callers: a, shares: sharesOf(p)}, nil
}

// CheckCallers tells what would keep NewRules from compiling a policy on any machine. It looks at nothing but the policy.
func CheckCallers(p *policy.Policy) error {
	if err := caller.Check(callersOf(p)); err != nil {
		return atTheirLines(p, err)
	}
	return nil
}

// atTheirLines tells what is wrong with callers as package policy tells what is wrong with its file.
func atTheirLines(p *policy.Policy, err error) error {
	all, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return fmt.Errorf("%s: %w", p.File(), err)
	}
	var told policy.Errors
	for _, one := range all.Unwrap() {
		var problem *caller.Problem
		if !errors.As(one, &problem) {
			return fmt.Errorf("%s: %w", p.File(), err)
		}
		told = append(told, &policy.Error{File: p.File(), Line: max(problem.Line, 1), Where: "callers." + problem.Caller + ".identity", Message: problem.Message})
	}
	slices.SortStableFunc(told, func(a, b *policy.Error) int { return a.Line - b.Line })
	return told
}

func callersOf(p *policy.Policy) []caller.Caller {
	var callers []caller.Caller
	for _, c := range p.Callers() {
		known := caller.Caller{Name: c.Name}
		for _, id := range c.Identities {
			known.Identities = append(known.Identities, identity(id))
		}
		callers = append(callers, known)
	}
	return callers
}

// Policy is the policy that these rules were made from.
func (r *Rules) Policy() *policy.Policy { return r.policy }

func identity(id policy.Identity) caller.Identity {
	return caller.Identity{
		Kind: id.Kind, Line: id.Line,
		URI: id.URI, DNS: id.DNS, CommonName: id.CommonName,
		Issuer: id.Issuer, Audience: id.Audience, Subject: id.Subject, Claims: id.Claims, JWKSFile: id.JWKSFile,
		KeySHA256: id.KeySHA256,
		UID:       id.UID, GID: id.GID, User: id.User,
		Networks: id.Networks,
	}
}
