package oidc

import "strconv"

// The codes of an Error.
const (
	CodeInvalid       = "tokenInvalid"       // it does not verify, at any time
	CodeExpired       = "tokenExpired"       // it has expired
	CodeIssuerUnknown = "tokenIssuerUnknown" // its issuer is not a trusted one
	CodeUnavailable   = "issuerUnavailable"  // the issuer's keys cannot be had now, so it is not known whether it verifies
)

// Error is why a token was refused.
type Error struct {
	Code    string // one of the constants above
	Message string // for the caller to read, with the cure; holds nothing of the token
	Err     error  // for the log, or nil; holds nothing of the token
}

func (e *Error) Error() string {
	if e.Err != nil {
		return e.Code + ": " + e.Message + ": " + e.Err.Error()
	}
	return e.Code + ": " + e.Message
}

// Unwrap returns e.Err.
func (e *Error) Unwrap() error { return e.Err }

func invalid(problem, cure string) *Error {
	return &Error{Code: CodeInvalid, Message: "the token " + problem + ": " + cure}
}

// whole is the cure for a token that no issuer writes.
const whole = "send a JWT as its issuer wrote it, whole and unchanged"

// askOperator is the cure for a token that an issuer wrote, but should not have written.
const askOperator = "ask the issuer's operator for one that graphproxy takes"

func errLarge() *Error {
	return invalid("is larger than "+strconv.Itoa(maxToken)+" bytes", askOperator)
}

func errExpired() *Error {
	return &Error{Code: CodeExpired, Message: "the token has expired: get a new one from its issuer"}
}

// UnknownIssuer returns the Error for a token of an issuer that no Source has.
func UnknownIssuer() *Error { return errIssuer() }

func errIssuer() *Error {
	return &Error{Code: CodeIssuerUnknown, Message: "the token's issuer is not one that any caller's identity names: " +
		"get one from the issuer that was agreed upon, or ask the policy's owner to add a token identity to your " +
		"caller"}
}

func errSignature() *Error {
	return invalid("was not signed with a key that its issuer publishes now", "get a new one from its issuer")
}

func errUnavailable(err error) *Error {
	return &Error{Code: CodeUnavailable, Message: "the keys of the token's issuer cannot be had now, " +
		"so the token cannot be verified: try again in a minute", Err: err}
}
