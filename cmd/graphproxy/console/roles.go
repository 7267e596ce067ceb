package console

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"graphproxy/policy"
	"graphproxy/policy/analysis/permissions"
)

// rolesNeeded is what the token of an app registration needs, so that Graph answers what a proposal allows.
type rolesNeeded struct {
	App    string
	Needs  []roleNeeded
	Known  bool   // the token's roles are known
	Enough bool   // the token has what is needed
	Note   string // why no role is named
}

// roleNeeded is the least privileged role for some operations.
type roleNeeded struct {
	Name string
	Has  bool // the token has this very role
}

// roles finds the roles that the proposals need by a list of permissions, and whether the token has them.
func (one *deniedCaller) roles(state *State, data *permissions.Data) error {
	if len(one.Proposals) == 0 {
		return nil
	}
	const head = "version: 1\ncallers:\n  app:\n    identity: [anyone]\n    allow:\n"
	var b strings.Builder
	b.WriteString(head)
	for _, p := range one.Proposals {
		fmt.Fprintf(&b, "      - %q\n", p.Text)
	}
	rules, err := policy.ParseUntested("proposals", []byte(b.String()))
	if err != nil {
		return fmt.Errorf("reading the proposed rules: %w", err)
	}
	has, known := tokenRoles(state.Tokens, one.app, one.tenant)
	bare, with := permissions.Check(rules, data, nil, ""), permissions.Check(rules, data, has, "")
	for i, p := range one.Proposals {
		p.Roles = neededFor(fmt.Sprintf("proposals:%d", strings.Count(head, "\n")+1+i), &bare, &with, has)
		p.Roles.App, p.Roles.Known = one.app, known
	}
	return nil
}

// neededFor returns what the rule at a place needs: bare is the report for a token without roles, with that for the
// token.
func neededFor(where string, bare, with *permissions.Report, has []string) rolesNeeded {
	at := func(findings ...permissions.Finding) *permissions.Finding {
		for i := range findings {
			if findings[i].Where == where {
				return &findings[i]
			}
		}
		return nil
	}
	needs := at(slices.Concat(bare.Cannot, bare.Partly)...)
	if needs == nil || len(needs.Needs) == 0 {
		note := "it needs no role"
		if found := at(slices.Concat(bare.Undocumented, bare.Cannot, bare.Partly)...); found != nil {
			note = cmp.Or(found.Reason, "the list of permissions has no role for it")
		}
		return rolesNeeded{Note: note}
	}
	r := rolesNeeded{Enough: at(slices.Concat(with.Cannot, with.Partly)...) == nil}
	for _, n := range needs.Needs {
		r.Needs = append(r.Needs, roleNeeded{n.Name, slices.Contains(has, n.Name)})
	}
	return r
}

// tokenRoles returns the roles of the token of an app registration in a tenant; false if they are not known. Without a
// tenant it is the app's own.
func tokenRoles(all []Token, app, tenant string) (roles []string, known bool) {
	for _, t := range all {
		if t.App == app && (tenant == "" || strings.EqualFold(t.Tenant, tenant)) && (t.Ready || len(t.Roles) > 0) {
			return t.Roles, true
		}
	}
	return nil, false
}
