package auth

import (
	"regexp"
	"strconv"
)

// Declined explains an error that Entra ID's consent page answered: oauth is the parameter error of its
// redirect, and description its error_description. An attacker may have written both, so the result contains
// only a number and a known name of them. It never returns nil.
// https://learn.microsoft.com/entra/identity-platform/v2-admin-consent#error-response
func (a App) Declined(oauth, description string) *Error {
	e := &Error{Code: code(nil, description)}
	var known bool
	e.Cause, e.Cure, known = aadsts(e.Code)
	switch {
	case known:
	case oauth == "permission_denied", oauth == "access_denied":
		e.Cause, e.Cure, _ = aadsts(65004)
	case e.Code != 0:
		e.Cause, e.Cure = "Entra ID did not grant consent", "look the code up at "+
			"https://login.microsoftonline.com/error?code="+strconv.Itoa(e.Code)
	case oauthPattern.MatchString(oauth):
		e.Cause, e.Cure = "Entra ID did not grant consent and calls the reason "+oauth, "ask again; "+
			"the sign-in logs of the tenant have the details"
	default:
		e.Cause, e.Cure = "Entra ID did not grant consent, without a reason", "ask again; "+
			"the sign-in logs of the tenant have the details"
	}
	return a.named(e)
}

// oauthPattern is the form of OAuth's error codes (RFC 6749, section 4.1.2.1) as Entra ID uses them.
var oauthPattern = regexp.MustCompile(`^[a-z]{2,20}(_[a-z]{2,20}){0,4}$`)
