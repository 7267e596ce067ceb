package published

// office is what reports on Microsoft 365 and teaches with it.
func office() []Service {
	return []Service{
		{
			Name: "reports", Title: "Usage reports", Source: pageGraph,
			Note:   "Graph counts each report by itself; this counts all together. All apps of a tenant share 40/10m.",
			Limits: []Limit{{Name: "reports", What: "requests of an app in a tenant", Rate: "14/10m", Per: appTenant(), Covers: on("ANY", []string{"/reports/**"})}},
		},
		{
			Name: "service-announcements", Title: "Service announcements", Source: pageGraph,
			Limits: []Limit{
				{Name: "service-announcements", What: "requests of an app in a tenant, in a minute", Rate: "240/m", Per: appTenant(), Covers: on("ANY", []string{"/admin/serviceAnnouncement/**"})},
				{Name: "service-announcements-hour", What: "the same in an hour", Rate: "800/h", Per: appTenant(), Covers: on("ANY", []string{"/admin/serviceAnnouncement/**"})},
			},
		},
		{
			Name: "education", Title: "Education and its assignments", Source: pageGraph,
			Note: "In all tenants together an app has 400000/20s.",
			Limits: []Limit{
				{Name: "education", What: "requests of an app in a tenant", Rate: "35000/10s", Per: appTenant(), Covers: on("ANY", []string{"/education/**"})},
				{Name: "education-assignments", What: "requests about assignments, of an app in a tenant", Rate: "350/10s", Per: appTenant(), Covers: assignments()},
				{Name: "education-assignments-hour", What: "the same in an hour", Rate: "10000/h", Per: appTenant(), Covers: assignments()},
			},
		},
	}
}

func assignments() []string {
	return on("ANY", []string{"/education/classes/{id}/assignments/**", "/education/users/{id}/assignments/**"})
}

// management is devices and security.
func management() []Service {
	intune := []string{"/deviceManagement/**", "/deviceAppManagement/**"}
	return []Service{
		{
			Name: "intune", Title: "Intune: management of devices and their apps", Source: pageGraph,
			Note: "All apps of a tenant share twice as much. Graph counts each part of Intune by itself; this counts all " +
				"together.",
			Limits: []Limit{
				{Name: "intune", What: "requests of an app in a tenant", Rate: "1000/20s", Per: appTenant(), Covers: on("ANY", intune)},
				{Name: "intune-writes", What: "writes of an app in a tenant", Rate: "100/20s", Per: appTenant(), Covers: on(writes, intune)},
			},
		},
		{
			Name: "windows365", Title: "Windows 365: Cloud PCs", Source: pageGraph,
			Limits: []Limit{
				{Name: "windows365-lists", What: "lists of an app in a tenant", Rate: "90/m", Per: appTenant(), Covers: []string{"GET /deviceManagement/virtualEndpoint/cloudPCs"}},
				{Name: "windows365-reads", What: "single Cloud PCs that an app reads in a tenant", Rate: "270/m", Per: appTenant(), Covers: []string{"GET /deviceManagement/virtualEndpoint/cloudPCs/{id}"}},
			},
		},
		{
			Name: "security", Title: "Security: alerts, secure scores and eDiscovery", Source: pageGraph,
			Limits: []Limit{
				{Name: "security", What: "requests of an app in a tenant", Rate: "150/m", Per: appTenant(), Covers: on("ANY", []string{
					"/security/alerts/**", "/security/alerts_v2/**", "/security/secureScores/**", "/security/secureScoreControlProfiles/**"})},
				{Name: "ediscovery", What: "requests about eDiscovery cases, of an app in a tenant", Rate: "5/m", Per: appTenant(), Covers: on("ANY", []string{"/security/cases/ediscoveryCases/**"})},
			},
		},
	}
}
