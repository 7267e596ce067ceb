package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"graphproxy/auth"
	"graphproxy/cmd/graphproxy/config"
	"graphproxy/policy"
	"graphproxy/policy/yamlfile"
)

func newToken(environ []string) *cobra.Command {
	var name string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Acquire a token and print what it says of itself, never the token",
		Long: "token acquires a token with a configured app registration and prints its tenant, app, roles and lifetime: " +
			"what shows whether\nthe credential works, and what Graph will allow. The token itself is printed nowhere. It " +
			"ends with status 2 if there is none.",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, problems := config.Parse(environ)
			a, err := appNamed(c.Apps(), name)
			if err == nil {
				problems = append(problems, a.Check()...)
			}
			if err := errors.Join(append(problems, err)...); err != nil {
				return err
			}
			d, err := acquire(cmd.Context(), a)
			if err != nil {
				return fmt.Errorf("graphproxy token: app %q: %w", a.Name, err)
			}
			r := tokenReportOf(a, d)
			if asJSON {
				return r.json(cmd.OutOrStdout())
			}
			return r.text(cmd.OutOrStdout(), time.Now())
		},
	}
	cmd.Flags().StringVar(&name, "app", "", "the `NAME` of the app registration (default the first one)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON for machines")
	return cmd
}

// appNamed returns the app registration with a name, or the first without one.
func appNamed(apps []auth.App, name string) (auth.App, error) {
	var names []string
	for _, a := range apps {
		if a.Name == name || name == "" {
			return a, nil
		}
		names = append(names, a.Name)
	}
	return auth.App{}, fmt.Errorf("--app: %s", yamlfile.Unknown("app", name, names))
}

// acquire gets a new token from Entra ID and returns its description, with the expiry of Entra ID's answer, which
// is there even if the token cannot be read.
func acquire(ctx context.Context, a auth.App) (auth.Description, error) {
	source, err := auth.NewSource(a, auth.Options{})
	if err != nil {
		return auth.Description{}, err
	}
	token, err := source.Token(ctx)
	if err != nil {
		return auth.Description{}, err
	}
	d := token.Describe()
	d.Expires = source.Status().Expires.UTC()
	slices.Sort(d.Roles)
	return d, nil
}

// tokenReport is the result of the command token, as JSON. For a token that cannot be read it has only app, cloud
// and expires.
type tokenReport struct {
	App      string     `json:"app"`
	Cloud    string     `json:"cloud"`
	Readable bool       `json:"readable"`
	TenantID string     `json:"tenant_id,omitempty"`
	ClientID string     `json:"client_id,omitempty"`
	AppName  string     `json:"app_name,omitempty"`
	Audience string     `json:"audience,omitempty"`
	Version  string     `json:"version,omitempty"`
	Issued   *time.Time `json:"issued,omitempty"`
	Expires  time.Time  `json:"expires"`
	Roles    []string   `json:"roles,omitempty"` // sorted
	Problems []string   `json:"problems,omitempty"`

	app auth.App
}

func tokenReportOf(a auth.App, d auth.Description) tokenReport {
	r := tokenReport{
		App:      a.Name,
		Cloud:    cloudOf(a),
		Readable: d.Readable,
		TenantID: d.TenantID,
		ClientID: d.ClientID,
		AppName:  d.AppName,
		Audience: d.Audience,
		Version:  d.Version,
		Expires:  d.Expires,
		Roles:    d.Roles,
		Problems: tokenProblems(a, d),
		app:      a,
	}
	if !d.Issued.IsZero() {
		r.Issued = &d.Issued
	}
	return r
}

// cloudOf returns the name of the cloud that the app signs in to, or its address if it is not Microsoft's.
func cloudOf(a auth.App) string {
	for _, c := range auth.Clouds() {
		if strings.EqualFold(c.AuthorityHost, strings.TrimSuffix(a.AuthorityHost, "/")) && c.Scope() == a.Scope {
			return c.Name
		}
	}
	return a.AuthorityHost + " for " + a.Scope
}

// tokenProblems returns the problems of an issued token, each with a cure.
func tokenProblems(a auth.App, d auth.Description) []string {
	var problems []string
	if a.OtherTenant(d.TenantID) {
		problems = append(problems,
			"the token is of another tenant than the one configured, "+a.TenantID+": correct the tenant")
	}
	if d.Readable && len(d.Roles) == 0 {
		problems = append(problems, "the token has no roles, so that Graph will refuse every request: "+rolesCure(a))
	}
	return problems
}

// rolesCure explains how an app gets roles.
func rolesCure(a auth.App) string {
	if a.ManagedIdentity {
		return managedCure
	}
	return "add application permissions for Microsoft Graph to the app registration (API permissions) and have them " +
		"granted with " + consentCommand(a)
}

// managedCure explains how a managed identity gets roles.
const managedCure = "an administrator assigns Microsoft Graph's app roles to its service principal; docs/consent.md " +
	"has a script"

// consentCommand is the command that asks for the app's consent.
func consentCommand(a auth.App) string { return "graphproxy consent" + appFlag(a) }

// appFlag returns the flag that selects the app, with a space before it; "" for the default app.
func appFlag(a auth.App) string {
	if a.Name == policy.DefaultApp {
		return ""
	}
	return " --app " + a.Name
}

func (r tokenReport) json(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(r)
}

func (r tokenReport) text(w io.Writer, now time.Time) error {
	var b strings.Builder
	line := func(name, value string) {
		if value == "" {
			value = "the token does not show it"
		}
		fmt.Fprintf(&b, "%-9s %s\n", name, value)
	}
	client := r.ClientID
	if client != "" && r.AppName != "" {
		client += " (" + r.AppName + ")"
	}
	var issued string
	if r.Issued != nil {
		issued = r.Issued.Format(time.RFC3339)
	}
	line("app", r.App)
	line("client", client)
	line("tenant", r.TenantID)
	line("cloud", r.Cloud)
	line("audience", r.Audience)
	line("version", r.Version)
	line("issued", issued)
	line("expires", r.Expires.Format(time.RFC3339)+", in "+r.Expires.Sub(now).Round(time.Second).String())
	line("roles", countRoles(r.Readable, r.Roles))
	writeRoles(&b, r.Roles)
	for _, p := range r.Problems {
		line("problem", p)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// countRoles returns the number of roles, or "" if the token does not have them.
func countRoles(readable bool, roles []string) string {
	switch {
	case !readable:
		return ""
	case len(roles) == 0:
		return "none"
	}
	return fmt.Sprint(len(roles))
}

func writeRoles(b *strings.Builder, roles []string) {
	for _, role := range roles {
		fmt.Fprintf(b, "  %s\n", role)
	}
}
