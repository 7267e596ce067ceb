package proxy

import (
	"encoding/json"
	"errors"
	"net/url"

	"graphproxy/auth/caller"
	"graphproxy/auth/caller/oidc"
	"graphproxy/policy"
)

// proofOf judges the evidence of a test in a policy.
func proofOf(judge *caller.Judge, e policy.Evidence) policy.Proof {
	presented, err := evidenceOf(e)
	var found caller.Found
	if err == nil {
		found, err = judge.Judge(presented)
	}
	if err == nil {
		return policy.Proof{Caller: found.Name, Kind: found.Evidence, Credential: found.Credential}
	}
	var refusal *caller.Error
	var invalid *oidc.Error
	switch {
	case errors.As(err, &refusal):
		return policy.Proof{Code: refusal.Code, Message: refusal.Message}
	case errors.As(err, &invalid):
		return policy.Proof{Code: invalid.Code, Message: invalid.Message}
	}
	return policy.Proof{Message: err.Error()}
}

// evidenceOf returns the evidence of a test as package caller knows it.
func evidenceOf(e policy.Evidence) (caller.Evidence, error) {
	presented := caller.Evidence{Keys: e.Keys, Address: e.Address}
	if u := e.Unix; u != nil {
		presented.Process = &caller.Process{UID: u.UID, GID: u.GID, User: u.User}
	}
	if c := e.Certificate; c != nil {
		names := &caller.Names{DNS: c.DNS, CommonNames: c.CommonNames}
		for _, text := range c.URIs {
			u, err := url.Parse(text)
			if err != nil {
				return presented, err
			}
			names.URIs = append(names.URIs, u)
		}
		presented.Certificate = names
	}
	if e.Token != nil {
		var err error
		presented.Token, err = tokenOf(e.Token)
		return presented, err
	}
	return presented, nil
}

func tokenOf(t *policy.TokenEvidence) (*oidc.Token, error) {
	claims := map[string]any{"iss": t.Issuer, "aud": t.Audiences}
	if t.Subject != "" {
		claims["sub"] = t.Subject
	}
	for name, value := range t.Claims {
		claims[name] = value
	}
	text, err := json.Marshal(claims)
	if err != nil {
		return nil, err
	}
	return oidc.Unsigned(text)
}
