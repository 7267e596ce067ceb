package proxy

import (
	"cmp"
	"errors"
	"slices"

	"graphproxy/auth/caller"
	"graphproxy/policy"
)

// Authorization is a policy and its callers. They are compiled together, so that the callers of one file are never
// used with the rules of another. It is immutable and safe for concurrent use.
type Authorization struct {
	policy  *policy.Policy
	callers *caller.Authenticator
	looks   *caller.Authenticator   // of the visitors of the console; nil: there are none
	shares  map[string]policy.Share // by caller
}

// NewAuthorization compiles the identities of a policy's callers, with the process's settings. It returns an error
// when one piece of evidence could identify two callers, and when evidence could not be verified on this machine.
func NewAuthorization(p *policy.Policy, o caller.Options) (*Authorization, error) {
	a, err := caller.New(callersOf(p.Callers()), o)
	if err != nil {
		return nil, atTheirLines(p.File(), err)
	}
	looks, err := visitorsOf(p, o)
	if err != nil {
		return nil, atTheirLines(p.File(), err)
	}
	return &Authorization{policy: p, callers: a, looks: looks, shares: sharesOf(p)}, nil
}

// visitorsOf compiles the evidence of the visitors of the console; nil if the policy names none.
func visitorsOf(p *policy.Policy, o caller.Options) (*caller.Authenticator, error) {
	if len(p.Console()) == 0 {
		return nil, nil
	}
	return caller.New(callersOf([]policy.Caller{{Name: "console", Identities: p.Console()}}), o)
}

// Visitors recognises those who may look at the console; nil if the policy names none.
func (a *Authorization) Visitors() *caller.Authenticator { return a.looks }

// CheckEvidence is a policy.EvidenceCheck: it returns the problems for which NewAuthorization would refuse these
// callers on any machine, or else what evidence proves. It reads no file, no network and no list of users.
func CheckEvidence(callers []policy.Caller) (policy.Prove, policy.Errors) {
	judge, err := caller.NewJudge(callersOf(callers))
	if err != nil {
		return nil, atTheirLines("", err)
	}
	return func(e policy.Evidence) policy.Proof { return proofOf(judge, e) }, nil
}

// atTheirLines returns the problems of callers in the form of package policy's errors: with the file's name and the
// line.
func atTheirLines(file string, err error) policy.Errors {
	all := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		all = joined.Unwrap()
	}
	var problems policy.Errors
	for _, one := range all {
		e := &policy.Error{File: file, Line: 1, Message: one.Error()}
		var problem *caller.Problem
		if errors.As(one, &problem) {
			e.File, e.Line, e.Message = cmp.Or(problem.File, file), max(problem.Line, 1), problem.Message
			if problem.Caller != "" {
				e.Where = "callers." + problem.Caller + ".identity"
			}
		}
		problems = append(problems, e)
	}
	slices.SortStableFunc(problems, func(a, b *policy.Error) int {
		return cmp.Or(cmp.Compare(a.File, b.File), a.Line-b.Line)
	})
	return problems
}

func callersOf(named []policy.Caller) []caller.Caller {
	var callers []caller.Caller
	for _, c := range named {
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
	var all []caller.Identity
	for _, member := range id.All {
		all = append(all, identity(member))
	}
	return caller.Identity{
		Kind:       id.Kind,
		File:       id.File,
		Line:       id.Line,
		Name:       id.Name,
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
		All:        all,
	}
}
