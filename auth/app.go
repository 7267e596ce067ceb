// Package auth gets the access tokens that graphproxy sends to Microsoft Graph. It holds the credential of an
// Entra ID app registration, gets app-only access tokens with the OAuth 2.0 client-credentials grant (through
// MSAL Go) and renews them ahead of time, so that a request never waits for Entra ID while a token lives.
//
// It decides which settings make a credential (App.Check), when a token is renewed, how long an old one is
// served while Entra ID cannot be reached, and what an AADSTS code means to the operator. It does not decide
// who may use the token (graphproxy/policy), where the token is sent (graphproxy/proxy) or where settings come
// from: it reads no environment variable, and names them only in messages.
//
// Nothing secret leaves the package except through Token.SetAuthorization: Secret and Token do not print, and
// the texts of errors are written in this package, never taken from Entra's answers.
package auth

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"graphproxy/auth/loopback"
)

// App is one app registration (or managed identity) and the one credential that proves it. It is plain data, to be
// filled from configuration; Check returns what is wrong with it. Copies are independent. Printing it shows no secret.
type App struct {
	Name     string // as callers and rules name it; for messages and metrics
	Prefix   string // of the environment variables that messages name, e.g. "GRAPHPROXY_APPS_0_"; "" is "AZURE_"
	TenantID string // GUID or domain; unused by a managed identity
	ClientID string // application (client) ID; with ManagedIdentity the user-assigned one, or ""

	// Exactly one of these five kinds of credential:
	Secret             Secret
	SecretFile         string // path of a file that holds the secret; one newline at its end is not part of it
	CertificatePath    string // path of a PEM or PFX (PKCS #12) file with an RSA key and its certificate
	FederatedTokenFile string // path of a JWT of another issuer that Entra trusts (workload identity federation)
	ManagedIdentity    bool

	CertificatePassword Secret // of a PFX file
	SendChain           bool   // send the certificates in the token request (subject name and issuer authentication)

	AuthorityHost     string // Entra's root, "https://login.microsoftonline.com"; "" is the public cloud's
	Scope             string // "https://graph.microsoft.com/.default"; "" is the public cloud's Graph
	InstanceDiscovery bool   // ask Microsoft about an AuthorityHost that this package does not know
}

// tenantPattern is azidentity's rule. It is also needed for safety: MSAL puts the tenant into a URL path
// unescaped, so "../x" or "a?b=c" would ask another endpoint.
var tenantPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.-]*$`)

// Check returns every problem of a at once, or nil. Each error names the environment variable and the cure.
// Check reads the credential's file and uses no network. No error quotes a setting or a file, since a secret
// may stand in the wrong variable.
func (a App) Check() []error {
	_, problems := a.check(time.Now())
	return problems
}

// CheckAddress is Check without the credential. It checks that a names a tenant, an app, a sign-in server and a
// scope: the parts of the address at which an administrator consents.
func (a App) CheckAddress() []error {
	a = a.withDefaults()
	return slices.Concat(a.checkTenant(), a.checkClientID(), a.checkAuthority(), a.checkScope())
}

// check is Check that also returns the credential, which it had to load in order to check it.
func (a App) check(now time.Time) (*credential, []error) {
	a = a.withDefaults()
	problems := a.CheckAddress()
	kind, err := a.kind()
	if err != nil {
		return nil, append(problems, err)
	}
	cred, err := a.load(kind)
	if err == nil && !cred.early(now) {
		err = cred.usable(now)
	}
	if err != nil {
		return nil, append(problems, err)
	}
	return cred, problems
}

func (a App) withDefaults() App {
	public, _ := CloudByName("public")
	if a.AuthorityHost == "" {
		a.AuthorityHost = public.AuthorityHost
	}
	// The Azure workload identity webhook sets AZURE_AUTHORITY_HOST with a slash at its end.
	a.AuthorityHost = strings.TrimSuffix(a.AuthorityHost, "/")
	if a.Scope == "" {
		a.Scope = public.Scope()
	}
	return a
}

// env returns the name of the environment variable that sets the field, given its suffix: "TENANT_ID" is
// "AZURE_TENANT_ID", or "GRAPHPROXY_APPS_0_TENANT_ID".
func (a App) env(suffix string) string {
	if a.Prefix != "" && a.Prefix != "AZURE_" {
		return a.Prefix + suffix
	}
	switch suffix {
	case "MANAGED_IDENTITY", "SCOPE", "INSTANCE_DISCOVERY", "CLOUD", "GRAPH_URL": // Azure has no name for these
		return "GRAPHPROXY_" + suffix
	}
	return "AZURE_" + suffix
}

func (a App) checkTenant() []error {
	name := a.env("TENANT_ID")
	switch tenant := strings.ToLower(a.TenantID); {
	case a.ManagedIdentity: // the platform knows the tenant
		return nil
	case tenant == "":
		return []error{fmt.Errorf("%s is not set: set it to the tenant's ID (a GUID) or to one of its domains, "+
			"such as contoso.onmicrosoft.com", name)}
	case tenant == "common", tenant == "organizations", tenant == "consumers":
		return []error{fmt.Errorf("%s is %q, which stands for many tenants: "+
			"an app that acts as itself belongs to one, and a token got this way may be one that Graph cannot "+
			"place; set the tenant's ID (a GUID) or one of its domains", name, a.TenantID)}
	case tenant == "adfs", tenant == "dstsv2":
		return []error{fmt.Errorf("%s is %q, which selects another identity product, not an Entra ID tenant; "+
			"set the tenant's ID (a GUID) or one of its domains", name, a.TenantID)}
	case !tenantPattern.MatchString(a.TenantID):
		return []error{fmt.Errorf("%s is not a tenant: write a GUID or a domain, of letters, digits, "+
			"dots and hyphens only, without scheme or path", name)}
	}
	return nil
}

func (a App) checkClientID() []error {
	name := a.env("CLIENT_ID")
	switch {
	case a.ClientID == "" && a.ManagedIdentity: // the system-assigned identity
		return nil
	case a.ClientID == "":
		return []error{fmt.Errorf("%s is not set: set it to the application (client) ID of the app registration", name)}
	case strings.ContainsAny(a.ClientID, " \t\r\n"):
		return []error{fmt.Errorf("%s has white space in it, which an application (client) ID has not: "+
			"take it out", name)}
	}
	return nil
}

func (a App) checkAuthority() []error {
	name := a.env("AUTHORITY_HOST")
	u, err := url.Parse(a.AuthorityHost)
	if err != nil || u.Hostname() == "" || u.Opaque != "" || (u.Scheme != "https" && u.Scheme != "http") {
		return []error{fmt.Errorf("%s is not a URL such as https://login.microsoftonline.com; "+
			"write the scheme and the host", name)}
	}
	var problems []error
	if u.User != nil || u.Path != "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		problems = append(problems, fmt.Errorf("%s has more than a scheme and a host: "+
			"remove the rest (the tenant belongs in %s)", name, a.env("TENANT_ID")))
	}
	if u.Scheme == "http" && !loopback.Host(u.Hostname()) {
		problems = append(problems, fmt.Errorf("%s begins with http://, and a credential is sent there: "+
			"write https:// (http is accepted on loopback only)", name))
	}
	return problems
}

func (a App) checkScope() []error {
	if strings.HasSuffix(a.Scope, "/.default") && len(a.Scope) > len("/.default") &&
		!strings.ContainsAny(a.Scope, " \t\r\n") {
		return nil
	}
	return []error{fmt.Errorf("%s does not end in /.default: an app-only token is asked for with one scope, "+
		"such as https://graph.microsoft.com/.default", a.env("SCOPE"))}
}

// kind returns the one kind of credential that is configured. No kind and several kinds are errors: a program
// must not guess which of two credentials was meant.
func (a App) kind() (kind, error) {
	var kinds []kind
	var found []string
	note := func(set bool, k kind, suffix string) {
		if set {
			kinds, found = append(kinds, k), append(found, a.env(suffix))
		}
	}
	note(a.Secret.IsSet(), secretKind, "CLIENT_SECRET")
	note(a.SecretFile != "", secretKind, "CLIENT_SECRET_FILE")
	note(a.CertificatePath != "", certificateKind, "CLIENT_CERTIFICATE_PATH")
	note(a.FederatedTokenFile != "", federatedKind, "FEDERATED_TOKEN_FILE")
	note(a.ManagedIdentity, managedKind, "MANAGED_IDENTITY")
	switch len(kinds) {
	case 1:
		return kinds[0], nil
	case 0:
		return 0, fmt.Errorf("no credential is set: set exactly one of %s, %s, %s, %s, "+
			"%s", a.env("CLIENT_SECRET"), a.env("CLIENT_SECRET_FILE"),
			a.env("CLIENT_CERTIFICATE_PATH"), a.env("FEDERATED_TOKEN_FILE"), a.env("MANAGED_IDENTITY"))
	}
	return 0, fmt.Errorf("%d credentials are set, %s: keep one and remove the "+
		"others", len(found), strings.Join(found, " and "))
}

// authority returns Entra's address for the tenant.
func (a App) authority() string { return a.AuthorityHost + "/" + a.TenantID }

// consentURL returns the address at which an administrator grants the app registration the permissions that it
// lists.
func (a App) consentURL() string {
	return a.authority() + "/adminconsent?client_id=" + url.QueryEscape(a.ClientID)
}

// errorsOf joins problems into one error with the app's name in front, or nil.
func (a App) errorsOf(problems []error) error {
	if len(problems) == 0 {
		return nil
	}
	return fmt.Errorf("app %q: %w", a.Name, errors.Join(problems...))
}
