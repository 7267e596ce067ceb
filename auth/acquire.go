package auth

import (
	"context"
	"net/http"
	"net/url"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential"
	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/managedidentity"

	"graphproxy/auth/loopback"
)

// acquirer asks for one token with the given credential and, if claims are given, asks that the token carries
// them. It returns within its context's time.
type acquirer func(context.Context, *credential, ClaimsChallenge) (acquired, *Error)

// newAcquirer returns the acquirer for the app's kind of credential.
func newAcquirer(a App, o Options) acquirer {
	if a.ManagedIdentity {
		// The endpoint is on this machine or link-local: a proxy cannot reach it, and must not see it.
		return viaManagedIdentity(a, newTransport(o.Roots, nil))
	}
	return viaEntra(a, newTransport(o.Roots, http.ProxyFromEnvironment))
}

// viaEntra asks Entra ID through MSAL. It makes a new client for each request (2 µs), because a client of MSAL
// keeps the token that it got and would return that token again when a renewal is wanted. A client is also
// bound to the credential that it was made with, and that credential may have been rotated since.
func viaEntra(a App, t *http.Transport) acquirer {
	client := &http.Client{
		Transport:     newEntraTransport(bounded{t}, a.AuthorityHost),
		CheckRedirect: noRedirects,
	}
	return func(ctx context.Context, c *credential, claims ClaimsChallenge) (acquired, *Error) {
		// The next acquisition is half an hour away. It must not start on a connection that broke in the
		// meantime.
		defer t.CloseIdleConnections()
		cred, err := c.msal()
		if err != nil {
			return acquired{}, &Error{Cause: "the credential cannot be used", Cure: "check the configured credential"}
		}
		app, err := confidential.New(httpsForm(a.authority()), a.ClientID, cred, a.msalOptions(client)...)
		if err != nil {
			return acquired{}, a.named(&Error{Cause: "the authority cannot be used", Cure: "check $AUTHORITY_HOST " +
				"and $TENANT_ID"})
		}
		var wanted []confidential.AcquireByCredentialOption
		if claims != "" {
			wanted = append(wanted, confidential.WithClaims(string(claims)))
		}
		res, err := app.AcquireTokenByCredential(ctx, []string{a.Scope}, wanted...)
		if err != nil {
			return acquired{}, a.explain(ctx, err)
		}
		return checked(acquired{res.AccessToken, res.ExpiresOn, res.Metadata.RefreshOn})
	}
}

// maxToken bounds an access token in bytes. The tokens of apps with hundreds of roles have some 20 KiB. Servers
// refuse a header that is longer than maxToken.
const maxToken = 64 << 10

// checked refuses a token that no server would accept, because every request would carry it.
func checked(got acquired) (acquired, *Error) {
	if len(got.access) > maxToken {
		return acquired{}, &Error{
			Cause: "the access token in the answer has more than 64 KiB, which no header can hold",
			Cure:  "check what answers in Entra's place, and how many application permissions the app registration has",
		}
	}
	return got, nil
}

// msalOptions are MSAL's settings. The capability CP1 states that we understand claims challenges
// (Source.Refused): Graph then refuses a token as soon as its app is disabled or at risk, and not only when the
// token expires.
// https://learn.microsoft.com/entra/identity/conditional-access/concept-continuous-access-evaluation-workload
func (a App) msalOptions(client *http.Client) []confidential.Option {
	options := []confidential.Option{
		confidential.WithHTTPClient(client),
		confidential.WithClientCapabilities([]string{"CP1"}),
		// MSAL reads MSAL_FORCE_REGION by itself and would move to another host with it.
		confidential.WithAzureRegion("DisableMsalForceRegion"),
		confidential.WithInstanceDiscovery(a.InstanceDiscovery && !a.knownAuthority()),
	}
	if a.SendChain {
		options = append(options, confidential.WithX5C())
	}
	return options
}

// knownAuthority reports whether the authority is Microsoft's own or on this machine, so that Microsoft need
// not be asked about it.
func (a App) knownAuthority() bool {
	u, err := url.Parse(a.AuthorityHost)
	return err == nil && (microsoftLogin(u.Host) || loopback.Host(u.Hostname()))
}

// httpsForm writes an http authority as https, which MSAL insists on. entraTransport changes it back.
func httpsForm(authority string) string {
	if u, err := url.Parse(authority); err == nil && u.Scheme == "http" {
		u.Scheme = "https"
		return u.String()
	}
	return authority
}

// viaManagedIdentity asks the platform's endpoint through MSAL. MSAL keeps these tokens in a cache of the
// process and returns a cached token for as long as it lives, so that a renewal would get the old token. With
// claims, MSAL does not read the cache. The claims have no other effect: managed identity endpoints take none,
// and MSAL sends none.
func viaManagedIdentity(a App, t *http.Transport) acquirer {
	return func(ctx context.Context, _ *credential, _ ClaimsChallenge) (acquired, *Error) {
		http := newManagedClient(t)
		defer http.CloseIdleConnections()
		var id managedidentity.ID = managedidentity.SystemAssigned()
		if a.ClientID != "" {
			id = managedidentity.UserAssignedClientID(a.ClientID)
		}
		client, err := managedidentity.New(id, managedidentity.WithHTTPClient(http),
			managedidentity.WithRetryPolicyDisabled())
		if err != nil {
			return acquired{}, a.named(&Error{
				Cause: "this platform has no managed identity of the kind that is configured",
				Cure: "leave $CLIENT_ID empty if the platform has only one identity (Cloud Shell, Service Fabric), " +
					"or configure another credential",
			})
		}
		res, err := client.AcquireToken(ctx, a.Scope, managedidentity.WithClaims("{}"))
		if err != nil {
			return acquired{}, a.explain(ctx, err)
		}
		return checked(acquired{res.AccessToken, res.ExpiresOn, res.Metadata.RefreshOn})
	}
}
