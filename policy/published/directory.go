package published

const (
	pageGraph      = "https://learn.microsoft.com/graph/throttling-limits"
	pageSharePoint = "https://learn.microsoft.com/sharepoint/dev/general-development/how-to-avoid-getting-throttled-or-blocked-in-sharepoint-online"
)

// appTenant is the scope of most limits. app and tenant are those that a request is sent with.
func appTenant() []string { return []string{"app", "tenant"} }

// directoryPaths are the resources of identity and access. What lies below a user or a group is named one by one: mail, files and
// teams are there, too.
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
		"/users/{id}/transitiveMemberOf/**",
		"/groups", "/groups/{id}", "/groups/$count", "/groups/delta", "/groups/getByIds", "/groups/validateProperties",
		"/groups/{id}/appRoleAssignments/**", "/groups/{id}/assignLicense", "/groups/{id}/checkMemberGroups",
		"/groups/{id}/checkMemberObjects", "/groups/{id}/getMemberGroups", "/groups/{id}/getMemberObjects",
		"/groups/{id}/groupLifecyclePolicies/**", "/groups/{id}/memberOf/**", "/groups/{id}/members/**",
		"/groups/{id}/membersWithLicenseErrors/**", "/groups/{id}/owners/**", "/groups/{id}/permissionGrants/**",
		"/groups/{id}/restore", "/groups/{id}/settings/**", "/groups/{id}/transitiveMemberOf/**",
		"/groups/{id}/transitiveMembers/**",
		"/applications/**", "/contacts/**", "/contracts/**", "/devices/**", "/directory/**", "/directoryObjects/**",
		"/directoryRoles/**", "/directoryRoleTemplates/**", "/domains/**", "/groupSettings/**", "/groupSettingTemplates/**",
		"/oauth2PermissionGrants/**", "/organization/**", "/policies/**", "/scopedRoleMemberships/**",
		"/servicePrincipals/**", "/subscribedSkus/**",
	}
}

// directoryWrites are the writes among directoryPaths. A POST that only reads counts as one, too: what is published does not say.
func directoryWrites() []string {
	var rules []string
	for _, root := range []string{"/users", "/groups"} {
		id := root + "/{id}"
		rules = append(rules, "POST "+root, "PATCH,DELETE "+id)
		rules = append(rules, on("POST", []string{root + "/getByIds", root + "/validateProperties", id + "/assignLicense",
			id + "/checkMemberGroups", id + "/checkMemberObjects", id + "/getMemberGroups", id + "/getMemberObjects", id + "/restore"})...)
		rules = append(rules, writes+" "+id+"/appRoleAssignments/**")
	}
	rules = append(rules, on("POST", []string{"/users/{id}/changePassword", "/users/{id}/reprocessLicenseAssignment", "/users/{id}/revokeSignInSessions"})...)
	return append(rules, on(writes, []string{
		"/users/{id}/licenseDetails/**", "/users/{id}/manager/**", "/users/{id}/scopedRoleMemberOf/**", "/users/{id}/sponsors/**",
		"/groups/{id}/groupLifecyclePolicies/**", "/groups/{id}/members/**", "/groups/{id}/owners/**",
		"/groups/{id}/permissionGrants/**", "/groups/{id}/settings/**",
		"/applications/**", "/contacts/**", "/contracts/**", "/devices/**", "/directory/**", "/directoryObjects/**",
		"/directoryRoles/**", "/directoryRoleTemplates/**", "/domains/**", "/groupSettings/**", "/groupSettingTemplates/**",
		"/oauth2PermissionGrants/**", "/organization/**", "/policies/**", "/scopedRoleMemberships/**",
		"/servicePrincipals/**", "/subscribedSkus/**",
	})...)
}

func directory(rate string) []Service {
	return []Service{
		{
			Name: "any", Title: "Every request to Graph", Source: pageGraph,
			Limits: []Limit{{Name: "any", What: "requests of an app, in all tenants", Rate: "130000/10s", Per: []string{"app"}}},
		},
		{
			Name: "directory", Title: "Identity and access: users, groups, applications, devices and the like", Source: pageGraph,
			Note: "Resource units by the users in the tenant: fewer than 50 3500/10s, to 500 5000/10s, more 8000/10s. In all " +
				"tenants together an app has 150000/20s and 35000/5m writes. All apps of a tenant share 18000/5m writes, " +
				"which other apps use up, too. Devices, and applications by their audience, have limits on writes besides: " +
				"25/10s of devices for each user.",
			Limits: []Limit{
				{Name: "directory", What: "resource units of an app in a tenant", Rate: rate, Unit: units, Per: appTenant(), Covers: on("ANY", directoryPaths())},
				{Name: "directory-writes", What: "writes of an app in a tenant", Rate: "3000/150s", Per: appTenant(), Covers: directoryWrites()},
			},
		},
		{
			Name: "identity-reports", Title: "Identity reports: audit logs and sign-ins", Source: pageGraph,
			Note: "In all tenants together an app has 122/10s. Reading signInActivity of users, 10/m, cannot be told from " +
				"reading users.",
			Limits: []Limit{{Name: "identity-reports", What: "requests of an app in a tenant", Rate: "5/10s", Per: appTenant(), Covers: on("ANY", []string{"/auditLogs/**"})}},
		},
		{
			Name: "identity-protection", Title: "Identity protection and conditional access", Source: pageGraph,
			Note: "All apps of a tenant share it, which other apps use up, too. Graph sends no Retry-After here.",
			Limits: []Limit{{Name: "identity-protection", What: "requests in a tenant, of all apps", Rate: "1/s", Per: []string{"tenant"},
				Covers: on("ANY", []string{"/identityProtection/**", "/identity/conditionalAccess/**"})}},
		},
		{
			Name: "identity-providers", Title: "Identity providers and user flows", Source: pageGraph,
			Note: "All apps of a tenant share 300/m.",
			Limits: []Limit{{Name: "identity-providers", What: "requests of an app in a tenant", Rate: "200/m", Per: appTenant(),
				Covers: on("ANY", []string{"/identity/identityProviders/**", "/identity/b2xUserFlows/**", "/identity/userFlowAttributes/**"})}},
		},
		{
			Name: "invitations", Title: "Invitations of guests", Source: pageGraph,
			Note:   "All apps of a tenant share it, which other apps use up, too.",
			Limits: []Limit{{Name: "invitations", What: "requests in a tenant, of all apps", Rate: "150/5s", Per: []string{"tenant"}, Covers: on("ANY", []string{"/invitations/**"})}},
		},
		{
			Name: "subscriptions", Title: "Subscriptions to change notifications", Source: pageGraph,
			Note: "In all tenants together an app has four times as much, or 40/20s for lists.",
			Limits: []Limit{
				{Name: "subscriptions-writes", What: "writes of an app in a tenant", Rate: "500/20s", Per: appTenant(), Covers: []string{"POST /subscriptions", "PATCH,DELETE /subscriptions/{id}"}},
				{Name: "subscriptions-reads", What: "single subscriptions that an app reads in a tenant", Rate: "500/20s", Per: appTenant(), Covers: []string{"GET /subscriptions/{id}"}},
				{Name: "subscriptions-lists", What: "lists that an app reads in a tenant", Rate: "25/20s", Per: appTenant(), Covers: []string{"GET /subscriptions"}},
				{Name: "subscriptions-reauthorize", What: "subscriptions that an app reauthorizes in a tenant", Rate: "1000/20s", Per: appTenant(), Covers: []string{"POST /subscriptions/{id}/reauthorize"}},
			},
		},
		{
			Name: "extensions", Title: "Open and schema extensions", Source: pageGraph,
			Limits: []Limit{{Name: "extensions", What: "requests of an app in a tenant", Rate: "455/10s", Per: appTenant(),
				Covers: on("ANY", []string{"/schemaExtensions/**", "/users/{id}/extensions/**", "/groups/{id}/extensions/**", "/devices/{id}/extensions/**", "/organization/{id}/extensions/**"})}},
		},
	}
}
