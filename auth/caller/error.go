package caller

import (
	"errors"

	"graphproxy/auth/caller/oidc"
)

// An Error is a request without a caller: 401. Code and Message are for the caller to read and contain nothing
// of the evidence.
type Error struct {
	// Code is innerError.code:
	//   callerUnknown        nothing was presented, and neither network nor anyone names a caller
	//   evidenceAmbiguous    evidence with two readings, or evidence of two callers
	//   certificateUnknown   the client certificate is no caller's, or is no longer valid
	//   tokenUnknown         the token verifies, but is no caller's
	//   tokenInvalid         the token does not verify
	//   tokenExpired         the token has expired
	//   tokenIssuerUnknown   the token's issuer is not one that any identity names
	//   issuerUnavailable    the keys of the token's issuer cannot be had now
	//   keyUnknown           the key is no caller's, is empty or too long
	//   evidenceIncomplete   evidence that counts only together with other evidence, which is not there
	//   unixUnknown          the peer of the unix socket is no caller
	Code    string
	Message string // with the cure
	Err     error  // for the operator's log, or nil

	// Reconnect is set when the connection's certificate is no longer valid: the connection should be closed,
	// so that the client opens one with its present certificate.
	Reconnect bool
}

// Error returns the text for the operator's log.
func (e *Error) Error() string {
	if e.Err != nil {
		return e.Code + ": " + e.Message + ": " + e.Err.Error()
	}
	return e.Code + ": " + e.Message
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// orOwner begins the cure for a problem that a caller cannot find out. A cure that names the configuration
// would help an attacker more.
const orOwner = "or ask the policy's owner "

func errCaller() *Error {
	return &Error{Code: "callerUnknown", Message: "nothing in this request says which caller of the proxy sends it: " +
		`send the key that you were given as "Authorization: Bearer KEY" or as X-Api-Key, ` +
		orOwner + "to add your network to your caller's identity"}
}

func errKey() *Error {
	return &Error{Code: "keyUnknown", Message: "the key is not one of any caller: " +
		"check that it is whole and still the current one, " +
		orOwner + "to add its SHA-256 to your caller's identity"}
}

// errToken returns the Error for a token that does not verify. The texts of package oidc are safe to show.
func errToken(err error) *Error {
	var known *oidc.Error
	if !errors.As(err, &known) {
		return &Error{Code: oidc.CodeInvalid, Message: "the token could not be verified: " +
			"try again in a minute", Err: err}
	}
	return &Error{Code: known.Code, Message: known.Message, Err: known.Err}
}

// errIncomplete is for evidence of an identity of kind All without the rest.
func errIncomplete() *Error {
	return &Error{Code: "evidenceIncomplete", Message: "the evidence is that of a caller that must present more, " +
		"and not all of it is there: present all that was agreed upon, from the network that was agreed upon, " +
		orOwner + "what your caller's identity needs"}
}

func errNoTokens() *Error {
	return &Error{Code: oidc.CodeInvalid, Message: "the bearer credential looks like a JWT, " +
		"and no caller is known by one: " +
		"send the key that you were given instead, " + orOwner + "to add a token to your caller's identity"}
}

func errTokenUnknown() *Error {
	return &Error{Code: "tokenUnknown", Message: "the token verifies and is not that of any caller: " +
		"get one for the audience, the subject " +
		"and the claims that were agreed upon, " + orOwner + "which those are"}
}

func errCertificate() *Error {
	return &Error{Code: "certificateUnknown", Message: "the client certificate is not that of any caller: " +
		"connect with the one that was agreed upon, " +
		orOwner + "which names in a certificate your caller is known by"}
}

func errUse() *Error {
	return &Error{Code: "certificateUnknown", Message: "the client certificate is not one for clients: " +
		"connect with one that is no CA's and " +
		"has the extended key usage clientAuth"}
}

func errStale() *Error {
	return &Error{Code: "certificateUnknown", Message: "the client certificate has expired since this connection " +
		"began, or its CA counts no longer: " +
		"connect again, with a new one if need be", Reconnect: true}
}

func errUnix() *Error {
	return &Error{Code: "unixUnknown", Message: "the user at the other end of the unix socket is no caller: " +
		"run as the user that was agreed upon, " + orOwner + "to add your user to your caller's identity"}
}

func errForwarded() *Error {
	return errAmbiguous("the X-Forwarded-For header has an entry that is no address, " +
		"so the request's origin is not known: " +
		"ask the operator of the proxy in front to send addresses")
}

func errAmbiguous(message string) *Error { return &Error{Code: "evidenceAmbiguous", Message: message} }
