package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"graphproxy/cmd/graphproxy/config"
	"graphproxy/cmd/graphproxy/policycmd"
	"graphproxy/cmd/graphproxy/terminal"
	"graphproxy/policy"
	"graphproxy/policy/analysis/permissions"
	"graphproxy/policy/yamlfile"
)

// permitting is the command permissions: its flags.
type permitting struct {
	policy, permissions, roles, app string
	asJSON, all                     bool
}

func newPermissions(environ []string) *cobra.Command {
	var p permitting
	settings, _ := config.Parse(environ) // problems of other settings matter only if a token is needed
	cmd := &cobra.Command{
		Use:   "permissions --permissions FILE",
		Short: "Hold the app's roles against the policy: what is missing, what is too much",
		Long: "permissions says which rules cannot work because no role of the app covers them, which role would, and " +
			"which roles no rule needs.\nThe roles are those in a token of the configured app, or --roles. " +
			"docs/permissions.md says where FILE comes from.\nStatus 0: all rules are covered and no role is too much. 1: " +
			"there are findings. 2: no answer.",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.run(cmd, environ)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&p.policy, "policy", settings.Policy, "the policy `FILE`")
	flags.StringVar(&p.permissions, "permissions", "", "Microsoft's permissions.json, a `FILE`")
	flags.StringVar(&p.roles, "roles", "",
		"the roles in hand: a `FILE` with one a line or a JSON array, - for standard input, or Role.One,Role.Two (default "+
			"those in a token)")
	flags.StringVar(&p.app, "app", policy.DefaultApp, "the `NAME` of the app registration whose rules count")
	flags.BoolVar(&p.asJSON, "json", false, "print JSON for machines")
	flags.BoolVar(&p.all, "all", false, "show long lists to their end")
	return terminal.ForPeople(cmd, environ, permissionsLook())
}

func permissionsLook() terminal.Look {
	return terminal.Look{Hang: 4, Span: func(line string) (int, int, terminal.Colour) {
		switch line {
		case "cannot work:":
			return 0, len(line), terminal.Red
		case "can work only in part:":
			return 0, len(line), terminal.Yellow
		}
		return 0, 0, terminal.Plain
	}}
}

// permissionsReport is the result of the command permissions, as JSON.
type permissionsReport struct {
	Policy string `json:"policy"`
	Hash   string `json:"hash"`
	OK     bool   `json:"ok"`
	permissions.Report
}

func (p *permitting) run(cmd *cobra.Command, environ []string) error {
	rules, data, err := p.files()
	if err != nil {
		return err
	}
	var roles []string
	if cmd.Flags().Changed("roles") {
		roles, err = rolesOf(cmd.InOrStdin(), p.roles)
	} else {
		roles, err = tokenRoles(cmd.Context(), environ, p.app)
	}
	if err != nil {
		return err
	}
	report := permissions.Check(rules, data, roles, p.app)
	if err := p.print(cmd.OutOrStdout(), rules, &report); err != nil {
		return err
	}
	if !report.OK() {
		return policycmd.ErrNo
	}
	return nil
}

func (p *permitting) print(w io.Writer, rules *policy.Policy, report *permissions.Report) error {
	if !p.asJSON {
		if _, err := fmt.Fprintf(w, "%s, hash %s\n", rules.File(), rules.Hash()); err != nil {
			return err
		}
		return report.WriteText(w, p.all)
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(permissionsReport{rules.File(), rules.Hash(), report.OK(), *report})
}

// files reads the policy and the permissions, and returns all problems of both.
func (p *permitting) files() (*policy.Policy, *permissions.Data, error) {
	rules, err := policycmd.ReadPolicy(p.policy)
	if err == nil {
		err = checkApp(rules, p.app)
	}
	data, dataErr := readPermissions(p.permissions)
	return rules, data, errors.Join(err, dataErr)
}

// checkApp refuses an app that no caller and no rule names: its report would be empty and look correct.
func checkApp(p *policy.Policy, app string) error {
	names := []string{policy.DefaultApp}
	for _, ref := range p.Apps() {
		if !slices.Contains(names, ref.Name) {
			names = append(names, ref.Name)
		}
	}
	if slices.Contains(names, app) {
		return nil
	}
	return fmt.Errorf("%s: --app: %s", p.File(), yamlfile.Unknown("app", app, names))
}

func readPermissions(name string) (*permissions.Data, error) {
	if name == "" {
		return nil, errors.New(
			"--permissions is missing: name Microsoft's permissions.json; docs/permissions.md says where to download it",
		)
	}
	f, err := policycmd.OpenFile(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := permissions.Read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w; docs/permissions.md says where to download it", name, err)
	}
	return data, nil
}

// tokenRoles returns the roles in a new token of a configured app.
func tokenRoles(ctx context.Context, environ []string, app string) ([]string, error) {
	c, problems := config.Parse(environ)
	a, err := appNamed(c.Apps(), app)
	if err == nil {
		problems = append(problems, a.Check()...)
	}
	if err := errors.Join(append(problems, err)...); err != nil {
		return nil, fmt.Errorf("graphproxy permissions: no token can be acquired, and --roles is not given:\n%w", err)
	}
	d, err := acquire(ctx, a)
	if err != nil {
		return nil, fmt.Errorf("graphproxy permissions: app %q: %w", a.Name, err)
	}
	if !d.Readable {
		return nil, fmt.Errorf("graphproxy permissions: app %q: the token does not show its roles: write them with --roles",
			a.Name)
	}
	return d.Roles, nil
}

const maxRoles = 1 << 20 // bytes

// rolesOf reads the value of --roles: an existing file, standard input, or the roles themselves.
func rolesOf(stdin io.Reader, given string) ([]string, error) {
	if given == "-" {
		return readRoles("standard input", stdin)
	}
	info, err := os.Stat(given)
	isFile := err == nil && !info.IsDir()
	if !isFile &&
		(strings.ContainsAny(given, `/\`) || strings.HasSuffix(given, ".txt") || strings.HasSuffix(given, ".json")) {
		return nil, fmt.Errorf("--roles: %s is no file that is there: correct the path", given)
	}
	if !isFile {
		return parseRoles("--roles", strings.ReplaceAll(given, ",", "\n"))
	}
	f, err := policycmd.OpenFile(given)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readRoles(given, f)
}

func readRoles(name string, r io.Reader) ([]string, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxRoles+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s cannot be read: %w", name, err)
	case len(text) > maxRoles:
		return nil, fmt.Errorf("%s has more than 1 MiB, which no list of roles has", name)
	}
	return parseRoles(name, string(text))
}

// parseRoles reads roles, one a line with comments, or a JSON array. No roles must be written as an empty array,
// because an empty file is more often a mistake.
func parseRoles(name, text string) ([]string, error) {
	var roles []string
	if strings.HasPrefix(strings.TrimSpace(text), "[") {
		if err := json.Unmarshal([]byte(text), &roles); err != nil {
			return nil, fmt.Errorf("%s is no JSON array of roles: %w", name, err)
		}
		return roles, checkRoles(name, roles)
	}
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line != "" {
			roles = append(roles, line)
		}
	}
	if len(roles) == 0 {
		return nil, fmt.Errorf("%s names no role: write one a line, such as User.Read.All, or [] for none", name)
	}
	return roles, checkRoles(name, roles)
}

// checkRoles refuses text that cannot be a role, so that a wrong file is not read as roles.
func checkRoles(name string, roles []string) error {
	for _, r := range roles {
		odd := strings.ContainsFunc(r, func(c rune) bool {
			return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '.' && c != '-' && c != '_'
		})
		if odd || r == "" {
			return fmt.Errorf("%s: %.80q is no role: write names such as User.Read.All, one a line or in a JSON array", name, r)
		}
	}
	return nil
}
