package auth

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// Acquired is an answer of Entra ID that a test makes up.
type Acquired struct {
	Access           string
	Expires, Refresh time.Time
}

// NewSourceFunc is NewSource with acquire in the place of MSAL and the network.
func NewSourceFunc(a App, o Options,
	acquire func(context.Context, ClaimsChallenge) (Acquired, *Error)) (*Source, error) {
	a = a.withDefaults()
	cred, problems := a.check(time.Now())
	if err := a.errorsOf(problems); err != nil {
		return nil, err
	}
	return newSource(a, o, cred, func(ctx context.Context, _ *credential, claims ClaimsChallenge) (acquired, *Error) {
		got, err := acquire(ctx, claims)
		return acquired{got.Access, got.Expires, got.Refresh}, err
	}), nil
}

// NewToken returns a Token with the given access token.
func NewToken(access string) Token { return Token{&token{header: &[]string{"Bearer " + access}}} }

// AADSTS returns the table's entry for a code.
func AADSTS(code int) (cause, cure string, known bool) { return aadsts(code) }

// Pause is the back-off.
func Pause(failures int, left, wish time.Duration, fraction float64) time.Duration {
	return pause(failures, left, wish, fraction)
}

// Margin is how long before its end a token is no longer served.
func Margin(life time.Duration) time.Duration { return margin(life) }

// Explain asks for a token once, through MSAL and the HTTP proxy if there is one, and returns the error.
func Explain(ctx context.Context, a App, o Options, proxy *url.URL) *Error {
	a = a.withDefaults()
	cred, _ := a.check(time.Now())
	through := http.ProxyFromEnvironment
	if proxy != nil {
		through = http.ProxyURL(proxy)
	}
	_, err := viaEntra(a, newTransport(o.Roots, through))(ctx, cred, "")
	return err
}

// EntraTransport is the RoundTripper to Entra ID, over next.
func EntraTransport(next http.RoundTripper, authorityHost string) http.RoundTripper {
	return newEntraTransport(next, authorityHost)
}
