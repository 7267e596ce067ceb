package config

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/caarlos0/env/v11"

	"graphproxy/auth"
	"graphproxy/policy"
	"graphproxy/policy/yamlfile"
)

// appsPrefix is the beginning of the variables of further app registrations: GRAPHPROXY_APPS_0_CLIENT_ID.
const appsPrefix = "GRAPHPROXY_APPS_"

// defaultTag is the struct tag with the variable of the default app registration, which has Azure's names. The tag
// env has the suffix after a prefix such as GRAPHPROXY_APPS_0_.
const defaultTag = "azure"

// Registration is one app registration: that of AZURE_*, or one of several that have a prefix with a number.
type Registration struct {
	Name                string      `env:"NAME"`
	TenantID            string      `env:"TENANT_ID" azure:"AZURE_TENANT_ID"`
	ClientID            string      `env:"CLIENT_ID" azure:"AZURE_CLIENT_ID"`
	ClientSecret        auth.Secret `env:"CLIENT_SECRET" azure:"AZURE_CLIENT_SECRET"`
	ClientSecretFile    string      `env:"CLIENT_SECRET_FILE" azure:"AZURE_CLIENT_SECRET_FILE"`
	CertificatePath     string      `env:"CLIENT_CERTIFICATE_PATH" azure:"AZURE_CLIENT_CERTIFICATE_PATH"`
	CertificatePassword auth.Secret `env:"CLIENT_CERTIFICATE_PASSWORD" azure:"AZURE_CLIENT_CERTIFICATE_PASSWORD"`
	SendChain           Truth       `env:"CLIENT_SEND_CERTIFICATE_CHAIN" azure:"AZURE_CLIENT_SEND_CERTIFICATE_CHAIN" envDefault:"false"`
	FederatedTokenFile  string      `env:"FEDERATED_TOKEN_FILE" azure:"AZURE_FEDERATED_TOKEN_FILE"`
	ManagedIdentity     Truth       `env:"MANAGED_IDENTITY" azure:"GRAPHPROXY_MANAGED_IDENTITY" envDefault:"false"`
	AuthorityHost       string      `env:"AUTHORITY_HOST" azure:"AZURE_AUTHORITY_HOST"`
	Scope               string      `env:"SCOPE" azure:"GRAPHPROXY_SCOPE"`
	InstanceDiscovery   Truth       `env:"INSTANCE_DISCOVERY" azure:"GRAPHPROXY_INSTANCE_DISCOVERY" envDefault:"true"`

	prefix string // GRAPHPROXY_APPS_0_; "": AZURE_
}

var appVariable = regexp.MustCompile(`^` + appsPrefix + `(0|[1-9][0-9]{0,3})_([A-Z_]+)$`)

// registrations reads the variables of several app registrations, whose numbers may have gaps.
func registrations(set map[string]string) (all []Registration, problems []error) {
	numbers := make(map[int]bool)
	for name := range set {
		if isAppVariable(name) {
			n, _ := strconv.Atoi(appVariable.FindStringSubmatch(name)[1])
			numbers[n] = true
		}
	}
	for _, n := range slices.Sorted(maps.Keys(numbers)) {
		r := Registration{prefix: fmt.Sprintf("%s%d_", appsPrefix, n)}
		err := env.ParseWithOptions(&r, env.Options{Environment: set, Prefix: r.prefix})
		problems = append(problems, misread(err, reflect.TypeFor[Registration](), "env", r.prefix)...)
		switch {
		case r.Name == "":
			problems = append(problems, fmt.Errorf("%sNAME is not set: "+
				"set it to the name that the policy's app: has for this app registration", r.prefix))
		case !yamlfile.IsName(r.Name):
			problems = append(problems, fmt.Errorf("%sNAME is not made of letters, digits, \"-\", \"_\" and \".\": "+
				"write a name that the policy's app: can have", r.prefix))
		}
		all = append(all, r)
	}
	return all, problems
}

// isAppVariable reports whether a variable belongs to an app registration.
func isAppVariable(name string) bool {
	m := appVariable.FindStringSubmatch(name)
	return m != nil && slices.Contains(names(suffixes()), m[2])
}

// nearApp returns the app registration's variable that a misspelt one probably means, or "".
func nearApp(name string) string {
	m := appVariable.FindStringSubmatch(name)
	if m == nil {
		return ""
	}
	if near := yamlfile.Nearest(m[2], names(suffixes())); near != "" {
		return appsPrefix + m[1] + "_" + near
	}
	return ""
}

// Apps returns the app registrations, that of AZURE_* first. That one is included if a variable of it is set, or if
// there is no other. Their Check returns their problems.
func (c *Config) Apps() []auth.App {
	var apps []auth.App
	if len(c.registrations) == 0 || c.isSet() {
		apps = append(apps, c.app())
	}
	for _, r := range c.registrations {
		a := r.app()
		a.AuthorityHost, a.Scope = cmp.Or(a.AuthorityHost, c.AuthorityHost), cmp.Or(a.Scope, c.Scope)
		a.InstanceDiscovery = a.InstanceDiscovery && bool(c.InstanceDiscovery)
		apps = append(apps, a)
	}
	return apps
}

// isSet reports whether a variable is set that makes an app registration.
func (r *Registration) isSet() bool {
	return r.TenantID != "" || r.ClientID != "" || r.ClientSecret.IsSet() || r.ClientSecretFile != "" ||
		r.CertificatePath != "" || r.FederatedTokenFile != "" || bool(r.ManagedIdentity)
}

// app returns the registration in the form for package auth.
func (r *Registration) app() auth.App {
	return auth.App{
		Name:                r.Name,
		Prefix:              r.prefix,
		TenantID:            r.TenantID,
		ClientID:            r.ClientID,
		Secret:              r.ClientSecret,
		SecretFile:          r.ClientSecretFile,
		CertificatePath:     r.CertificatePath,
		CertificatePassword: r.CertificatePassword,
		SendChain:           bool(r.SendChain),
		FederatedTokenFile:  r.FederatedTokenFile,
		ManagedIdentity:     bool(r.ManagedIdentity),
		AuthorityHost:       r.AuthorityHost,
		Scope:               r.Scope,
		InstanceDiscovery:   bool(r.InstanceDiscovery),
	}
}

// checkApps returns the names that several app registrations have.
func (c *Config) checkApps() []error {
	var problems []error
	first := make(map[string]string)
	for _, a := range c.Apps() {
		if before, doubled := first[a.Name]; doubled && a.Name != "" {
			problems = append(problems, fmt.Errorf("%sNAME is the name of another app registration, too, that of %s: "+
				"give each its own", a.Prefix, before))
			continue
		}
		first[a.Name] = cmp.Or(strings.TrimSuffix(a.Prefix, "_"), "AZURE_*, which is called "+policy.DefaultApp)
	}
	return problems
}

// CheckApps returns all problems of the app registrations. It reads their credentials' files.
func (c *Config) CheckApps() error {
	var problems []error
	for i, a := range c.Apps() {
		if i > 0 && c.isSet() { // problems of common settings were reported with the default app
			a.AuthorityHost, a.Scope = other(a.AuthorityHost, c.AuthorityHost), other(a.Scope, c.Scope)
		}
		problems = append(problems, a.Check()...)
	}
	return errors.Join(problems...)
}

// other returns a setting, unless it equals that of the default app.
func other(own, common string) string {
	if own == common {
		return ""
	}
	return own
}
