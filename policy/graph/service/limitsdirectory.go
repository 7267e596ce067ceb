package service

// directoryPaths are the resources of identity and access. The resources below a user or a group are listed one by
// one, because mail, files and teams are below them, too.
func directoryPaths() []string {
	return []string{
		"/users", "/users/{id}", "/users/$count", "/users/delta", "/users/getByIds", "/users/validateProperties",
		"/users/{id}/appRoleAssignments/**", "/users/{id}/assignLicense", "/users/{id}/changePassword",
		"/users/{id}/checkMemberGroups", "/users/{id}/checkMemberObjects", "/users/{id}/createdObjects/**",
		"/users/{id}/directReports/**", "/users/{id}/getMemberGroups", "/users/{id}/getMemberObjects",
		"/users/{id}/licenseDetails/**", "/users/{id}/manager/**", "/users/{id}/memberOf/**",
		"/users/{id}/oauth2PermissionGrants/**", "/users/{id}/ownedDevices/**", "/users/{id}/ownedObjects/**",
		"/users/{id}/registeredDevices/**", "/users/{id}/reprocessLicenseAssignment", "/users/{id}/restore",
		"/users/{id}/revokeSignInSessions", "/users/{id}/scopedRoleMemberOf/**", "/users/{id}/sponsors/**",
		"/users/{id}/transitiveMemberOf/**", "/groups", "/groups/{id}", "/groups/$count", "/groups/delta", "/groups/getByIds",
		"/groups/validateProperties", "/groups/{id}/appRoleAssignments/**", "/groups/{id}/assignLicense",
		"/groups/{id}/checkMemberGroups", "/groups/{id}/checkMemberObjects", "/groups/{id}/getMemberGroups",
		"/groups/{id}/getMemberObjects", "/groups/{id}/groupLifecyclePolicies/**", "/groups/{id}/memberOf/**",
		"/groups/{id}/members/**", "/groups/{id}/membersWithLicenseErrors/**", "/groups/{id}/owners/**",
		"/groups/{id}/permissionGrants/**", "/groups/{id}/restore", "/groups/{id}/settings/**",
		"/groups/{id}/transitiveMemberOf/**", "/groups/{id}/transitiveMembers/**", "/applications/**", "/contacts/**",
		"/contracts/**", "/devices/**", "/directory/**", "/directoryObjects/**", "/directoryRoles/**",
		"/directoryRoleTemplates/**", "/domainDnsRecords/**", "/domains/**", "/groupSettings/**", "/groupSettingTemplates/**",
		"/oauth2PermissionGrants/**", "/organization/**", "/permissionGrants/**", "/policies/**", "/scopedRoleMemberships/**",
		"/servicePrincipals/**", "/subscribedSkus/**",
	}
}

// directoryWrites are the writes among directoryPaths. A POST that only reads counts as one, too, because the page
// does not exclude it.
func directoryWrites() []string {
	var rules []string
	for _, root := range []string{"/users", "/groups"} {
		id := root + "/{id}"
		rules = append(rules, "POST "+root, "PATCH,DELETE "+id)
		rules = append(rules, on("POST", []string{root + "/getByIds", root + "/validateProperties", id + "/assignLicense",
			id + "/checkMemberGroups", id + "/checkMemberObjects", id + "/getMemberGroups", id + "/getMemberObjects",
			id + "/restore"})...)
		rules = append(rules, writes+" "+id+"/appRoleAssignments/**")
	}
	rules = append(rules, on("POST", []string{
		"/users/{id}/changePassword", "/users/{id}/reprocessLicenseAssignment", "/users/{id}/revokeSignInSessions",
	})...)
	return append(rules, on(writes, []string{
		"/users/{id}/licenseDetails/**", "/users/{id}/manager/**", "/users/{id}/scopedRoleMemberOf/**",
		"/users/{id}/sponsors/**", "/groups/{id}/groupLifecyclePolicies/**", "/groups/{id}/members/**",
		"/groups/{id}/owners/**", "/groups/{id}/permissionGrants/**", "/groups/{id}/settings/**", "/applications/**",
		"/contacts/**", "/contracts/**", "/devices/**", "/directory/**", "/directoryObjects/**", "/directoryRoles/**",
		"/directoryRoleTemplates/**", "/domainDnsRecords/**", "/domains/**", "/groupSettings/**",
		"/groupSettingTemplates/**", "/oauth2PermissionGrants/**", "/organization/**", "/permissionGrants/**",
		"/policies/**", "/scopedRoleMemberships/**", "/servicePrincipals/**", "/subscribedSkus/**",
	})...)
}

// directory has the limits of Entra ID. rate is the resource units of an app in a tenant, which depend on the size
// of the tenant.
func directory(rate string) []Preset {
	units := perAppAndTenant("directory", "resource units of an app in a tenant", rate, on("ANY", directoryPaths()))
	units.Unit = resourceUnits
	return []Preset{
		{
			Name:   "any",
			Title:  "Every request to Graph",
			Source: pageGraph,
			Limits: []Limit{
				{Name: "any", What: "requests of an app, in all tenants", Rate: "130000/10s", Per: []string{"app"}},
			},
			Service: Other,
		},
		{
			Name:   "directory",
			Title:  "Identity and access: users, groups, applications, devices and the like",
			Source: pageGraph,
			Note: "Resource units by the users in the tenant: fewer than 50 3500/10s, to 500 5000/10s, more 8000/10s. In all " +
				"tenants together an app has 150000/20s and 35000/5m writes. All apps of a tenant share 18000/5m writes, " +
				"which other apps use up, too. Devices, and applications by their audience, have limits on writes besides: " +
				"25/10s of devices for each user.",
			Limits: []Limit{
				units,
				perAppAndTenant("directory-writes", "writes of an app in a tenant", "3000/150s", directoryWrites()),
			},
			Service: Directory,
		},
		{
			Name:   "identity-reports",
			Title:  "Identity reports: audit logs and sign-ins",
			Source: pageGraph,
			Note: "In all tenants together an app has 122/10s. Reading signInActivity of users, 10/m, cannot be " +
				"distinguished from reading users.",
			Limits: []Limit{perAppAndTenant("identity-reports", "requests of an app in a tenant", "5/10s", on("ANY", []string{
				"/auditLogs/**", "/reports/authenticationMethods/**", "/reports/getRelyingPartyDetailedSummary(period={period})",
			}))},
			Service: IdentityReports,
		},
		{
			Name:   "identity-protection",
			Title:  "Identity protection and conditional access",
			Source: pageGraph,
			Note:   "All apps of a tenant share it, which other apps use up, too. Graph sends no Retry-After here.",
			Limits: []Limit{perTenant("identity-protection", "1/s", on("ANY", []string{
				"/identityProtection/**", "/identity/conditionalAccess/**", "/policies/conditionalAccessPolicies/**",
			}))},
			Service: IdentityProtection,
		},
		{
			Name:   "identity-providers",
			Title:  "Identity providers and user flows",
			Source: pageGraph,
			Note:   "All apps of a tenant share 300/m.",
			Limits: []Limit{perAppAndTenant("identity-providers", "requests of an app in a tenant", "200/m", on("ANY", []string{
				"/identity/identityProviders/**", "/identity/b2xUserFlows/**", "/identity/userFlowAttributes/**",
				"/identity/apiConnectors/**", "/identityProviders/**",
			}))},
			Service: UserFlows,
		},
		{
			Name:    "invitations",
			Title:   "Invitations of guests",
			Source:  pageGraph,
			Note:    "All apps of a tenant share it, which other apps use up, too.",
			Limits:  []Limit{perTenant("invitations", "150/5s", on("ANY", []string{"/invitations/**"}))},
			Service: Invitations,
		},
		subscriptions(),
		{
			Name:   "extensions",
			Title:  "Open and schema extensions",
			Source: pageGraph,
			Limits: []Limit{perAppAndTenant("extensions", "requests of an app in a tenant", "455/10s", on("ANY", []string{
				"/schemaExtensions/**", "/users/{id}/extensions/**", "/groups/{id}/extensions/**", "/devices/{id}/extensions/**",
				"/organization/{id}/extensions/**",
			}))},
			Service: Extensions,
		},
	}
}

func subscriptions() Preset {
	return Preset{
		Name:   "subscriptions",
		Title:  "Subscriptions to change notifications",
		Source: pageGraph,
		Note:   "In all tenants together an app has four times as much, or 40/20s for lists.",
		Limits: []Limit{
			perAppAndTenant("subscriptions-writes", "writes of an app in a tenant", "500/20s",
				[]string{"POST /subscriptions", "PATCH,DELETE /subscriptions/{id}"}),
			perAppAndTenant("subscriptions-reads", "single subscriptions that an app reads in a tenant", "500/20s",
				[]string{"GET /subscriptions/{id}"}),
			perAppAndTenant("subscriptions-lists", "lists that an app reads in a tenant", "25/20s",
				[]string{"GET /subscriptions"}),
			perAppAndTenant("subscriptions-reauthorize", "subscriptions that an app reauthorizes in a tenant", "1000/20s",
				[]string{"POST /subscriptions/{id}/reauthorize"}),
		},
		Service: Subscriptions,
	}
}
