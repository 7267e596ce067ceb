package proxy

import (
	"errors"
	"fmt"
	"slices"

	"graphproxy/auth/caller"
	"graphproxy/policy"
)

// Authorization is a policy and the callers that it names. They are compiled together, so that a request is never
// judged by the callers of one file and the rules of another. It is immutable and safe for concurrent use.
type Authorization struct {
	policy  *policy.Policy
	callers *caller.Authenticator
	shares  map[string]policy.Share // by caller
}

// NewAuthorization compiles the identities of a policy's callers, with what the process knows besides. It returns an
// error when one piece of evidence could identify two callers, and when evidence could not be verified on this machine.
func NewAuthorization(p *policy.Policy, o caller.Options) (*Authorization, error) {
	a, err := caller.New(callersOf(p), o)
	if err != nil {
		return nil, atTheirLines(p, err)
	}
	return &Authorization{policy: p, callers: a, shares: sharesOf(p)}, nil
}

// CheckCallers returns what would keep NewAuthorization from compiling a policy on any machine. It reads nothing but
// the policy.
func CheckCallers(p *policy.Policy) error {
	if err := caller.Check(callersOf(p)); err != nil {
		return atTheirLines(p, err)
	}
	return nil
}

// atTheirLines gives the problems of callers the form of package policy's errors: with the file's name and the line.
func atTheirLines(p *policy.Policy, err error) error {
	all, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return fmt.Errorf("%s: %w", p.File(), err)
	}
	var problems policy.Errors
	for _, one := range all.Unwrap() {
		var problem *caller.Problem
		if !errors.As(one, &problem) {
			return fmt.Errorf("%s: %w", p.File(), err)
		}
		problems = append(problems, &policy.Error{
			File:    p.File(),
			Line:    max(problem.Line, 1),
			Where:   "callers." + problem.Caller + ".identity",
			Message: problem.Message,
		})
	}
	slices.SortStableFunc(problems, func(a, b *policy.Error) int { return a.Line - b.Line })
	return problems
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

// Policy returns the policy that a was made from.
func (a *Authorization) Policy() *policy.Policy { return a.policy }

func identity(id policy.Identity) caller.Identity {
	return caller.Identity{
		Kind:       id.Kind,
		Line:       id.Line,
		URI:        id.URI,
		DNS:        id.DNS,
		CommonName: id.CommonName,
		Issuer:     id.Issuer,
		Audience:   id.Audience,
		Subject:    id.Subject,
		Claims:     id.Claims,
		JWKSFile:   id.JWKSFile,
		KeySHA256:  id.KeySHA256,
		UID:        id.UID,
		GID:        id.GID,
		User:       id.User,
		Networks:   id.Networks,
	}
}
